"""sRGB <-> CIELAB (D65, 2 degrees) as batched tensor operations, and the model's scaling of it.

The only file in which the scaling by 50 and 110 is written. Networks see `L` = L*/50 - 1 in [-1, 1]
and `ab` = (a*, b*)/110, which lies in [-0.79, 0.90] x [-0.99, 0.86] for every sRGB colour.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Encoder = Callable[[Tensor], tuple[Tensor, Tensor]]  # pictures -> what a model sees, and predicts

L_CENTER, AB_SCALE = 50.0, 110.0

# IEC 61966-2-1 primaries and the D65 white point, to the digits scikit-image uses.
_XYZ_FROM_RGB = torch.tensor(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ],
    dtype=torch.float64,
)
_RGB_FROM_XYZ = torch.linalg.inv(_XYZ_FROM_RGB)
_WHITE = torch.tensor([0.95047, 1.0, 1.08883], dtype=torch.float64)
_D50 = torch.tensor([0.9642, 1.0, 0.8249], dtype=torch.float64)  # the white of ICC profiles
_CONES = torch.tensor(  # Bradford's
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]],
    dtype=torch.float64,
)
_D65_FROM_D50 = torch.linalg.inv(_CONES) * (_CONES @ _WHITE / (_CONES @ _D50)) @ _CONES
_KAPPA, _EPSILON = 7.787, 0.008856  # CIE 1976: slope near black, and where the cube root begins
_OFFSET = 16 / 116
_NOISE = 1e-5  # of linear RGB: what rounding does, and less than 8 bits tell apart, in black too


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB.

    rgb: (..., 3, H, W), float in [0, 1]. Returns the same shape: L* in [0, 100],
    a* in [-86.2, 98.2], b* in [-107.9, 94.5].
    Raises ValueError for integers or a wrong channel axis.
    Paper: section 3.1.
    """
    _check(rgb, "rgb")
    return _lab(_mix(to_linear(rgb), _XYZ_FROM_RGB / _WHITE[:, None]))


def lab_from_d50(lab: Tensor) -> Tensor:
    """Adapt CIELAB relative to D50, as ICC profiles have it, to D65 (Bradford, as sRGB's own).

    lab: (..., 3, H, W), float. Returns the same shape; greys stay as they are.
    """
    return _lab(_mix(_xyz(lab), _D65_FROM_D50 * _D50 / _WHITE[:, None]))


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIELAB to sRGB; colours outside sRGB are clipped to it.

    lab: (..., 3, H, W), float, L* in [0, 100]. Returns the same shape in [0, 1].
    Raises ValueError for integers or a wrong channel axis.
    """
    return to_srgb(_linear_rgb(lab))


def lab_to_paler_rgb(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Convert CIELAB to sRGB; a colour outside sRGB is made paler until it is inside.

    Its chroma is lowered at constant L* and hue, to within 1/64 of what it was (the idea of CSS
    Color 4, section 13, in CIELAB): unlike clipping, that leaves the lightness alone.
    lab: (..., 3, H, W), float, L* in [0, 100]. Returns sRGB in [0, 1], the same shape, and which
    colours were outside, (..., H, W), bool.
    Raises ValueError for integers or a wrong channel axis.
    """
    linear = _linear_rgb(lab)
    outside = ~_exists(linear, _NOISE)
    if outside.any():
        pixels = lab.movedim(-3, 0)[:, outside]  # (3, N): the others cost nothing more
        linear.movedim(-3, 0)[:, outside] = _linear_rgb(_paler(pixels)[..., None])[..., 0]
    return to_srgb(linear), outside


def to_linear(rgb: Tensor) -> Tensor:
    """Turn sRGB values in [0, 1] into amounts of light in [0, 1]; any shape. IEC 61966-2-1."""
    return torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).clamp_min(0) ** 2.4, rgb / 12.92)


def to_srgb(linear: Tensor) -> Tensor:
    """Turn amounts of light into sRGB values, clipped to [0, 1]; the inverse of `to_linear`."""
    curved = 1.055 * linear.clamp_min(0) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curved, 12.92 * linear).clamp(0, 1)


def in_gamut(lab: Tensor, tolerance: float = 1e-4) -> Tensor:
    """Tell which Lab colours exist in sRGB.

    lab: (..., 3, H, W). Returns (..., H, W), bool: True where linear RGB stays in [0, 1]
    within `tolerance`.
    """
    return _exists(_linear_rgb(lab), tolerance)


def encode(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Split pictures into what the model sees and what it must predict.

    rgb: (..., 3, H, W), float in [0, 1]. Returns L (..., 1, H, W) in [-1, 1]
    and ab (..., 2, H, W) in [-0.99, 0.90]. Paper: section 3.1; scaling as in pix2pix's
    colorization data set.
    """
    lab = rgb_to_lab(rgb)
    return lab[..., :1, :, :] / L_CENTER - 1, lab[..., 1:, :, :] / AB_SCALE


def decode(L: Tensor, ab: Tensor) -> Tensor:
    """Join the model's input and its prediction into pictures; the inverse of `encode`.

    L: (..., 1, H, W), ab: (..., 2, H, W). Returns (..., 3, H, W), sRGB in [0, 1]. Colours outside
    are clipped, which moves their lightness: scores and a run's own figures are made so, the same
    in all results; a picture of one's own by `lab_to_paler_rgb`, which keeps it.
    """
    return lab_to_rgb(join(L, ab))


def join(L: Tensor, ab: Tensor) -> Tensor:
    """Undo the scaling: L (..., 1, H, W) and ab (..., 2, H, W) to Lab units (..., 3, H, W)."""
    return torch.cat(((L + 1) * L_CENTER, ab * AB_SCALE), dim=-3)


def grey_input(rgb: Tensor) -> Tensor:
    """Make the model's input from any picture, coloured or grey (R = G = B).

    The one way to get it, in training and for pictures of your own: a grey file scaled as
    2v - 1, or Pillow's own grey, differs from L* by up to 25 units.
    rgb: (..., 3, H, W), float in [0, 1]. Returns L (..., 1, H, W) in [-1, 1].
    """
    return encode(rgb)[0]


def gamut_slice(lightness: float) -> tuple[Tensor, Tensor]:
    """Cut the ab square [-110, 110]^2 at one lightness.

    lightness: L* in [0, 100]. Returns the colours (3, 221, 221) in [0, 1], b* upwards, and
    the mask (221, 221) of those inside sRGB. Its mean is the share of the square that exists.
    """
    axis = torch.linspace(-AB_SCALE, AB_SCALE, 221)
    b, a = torch.meshgrid(axis.flip(0), axis, indexing="ij")
    lab = torch.stack((torch.full_like(a, lightness), a, b))
    return lab_to_rgb(lab), in_gamut(lab)


def _linear_rgb(lab: Tensor) -> Tensor:
    return _mix(_xyz(lab), _RGB_FROM_XYZ * _WHITE)


def _xyz(lab: Tensor) -> Tensor:
    """Return XYZ in shares of the white's."""
    _check(lab, "lab")
    L, a, b = lab.unbind(-3)
    y = (L + 16) / 116
    f = torch.stack((y + a / 500, y, (y - b / 200).clamp_min(0)), dim=-3)
    return torch.where(f > _EPSILON ** (1 / 3), f**3, (f - _OFFSET) / _KAPPA)


def _lab(xyz: Tensor) -> Tensor:
    f = torch.where(xyz > _EPSILON, xyz.clamp_min(0) ** (1 / 3), _KAPPA * xyz + _OFFSET)
    x, y, z = f.unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def _exists(linear: Tensor, tolerance: float) -> Tensor:
    return ((linear >= -tolerance) & (linear <= 1 + tolerance)).all(dim=-3)


def _paler(lab: Tensor) -> Tensor:
    """Scale the chroma of colours outside sRGB (3, N) by the largest share that is inside."""
    L, ab = lab[:1], lab[1:]
    share = torch.zeros_like(L)
    for halving in range(1, 7):
        more = share + 0.5**halving
        linear = _linear_rgb(torch.cat((L, more * ab))[..., None])
        inside = _exists(linear, tolerance=0)[:, 0]
        share = torch.where(inside, more, share)
    return torch.cat((L, share * ab))


def _mix(pixels: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("dc,...chw->...dhw", matrix.to(pixels), pixels)


def _check(pixels: Tensor, name: str) -> None:
    if not pixels.is_floating_point():
        raise ValueError(f"{name} is {pixels.dtype}; it must be float (uint8 pictures: / 255)")
    if pixels.ndim < 3 or pixels.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(pixels.shape)}; it must be (..., 3, H, W)")
