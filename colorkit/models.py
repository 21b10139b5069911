"""Two generators and a critic, of which the paper's three models are made.

The only file that knows the insides of fastai's U-Net.
"""

import hashlib
import io
import math
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from .base.errors import KitError

# torchvision's file resnet18-f37072fd.pth; the digits are the beginning of its sha256.
RESNET18_SHA256 = "f37072fd"


def build_generator(model: str, size: int, weights: str) -> nn.Module:
    """Build the generator of a model: L (N, 1, size, size) in [-1, 1] -> ab (N, 2, size, size).

    model: "unet_resnet18", "pix2pix_scratch" or "pix2pix_resnet18"; weights: "imagenet" or
    "random", for the backbone. Paper: section 3.2.
    """
    if model == "pix2pix_scratch":
        return init_normal(ScratchUnet(size))
    return unet_resnet18(size, weights)


def unet_resnet18(size: int, weights: str = "imagenet") -> nn.Module:
    """Build fastai's DynamicUnet on a ResNet-18: 31,099,672 parameters at any size.

    Maps L (N, 1, H, W) to ab (N, 2, H, W), linear output. The 1-channel stem sums the RGB
    kernels of the ImageNet weights. Raises KitError if those cannot be had.
    Paper: section 3.2.1.
    """
    from fastai.vision.learner import create_body
    from fastai.vision.models.unet import DynamicUnet
    from torchvision.models import resnet18

    backbone = resnet18()
    if weights == "imagenet":
        backbone.load_state_dict(imagenet_weights())
    body = create_body(backbone, n_in=1, pretrained=weights == "imagenet", cut=-2)
    unet = DynamicUnet(body, n_out=2, img_size=(size, size))
    del unet.layers[-1]  # ToTensorBase: the output stays a plain tensor, with the same values
    return unet


class ScratchUnet(nn.Module):
    """The U-Net of pix2pix: log2(size) halvings down to 1 x 1, and back with skip connections.

    54,409,858 parameters at 256 px. Maps L (N, 1, size, size) to ab (N, 2, size, size) in
    (-1, 1). Dropout in the inner blocks is pix2pix's only noise. Raises ValueError unless size
    is a power of two, 32 or more. Paper: section 3.2.2; Isola et al. 2018, section 6.1.1.
    """

    def __init__(self, size: int, filters: int = 64):
        super().__init__()
        depth = int(math.log2(size))
        if 2**depth != size or depth < 5:
            raise ValueError(f"size {size}: must be a power of two, 32 or more")
        widths = [filters * min(2**level, 8) for level in range(depth)]
        self.down = nn.ModuleList(
            _down(1 if level == 0 else widths[level - 1], widths[level], level, depth)
            for level in range(depth)
        )
        self.up = nn.ModuleList(
            _up(widths, level, dropout=4 <= level < depth - 1) for level in reversed(range(depth))
        )

    def forward(self, L: Tensor) -> Tensor:
        skips, x = [], L
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = skips.pop()
        for up in self.up[:-1]:
            x = torch.cat((skips.pop(), up(x)), dim=1)
        return self.up[-1](x)


def _down(n_in: int, n_out: int, level: int, depth: int) -> nn.Sequential:
    halve = nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False)
    if level == 0:
        return nn.Sequential(halve)
    if level == depth - 1:  # 1 x 1: a batch norm would see one value a channel and picture
        return nn.Sequential(nn.LeakyReLU(0.2), halve)
    return nn.Sequential(nn.LeakyReLU(0.2), halve, nn.BatchNorm2d(n_out))


def _up(widths: list[int], level: int, dropout: bool) -> nn.Sequential:
    innermost = level == len(widths) - 1
    n_in = widths[level] if innermost else 2 * widths[level]
    if level == 0:
        return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(n_in, 2, 4, 2, 1), nn.Tanh())
    n_out = widths[level - 1]
    double = nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=False)
    layers = [nn.ReLU(), double, nn.BatchNorm2d(n_out)]
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropout else []))


class PatchCritic(nn.Module):
    """The patch discriminator: one real-or-fake logit for every 70 x 70 patch of L and ab.

    2,765,633 parameters. Maps L (N, 1, H, W) and ab (N, 2, H, W) to logits (N, 1, h, w),
    30 x 30 at 256 px. Paper: section 3.2.2; Isola et al. 2018, section 3.2.2.
    """

    def __init__(self, filters: int = 64):
        super().__init__()
        widths, strides = [filters, 2 * filters, 4 * filters, 8 * filters], [2, 2, 2, 1]
        layers: list[nn.Module] = [nn.Conv2d(3, filters, 4, 2, 1), nn.LeakyReLU(0.2)]
        for n_in, n_out, stride in zip(widths, widths[1:], strides[1:], strict=False):
            layers += [nn.Conv2d(n_in, n_out, 4, stride, 1, bias=False)]
            layers += [nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, L: Tensor, ab: Tensor) -> Tensor:
        return self.layers(torch.cat((L, ab), dim=1))


def receptive_field(network: nn.Module) -> int:
    """Compute how many pixels wide a patch one output of a chain of convolutions sees."""
    field = 1
    for layer in reversed([m for m in network.modules() if isinstance(m, nn.Conv2d)]):
        field = (field - 1) * layer.stride[0] + layer.kernel_size[0]
    return field


def init_normal(network: nn.Module) -> nn.Module:
    """Initialise a scratch network as pix2pix does: weights N(0, 0.02), norms N(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def unet_parts(unet: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """Name the steps of either U-Net: the encoder's, outermost first, and the decoder's."""
    if isinstance(unet, ScratchUnet):
        return list(unet.down), list(unet.up)
    body, layers = unet.layers[0], unet.layers
    return [body[2], *body[4:8]], [*layers[4:8], layers[-1]]


def count_parameters(network: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def imagenet_weights() -> dict[str, Tensor]:
    """Load ResNet-18's ImageNet weights: the file COLORKIT_RESNET18, else torchvision's loader."""
    if path := os.environ.get("COLORKIT_RESNET18"):
        return _weights_file(Path(path))
    from torchvision.models import ResNet18_Weights

    try:
        return ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # no network, or a damaged file in torchvision's cache
        raise KitError(
            f"ImageNet weights of ResNet-18: cannot be downloaded ({error}); set COLORKIT_RESNET18 "
            "to a local resnet18-f37072fd.pth, or COLORKIT_WEIGHTS=random to train without them"
        ) from error


def _weights_file(path: Path) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KitError(
            f"COLORKIT_RESNET18={path}: {error.strerror}; it must be a file resnet18-f37072fd.pth"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(RESNET18_SHA256):
        raise KitError(
            f"{path}: its sha256 begins with {digest[:8]}, ResNet-18's ImageNet weights begin with "
            f"{RESNET18_SHA256}; download resnet18-f37072fd.pth again"
        )
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
