"""How a model is trained and evaluated, and what may be changed to see what it is worth.

The defaults are the paper's (section 3.3), as data/assumptions.csv reads it; a variant changes
one thing. The missing controls are variants too: the paper never separates the critic from the
network, nor the first stage from the backbone.
"""

from dataclasses import dataclass, field
from typing import Any

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


def paper_recipe(table: int, model: str) -> Recipe:
    """Return the paper's recipe for a model; the U-Net's momenta are PyTorch's defaults."""
    gan = model in GANS
    betas, l1_weight = ((0.5, 0.999), L1_WEIGHT) if gan else ((0.9, 0.999), 1.0)
    lr, two_stages = LEARNING_RATES[table][model], model == "pix2pix_resnet18"
    return Recipe(lr, betas, gan, two_stages, l1_weight=l1_weight)
