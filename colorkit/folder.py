"""One results folder: whose paintings, dealt how, seen at what size; and what was made of them.

Two choices of paintings never share a folder, so everything in it can be compared.
"""

import json
import platform
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch
from torch import Tensor, nn

from . import __version__
from .base.device import device_name
from .base.errors import KitError, check_choice, differing
from .base.files import data_name, file_sha256, runs_root, slug, user_path, write_atomic
from .batches import CPU
from .curation import check_manifest, curate, read_manifest, save
from .experiment import PROFILES, Profile
from .metrics import Predictor, evaluate, fit_baselines, predict_rgb
from .models import build_generator
from .pixels import evenly, part_pixels
from .sources import Source, open_source

PACKAGES = ("torch", "torchvision", "fastai", "numpy", "scikit-image", "pillow")


@dataclass(frozen=True)
class Folder:
    """A results folder. What is read of the paintings is read, and checked, once.

    manifest.csv says which paintings; runs/<id>.json is a finished run's result; models/<id>/ has
    its weights. KitError for an unknown profile.
    """

    path: Path
    profile: str = "smoke"
    data: str = "sample"  # "sample", "kaggle" or a folder
    painters: str = ""  # comma-separated; empty: see sources.choose_painters
    split: str = "paper"  # which painting is trained on, tested, watched; see splits.SCHEMES

    def __post_init__(self) -> None:
        check_choice("profile", self.profile, PROFILES)

    @classmethod
    def of(
        cls,
        profile: str = "smoke",
        data: str = "sample",
        painters: str = "",
        split: str = "paper",
        out: str = "",
    ) -> "Folder":
        """Choose the folder: `out`, or runs/<profile>, with -<data> and -<split> if unusual."""
        parts = [profile]
        parts += [data_name(data)] if data != "sample" else []
        parts += [split] if split != "paper" else []
        path = user_path(out) if out else runs_root() / slug("-".join(parts))
        return cls(path, profile, data, painters, split)

    @property
    def settings(self) -> Profile:
        """Size, epochs and default weights of the profile."""
        return PROFILES[self.profile]

    def config(self) -> dict[str, Any]:
        """List what every run in it shares."""
        shared = {"profile": self.profile, "painters": self.painters, "split": self.split}
        return shared | {"data": data_name(self.data), "size": self.settings.size}

    @cached_property
    def source(self) -> Source:
        """Where the paintings come from."""
        return open_source(self.data)

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """A row a painting. Made and kept if there is none, else held against the files.

        Raises KitError if the folder holds results of other paintings, or of another split.
        """
        if not self.manifest_path.exists():
            save(self.path, curate(self.source, self.painters, self.split))
        manifest = check_manifest(self.manifest_path, self.source, self.painters, self.split)
        self.manifest_sha256  # noqa: B018  (of what was checked)
        return manifest

    @cached_property
    def listed(self) -> pd.DataFrame:
        """The manifest as it was kept, whether the paintings are at hand or not."""
        return read_manifest(self.manifest_path)

    @cached_property
    def manifest_sha256(self) -> str:
        """Which paintings, dealt how: in every result."""
        return file_sha256(self.manifest_path)

    @cached_property
    def pixels(self) -> dict[str, Tensor]:
        """{"train": (n, 3, S, S) uint8, "test": …, "valid": …}, memory-mapped.

        Decoded once in the folder's life.
        """
        return part_pixels(self.path, self.source.root, self.manifest, self.settings.size)

    def examples(self, count: int = 5) -> tuple[Tensor, list[str]]:
        """Pick test paintings over all painters: (count or fewer, 3, S, S) uint8, and titles."""
        titles = self.manifest.query("part == 'test'")["title"].tolist()
        chosen = evenly(count, len(titles))
        return self.pixels["test"][chosen], [titles[index] for index in chosen]

    @property
    def baselines_config(self) -> dict[str, Any]:
        """What decides the baselines' numbers."""
        return {"profile": self.profile, "size": self.settings.size}

    @cached_property
    def baselines(self) -> dict[str, Any]:
        """The result of the predictors without a network, fitted and scored if need be."""
        if found := self.result("baselines", self.baselines_config):
            return found
        models = fit_baselines(self.pixels["train"])  # on the CPU: the same on every machine
        scores = {name: self.scores(model) for name, model in models.items()}
        tables = {name: model.table.tolist() for name, model in models.items()}
        result = self.describe("baselines", CPU)
        result |= {"config": self.baselines_config, "tables": tables, "scores": scores}
        return self.keep(result)

    def scores(
        self, predict: Predictor, device: torch.device = CPU, mode: str = "eval", grey: str = "L"
    ) -> dict[str, list[dict[str, Any]]]:
        """Score a model painting by painting: {"train": [{"path", "painter", "mse_ab", …}], …}."""
        named = {}
        for part, pixels in self.pixels.items():
            mine = self.manifest.loc[self.manifest["part"] == part, ["path", "painter"]]
            rows = evaluate(predict, pixels, device, mode, grey)
            pairs = zip(mine.to_dict("records"), rows, strict=True)
            named[part] = [painting | scores for painting, scores in pairs]
        return named

    def describe(self, run_id: str, device: torch.device) -> dict[str, Any]:
        """Say what makes a result: the data's hash, versions, device."""
        return {
            "id": run_id,
            "manifest_sha256": self.manifest_sha256,
            "versions": {"python": platform.python_version(), "colorkit": __version__}
            | {name: version(name) for name in PACKAGES},
            "device": device_name(device),
            "threads": torch.get_num_threads(),
        }

    def result(
        self, run_id: str, config: dict[str, Any] | None = None, by: str = __version__
    ) -> dict[str, Any] | None:
        """Read a finished run's JSON, or None if there is none.

        by: the version of the kit that must have made it; any if empty, where nothing is added.
        Raises KitError if the file is damaged, or was made by another version, from other
        paintings or with other settings than `config`: such results are never mixed.
        """
        path = self.result_path(run_id)
        if not (result := read_result(path)):
            return None
        made_by, made_with = result["versions"]["colorkit"], result["config"]
        if by and made_by != by:
            told = f"made by colorkit {made_by}, this is {by}"
        elif result["manifest_sha256"] != self.manifest_sha256:
            told = f"made from other paintings than {self.manifest_path} lists"
        elif names := differing(made_with, config or {}):
            told = f"made with {names[0]} {made_with.get(names[0])}, not {config[names[0]]}"
        else:
            return result
        raise KitError(f"{path}: {told}; choose another --out, or delete it to run it again")

    def keep(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write a run's JSON, whole or not at all; NaN and infinity are refused."""
        text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomic(self.result_path(result["id"]), text)
        return result

    def generator(self, result: dict[str, Any]) -> nn.Module:
        """Rebuild a finished run's generator, in evaluation mode, on the CPU.

        Raises KitError if its weights are missing, or are not the run's own.
        """
        config, run = result["config"], self.result_path(result["id"])
        path = self.model_path(result.get("weights_of", result["id"])) / "model.safetensors"
        if not path.exists() or file_sha256(path) != result["weights_sha256"]:
            raise KitError(f"{path}: missing or damaged; delete {run} and run it again")
        generator = build_generator(config["model"], config["size"], "random")
        generator.load_state_dict(safetensors.torch.load_file(path))
        return generator.eval()

    def coloured(self, result: dict[str, Any], pixels: Tensor) -> Tensor:
        """Colour pictures as a finished run does, from the grey that it was trained on.

        pixels: (N, 3, S, S) uint8. Returns sRGB in [0, 1], the same shape. KitError as above.
        """
        return predict_rgb(self.generator(result), pixels, result["config"].get("grey", "L"))

    @property
    def manifest_path(self) -> Path:
        """Return where it says which paintings."""
        return self.path / "manifest.csv"

    def result_path(self, run_id: str) -> Path:
        """Return where a run's JSON is."""
        return self.path / "runs" / f"{run_id}.json"

    def failure_path(self, run_id: str) -> Path:
        """Return where it says why a run diverged; it is there until the run is tried again."""
        return self.path / "runs" / f"{run_id}.failed.json"

    def model_path(self, run_id: str) -> Path:
        """Return the folder of a run's model, which `colorkit.load_pretrained` reads."""
        return self.path / "models" / run_id

    def progress_path(self, run_id: str) -> Path:
        """Return where a run in training says how far it is."""
        return self.path / "progress" / f"{run_id}.json"

    def snapshots_path(self, run_id: str) -> Path:
        """Return where a long training's pictures and scores on the way are."""
        return self.path / "snapshots" / run_id


def read_result(path: Path) -> dict[str, Any] | None:
    """Read a run's JSON, whoever made it, or None if there is none. KitError if it is damaged."""
    if not path.exists():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        result["versions"]["colorkit"], result["manifest_sha256"], result["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(f"{path}: damaged ({error}); delete it to run it again") from error
    return result
