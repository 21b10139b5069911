"""What a run is: one frozen description of everything that decides its numbers.

The recipes are the paper's (section 3.3), as data/assumptions.csv reads it; a variant changes one
thing. The missing controls are variants too: the paper never separates the critic from the
network, nor the first stage from the backbone.
"""

import os
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from .base.errors import check_choice, check_range, check_type, refuse_unknown
from .base.files import slug

if TYPE_CHECKING:
    from .folder import Folder

MODELS = {
    "unet_resnet18": "UNet (resnet18 backbone)",
    "pix2pix_scratch": "pix2pix (scratch UNet)",
    "pix2pix_resnet18": "pix2pix (pretrained resnet18 backbone UNet)",
}
SHORT = {"unet_resnet18": "U-Net", "pix2pix_scratch": "scratch", "pix2pix_resnet18": "pretrained"}
# The captions of Tables 1 and 2; section 3.3 says 1e-4 for the U-Net and belongs to no number.
LEARNING_RATES = {
    1: {"unet_resnet18": 1e-3, "pix2pix_scratch": 2e-4, "pix2pix_resnet18": 2e-4},
    2: {"unet_resnet18": 2e-3, "pix2pix_scratch": 2e-3, "pix2pix_resnet18": 2e-3},
}
GANS = ("pix2pix_scratch", "pix2pix_resnet18")
L1_WEIGHT = 100.0  # lambda, section 3.3


@dataclass(frozen=True)
class Recipe:
    """Every setting of a training and its evaluation that is not a size."""

    lr: float  # of generator and critic alike
    betas: tuple[float, float]  # Adam's momenta
    critic: bool
    two_stages: bool  # begins with the U-Net of notebook 3
    loss: str = "l1"  # "l1" or "l2", between ab and its prediction
    l1_weight: float = 1.0  # lambda
    real_label: float = 1.0  # below 1: one-sided label smoothing
    shuffle: bool = True
    random_backbone: bool = False  # no ImageNet weights, whatever the profile says
    mode: str = "eval"  # of batch norm and dropout when scored: "eval" or "train"
    input: str = "L"  # when scored: "L", or "2v-1" of the grey file's values, as in a tutorial


@dataclass(frozen=True)
class Variant:
    """One change, the models it makes sense for, and the question it answers."""

    models: tuple[str, ...]
    question: str
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Tell whether new weights are needed; scores alone change otherwise."""
        return not set(self.changes) <= {"mode", "input"}


VARIANTS = {
    "text_lr": Variant(
        ("unet_resnet18",), "learning rate 1e-4, as the text of section 3.3 has it", {"lr": 1e-4}
    ),
    "unshuffled": Variant(
        tuple(MODELS), "the same order of batches in every epoch", {"shuffle": False}
    ),
    "l2": Variant(("unet_resnet18",), "squared instead of absolute errors", {"loss": "l2"}),
    "l1_only": Variant(
        GANS,
        "the same network and steps without a critic",
        {"critic": False, "l1_weight": 1.0},
    ),
    "one_stage": Variant(
        ("pix2pix_resnet18",), "the critic from the start, no first stage", {"two_stages": False}
    ),
    "no_pretraining": Variant(
        ("unet_resnet18", "pix2pix_resnet18"),
        "neither ImageNet's weights nor a first stage",
        {"two_stages": False, "random_backbone": True},
    ),
    "label_smoothing": Variant(GANS, "the critic is asked for 0.9, not 1", {"real_label": 0.9}),
    "lambda_10": Variant(GANS, "L1 weighs a tenth", {"l1_weight": 10.0}),
    "lambda_1000": Variant(GANS, "L1 weighs ten times as much", {"l1_weight": 1000.0}),
    "train_mode": Variant(
        tuple(MODELS), "scored with the batch's own statistics and with dropout", {"mode": "train"}
    ),
    "file_grey": Variant(
        tuple(MODELS), "scored on 2v - 1 of a grey file instead of L*/50 - 1", {"input": "2v-1"}
    ),
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
    """One run in a results folder. Raises KitError for a wrong value or type."""

    folder: "Folder"  # the paintings, and the profile
    model: str  # a key of MODELS
    table: int = 1  # 1 or 2: the learning rates
    seed: int = 0  # weights, order of the batches, flips, dropout
    variant: str = ""  # one change to the paper's recipe; see VARIANTS
    epochs: int = 0  # 0: the profile's
    weights: str = ""  # of the backbone; empty: the profile's, or COLORKIT_WEIGHTS
    batch_size: int = BATCH_SIZE
    precision: str = "auto"  # by device: bf16, fp16 on older GPUs, fp32 on a CPU
    deterministic: bool = False  # the same bits from CUDA each time; a CPU gives them anyway
    grey: str = "L"  # what the model sees, in training and when scored; see film.grey_encoder

    def __post_init__(self) -> None:
        for setting in fields(self)[1:]:
            check_type(setting.name, getattr(self, setting.name), setting.type)
        check_choice("table", self.table, LEARNING_RATES)
        check_choice("model", self.model, MODELS)
        check_choice("precision", self.precision, PRECISIONS)
        check_range("seed", self.seed, 0, 2**32 - 1)  # what PyTorch and NumPy accept
        check_range("epochs", self.epochs, 0, 100_000)
        check_range("batch_size", self.batch_size, 1, 1024)
        if self.variant:
            check_choice("variant", self.variant, VARIANTS)
            check_choice("model", self.model, VARIANTS[self.variant].models)
        profile = self.folder.settings
        object.__setattr__(self, "epochs", self.epochs or profile.epochs)
        wanted = self.weights or os.environ.get("COLORKIT_WEIGHTS") or profile.weights
        check_choice("weights", wanted, ("imagenet", "random"))
        object.__setattr__(self, "weights", "random" if self.recipe.random_backbone else wanted)
        if self.grey != "L":
            from .film import grey_encoder  # needs torch, and the commands do not

            grey_encoder(self.grey)

    @classmethod
    def of(cls, folder: "Folder", model: str, table: int, seed: int, options: dict[str, Any]):
        """Make an experiment with rare settings in a dictionary; KitError for an unknown one."""
        rare = ("variant", "epochs", "weights", "batch_size", "precision", "deterministic", "grey")
        refuse_unknown("option", options, rare)
        return cls(folder, model, table, seed, **options)

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
    def stages(self) -> list["Experiment"]:
        """List what has to be run for it, itself last (section 3.2.2, model 2)."""
        return [*(self.first_stage.stages if self.first_stage else []), self]

    @property
    def id(self) -> str:
        """Name of the run within its folder: "t1-unet_resnet18-s0", a variant and a grey after."""
        name = f"t{self.table}-{self.model}-s{self.seed}" + (self.variant and f"-{self.variant}")
        return name if self.grey == "L" else f"{name}-{slug(self.grey)}"

    def config(self) -> dict[str, Any]:
        """List every setting that decides the numbers, for the run's JSON and the report.

        A run's JSON holds the precision that was used, never "auto".
        """
        mine = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "folder"}
        if self.model == "pix2pix_scratch":
            mine["weights"] = "none"
        if self.grey == "L":
            del mine["grey"]  # as in results from before there was a choice; ids keep them apart
        recipe = asdict(self.recipe) | {"betas": list(self.recipe.betas)}
        return self.folder.config() | mine | recipe | {"flip_probability": FLIP_PROBABILITY}


def paper_recipe(table: int, model: str) -> Recipe:
    """Return the paper's recipe for a model; the U-Net's momenta are PyTorch's defaults."""
    gan = model in GANS
    betas, l1_weight = ((0.5, 0.999), L1_WEIGHT) if gan else ((0.9, 0.999), 1.0)
    lr, two_stages = LEARNING_RATES[table][model], model == "pix2pix_resnet18"
    return Recipe(lr, betas, gan, two_stages, l1_weight=l1_weight)
