"""One way to read a picture file: for training, for colouring, for the demo.

A profile, a depth, an orientation mean the same everywhere; what cannot be read as it is meant to
look is refused.
"""

import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .base.errors import KitError

# What a picture's name ends with, whether its kind can be read or has to be named as one that can't
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif"}
SUFFIXES |= {".bmp", ".jp2", ".j2k", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".jxl", ".psd"}
SUFFIXES |= {".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".raf", ".rw2", ".pgm", ".ppm", ".tga"}
READABLE = ("JPEG", "PNG", "TIFF", "WEBP", "JPEG2000", "AVIF", "GIF", "BMP")  # whatever the name
MAX_PIXELS = 178_956_970  # where Pillow refuses; it warns at half of that
MAX_SIDE = 65_535  # JPEG's own limit, and it bounds what a strip of few pixels can ask for
BAND = 1 << 17  # pixels looked at or coloured at a time: little memory, and the processor's cache
_OTHERS = {b"ftyphe": "HEIC", b"ftypmif1": "HEIC", b"ftypcrx": "a raw file", b"8BPS": "Photoshop"}
_OTHERS |= {b"JXL ": "JPEG XL", b"\xff\x0a": "JPEG XL", b"%PDF": "PDF", b"ftypavif": "AVIF"}
_OTHERS |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "a TIFF of a rare kind")
_RAW = "a raw file, or only its thumbnail; develop it first and save it as TIFF or PNG"
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # as in a PNG, white first
_T = Image.Transpose
_TURNS = {2: _T.FLIP_LEFT_RIGHT, 3: _T.ROTATE_180, 4: _T.FLIP_TOP_BOTTOM, 5: _T.TRANSPOSE}
_TURNS |= {6: _T.ROTATE_270, 7: _T.TRANSVERSE, 8: _T.ROTATE_90}  # of EXIF's orientation
_JP2_SPACES = (0, 12, 15, 16, 17, 18)  # bilevel, CMYK, sRGB, grey, sYCC
_CICP = {"PNG": rb"cICP(.)(.)", "AVIF": rb"colrnclx\0(.)\0(.)"}  # primaries, curve: ITU-T H.273
_CICP_PRIMARIES, _CICP_CURVES = b"\1\2", b"\1\2\6\15\16\17"  # sRGB's, not said, shown as sRGB


def read_picture(content: bytes) -> Image.Image:
    """Decode one file for training: "RGB", upright, in sRGB, over white, 8 bits a channel.

    Raises KitError with the reason if it cannot be read whole, or not as it is meant to look.
    """
    with opened(io.BytesIO(content)) as image:
        image, alpha = pixels(image)
    if image.mode == "I;16":
        image = _eight_bits(image)
    image = image.convert("RGB")
    if alpha:
        image.putalpha(alpha)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return image


@contextmanager
def opened(file: BinaryIO, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Open a picture file, and turn whatever its decoder raises into a KitError of one line.

    Raises KitError for what is no picture, too large, or has several pages or frames.
    """
    head = b""
    try:
        head = file.read(32)
        file.seek(0)
        with Image.open(file, formats=READABLE) as image:
            if image.width * image.height > max_pixels:
                raise Image.DecompressionBombError
            if max(image.size) > MAX_SIDE:
                raise KitError(f"a side of {max(image.size):,} pixels; at most {MAX_SIDE:,}")
            if (pages := _pages(image)) > 1:
                raise KitError(f"{pages} pages or frames; save the one that is meant alone")
            if head[8:10] == b"CR":  # Canon's raw files: a TIFF but for this
                raise KitError(_RAW)
            yield image
    except KitError:
        raise
    except Image.DecompressionBombError as error:
        raise KitError(f"more than {max_pixels:,} pixels; make it smaller") from error
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        raise KitError(f"cannot be read: {_reason(error, head)}") from error


def pixels(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take an opened picture's pixels, upright and in sRGB, and its transparency (mode "L").

    The pixels' mode is "L", "I;16" (grey, 16 bits) or "RGB" (8 bits a channel). `image` stays as it
    is. A colour outside sRGB is made paler, its lightness kept. A damaged profile counts as none.
    Raises KitError for what would come out wrong, such as pixels that are no colours.
    """
    tags = getattr(image, "tag_v2", {})
    if 50706 in tags or tags.get(254, 0) & 1 or tags.get(255) == 2:
        raise KitError(_RAW)
    deep, found = _is_deep(image, tags), _colours_by_number(image)
    if not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]  # of a type that Pillow stumbles over when it turns a TIFF
    image.load()
    if (orientation := image.getexif().get(0x0112)) in _TURNS:
        image = image.transpose(_TURNS[orientation])
    info = image.info | found
    if image.mode.startswith("I") or image.mode == "F":
        image, alpha = _sixteen_bits(image, tags), _transparent_value(image)
    else:
        image, alpha = _without_alpha(image)
    if alpha and alpha.getextrema()[0] == 255:  # opaque all over
        alpha = None
    return _in_srgb(image, info, deep), alpha


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Cut a picture into bands from the top down: boxes for `crop`."""
    step = max(1, BAND // image.width)
    for top in range(0, image.height, step):
        yield 0, top, image.width, min(top + step, image.height)


def _pages(image: Image.Image) -> int:
    """Count pages and frames; a TIFF's smaller copies and masks are none, nor what an MPO adds."""
    if image.format != "TIFF":
        return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    image.fp.seek(0)
    header = image.fp.read(16)
    header = header if 43 in header[2:4] else header[:8]  # a BigTIFF's is longer
    pages, place, seen = 1, image.tag_v2.next, set()
    while place and place not in seen:
        seen.add(place)
        directory = ImageFileDirectory_v2(header)
        image.fp.seek(place)
        directory.load(image.fp)
        pages += not (directory.get(254, 0) & 0b101 or directory.get(255) == 2)
        place = directory.next
    return pages


def _reason(error: Exception, head: bytes) -> str:
    if not head:
        return "an empty file"
    if "cannot identify" in str(error) or "decoder error" in str(error):  # of libtiff
        kind = next((kind for magic, kind in _OTHERS.items() if magic in head[:16]), "")
        remedy = "which is not read; save it as JPEG, PNG or plain TIFF of 8 bits"
        return (
            f"{kind}, {remedy}"
            if kind
            else "not a picture, or of a kind that is not read; save it as JPEG, PNG or TIFF"
        )
    if "truncated" in str(error):
        return "its end is missing; copy it anew, or save what a viewer shows of it"
    return str(error).strip() or type(error).__name__


def _is_deep(image: Image.Image, tags: Any) -> bool:
    """Tell whether samples have more than 8 bits, of which Pillow leaves 8 to colours."""
    tiles = str(getattr(image, "tile", ""))
    deep = ";16" in tiles or np.max(tags.get(258, 8)) > 8
    if deep and tags.get(284) == 2 and "libtiff" not in tiles:
        raise KitError("TIFF of 16 bits in separate planes; save it interleaved, or with 8 bits")
    return bool(deep)


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take pixels of 8 bits or fewer apart: "L", "RGB", "CMYK" or "LAB", and transparency."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        return image.convert("L" if grey else "RGB"), image.getchannel("A")
    if image.mode not in ("L", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, None


def _colours_by_number(image: Image.Image) -> dict[str, bytes]:
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


def _eight_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))


def _sixteen_bits(image: Image.Image, tags: Any) -> Image.Image:
    """Scale grey to 0 = black, 65535 = white; of a TIFF, Pillow gives the numbers as they are."""
    values, whole = np.asarray(image), 65535
    if image.mode == "F":
        whole = 1
    elif image.mode != "I":
        whole = (1 << tags.get(258, (16,))[0]) - 1  # such as 12 bits
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and highest <= whole):
        wanted = "0.0 to 1.0" if image.mode == "F" else "16 bits"
        raise KitError(f"values from {lowest:g} to {highest:g}: must be {wanted}")
    if whole != 65535:
        values = (values * (65535 / whole)).round()
    if tags and tags.get(262, 0) == 0:  # 0 is white
        values = 65535 - values
    return Image.fromarray(values.astype(np.uint16))


def _transparent_value(image: Image.Image) -> Image.Image | None:
    value = image.info.get("transparency")
    if not isinstance(value, int):
        return None
    return Image.fromarray(np.where(np.asarray(image) == value, 0, 255).astype(np.uint8))


def _in_srgb(image: Image.Image, info: dict[str, Any], deep: bool) -> Image.Image:
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


def _by_profile(image: Image.Image, profile: bytes, deep: bool) -> Image.Image:
    space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    if space == "RGB" and image.mode in ("L", "I;16"):  # a grey picture in a colour space
        deep = image.mode == "I;16"
        image = (_eight_bits(image) if deep else image).convert("RGB")
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


def _unclipped(image: Image.Image, srgb: Image.Image, to_lab: Any) -> Image.Image | None:
    """Make paler what the conversion clipped, which loses lightness; None if there is nothing."""
    rgb = np.array(srgb)
    clipped = ((rgb == 0) | (rgb == 255)).any(-1) & (rgb.min(-1) != rgb.max(-1))  # no white, black
    if not clipped.any():
        return None
    import torch  # slow to import, and few pictures need it

    from .color import lab_from_d50, lab_to_paler_rgb

    found = np.asarray(ImageCms.applyTransform(image, to_lab))[clipped]
    scaled = np.concatenate((found[:, :1] * (100 / 255), found[:, 1:].view(np.int8)), axis=1)
    lab = lab_from_d50(torch.from_numpy(scaled).T[..., None])
    paler, outside = lab_to_paler_rgb(lab)
    mended = (255 * paler[..., 0].T).round().byte().numpy()
    rgb[clipped] = np.where(outside.numpy(), mended, rgb[clipped])
    return Image.fromarray(rgb)
