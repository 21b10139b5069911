"""The demo's page "Known colours": click a point, say its colour and source, see it spread."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from ..base.errors import KitError
from ..pictures.demo import (
    WAITING,
    example_buttons,
    in_trouble,
    load_gradio,
    offer,
    open_upload,
    upload_box,
)
from ..pictures.files import fitted, save_picture
from ..pictures.paint import paint_ab
from ..pretrained import Colorizer, load_pretrained
from .hints import SOURCES, Hint, Hints, colour_by_hints, ground, read_hints
from .spread import Spread, spread

SHOWN = 768  # px of the picture on the page
ABOUT = """# Known colours
Click a point whose colour is known, and say from where. The colour spreads to what lies near and
is as light; everywhere else a model guesses."""
FORM = "The next click has these. They change the chosen point, too."


@dataclass(frozen=True)
class Ground:
    """An upload as the page has it: as large as shown, its full size, and what `ground` gives."""

    image: Image.Image
    size: tuple[int, int]
    L: np.ndarray
    prior: np.ndarray


class Page:
    """What the page does; every method answers one click. to: the folder for what is made."""

    def __init__(self, model: Colorizer, example: Path, to: Path):
        self.model, self.example, self.to = model, example, to
        self.seen = lru_cache(maxsize=WAITING)(self._read)

    def _read(self, path: Path) -> Ground:
        picture = open_upload(path)
        L, prior = ground(picture, self.model)
        return Ground(fitted(picture.image, SHOWN), picture.image.size, L, prior)

    def path(self, upload: str | None) -> Path:
        """Say which picture it is: the upload, or the example without one."""
        return Path(upload or self.example)

    def begin(self, upload: str | None) -> Hints:
        """Begin the record of an upload. KitError if it cannot be read."""
        self.seen(self.path(upload))
        return Hints.of(self.path(upload))

    def place(self, upload: str | None, at: Sequence[int]) -> tuple[float, float]:
        """Say where, in px of the upload, a click on the picture shown was."""
        seen = self.seen(self.path(upload))
        ratios = zip(at, seen.image.size, seen.size, strict=True)
        return tuple(round((here + 0.5) / shown * whole, 1) for here, shown, whole in ratios)

    def draw(
        self, upload: str | None, record: Hints, counted: Sequence[str], chosen: int | None
    ) -> tuple[Image.Image, str]:
        """Spread the colours of the sources that count; returns the picture and what it rests on.

        All points are marked, the chosen one by a larger ring.
        """
        seen = self.seen(self.path(upload))
        counting = only(record, counted)
        done = spread(seen.L, seen.prior, counting.points(seen.size))
        image, _ = paint_ab(seen.image, torch.from_numpy(done.ab).float())
        for number, hint in enumerate(record.hints):
            scale = seen.image.width / seen.size[0]
            _mark(image, (hint.x * scale, hint.y * scale), hint, number == chosen)
        return image, told(done)

    def save_hints(self, upload: str | None, record: Hints) -> Path:
        """Write all hints, those of sources that do not count too, as JSON."""
        path = Path(tempfile.mkdtemp(dir=self.to)) / f"{self.path(upload).stem[:60]}.hints.json"
        record.save(path)
        return path

    def save_picture(self, upload: str | None, record: Hints, counted: Sequence[str]) -> Path:
        """Colour the picture at full size; the hints that count are in its XMP."""
        path = Path(tempfile.mkdtemp(dir=self.to)) / f"{self.path(upload).stem[:60]}-hinted.png"
        done = colour_by_hints(self.path(upload), only(record, counted), self.model)
        save_picture(done.picture, path)
        return path


def only(record: Hints, sources: Sequence[str]) -> Hints:
    """Keep the hints of some sources."""
    for source in SOURCES.keys() - set(sources):
        record = record.without(source)
    return record


def told(done: Spread) -> str:
    """Say in Markdown how much of the colour rests on what."""
    shares = dict(zip(SOURCES, done.shares.mean((1, 2)), strict=True))
    parts = [f"{share:.0%} on {source}" for source, share in shares.items() if share]
    parts.append(f"{1 - sum(shares.values()):.0%} on no hint: the model's guess")
    return f"What the colour rests on: {', '.join(parts)}."


def as_hex(colour: str) -> str:
    """Write what a browser's colour picker gives, such as "rgba(161.3, 48, 32, 1)", as "#rrggbb".

    Anything else comes back as it is.
    """
    if not colour.startswith("rgb"):
        return colour
    values = [round(float(value)) for value in re.findall(r"[\d.]+", colour)[:3]]
    return "#" + bytes(values).hex()


def lay_out(examples: dict[str, Path], to: Path) -> None:
    """Lay the page out, inside of a tab of the demo. examples: {title: file}."""
    gr = load_gradio()
    page = Page(load_pretrained("cautious"), next(iter(examples.values())), to)
    begun = page.begin(None)
    picture, rests = page.draw(None, begun, list(SOURCES), None)
    gr.Markdown(ABOUT)
    record = gr.State(begun)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=1):
            upload = upload_box()
            trouble = gr.HTML(elem_classes="trouble")
            with gr.Column(elem_classes="later"):
                gr.Markdown(FORM)
                colour = gr.ColorPicker("#8a2b1e", label="Colour")
                source = gr.Radio(list(SOURCES), value="text", label="Source")
                sure = gr.Slider(0.05, 1, 1, step=0.05, label="Confidence")
                note = gr.Textbox(label="Which text, which fragment …", max_lines=1)
                with gr.Accordion("Without a mouse", open=False):
                    x, y = (gr.Number(0, label=f"{axis}, px") for axis in ("x", "y"))
                    there = gr.Button("Put the colour there")
            with gr.Column(elem_classes="last"):
                example_buttons(examples, upload, to)
        with gr.Column(scale=2):
            what = {"alt_text": "the picture, coloured by known points", "elem_id": "hinted"}
            still = {"interactive": False, "buttons": ["fullscreen"], "elem_classes": "picture"}
            image = gr.Image(picture, label="Click a point", format="jpeg", **what, **still)
            with gr.Column(elem_classes="later"):
                rests = gr.Markdown(rests, elem_id="rests")
                with gr.Column(visible=False) as listed:
                    chosen = gr.Radio([], label="Points", elem_id="points")
                    remove = gr.Button("Remove the chosen point")
                    every = list(SOURCES)
                    counted = gr.CheckboxGroup(every, value=every, label="Sources that count")
                with gr.Row():
                    offer("Save the hints (JSON)", page.save_hints, [upload, record], trouble)
                    asked = [upload, record, counted]
                    offer("Save the picture at full size", page.save_picture, asked, trouble)
                resume = gr.UploadButton("Go on from saved hints (JSON)", file_types=[".json"])
    form = [colour, source, sure, note]
    shown = [trouble, record, image, rests, chosen, listed]

    def answer(change: Callable[..., tuple[Hints, int | None]]) -> Callable[..., tuple[Any, ...]]:
        """Make an event's answer: change the record, and show it; or say why it cannot be."""

        def answered(upload: str | None, record: Hints, counted: list[str], *rest: Any) -> tuple:
            try:
                record, chosen = change(upload, record, *rest)
                drawn = page.draw(upload, record, counted, chosen)
            except KitError as error:
                return in_trouble(error), *[gr.skip()] * 5
            lines = [(_line(n, hint), n) for n, hint in enumerate(record.hints)]
            points = gr.Radio(choices=lines, value=chosen)
            return "", record, *drawn, points, gr.Column(visible=bool(lines))

        return answered

    def put(record: Hints, place: tuple[float, float], form: Sequence[Any]) -> tuple[Hints, int]:
        hint = _hint(place, *form)
        return replace(record, hints=(*record.hints, hint)), len(record.hints)

    def click(upload: str | None, record: Hints, form: Sequence[Any], at: Sequence[int]):
        return put(record, page.place(upload, at), form)

    def clicked(event: gr.SelectData, upload: Any, record: Any, counted: Any, *form: Any) -> tuple:
        return answer(click)(upload, record, counted, form, event.index)

    def type_in(upload: str | None, record: Hints, x: float, y: float, *form: Any):
        added, chosen = put(record, (x, y), form)
        added.check(page.path(upload), page.seen(page.path(upload)).size)
        return added, chosen

    def change(_: Any, record: Hints, chosen: int | None, *form: Any):
        if chosen is None:
            return record, None
        hints = list(record.hints)
        hints[chosen] = _hint((hints[chosen].x, hints[chosen].y), *form)
        return replace(record, hints=tuple(hints)), chosen

    def drop(_: Any, record: Hints, chosen: int | None):
        kept = (hint for number, hint in enumerate(record.hints) if number != chosen)
        return replace(record, hints=tuple(kept)), None

    def go_on(upload: str | None, _: Hints, path: str):
        found = read_hints(path)
        found.check(page.path(upload), page.seen(page.path(upload)).size)
        return found, None

    def fill_in(record: Hints, chosen: int):
        hint = record.hints[chosen]
        return hint.colour, hint.source, hint.confidence, hint.note

    told_of = [upload, record, counted]
    private = {"api_visibility": "private"}
    upload.change(answer(lambda upload, _: (page.begin(upload), None)), told_of, shown, **private)
    image.select(clicked, [*told_of, *form], shown, **private)
    there.click(answer(type_in), [*told_of, x, y, *form], shown, **private)
    edits = [part.input for part in form]
    latest = {"trigger_mode": "always_last"} | private
    gr.on(edits, answer(change), [*told_of, chosen, *form], shown, **latest)
    chosen.input(fill_in, [record, chosen], form, **private)
    same = answer(lambda _, record, chosen: (record, chosen))
    gr.on([chosen.input, counted.input], same, [*told_of, chosen], shown, **private)
    remove.click(answer(drop), [*told_of, chosen], shown, **private)
    resume.upload(answer(go_on), [*told_of, resume], shown, **private)


def _hint(place: tuple[float, float], colour: str, source: str, sure: float, note: str) -> Hint:
    return Hint(*place, as_hex(colour), source, note, sure)


def _line(number: int, hint: Hint) -> str:
    told = f"{number + 1}. {hint.colour}, {hint.source}"
    told += f", {hint.note}" if hint.note else ""
    return told + (f", confidence {hint.confidence:g}" if hint.confidence < 1 else "")


def _mark(image: Image.Image, at: tuple[float, float], hint: Hint, chosen: bool) -> None:
    """Draw a ring of its colour around a point, black and white outside: seen on any ground."""
    brush, size = ImageDraw.Draw(image), (10 if chosen else 6)
    for colour, more in (("black", 3), ("white", 2), (hint.colour, 0)):
        radius = size + more
        box = [at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius]
        brush.ellipse(box, fill=colour)
