"""The demo's page "Known colours": click a point, say its colour and source, see it spread."""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
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
from ..pictures.pretrained import Colorizer, load_pretrained
from .hints import SOURCES, Hint, Hints, colour_opened, ground, read_hints
from .spread import Spread, spread

SHOWN_PX = 768  # px of the picture on the page
INTRODUCTION = """# Known colours
Click a point whose colour is known, and say from where. The colour spreads to what lies near and
is as light; everywhere else a model guesses."""
FORM = "The next click has these. They change the chosen point, too."


@dataclass(frozen=True)
class Ground:
    """An upload as the page has it.

    begun: a record without hints. image: as large as shown; size: in full. L, prior: of `ground`.
    """

    begun: Hints
    image: Image.Image
    size: tuple[int, int]
    L: np.ndarray
    prior: np.ndarray


Changed = tuple[Hints, int | None]  # a record, and the number of its chosen point
Form = tuple[str, str, float, str]  # colour, source, confidence, note


class Page:
    """What the page does; every method answers one click.

    upload: its path, or None for the example. to: the folder for what is made. KitError, for
    people, for what cannot be.
    """

    def __init__(self, model: Colorizer, example: Path, to: Path):
        self.model, self.example, self.to = model, example, to
        self.seen = lru_cache(maxsize=WAITING)(self._read)

    def _read(self, path: Path) -> Ground:
        picture = open_upload(path)
        L, prior = ground(picture, self.model)
        shown, size = fitted(picture.image, SHOWN_PX), picture.image.size
        return Ground(Hints.of(path), shown, size, L, prior)

    def path(self, upload: str | None) -> Path:
        return Path(upload or self.example)

    def _keep(self, path: Path) -> None:
        """Let the demo not forget an upload that is worked on: its full size will be asked for."""
        if path.resolve().is_relative_to(self.to.resolve()):
            with suppress(FileNotFoundError):
                os.utime(path)

    def begin(self, upload: str | None, *_: Any) -> Changed:
        """Begin the record of an upload."""
        return self.seen(self.path(upload)).begun, None

    def click(self, upload: str | None, record: Hints, at: Sequence[int], *form: Any) -> Changed:
        """Put a point where the picture was clicked. at: px of the picture shown."""
        seen = self.seen(self.path(upload))
        lengths = zip(at, seen.image.size, seen.size, strict=True)
        place = [round((here + 0.5) / shown * whole, 1) for here, shown, whole in lengths]
        return self.put(upload, record, *place, *form)

    def put(self, upload: str | None, record: Hints, x: float, y: float, *form: Any) -> Changed:
        """Put a point at a place of the upload, in px."""
        seen = self.seen(self.path(upload))
        added = replace(record, hints=(*record.hints, _hint_of_form(x, y, form)))
        added.check(seen.begun, seen.size)
        return added, len(record.hints)

    def change(self, _: Any, record: Hints, chosen: int | None, *form: Any) -> Changed:
        """Give the chosen point another colour, source, confidence or note."""
        hints = list(record.hints)
        if chosen is not None:
            hints[chosen] = _hint_of_form(hints[chosen].x, hints[chosen].y, form)
        return replace(record, hints=tuple(hints)), chosen

    def remove(self, _: Any, record: Hints, chosen: int | None) -> Changed:
        """Take the chosen point away. KitError if none is chosen."""
        if chosen is None:
            raise KitError("no point is chosen: choose one of the list")
        kept = (hint for number, hint in enumerate(record.hints) if number != chosen)
        return replace(record, hints=tuple(kept)), None

    def go_on(self, upload: str | None, _: Any, saved: str) -> Changed:
        """Take a record that was saved before."""
        seen, record = self.seen(self.path(upload)), read_hints(saved)
        record.check(seen.begun, seen.size)
        return record, None

    def draw(
        self, upload: str | None, record: Hints, counted: Sequence[str], chosen: int | None
    ) -> tuple[Image.Image, str]:
        """Spread the colours of the sources that count; returns the picture and what it rests on.

        All points are marked, the chosen one by a larger ring.
        """
        self._keep(self.path(upload))
        seen = self.seen(self.path(upload))
        done = spread(seen.L, seen.prior, only(record, counted).points(seen.size))
        image, _ = paint_ab(seen.image, torch.from_numpy(done.ab).float())
        scale = seen.image.width / seen.size[0]
        for number, hint in enumerate(record.hints):
            _ring(image, (hint.x * scale, hint.y * scale), hint, number == chosen)
        return image, told(done)

    def answer(
        self,
        change: Callable[..., Changed],
        upload: str | None,
        record: Hints,
        counted: list[str],
        *rest: Any,
    ) -> tuple[Any, ...]:
        """Answer an event: change the record and show it, or say why it cannot be."""
        gr = load_gradio()
        try:
            record, chosen = change(upload, record, *rest)
            drawn = self.draw(upload, record, counted, chosen)
        except KitError as error:
            return in_trouble(error), *[gr.skip()] * 5
        lines = [(_line(number, hint), number) for number, hint in enumerate(record.hints)]
        listed = gr.Radio(choices=lines, value=chosen), gr.Column(visible=bool(lines))
        return "", record, *drawn, *listed

    def draw_again(self, *asked: Any) -> tuple[Any, ...]:
        """Leave the record and the lines of points alone: people may be about to change them."""
        try:
            return "", *self.draw(*asked), asked[-1]  # chosen, whatever an answer before it said
        except KitError as error:
            return in_trouble(error), *[load_gradio().skip()] * 3

    def save_hints(self, upload: str | None, record: Hints) -> Path:
        """Write all hints, those of sources that do not count too, as JSON."""
        path = Path(tempfile.mkdtemp(dir=self.to)) / f"{self.path(upload).stem[:60]}.hints.json"
        record.save(path)
        return path

    def save_picture(self, upload: str | None, record: Hints, counted: Sequence[str]) -> Path:
        """Colour the picture at full size; the hints that count are in its XMP."""
        opened = open_upload(self.path(upload))
        path = Path(tempfile.mkdtemp(dir=self.to)) / f"{self.path(upload).stem[:60]}-hinted.png"
        done = colour_opened(opened, only(record, counted), self.model)
        save_picture(done.picture, path)
        return path


def only(record: Hints, sources: Sequence[str]) -> Hints:
    """Keep the hints of some sources."""
    return replace(record, hints=tuple(h for h in record.hints if h.source in sources))


def told(done: Spread) -> str:
    """Say in Markdown how much of the colour rests on what."""
    parts = [f"{done.shares[name].mean():.0%} on {name}" for name in SOURCES if name in done.shares]
    parts.append(f"{done.rest.mean():.0%} on no hint: the model's guess")
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
    every = list(SOURCES)
    begun, _ = page.begin(None)
    picture, rests = page.draw(None, begun, every, None)
    record = gr.State(begun)
    gr.Markdown(INTRODUCTION)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=1):
            upload = upload_box()
            trouble = gr.HTML(elem_classes="trouble")
            with gr.Column(elem_classes="later"):
                form, place, there = _lay_out_form()
            with gr.Column(elem_classes="last"):
                example_buttons(examples, upload, to)
        with gr.Column(scale=2):
            what = {"label": "The picture, coloured by known points", "elem_id": "hinted"}
            still = {"interactive": False, "buttons": ["fullscreen"], "elem_classes": "picture"}
            image = gr.Image(picture, format="jpeg", **what, **still)
            with gr.Column(elem_classes="later"):
                rests = gr.Markdown(rests, elem_id="rests")
                with gr.Column(visible=False) as points:
                    chosen = gr.Radio([], label="Points", elem_id="points")
                    remove = gr.Button("Remove the chosen point")
                    counted = gr.CheckboxGroup(every, value=every, label="Sources that count")
                with gr.Row():
                    offer("Save the hints (JSON)", page.save_hints, [upload, record], trouble)
                    asked = [upload, record, counted]
                    offer("Save the picture at full size", page.save_picture, asked, trouble)
                saved = gr.UploadButton("Go on from saved hints (JSON)", file_types=[".json"])

    def clicked(event: gr.SelectData, *values: Any) -> tuple[Any, ...]:
        return page.answer(page.click, *values[:3], event.index, *values[3:])

    shown = [trouble, record, image, rests, chosen, points]
    asked = [upload, record, counted]
    # One after another: of two answers at once, the later one would bring back the older record.
    quiet = {"api_visibility": "private", "concurrency_id": "record"}
    upload.change(partial(page.answer, page.begin), asked, shown, **quiet)
    image.select(clicked, [*asked, *form], shown, **quiet)
    there.click(partial(page.answer, page.put), [*asked, *place, *form], shown, **quiet)
    edits, latest = [part.input for part in form], {"trigger_mode": "always_last"}
    change = partial(page.answer, page.change)
    gr.on(edits, change, [*asked, chosen, *form], shown, **quiet, **latest)
    chosen.input(_fill_in, [record, chosen], form, **quiet)
    drawn = [trouble, image, rests, chosen]
    gr.on([chosen.input, counted.input], page.draw_again, [*asked, chosen], drawn, **quiet)
    remove.click(partial(page.answer, page.remove), [*asked, chosen], shown, **quiet)
    saved.upload(partial(page.answer, page.go_on), [*asked, saved], shown, **quiet)


def _lay_out_form() -> tuple[list[Any], list[Any], Any]:
    """Lay out what a point is given: the form, its place in numbers, and the button for these."""
    gr = load_gradio()
    gr.Markdown(FORM)
    colour = gr.ColorPicker("#8a2b1e", label="Colour")
    source = gr.Radio(list(SOURCES), value="text", label="Source")
    sure = gr.Slider(0.05, 1, 1, step=0.05, label="Confidence")
    note = gr.Textbox(label="Which text, which fragment …", max_lines=1)
    with gr.Accordion("Without a mouse", open=False):
        place = [gr.Number(0, label=f"{axis}, px") for axis in ("x", "y")]
        there = gr.Button("Put the colour there")
    return [colour, source, sure, note], place, there


def _fill_in(record: Hints, chosen: int) -> Form:
    hint = record.hints[chosen]
    return hint.hex, hint.source, hint.confidence, hint.note


def _hint_of_form(x: float, y: float, form: Sequence[Any]) -> Hint:
    colour, source, sure, note = form
    return Hint(x, y, as_hex(colour), source, note, sure)


def _line(number: int, hint: Hint) -> str:
    told = f"{number + 1}. {hint.hex}, {hint.source}"
    told += f", {hint.note}" if hint.note else ""
    return told + (f", confidence {hint.confidence:g}" if hint.confidence < 1 else "")


def _ring(image: Image.Image, at: tuple[float, float], hint: Hint, chosen: bool) -> None:
    """Draw a ring of its colour around a point, black and white outside: seen on any ground."""
    brush, size = ImageDraw.Draw(image), (10 if chosen else 6)
    for colour, more in (("black", 3), ("white", 2), (hint.hex, 0)):
        brush.circle(at, size + more, fill=colour)
