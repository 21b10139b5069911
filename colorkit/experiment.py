"""What a run is: one frozen description, one id, one JSON with its result."""

import json
import os
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from . import __version__
from .base.checkpoints import differing
from .base.errors import KitError
from .base.files import runs_root, user_path, write_atomic
from .recipes import LEARNING_RATES, MODELS, VARIANTS, Recipe, paper_recipe

NOTEBOOKS = {
    "unet_resnet18": "03_unet_resnet18",
    "pix2pix_scratch": "04_pix2pix_scratch",
    "pix2pix_resnet18": "05_pix2pix_resnet18",
}
BATCH_SIZE = 16  # section 3.3
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
FLIP_PROBABILITY = 0.5


@dataclass(frozen=True)
class Profile:
    """How much of the paper's work a run does."""

    size: int  # px, square
    epochs: int
    weights: Literal["imagenet", "random"]  # of the ResNet-18 backbone


PROFILES = {
    "smoke": Profile(size=64, epochs=2, weights="random"),  # minutes on 2 CPU cores, no network
    "class": Profile(size=128, epochs=20, weights="imagenet"),  # a lesson on a T4
    "paper": Profile(size=256, epochs=50, weights="imagenet"),  # section 3.3
}


@dataclass(frozen=True)
class Experiment:
    """One run: everything that decides its numbers. Raises KitError for a wrong value or type."""

    table: int  # 1 or 2: the learning rates
    model: str  # a key of MODELS
    seed: int = 0  # weights, order of the batches, flips, dropout
    profile: str = "smoke"
    data: str = "sample"  # "sample", "kaggle" or a folder
    painters: str = ""  # comma-separated; empty: see sources.choose_painters
    split: str = "paper"  # which painting is trained on, tested, watched; see splits.SCHEMES
    variant: str = ""  # one change to the paper's recipe; see recipes.VARIANTS
    epochs: int = 0  # 0: the profile's
    weights: str = ""  # of the backbone; empty: the profile's, or COLORKIT_WEIGHTS
    batch_size: int = BATCH_SIZE
    precision: str = "auto"  # by device: bf16, fp16 on older GPUs, fp32 on a CPU
    deterministic: bool = False  # the same bits from CUDA each time; a CPU gives them anyway

    def __post_init__(self) -> None:
        for field in fields(self):
            check_type(field.name, getattr(self, field.name), field.type)
        check_choice("table", self.table, LEARNING_RATES)
        check_choice("model", self.model, MODELS)
        check_choice("profile", self.profile, PROFILES)
        check_choice("precision", self.precision, PRECISIONS)
        check_seed(self.seed)
        if not 0 <= self.epochs <= 100_000:
            raise KitError(f"epochs {self.epochs}: must be between 1 and 100000")
        object.__setattr__(self, "epochs", self.epochs or self.settings.epochs)
        if self.variant:
            check_choice("variant", self.variant, VARIANTS)
            check_choice("model", self.model, VARIANTS[self.variant].models)
        if not 1 <= self.batch_size <= 1024:
            raise KitError(f"batch_size {self.batch_size}: must be between 1 and 1024")
        wanted = self.weights or os.environ.get("COLORKIT_WEIGHTS") or self.settings.weights
        check_choice("weights", wanted, ("imagenet", "random"))
        random = self.recipe.random_backbone
        object.__setattr__(self, "weights", "random" if random else wanted)

    @property
    def settings(self) -> Profile:
        """Size, epochs and default weights of the profile."""
        return PROFILES[self.profile]

    @property
    def recipe(self) -> Recipe:
        """Return how it is trained: the paper's recipe, with the variant's change."""
        recipe = paper_recipe(self.table, self.model)
        return replace(recipe, **VARIANTS[self.variant].changes) if self.variant else recipe

    @property
    def first_stage(self) -> "Experiment | None":
        """Return the run whose weights it begins with, or, to be scored otherwise, has itself."""
        if self.variant and not VARIANTS[self.variant].trains:
            return replace(self, variant="")
        if not self.recipe.two_stages:
            return None
        kept = self.variant and "unet_resnet18" in VARIANTS[self.variant].models
        return replace(self, model="unet_resnet18", variant=self.variant if kept else "")

    @property
    def id(self) -> str:
        """Name of the run within its results folder: "t1-unet_resnet18-s0", a variant after it."""
        return f"t{self.table}-{self.model}-s{self.seed}" + (self.variant and f"-{self.variant}")

    def config(self) -> dict[str, Any]:
        """List every setting that decides the numbers, for the run's JSON and the report.

        A run's JSON holds the precision that was used, never "auto".
        """
        config = asdict(self) | asdict(self.recipe)
        config |= {
            "data": data_name(self.data),
            "size": self.settings.size,
            "betas": list(self.recipe.betas),
            "flip_probability": FLIP_PROBABILITY,
        }
        return config | {"weights": "none" if self.model == "pix2pix_scratch" else self.weights}


def baselines_config(profile: str) -> dict[str, Any]:
    """List the settings that decide the baselines' numbers."""
    check_choice("profile", profile, PROFILES)
    return {"profile": profile, "size": PROFILES[profile].size}


def results_folder(out: str, profile: str, data: str, split: str = "paper") -> Path:
    """Choose the results folder: `out`, or runs/<profile>, with -<data> unless it is the sample
    and -<split> unless it is the paper's: a folder holds results of one split of one set of
    paintings only.
    """
    check_choice("profile", profile, PROFILES)
    if out:
        return user_path(out)
    parts = [profile]
    parts += [data_name(data)] if data != "sample" else []
    parts += [split] if split != "paper" else []
    return runs_root() / slug("-".join(parts))


def slug(name: str) -> str:
    """Write a name so that it can be a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def data_name(data: str) -> str:
    """Name a source for people: "sample", "kaggle", or a folder's own name without its path."""
    return data if data in ("sample", "kaggle") else user_path(data).name


def result_path(out: Path, run_id: str) -> Path:
    """Return where a run's JSON is: its presence says that the run is finished."""
    return out / "runs" / f"{run_id}.json"


def weights_path(out: Path, run_id: str) -> Path:
    """Return where a run's generator is, within the folder `colorkit.load_pretrained` reads."""
    return out / "models" / run_id / "model.safetensors"


def failure_path(out: Path, run_id: str) -> Path:
    """Return where it says why a run diverged; it is there until the run is tried again."""
    return out / "runs" / f"{run_id}.failed.json"


def write_result(out: Path, result: dict[str, Any]) -> None:
    """Write a run's JSON, whole or not at all; NaN and infinity are refused."""
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(result_path(out, result["id"]), text + "\n")


def read_result(
    out: Path,
    run_id: str,
    manifest_sha256: str = "",
    config: dict[str, Any] | None = None,
    version: str = __version__,
) -> dict[str, Any] | None:
    """Read a finished run's JSON, or None if there is none.

    version: that it must be made by; any if empty, for what is published.
    Raises KitError if the file is damaged, or was made by another version of the kit, from
    other paintings or with other settings than `config`: such results are never mixed.
    """
    path = result_path(out, run_id)
    if not path.exists():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        made_by, made_from = result["versions"]["colorkit"], result["manifest_sha256"]
        made_with = result["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(f"{path}: damaged ({error}); delete it to run it again") from error
    if version and made_by != version:
        raise KitError(
            f"{path}: made by colorkit {made_by}, this is {version}, and results of two "
            "versions are never mixed; choose another --out, or delete that folder"
        )
    if manifest_sha256 and made_from != manifest_sha256:
        raise KitError(
            f"{path}: made from other paintings than {out / 'manifest.csv'} lists; "
            "choose another --out, or delete it to run it again"
        )
    if names := differing(made_with, config or {}):
        raise KitError(
            f"{path}: made with {names[0]} {made_with.get(names[0])}, not {config[names[0]]}; "
            "choose another --out, or delete it to run it again"
        )
    return result


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise KitError unless `value` is one of `choices`."""
    if value not in choices:
        raise KitError(f"{name} {value!r}: must be one of {', '.join(map(str, choices))}")


def check_seed(seed: int) -> None:
    """Raise KitError unless a seed is one PyTorch and NumPy accept."""
    if not 0 <= seed < 2**32:
        raise KitError(f"seed {seed}: must be between 0 and {2**32 - 1}")


def check_type(name: str, value: Any, expected: type) -> None:
    """Raise KitError if a parameter has the wrong type, such as the string '1' for a seed."""
    if type(value) is not expected:
        found = type(value).__name__
        raise KitError(
            f"{name}={value!r}: is {found}, must be {expected.__name__}; quote no numbers"
        )
