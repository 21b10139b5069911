"""What is tried, on equal time, and the two models that come of it."""

from dataclasses import dataclass, replace

from torch import nn

from ..experiment import Recipe
from ..models import ScratchUnet, init_normal
from ..pictures.lite import LiteUnet

# Squared errors: their best answer is the mean of what is possible, which is what is measured.
CAUTIOUS = Recipe(lr=5e-4, betas=(0.9, 0.999), critic=False, two_stages=False, loss="l2")
# The paper's critic, on a network that knows its colours already (its model 3, section 3.2.2). L1
# weighs a fifth of pix2pix's 100, with which nothing had become livelier after five epochs. Weights
# that a critic pulls at swing more: averaged over fewer steps, some pictures had red patches.
LIVELY = Recipe(lr=2e-4, betas=(0.5, 0.999), critic=True, two_stages=True, l1_weight=20.0)


@dataclass(frozen=True)
class Candidate:
    """A network, the square it sees, and how it is trained."""

    network: str  # "lite" or "scratch"
    size: int  # px
    minutes: float  # of one core
    recipe: Recipe = CAUTIOUS
    filters: int = 0  # of the scratch U-Net's first layer
    imagenet: bool = False
    grey: str = "L"  # what it is trained on; of any other it predicts the missing lightness too
    starts_from: str = ""  # another candidate, of the same seed
    ema_decay: float = 0.995  # the past's share in the average of weights, at each step

    def build(self) -> nn.Module:
        """Make the network, with new weights or ImageNet's."""
        if self.network == "lite":
            return LiteUnet(self.imagenet, outputs=2 if self.grey == "L" else 3)
        return init_normal(ScratchUnet(self.size, self.filters))


BOX_RECIPES = {
    "cautious": Candidate("lite", 128, 15, imagenet=True),
    "lively": Candidate(
        "lite", 128, 25, LIVELY, imagenet=True, starts_from="cautious", ema_decay=0.998
    ),
}
TRIALS = {
    "scratch, 16 filters, 64 px": Candidate("scratch", 64, 10, filters=16),
    "scratch, 32 filters, 64 px": Candidate("scratch", 64, 10, filters=32),
    "scratch, 64 filters, 64 px": Candidate("scratch", 64, 10, filters=64),
    "scratch, 32 filters, 128 px": Candidate("scratch", 128, 10, filters=32),
    "scratch, 32 filters, 256 px": Candidate("scratch", 256, 10, filters=32),
    "Lite0, random weights, 128 px": Candidate("lite", 128, 10),
    "Lite0, ImageNet, 128 px": Candidate("lite", 128, 10, imagenet=True),
}
# The recipe of "cautious", for photographs of paintings; see photographs.py.
PHOTOGRAPHS = {"photographs": replace(BOX_RECIPES["cautious"], grey="mixture")}
CANDIDATES = BOX_RECIPES | TRIALS | PHOTOGRAPHS
