"""Grey as a photograph: what an old plate made of a painting's colours, which is not L*.

A plate is an emulsion, the light it was exposed by and a filter before the lens, as three weights
on linear sRGB (data/emulsions.csv): spectral sensitivity times light times filter, times the
spectra that Mallett and Yuksel (2019) give to red, green and blue. Exact for spectra that are a
mixture of those three; pigments are not, so it is an approximation of any one painting.
"""

from functools import cache, partial

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .base.errors import KitError, refuse_unknown
from .base.files import kit_file
from .color import L_CENTER, Encoder, encode, grey_input, join, lab_to_rgb, to_linear, to_srgb

WORDS = ("emulsion", "light", "filter")
RGB = ["red", "green", "blue"]
EXPOSURE, CONTRAST = 0.25, 0.12  # standard deviations of unknown stops, and of log gamma
PAPER = (0.04, 2.30)  # least and greatest density of Kodak Polymax paper, by its data sheet


@cache
def emulsion_table() -> pd.DataFrame:
    """Read the plates the kit knows: emulsion, light, filter, red, green, blue, source."""
    return pd.read_csv(kit_file("data", "emulsions.csv"))


def plate_weights(plate: str) -> Tensor:
    """Find a plate's weights on linear sRGB, (3,), which add up to 1.

    plate: an emulsion, then a light and a filter if they are not daylight and none, such as
    "ortho", "pan,tungsten" or "pan,daylight,red". KitError for what the table does not have.
    """
    table = emulsion_table()
    emulsion, *others = [word.strip() for word in plate.split(",")]
    refuse_unknown("emulsion", [emulsion], set(table["emulsion"]))
    found = {"emulsion": emulsion, "light": "daylight", "filter": "none"}
    for word in others:
        lights, filters = set(table["light"]), set(table["filter"])
        refuse_unknown("light or filter", [word], lights | filters)
        found["light" if word in lights else "filter"] = word
    row = table[(table[list(WORDS)] == pd.Series(found)).all(axis=1)]
    if row.empty:
        known = table[table["emulsion"] == emulsion]
        pairs = "; ".join(f"{light}, {glass}" for light, glass in known[["light", "filter"]].values)
        raise KitError(f"plate '{plate}': has no row in emulsions.csv; {emulsion} has {pairs}")
    weights = torch.tensor(row[RGB].to_numpy(dtype=np.float32)[0])
    return weights / weights.sum()


def expose(rgb: Tensor, plate: str) -> Tensor:
    """Say how much light blackens a plate: sRGB (..., 3, H, W) in [0, 1] to (..., 1, H, W)."""
    weights = plate_weights(plate).to(rgb)
    return torch.einsum("c,...chw->...hw", weights, to_linear(rgb)).unsqueeze(-3)


def photograph(
    rgb: Tensor,
    plate: str = "pan",
    *,
    stops: float = 0.0,
    gamma: float = 1.0,
    densities: tuple[float, float] = (0.0, float("inf")),
    blur: float = 0.0,
    screen: float = 0.0,
    grain: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """Photograph paintings: sRGB (N, 3, H, W) in [0, 1] to the print's grey (N, 1, H, W), sRGB.

    `color.grey_input(grey.expand(-1, 3, -1, -1))` is what a model sees of it. Only the plate's
    weights have a source; all other defaults do nothing, and what they do is an approximation:
    stops over or under, then a straight curve of slope `gamma` in log exposure, squeezed between
    two `densities` (such as PAPER; the default has no limits); lens and emulsion `blur`, standard
    deviation in px; a halftone `screen` at 45 degrees, px from dot to dot; `grain`, standard
    deviation in L*, independent from pixel to pixel.
    """
    light = (2**stops * expose(rgb, plate)).clamp(0, 1) ** gamma
    least, greatest = (10.0**-density for density in densities)
    light = greatest + (least - greatest) * light
    if blur:
        light = torch.from_numpy(gaussian_filter(light.numpy(), blur, axes=(-2, -1)))
    grey = to_srgb(halftone(light, screen) if screen else light)
    if grain:
        noise = torch.randn(grey.shape, generator=torch.Generator().manual_seed(seed))
        grey = grey_of(lightness(grey) + grain * noise)
    return grey


def grey_encoder(grey: str, correct: bool = False) -> Encoder:
    """Choose how pictures become what a model sees, and what it must predict.

    grey: "L", `color.encode` itself; "plate:ortho,tungsten", the lightness of that plate; or
    "mixture": any plate but the eye's, with an exposure and a contrast, drawn anew for each
    picture from torch's own generator. The encoder takes sRGB (N, 3, H, W) in [0, 1]; it gives
    L (N, 1, H, W) and the painting's own ab (N, 2, H, W), scaled as in color.py. With `correct`
    a plane before ab says what a plate's L lacks of the painting's: (N, 3, H, W).
    Raises KitError for another word.
    """
    kind, _, plate = grey.partition(":")
    if grey == "L":
        return encode
    if grey == "mixture":
        shoot = _any_plate
    elif kind == "plate":
        plate_weights(plate)  # to be refused now
        shoot = partial(photograph, plate=plate)
    else:
        raise KitError(f"grey '{grey}': must be L, mixture, or a plate such as plate:pan,tungsten")

    def encode_plate(rgb: Tensor) -> tuple[Tensor, Tensor]:
        L, ab = encode(rgb)
        seen = grey_input(shoot(rgb).expand(-1, 3, -1, -1))
        return seen, torch.cat((L - seen, ab), dim=1) if correct else ab

    return encode_plate


def corrected(L: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
    """Split what was predicted for L into a better L and ab; two planes leave L as it is."""
    return (L, told) if told.shape[1] == 2 else (L + told[:, :1], told[:, 1:])


def _any_plate(rgb: Tensor) -> Tensor:
    known, shots = emulsion_table().query("emulsion != 'eye'")[list(WORDS)], []
    for picture in rgb.split(1):
        plate = ",".join(known.iloc[int(torch.randint(len(known), ()))])
        stops, slope = (torch.randn(2) * torch.tensor([EXPOSURE, CONTRAST])).tolist()
        shots.append(photograph(picture, plate, stops=stops, gamma=np.exp(slope)))
    return torch.cat(shots)


def halftone(light: Tensor, period: float) -> Tensor:
    """Print reflectances (..., H, W) in [0, 1] as black dots on white that grow with darkness.

    period: px from dot to dot. Over many dots the mean reflectance stays what it was.
    """
    y, x = torch.meshgrid(*(torch.arange(n) for n in light.shape[-2:]), indexing="ij")
    turn = torch.pi * 2**0.5 / period
    waves = torch.cos(turn * (x + y)) + torch.cos(turn * (x - y))
    order = waves.flatten().argsort().argsort().view(waves.shape)
    return (light > (order + 0.5) / order.numel()).to(light)


def lightness(grey: Tensor) -> Tensor:
    """Return L* in [0, 100] of a grey picture (N, 1, H, W) of sRGB values."""
    return (grey_input(grey.expand(-1, 3, -1, -1)) + 1) * L_CENTER


def grey_of(lightness: Tensor) -> Tensor:
    """Return the sRGB value of L* (N, 1, H, W), clipped to [0, 100]."""
    L = lightness.clamp(0, 100) / L_CENTER - 1
    return lab_to_rgb(join(L, torch.zeros_like(L).expand(-1, 2, -1, -1)))[:, :1]
