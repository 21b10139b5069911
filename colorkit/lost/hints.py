"""Known colours of a picture, each with its place, source and confidence; kept as JSON and XMP."""

import html
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base.errors import KitError, refuse_unknown
from ..base.files import check_name, file_sha256, write_atomic
from ..color import AB_SCALE, encode, grey_input, in_gamut, lab_to_paler_rgb, rgb_to_lab
from ..pictures.files import Picture, open_picture
from ..pictures.paint import paint_ab, predict_ab, square
from ..pictures.pretrained import Colorizer, load_pretrained
from .spread import Points, Spread, spread

SOURCES = {
    "text": "a description: a letter, a review, an inventory",
    "fragment": "a piece of the painting that survives",
    "cross-section": "paint layers under the microscope",
    "copy": "a copy, a print, a study, the same motif elsewhere",
    "guess": "somebody's opinion",
}
HINTS_FORMAT = 1
SIDE = 256  # px: the square that colours are spread on
LARGEST = 1_000_000  # px; what is more, or no number, cannot be a place
_HALVES = re.compile(r"[\ud800-\udfff]")  # of characters: JSON has them, no file can
_NAMESPACE = "urn:colorkit:lost:1"
_XMP = re.compile(rb"<lost:hints>(.*?)</lost:hints>", re.DOTALL)
_OURS = re.compile(r"<rdf:Description[^>]*urn:colorkit:lost:1.*?</rdf:Description>", re.DOTALL)


@dataclass(frozen=True)
class Hint:
    """One known colour.

    x, y: its place, px from the upper left corner of the upright picture. colour: "#rrggbb", or
    CIELAB (L*, a*, b*), of which a* and b* count. source: a key of SOURCES; note: which text,
    which fragment. confidence: above 0, at most 1. KitError for what cannot be.
    """

    x: float
    y: float
    colour: str | Sequence[float]
    source: str
    note: str = ""
    confidence: float = 1.0

    def __post_init__(self) -> None:
        refuse_unknown("source", [str(self.source)], SOURCES)
        numbers = [self.x, self.y, self.confidence]
        if not all(type(n) in (int, float) and abs(n) < LARGEST for n in numbers):
            told = f"must be numbers, below {LARGEST:,}"
            raise KitError(f"x, y, confidence {str(numbers)[:80]}: {told}")
        if not isinstance(self.note, str) or _HALVES.search(self.note):
            raise KitError(f"note {self.note!a}: must be text")
        if not 0 < self.confidence <= 1:
            raise KitError(f"confidence {self.confidence}: must be above 0 and at most 1")
        self.lab  # noqa: B018  (a colour that is none shows here)

    @cached_property
    def lab(self) -> Tensor:
        """The colour in CIELAB, (3,), as it was given."""
        if isinstance(self.colour, str) and re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            rgb = torch.tensor(list(bytes.fromhex(self.colour[1:]))) / 255
            return rgb_to_lab(rgb[:, None, None]).flatten()
        with_three = isinstance(self.colour, (list, tuple)) and len(self.colour) == 3
        if with_three and all(type(n) in (int, float) and abs(n) <= 200 for n in self.colour):
            return torch.tensor(self.colour, dtype=torch.float32)
        raise KitError(f"colour {self.colour!r}: must be '#rrggbb' or [L*, a*, b*]")

    @property
    def outside(self) -> bool:
        """Tell whether the colour is outside sRGB."""
        return not in_gamut(self.lab[:, None, None], tolerance=0.01).item()

    @property
    def ab(self) -> np.ndarray:
        """The colour's (a*, b*)/110, (2,); one outside sRGB is made paler until it is inside."""
        if self.outside:
            paler, _ = lab_to_paler_rgb(self.lab[:, None, None])
            return encode(paler)[1].flatten().numpy()
        return (self.lab[1:] / AB_SCALE).numpy()

    @property
    def hex(self) -> str:
        """The colour as "#rrggbb"; one outside sRGB is made paler until it is inside."""
        rgb, _ = lab_to_paler_rgb(self.lab[:, None, None])
        return "#" + bytes((255 * rgb).round().byte().flatten().tolist()).hex()


@dataclass(frozen=True)
class Hints:
    """The hints of one picture, known by its file's sha256; immutable, as a record should be."""

    picture: str
    sha256: str
    hints: tuple[Hint, ...] = ()

    @classmethod
    def of(cls, picture: str | Path, hints: Sequence[Hint] = ()) -> "Hints":
        """Begin the record of a picture file. KitError if it cannot be read."""
        path = Path(picture).expanduser()
        check_name(path)
        try:
            return cls(path.name, file_sha256(path), tuple(hints))
        except OSError as error:
            raise KitError(f"{path}: cannot be read: {error.strerror}") from error

    def without(self, source: str) -> "Hints":
        """Take a source away, with every hint of it."""
        refuse_unknown("source", [source], SOURCES)
        return replace(self, hints=tuple(h for h in self.hints if h.source != source))

    def text(self) -> str:
        """Write the record as JSON."""
        record = {"format": HINTS_FORMAT, "picture": {"name": self.picture, "sha256": self.sha256}}
        record["hints"] = [asdict(hint) for hint in self.hints]
        return json.dumps(record, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the record to a file, whole or not at all."""
        write_atomic(Path(path).expanduser(), self.text())

    def check(self, begun: "Hints", size: tuple[int, int]) -> None:
        """Raise KitError unless the hints are of the picture whose record was begun, and inside."""
        if begun.sha256 != self.sha256:
            rule = f"the hints are of another picture, {self.picture} (its sha256 differs)"
            raise KitError(f"{begun.picture}: {rule}; use that file, or make hints for this one")
        for number, hint in enumerate(self.hints, 1):
            if not (0 <= hint.x < size[0] and 0 <= hint.y < size[1]):
                place, whole = f"({hint.x:g}, {hint.y:g})", f"{size[0]} x {size[1]} px"
                raise KitError(f"hint {number} at {place}: outside the picture of {whole}")

    def points(self, size: tuple[int, int]) -> Points:
        """Put the hints of a picture of width and height `size` onto a square of SIDE px."""
        places = [(h.y / size[1] * SIDE, h.x / size[0] * SIDE) for h in self.hints]
        return Points(
            np.array(places).reshape(-1, 2).astype(int),
            np.array([h.ab for h in self.hints]).reshape(-1, 2),
            np.array([h.confidence for h in self.hints]),
            [h.source for h in self.hints],
        )


def read_hints(path: str | Path) -> Hints:
    """Read a record from its JSON, or from the XMP of a picture. KitError if there is none."""
    path = Path(path).expanduser()
    try:
        content = path.read_bytes()
        if found := _XMP.search(content):
            content = html.unescape(found[1].decode()).encode()
        record = json.loads(content)
        rows, picture = record["hints"], record["picture"]
        if record["format"] != HINTS_FORMAT or not isinstance(rows, list):
            raise ValueError("another format")
        name, sha256 = str(picture["name"]), str(picture["sha256"])
        if _HALVES.search(name + sha256):
            raise ValueError("its picture's name is no text")
    except OSError as error:
        raise KitError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KitError(f"{path}: no hints of this kit ({error})") from error
    return Hints(name, sha256, tuple(_hint(path, n, row) for n, row in enumerate(rows, 1)))


def _hint(path: Path, number: int, row: Any) -> Hint:
    try:
        return Hint(**row)
    except (KitError, TypeError) as error:  # TypeError: a key too many, or one that is missing
        raise KitError(f"{path}: hint {number}: {error}") from error


@dataclass(frozen=True)
class Hinted:
    """A picture coloured by hints.

    picture: "RGB", at its own size and lightness, with its metadata and the hints in its XMP.
    spread: see `spread.Spread`. paler: share of pixels made paler to be in sRGB.
    """

    picture: Picture
    spread: Spread
    paler: float


def colour_by_hints(
    picture: str | Path,
    hints: Hints,
    model: Colorizer | str | Path = "cautious",
    way: str = "kernel",
) -> Hinted:
    """Colour a picture file by known points; where none tells, a model's colours stay.

    Raises KitError if the hints are of another picture or outside of it; warns of colours that
    are made paler to be in sRGB.
    """
    opened = open_picture(Path(picture).expanduser())
    hints.check(Hints.of(picture), opened.image.size)
    return colour_opened(opened, hints, model, way)


def colour_opened(
    opened: Picture, hints: Hints, model: Colorizer | str | Path, way: str = "kernel"
) -> Hinted:
    """Colour a picture that is open, by hints that are known to be its own; as above."""
    if outside := [str(n) for n, hint in enumerate(hints.hints, 1) if hint.outside]:
        told = "a colour outside sRGB is made paler, hint"
        warnings.warn(f"{told} {', '.join(outside[:20])}", stacklevel=3)
    if not isinstance(model, Colorizer):
        model = load_pretrained(model)
    done = spread(*ground(opened, model), hints.points(opened.image.size), way)
    image, paler = paint_ab(opened.image, torch.from_numpy(done.ab).float())
    kept = opened.kept | {"xmp": with_hints(opened.kept.get("xmp", b""), hints)}
    return Hinted(replace(opened, image=image, kept=kept), done, paler)


def ground(picture: Picture, model: Colorizer) -> tuple[np.ndarray, np.ndarray]:
    """Return what colours are spread on: L (SIDE, SIDE) in [-1, 1] and a model's ab (2, …)."""
    prior = predict_ab(picture, model).detach()
    prior = torch.nn.functional.interpolate(prior[None], (SIDE, SIDE), mode="bilinear")[0]
    return grey_input(square(picture.image, SIDE))[0, 0].numpy(), prior.numpy()


def with_hints(xmp: bytes, hints: Hints) -> bytes:
    """Put a record into XMP, beside what is there; hints that were there before go."""
    ours = f'<rdf:Description rdf:about="" xmlns:lost="{_NAMESPACE}">'
    ours += f"<lost:hints>{html.escape(hints.text())}</lost:hints></rdf:Description>"
    before, end, after = _OURS.sub("", xmp.decode(errors="replace")).rpartition("</rdf:RDF>")
    if not end:
        before = '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        before += '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        end, after = "</rdf:RDF>", "</x:xmpmeta>"
    return f"{before}{ours}{end}{after}".encode()
