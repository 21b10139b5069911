"""Picture files to be coloured: opened as they are meant to look, saved with what they carried.

What training reads is sources.read_picture; here nothing is thrown away that the file tells.
"""

import io
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from .errors import KitError
from .paths import write_atomic

SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
MAX_PIXELS = 178_956_970  # where Pillow refuses; it warns at half of that
_SAVING = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}, "TIFF": {"compression": "tiff_lzw"}}
# Descriptive TIFF tags: what was seen, made with what, when, by whom, under which rights.
_TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432)


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
        """Tell whether it has one channel."""
        return self.image.mode != "RGB"


def open_picture(source: Path | BinaryIO) -> Picture:
    """Read a picture file. Raises KitError with the reason if it cannot be read whole.

    Orientation (EXIF) is applied, an ICC profile converted to sRGB. 16-bit colour is read with
    8 bits, 16-bit grey with all.
    """
    name = source if isinstance(source, Path) else getattr(source, "name", "the picture")
    try:
        with Image.open(source) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            return as_picture(image)
    except KitError as error:
        raise KitError(f"{name}: {error}") from error
    except Image.DecompressionBombError as error:
        raise KitError(f"{name}: more than {MAX_PIXELS:,} pixels; make it smaller") from error
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        reason = "not a picture" if "cannot identify" in str(error) else str(error).strip()
        raise KitError(f"{name}: cannot be read: {reason or type(error).__name__}") from error


def as_picture(image: Image.Image) -> Picture:
    """Take an opened picture apart: pixels, transparency, and what is kept of the rest.

    Raises KitError for pixels that are no colours, such as 32-bit counts.
    """
    ImageOps.exif_transpose(image, in_place=True)
    kept, alpha = _kept(image), None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L") if grey else image.convert("RGB")
    return Picture(_plain(image, kept.pop("icc_profile", None)), alpha, kept)


def save_picture(image: Image.Image, path: Path, picture: Picture) -> None:
    """Write a coloured picture with the transparency and the metadata of the one it is made of.

    image: "RGB". The format is that of the path's suffix. Raises KitError if it cannot be written.
    """
    kind = SUFFIXES[path.suffix.lower()]
    if picture.alpha and kind == "JPEG":
        raise KitError(f"{path}: JPEG has no transparency, the picture has; name it .png or .webp")
    if picture.alpha:
        image.putalpha(picture.alpha)
    options, content = _SAVING.get(kind, {}) | _options(picture.kept, kind), io.BytesIO()
    try:
        image.save(content, kind, **options)
    except (OSError, ValueError) as error:  # such as a side too long for the format
        raise KitError(f"{path}: cannot be written as {kind} ({error})") from error
    write_atomic(path, content.getbuffer())


def _plain(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _sixteen_bits(image)
    if image.mode == "1":
        return image.convert("L")
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):  # a damaged profile: as if there were none
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if not ImageCms.getProfileDescription(source).startswith("sRGB"):
                target = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    lowest, highest = values.min(), values.max()
    if image.mode == "F" and lowest >= 0 and highest <= 1:
        values = (values * 65535).round()
    elif not (lowest >= 0 and highest <= 65535):
        raise KitError(f"values from {lowest:g} to {highest:g}: must be 16 bits, or 0.0 to 1.0")
    return Image.fromarray(values.astype(np.uint16))


def _kept(image: Image.Image) -> dict[str, Any]:
    names = ("dpi", "icc_profile", "xmp", "comment")
    kept = {name: image.info[name] for name in names if image.info.get(name)}
    if image.format == "TIFF":
        kept["tags"] = {tag: image.tag_v2[tag] for tag in _TIFF_TAGS if tag in image.tag_v2}
    elif exif := image.getexif():
        kept["exif"] = exif.tobytes()
    kept["text"] = {k: v for k, v in getattr(image, "text", {}).items() if isinstance(v, str)}
    return kept


def _options(kept: dict[str, Any], kind: str) -> dict[str, Any]:
    """Choose what a format can carry of what was kept."""
    carried = {
        "JPEG": ("dpi", "exif", "xmp", "comment"),
        "PNG": ("dpi", "exif"),
        "TIFF": ("dpi",),
        "WEBP": ("exif", "xmp"),
    }
    options = {name: kept[name] for name in carried[kind] if name in kept}
    if kind == "TIFF" and kept.get("tags"):
        options["tiffinfo"] = kept["tags"]
    if kind == "PNG" and kept.get("text"):
        options["pnginfo"] = PngInfo()
        for name, value in kept["text"].items():
            options["pnginfo"].add_text(name, value)
    return options
