"""Pictures to be coloured: what their files tell beside the pixels is kept; saved whole or not.

How a file is read is base/reading.py's, as in training.
"""

import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from ..base.errors import KitError
from ..base.files import replacing
from ..base.icc import bands
from ..base.reading import MAX_PIXELS, opened, pixels

SUFFIXES = dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jif", ".jfif"), "JPEG")  # what is written
SUFFIXES |= {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_SAVING = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}, "TIFF": {"compression": "tiff_lzw"}}
_SAVING["PNG"] = {"compress_level": 2}  # a sixth larger than Pillow's 6, and made in a quarter
_NAMES = {"exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "dpi": "resolution"}
_NAMES |= {"comment": "comment", "text": "PNG texts"}
_CARRIED = {
    "JPEG": ("dpi", "exif", "xmp", "iptc", "comment"),
    "PNG": ("dpi", "exif", "xmp", "text"),
}
_CARRIED |= {"TIFF": ("dpi", "xmp", "iptc"), "WEBP": ("exif", "xmp")}
# What is descriptive in EXIF and TIFF: subject, camera, program, date, artist, rights.
_TAGS = (270, 271, 272, 305, 306, 315, 33432)
_ORIENTATION, _DETAILS, _GPS, _INTEROP = 0x0112, 0x8769, 0x8825, 0xA005  # of EXIF
_COLOUR_SPACE, _WIDTH, _HEIGHT = 0xA001, 0xA002, 0xA003
_EXIF = b"Exif\0\0"  # what EXIF begins with in a JPEG, and not in a WebP
_XMP_TAG, _IPTC_TAG = 700, 33723  # their tags in a TIFF
_IPTC_RESOURCE = 0x0404  # among Photoshop's in a JPEG
_SEGMENT = 65_502  # bytes of XMP, or IPTC, that a JPEG's segment holds
_STALE = re.compile(  # in XMP: what is no longer so in an upright picture in sRGB
    r'(tiff:Orientation|exif:ColorSpace|photoshop:ICCProfile)="[^"]*"'
    r"|<(tiff:Orientation|exif:ColorSpace|photoshop:ICCProfile)>[^<]*</\2>"
)


@dataclass(frozen=True)
class Picture:
    """A picture, upright and in sRGB: mode "L", "I;16" (grey, 16 bits) or "RGB".

    alpha: its transparency, mode "L". kept: what its file tells beside, for the output.
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

    Orientation is applied, a profile converted to sRGB. 16-bit colour is read with 8 bits, 16-bit
    grey with all; what 8 bits cannot hold is refused.
    """
    name = source if isinstance(source, Path) else getattr(source, "name", "the picture")
    try:
        # Opened here: by its path Pillow maps some TIFFs, turned wrongly.
        found = source.open("rb") if isinstance(source, Path) else nullcontext(source)
        with found as file, opened(file, max_pixels) as image:
            return as_picture(image)
    except KitError as error:
        raise KitError(f"{name}: {error}") from error
    except OSError as error:
        raise KitError(f"{name}: cannot be read: {error.strerror or error}") from error


def as_picture(image: Image.Image) -> Picture:
    """Take an opened picture apart: pixels, transparency, and what is kept of the rest.

    Raises KitError for pixels that are no colours, such as 32-bit counts.
    """
    turns = image.format == "TIFF"  # while its pixels are decoded, and then says so no more
    kept = _kept(image) if turns else {}
    seen, alpha = pixels(image)
    kept = kept or _kept(image)
    grey = seen.mode == "RGB" and _without_colour(seen)
    return Picture(seen.getchannel(0) if grey else seen, alpha, kept)


def save_picture(picture: Picture, path: Path) -> tuple[str, ...]:
    """Write a picture, "RGB", with its transparency and metadata, whole or not at all.

    The format is that of the path's suffix. Returns the names of the metadata that it lost: what
    the format does not hold, or was damaged. Raises KitError if it cannot be written.
    """
    kind = SUFFIXES[path.suffix.lower()]
    if picture.alpha and kind == "JPEG":
        raise KitError(f"{path}: JPEG has no transparency, the picture has; name it .png or .webp")
    if picture.alpha:
        picture.image.putalpha(picture.alpha)
    saving, kept = _SAVING[kind], picture.kept
    with replacing(path) as file:
        try:
            picture.image.save(_Stream(file), kind, **saving | _options(kept, kind))
            return _lost(kept, kind)
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
    return *(name for key, name in _NAMES.items() if kept.get(key)), *kept.get("lost", ())


class _Stream:
    """A file without its descriptor: to one, Pillow writes itself and does not say what failed."""

    def __init__(self, file: BinaryIO):
        self.write, self.seek, self.tell, self.flush = file.write, file.seek, file.tell, file.flush


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Shrink a picture, if need be, so that neither side is longer than `side`."""
    scale = min(1.0, side / max(image.size))
    return image.resize([max(1, round(scale * length)) for length in image.size])


def _without_colour(image: Image.Image) -> bool:
    for box in bands(image):
        red, green, blue = image.crop(box).split()
        if any(ImageChops.difference(red, other).getbbox() for other in (green, blue)):
            return False
    return True


def _kept(image: Image.Image) -> dict[str, Any]:
    """Gather what describes a picture; "lost" names what is there and cannot be kept anywhere."""
    info, kept, lost = image.info, {}, []
    if info.get("comment"):
        kept["comment"] = info["comment"]
    if "xmp" in info:
        try:
            kept["xmp"] = _STALE.sub("", info["xmp"].decode()).encode()
        except (UnicodeDecodeError, AttributeError):  # no UTF-8, no bytes
            lost.append("XMP")
    with suppress(KeyError, TypeError, ValueError):  # no resolution, or none that is a number
        dpi = tuple(float(value) for value in info["dpi"])
        if all(2 <= value <= 100_000 for value in dpi):
            kept["dpi"] = dpi
    try:
        kept |= _kept_exif(image)
    except Exception:  # EXIF can be wrong in more ways than Pillow expects
        lost.append("EXIF")
    if iptc := _iptc(image):
        kept["iptc"] = iptc
    told = getattr(image, "text", {})
    copies = ("xml:com.adobe.xmp", "raw profile type")  # of XMP and EXIF, orientation too
    kept["text"] = {name: told[name] for name in told if not name.lower().startswith(copies)}
    if any(name.lower().endswith((" iptc", " 8bim")) for name in told.keys() - kept["text"].keys()):
        lost.append("IPTC")
    return kept | {"lost": tuple(lost)}


def _kept_exif(image: Image.Image) -> dict[str, Any]:
    """Return EXIF as it came if it is true of an upright picture in sRGB, else mended."""
    found, raw = image.getexif(), image.info.get("exif")
    details, place = dict(found.get_ifd(_DETAILS)), dict(found.get_ifd(_GPS))
    tags = {tag: _encodable(found[tag]) for tag in _TAGS if tag in found}
    kept = {"tags": tags, "details": bool(details or place)}
    exif, turned = Image.Exif(), found.get(_ORIENTATION, 1)
    if image.format == "TIFF":  # whose EXIF is full of where its pixels are
        exif.update(tags)
        exif.get_ifd(_DETAILS).update(details)
        exif.get_ifd(_GPS).update(place)
    elif not found:
        return kept
    elif raw and turned == 1 and details.get(_COLOUR_SPACE, 1) == 1:
        return kept | {"exif": _EXIF + raw.removeprefix(_EXIF)}
    else:
        exif.load(raw or found.tobytes())
        exif.update(tags)
        exif.pop(_ORIENTATION, None)
    if details:
        exif.get_ifd(_DETAILS)[_COLOUR_SPACE] = 1  # sRGB
    if _INTEROP in details:
        exif.get_ifd(_DETAILS)[_INTEROP] = {1: "R98", 2: b"0100"}  # and no longer Adobe RGB
    if turned > 4 and _WIDTH in details and _HEIGHT in details:
        sides = {_WIDTH: details[_HEIGHT], _HEIGHT: details[_WIDTH]}
        exif.get_ifd(_DETAILS).update(sides)
    return kept | ({"exif": exif.tobytes()} if tags or details or place or raw else {})


def _iptc(image: Image.Image) -> bytes:
    """Return IPTC's caption, credit and so on: of a JPEG or a TIFF."""
    found = getattr(image, "tag_v2", {}).get(_IPTC_TAG, b"")
    if image.format in ("JPEG", "MPO"):
        found = image.info.get("photoshop", {}).get(_IPTC_RESOURCE, b"")
    return found if isinstance(found, bytes) else b""


def _iptc_segment(iptc: bytes) -> bytes:
    """Wrap IPTC as a JPEG has it: a resource of Photoshop's, in a segment APP13."""
    resource = b"8BIM" + _IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0" + len(iptc).to_bytes(4, "big")
    content = b"Photoshop 3.0\0" + resource + iptc + b"\0" * (len(iptc) % 2)
    return b"\xff\xed" + (len(content) + 2).to_bytes(2, "big") + content


def _encodable(value: Any) -> Any:
    """Give a text back the bytes it had; Pillow would write ASCII and question marks."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _carried(kept: dict[str, Any], kind: str) -> dict[str, Any]:
    """Choose what a format can carry of what was kept."""
    carried = {name: kept[name] for name in _CARRIED[kind] if kept.get(name)}
    for name in ("xmp", "iptc") if kind == "JPEG" else ():
        if len(carried.get(name, b"")) > _SEGMENT:
            del carried[name]
    return carried


def _lost(kept: dict[str, Any], kind: str) -> tuple[str, ...]:
    """Name what a format does not carry. Of EXIF, a TIFF has the tags, and nothing else."""
    carried = _carried(kept, kind)
    missing = [name for name in _NAMES if kept.get(name) and name not in carried]
    if kind == "TIFF" and not kept.get("details") and "exif" in missing:
        missing.remove("exif")
    return *(_NAMES[name] for name in missing), *kept.get("lost", ())


def _options(kept: dict[str, Any], kind: str) -> dict[str, Any]:
    """Say to Pillow what is to be written beside the pixels."""
    options = _carried(kept, kind)
    xmp, iptc, text = (options.pop(name, None) for name in ("xmp", "iptc", "text"))
    if kind == "TIFF":
        blocks = {_XMP_TAG: xmp, _IPTC_TAG: iptc}
        options["tiffinfo"] = kept.get("tags", {}) | {tag: b for tag, b in blocks.items() if b}
    elif kind == "PNG":
        options["pnginfo"] = PngInfo()
        for name, value in (text or {}).items():
            options["pnginfo"].add_text(name, value)
        if xmp:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp:
        options["xmp"] = xmp
    if kind == "JPEG" and iptc:
        options["extra"] = _iptc_segment(iptc)
    return options
