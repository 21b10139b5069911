"""One way to read a picture file: for training, for colouring, for the demo.

A profile, a depth, an orientation mean the same everywhere; what cannot be read as it is meant to
look is refused.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from .errors import KitError
from .icc import colours_by_number, eight_bits, in_srgb

# What a picture's name ends with, whether its kind can be read or has to be named as one that can't
PICTURES = {".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif"}
PICTURES |= {".bmp", ".jp2", ".j2k", ".jpf", ".jpx", ".avif", ".heic", ".heif", ".jxl", ".psd"}
PICTURES |= {".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".raf", ".rw2", ".pgm", ".ppm", ".tga"}
READABLE = ("JPEG", "PNG", "TIFF", "WEBP", "JPEG2000", "AVIF", "GIF", "BMP")  # whatever the name
MAX_PIXELS = 178_956_970  # where Pillow refuses; it warns at half of that
MAX_SIDE = 65_535  # JPEG's own limit, and it bounds what a strip of few pixels can ask for
_OTHERS = {b"ftyphe": "HEIC", b"ftypmif1": "HEIC", b"ftypcrx": "a raw file", b"8BPS": "Photoshop"}
_OTHERS |= {b"JXL ": "JPEG XL", b"\xff\x0a": "JPEG XL", b"%PDF": "PDF", b"ftypavif": "AVIF"}
_OTHERS |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "a TIFF of a rare kind")
_RAW = "a raw file, or only its thumbnail; develop it first and save it as TIFF or PNG"
_WEBP_INSIDE = 50001  # a TIFF's compression
_T = Image.Transpose
_TURNS = {2: _T.FLIP_LEFT_RIGHT, 3: _T.ROTATE_180, 4: _T.FLIP_TOP_BOTTOM, 5: _T.TRANSPOSE}
_TURNS |= {6: _T.ROTATE_270, 7: _T.TRANSVERSE, 8: _T.ROTATE_90}  # of EXIF's orientation


def read_picture(content: bytes) -> Image.Image:
    """Decode one file for training: "RGB", upright, in sRGB, over white, 8 bits a channel.

    Raises KitError with the reason if it cannot be read whole, or not as it is meant to look.
    """
    with opened(io.BytesIO(content)) as image:
        image, alpha = pixels(image)
    if image.mode == "I;16":
        image = eight_bits(image)
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
    is. A colour outside sRGB is made paler, its lightness kept. Damaged EXIF, or a damaged profile,
    counts as none.
    Raises KitError for what would come out wrong, such as pixels that are no colours.
    """
    tags = getattr(image, "tag_v2", {})
    if 50706 in tags or tags.get(254, 0) & 1 or tags.get(255) == 2:
        raise KitError(_RAW)
    if tags.get(259) == _WEBP_INSIDE:  # libtiff would print that it cannot, thrice
        raise OSError("decoder error")
    deep, found = _is_deep(image, tags), colours_by_number(image)
    if not isinstance(image.info.get("xmp", b""), bytes):
        del image.info["xmp"]  # of a type that Pillow stumbles over when it turns a TIFF
    image.load()
    image = _upright(image)
    info = image.info | found
    if image.mode.startswith("I") or image.mode == "F":
        image, alpha = _sixteen_bits(image, tags), _transparent_value(image)
    else:
        image, alpha = _without_alpha(image)
    if alpha and alpha.getextrema()[0] == 255:  # opaque all over
        alpha = None
    return in_srgb(image, info, deep), alpha


def _upright(image: Image.Image) -> Image.Image:
    orientation = 1
    with suppress(Exception):  # damaged EXIF, of which Pillow makes none in JPEGs only
        orientation = image.getexif().get(0x0112)
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


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
