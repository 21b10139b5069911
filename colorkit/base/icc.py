"""Colours of whatever space a file says it is in, in sRGB: ICC profiles, gammas, numbers.

What sRGB does not have is made paler, its lightness kept; what would come out wrong is refused.
"""

import io
import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from .errors import KitError

BAND = 1 << 17  # pixels looked at or coloured at a time: little memory, and the processor's cache
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # as in a PNG, white first
_JP2_SPACES = (0, 12, 15, 16, 17, 18)  # bilevel, CMYK, sRGB, grey, sYCC
_CICP = {"PNG": rb"cICP(.)(.)", "AVIF": rb"colrnclx\0(.)\0(.)"}  # primaries, curve: ITU-T H.273
_CICP_PRIMARIES, _CICP_CURVES = b"\1\2", b"\1\2\6\15\16\17"  # sRGB's, not said, shown as sRGB


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Cut a picture into bands from the top down: boxes for `crop`."""
    step = max(1, BAND // image.width)
    for top in range(0, image.height, step):
        yield 0, top, image.width, min(top + step, image.height)


def in_srgb(image: Image.Image, info: dict[str, Any], deep: bool) -> Image.Image:
    """Convert "L", "I;16", "RGB", "CMYK" or "LAB" to sRGB by the profile or, of a PNG, the gamma.

    deep: colours had more than the 8 bits that are left.
    """
    profile, gamma = info.get("icc_profile"), info.get("gamma", 0)
    if not profile and image.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if profile:
        try:
            return _by_profile(image, profile, deep)
        except (ImageCms.PyCMSError, OSError):  # damaged, or for another kind of pixels
            return image.convert("RGB") if image.mode in ("CMYK", "LAB") else image
    if gamma and "srgb" not in info:
        primaries = info.get("chromaticity", _SRGB_PRIMARIES)
        if image.mode == "RGB" and np.abs(np.subtract(primaries, _SRGB_PRIMARIES)).max() > 0.01:
            raise KitError("colours that are not sRGB's (cHRM) without a profile; save it with one")
        if abs(gamma * 2.2 - 1) > 0.05:  # else it means sRGB (PNG, 13.13)
            linear = np.linspace(0, 1, 65536 if image.mode == "I;16" else 256) ** (1 / gamma)
            curve = _srgb_curve(linear)
            if deep and image.mode == "RGB":
                _refuse_coarse(curve)
            return _looked_up(image, curve)
    return image.convert("RGB") if image.mode == "CMYK" else image


def colours_by_number(image: Image.Image) -> dict[str, bytes]:
    """Look at what Pillow leaves out: colour spaces that a file has by number, not by profile.

    Returns the profile of a JPEG 2000 if it has one. Raises KitError for what is not sRGB.
    """
    kind, file = image.format, getattr(image, "fp", None)
    if kind not in ("JPEG2000", *_CICP) or not file or "icc_profile" in image.info:
        return {}
    place = file.tell()
    file.seek(0)
    head = file.read(1 << 20)
    file.seek(place)
    if kind == "JPEG2000":
        return _jp2_profile(head)
    found = re.search(_CICP[kind], head.partition(b"IDAT")[0], re.DOTALL)
    if found and (found[1] not in _CICP_PRIMARIES or found[2] not in _CICP_CURVES):
        raise KitError("colours by number (CICP) that are not sRGB's, as of HDR; save it as sRGB")
    return {}


def _jp2_profile(head: bytes) -> dict[str, bytes]:
    """Find a JPEG 2000's profile (ISO 15444-1, I.5.3.3)."""
    start = head.find(b"colr") if head[4:6] == b"jP" else -1
    if start < 0:
        return {}
    (length,), method = struct.unpack_from(">I", head, start - 4), head[start + 4]
    if method == 2:
        return {"icc_profile": head[start + 7 : start - 4 + length]}
    if method != 1 or struct.unpack_from(">I", head, start + 7)[0] not in _JP2_SPACES:
        raise KitError("a JPEG 2000 in a rare colour space; save it as TIFF or PNG")
    return {}


def _by_profile(image: Image.Image, profile: bytes, deep: bool) -> Image.Image:
    space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    if space == "RGB" and image.mode in ("L", "I;16"):  # a grey picture in a colour space
        deep = image.mode == "I;16"
        image = (eight_bits(image) if deep else image).convert("RGB")
    if image.mode in ("L", "I;16"):
        curve = _grey_curve(profile, image.mode)
        straight = np.abs(curve - np.linspace(0, 1, len(curve))).max() <= 1 / 255
        return image if straight else _looked_up(image, curve)
    to_srgb, to_lab = _transforms(profile, image.mode)
    if image.mode == "RGB" and _is_srgb(profile):
        return image
    if deep and image.mode == "RGB":
        greys = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=-1)
        seen = ImageCms.applyTransform(Image.fromarray(greys), to_srgb)
        _refuse_coarse(np.asarray(seen)[0, :, 1] / 255)
    srgb = ImageCms.applyTransform(image, to_srgb)
    for box in bands(srgb):
        if (mended := _unclipped(image.crop(box), srgb.crop(box), to_lab)) is not None:
            srgb.paste(mended, box)
    return srgb


@lru_cache(32)  # to make them takes longer than to read a small picture
def _transforms(profile: bytes, mode: str) -> tuple[Any, Any]:
    """Make what converts colours of a profile to sRGB, and what converts them to Lab."""
    found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(found, lab, mode, "LAB")
    return ImageCms.buildTransform(found, srgb, mode, "RGB"), to_lab


@lru_cache(32)
def _is_srgb(profile: bytes) -> bool:
    """Tell whether a profile moves no colour by more than 2 of 255, whatever its name is."""
    some = np.ascontiguousarray(np.moveaxis(np.mgrid[:256:16, :256:16, :256:16], 0, -1))
    some = some.reshape(64, 64, 3).astype(np.uint8)
    seen = ImageCms.applyTransform(Image.fromarray(some), _transforms(profile, "RGB")[0])
    return np.abs(np.asarray(seen, dtype=int) - some).max() <= 2


@lru_cache(32)
def _grey_curve(profile: bytes, mode: str) -> np.ndarray:
    """Return what sRGB values a profile gives to all greys of "L" or "I;16", in [0, 1].

    Looked up, a single channel is exact; littlecms' own table has 33 points.
    """
    found, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    exact = ImageCms.Flags.NOOPTIMIZE
    to_srgb = ImageCms.buildTransform(found, srgb, mode, "RGB", flags=exact)
    greys = np.arange(65536).astype(np.uint16) if mode == "I;16" else np.arange(256, dtype=np.uint8)
    seen = ImageCms.applyTransform(Image.fromarray(greys.reshape(256, -1)), to_srgb)
    steps = np.asarray(seen)[..., 1].ravel().astype(int)
    rising = (np.diff(steps) >= 0).all()
    return _between_steps(steps) if mode == "I;16" and rising else steps / 255


def _between_steps(steps: np.ndarray) -> np.ndarray:
    """Give a curve that was rounded to 8 bits what lies between: its steps tell where halves are.

    steps: (65536,) of 0 to 255, rising. Returns (65536,) in [0, 1].
    """
    levels = np.arange(int(steps[0]) + 1, int(steps[-1]) + 1)
    places = np.searchsorted(steps, levels) - 0.5
    points = [0, *places, 65535], [steps[0], *(levels - 0.5), steps[-1]]
    return np.interp(np.arange(65536), *points) / 255


def _looked_up(image: Image.Image, curve: np.ndarray) -> Image.Image:
    """Send pixels, "L", "I;16" or "RGB", through a curve (256 or 65536 values in [0, 1])."""
    kind = np.uint16 if image.mode == "I;16" else np.uint8
    table = (curve * np.iinfo(kind).max).round().astype(kind)
    return Image.fromarray(table[np.asarray(image)])


def _refuse_coarse(curve: np.ndarray) -> None:
    """Refuse a curve whose dark greys lie too far apart in the 8 bits that Pillow reads."""
    if np.diff(curve).max() > 4 / 255:
        raise KitError("16-bit colour in linear light, read with 8; save it with sRGB's profile")


def _srgb_curve(linear: np.ndarray) -> np.ndarray:
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


def eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey of 16 bits, "I;16", to 8, "L"."""
    return Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))


def _unclipped(image: Image.Image, srgb: Image.Image, to_lab: Any) -> Image.Image | None:
    """Make paler what the conversion clipped, which loses lightness; None if there is nothing."""
    rgb = np.array(srgb)
    clipped = ((rgb == 0) | (rgb == 255)).any(-1) & (rgb.min(-1) != rgb.max(-1))  # no white, black
    if not clipped.any():
        return None
    import torch  # slow to import, and few pictures need it

    from ..color import lab_from_d50, lab_to_paler_rgb

    found = np.asarray(ImageCms.applyTransform(image, to_lab))[clipped]
    scaled = np.concatenate((found[:, :1] * (100 / 255), found[:, 1:].view(np.int8)), axis=1)
    lab = lab_from_d50(torch.from_numpy(scaled).T[..., None])
    paler, outside = lab_to_paler_rgb(lab)
    mended = (255 * paler[..., 0].T).round().byte().numpy()
    rgb[clipped] = np.where(outside.numpy(), mended, rgb[clipped])
    return Image.fromarray(rgb)
