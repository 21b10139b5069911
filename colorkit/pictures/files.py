"""Picture files to be coloured: opened as they are meant to look, saved with what they carried.

What training reads is sources.read_picture; here nothing is thrown away that the file tells.
"""

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from ..base.errors import KitError
from ..base.files import replacing

SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
SUFFIXES |= {".tif": "TIFF", ".tiff": "TIFF"}
MAX_PIXELS = 178_956_970  # where Pillow refuses; it warns at half of that
MAX_SIDE = 65_535  # JPEG's own limit, and it bounds what a strip of few pixels can ask for
BAND = 1 << 17  # pixels looked at or coloured at a time: little memory, and the processor's cache
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")  # no decoder but these, whatever the name says
_SAVING = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}, "TIFF": {"compression": "tiff_lzw"}}
_SAVING["PNG"] = {"compress_level": 2}  # a sixth larger than Pillow's 6, and made in a quarter
# What is descriptive in EXIF and TIFF: subject, camera, program, date, artist, rights.
_TAGS = (270, 271, 272, 305, 306, 315, 33432)
_XMP = 700  # its tag in a TIFF
_ORIENTATION = re.compile(r'tiff:Orientation="\d"|<tiff:Orientation>\d</tiff:Orientation>')
_JPEG_XMP = 65_502  # bytes that a JPEG's segment holds
_SRGB = ("sRGB", "sRGB built-in", "sRGB IEC61966-2.1")


@dataclass(frozen=True)
class Picture:
    """A picture, upright and in sRGB: mode "L", "I;16" (grey, 16 bits) or "RGB".

    alpha: its transparency, mode "L". kept: what is written to the output as it came.
    """

    image: Image.Image
    alpha: Image.Image | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def grey(self) -> bool:
        """Tell whether it has no colours."""
        return self.image.mode != "RGB"


def open_picture(source: Path | BinaryIO, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file. Raises KitError with the reason if it cannot be read whole.

    Orientation (EXIF) is applied, an ICC profile converted to sRGB. 16-bit colour is read with
    8 bits, 16-bit grey with all.
    """
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:  # by its path Pillow maps some TIFFs, turned wrongly
                return _open(file, source, max_pixels)
        except OSError as error:
            raise KitError(f"{source}: cannot be read: {error.strerror or error}") from error
    return _open(source, getattr(source, "name", "the picture"), max_pixels)


def as_picture(image: Image.Image) -> Picture:
    """Take an opened picture apart: pixels, transparency, and what is kept of the rest.

    Raises KitError for pixels that are no colours, such as 32-bit counts.
    """
    raw = image.info.get("exif")
    turned = image.getexif().get(0x0112, 1) != 1
    ImageOps.exif_transpose(image, in_place=True)
    kept, alpha = _kept(image, None if turned else raw), None
    if image.mode.startswith("I") or image.mode == "F":
        alpha = _transparent_value(image)
        image = _sixteen_bits(image)
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L") if grey else image.convert("RGB")
    if alpha and alpha.getextrema()[0] == 255:  # opaque all over
        alpha = None
    return Picture(_plain(image, kept.pop("icc_profile", None)), alpha, kept)


def save_picture(picture: Picture, path: Path) -> bool:
    """Write a picture, "RGB", with its transparency and metadata, whole or not at all.

    The format is that of the path's suffix. Returns whether the metadata could be kept: damaged
    ones are left out. Raises KitError if it cannot be written.
    """
    kind = SUFFIXES[path.suffix.lower()]
    if picture.alpha and kind == "JPEG":
        raise KitError(f"{path}: JPEG has no transparency, the picture has; name it .png or .webp")
    if picture.alpha:
        picture.image.putalpha(picture.alpha)
    saving = _SAVING.get(kind, {})
    with replacing(path) as file:
        try:
            picture.image.save(_Stream(file), kind, **saving | _options(picture.kept, kind))
            return True
        except Exception as error:  # metadata can be wrong in more ways than Pillow expects
            if getattr(error, "errno", None):  # the disk's
                raise
            file.seek(0)
            file.truncate()
        try:
            picture.image.save(_Stream(file), kind, **saving)
        except (OSError, ValueError) as error:  # such as a side too long for the format
            if getattr(error, "errno", None):
                raise
            raise KitError(f"{path}: cannot be written as {kind} ({error})") from error
    return False


class _Stream:
    """A file without its descriptor: to one, Pillow writes itself and does not say what failed."""

    def __init__(self, file: BinaryIO):
        self.write, self.seek, self.tell, self.flush = file.write, file.seek, file.tell, file.flush


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Cut a picture into bands from the top down: boxes for `crop`."""
    step = max(1, BAND // image.width)
    for top in range(0, image.height, step):
        yield 0, top, image.width, min(top + step, image.height)


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Shrink a picture, if need be, so that neither side is longer than `side`."""
    scale = min(1.0, side / max(image.size))
    return image.resize([max(1, round(scale * length)) for length in image.size])


def _open(file: BinaryIO, name: Any, max_pixels: int) -> Picture:
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise KitError(f"more than {max_pixels:,} pixels; make it smaller")
            if max(image.size) > MAX_SIDE:
                raise KitError(f"a side of {max(image.size):,} pixels; at most {MAX_SIDE:,}")
            if image.format != "MPO" and (pages := getattr(image, "n_frames", 1)) > 1:
                raise KitError(f"{pages} pages or frames; save the one to be coloured alone")
            if not isinstance(image.info.get("xmp", b""), bytes):
                del image.info["xmp"]  # of a type that Pillow stumbles over
            image.load()
            return as_picture(image)
    except KitError as error:
        raise KitError(f"{name}: {error}") from error
    except Image.DecompressionBombError as error:
        raise KitError(f"{name}: more than {max_pixels:,} pixels; make it smaller") from error
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        reason = "not a picture" if "cannot identify" in str(error) else str(error).strip()
        raise KitError(f"{name}: cannot be read: {reason or type(error).__name__}") from error


def _plain(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to sRGB, and to one channel if there are no colours."""
    if image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):  # a damaged profile: as if there were none
            image = _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    if image.mode not in ("L", "I;16", "RGB"):
        image = image.convert("RGB")
    return image.getchannel(0) if image.mode == "RGB" and _without_colour(image) else image


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    if ImageCms.getProfileDescription(profile).strip() in _SRGB:
        return image
    if image.mode == "I;16":  # which the colour engine does not take
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    target = ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, profile, target, outputMode="RGB")


def _without_colour(image: Image.Image) -> bool:
    for box in bands(image):
        red, green, blue = image.crop(box).split()
        if any(ImageChops.difference(red, other).getbbox() for other in (green, blue)):
            return False
    return True


def _sixteen_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and highest <= (1 if image.mode == "F" else 65535)):
        wanted = "0.0 to 1.0" if image.mode == "F" else "16 bits"
        raise KitError(f"values from {lowest:g} to {highest:g}: must be {wanted}")
    if image.mode == "F":
        values = (values * 65535).round()
    return Image.fromarray(values.astype(np.uint16))


def _transparent_value(image: Image.Image) -> Image.Image | None:
    value = image.info.get("transparency")
    if not isinstance(value, int):
        return None
    return Image.fromarray(np.where(np.asarray(image) == value, 0, 255).astype(np.uint8))


def _kept(image: Image.Image, exif: bytes | None) -> dict[str, Any]:
    """Gather what is kept. exif: as it came, if it may be written as it came."""
    names = ("icc_profile", "comment")
    kept = {name: image.info[name] for name in names if image.info.get(name)}
    with suppress(KeyError, UnicodeDecodeError):  # no XMP, or none that is UTF-8
        kept["xmp"] = _ORIENTATION.sub("", image.info["xmp"].decode()).encode()
    with suppress(KeyError, TypeError, ValueError):  # no resolution, or none that is a number
        dpi = tuple(float(value) for value in image.info["dpi"])
        if all(2 <= value <= 100_000 for value in dpi):
            kept["dpi"] = dpi
    found = image.getexif()
    kept["tags"] = {tag: _encodable(found[tag]) for tag in _TAGS if tag in found}
    if image.format == "TIFF":  # whose EXIF is full of where its pixels are
        found = Image.Exif()
        found.update(kept["tags"])
        exif = None
    if found:
        kept["exif"] = exif or found.tobytes()
    drop = ("xml:com.adobe.xmp", "raw profile type")  # copies of XMP and EXIF, orientation too
    told = getattr(image, "text", {})
    kept["text"] = {name: told[name] for name in told if not name.lower().startswith(drop)}
    return kept


def _encodable(value: Any) -> Any:
    """Give a text back the bytes it had; Pillow would write ASCII and question marks."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _options(kept: dict[str, Any], kind: str) -> dict[str, Any]:
    """Choose what a format can carry of what was kept."""
    carried = {
        "JPEG": ("dpi", "exif", "xmp", "comment"),
        "PNG": ("dpi", "exif"),
        "TIFF": ("dpi",),
        "WEBP": ("exif", "xmp"),
    }
    options = {name: kept[name] for name in carried[kind] if name in kept}
    if kind == "JPEG" and len(options.get("xmp", b"")) > _JPEG_XMP:
        del options["xmp"]
    if kind == "TIFF":
        options["tiffinfo"] = kept.get("tags", {}) | ({_XMP: kept["xmp"]} if "xmp" in kept else {})
    if kind == "PNG":
        options["pnginfo"] = PngInfo()
        for name, value in kept.get("text", {}).items():
            options["pnginfo"].add_text(name, value)
        if "xmp" in kept:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", kept["xmp"].decode())
    return options
