"""`colorkit gallery`: 24 paintings on one page that needs no network: grey, guessed, as painted."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..base.errors import KitError
from ..base.files import user_path, write_atomic
from ..base.templates import render
from ..sources import Painting, open_source
from .files import open_picture
from .paint import colorize_picture, compare, grey_version, measure
from .pretrained import Colorizer

PAGE = "index.html"
MARK = '<meta name="generator" content="colorkit gallery">'  # such a page may be written over
QUALITY = 76  # of the JPEGs, at the sample's 600 px: four pictures of 24 paintings take 5 MB
SHEET = ("435809", "436535", "437881", "436947", "437299", "435882")  # for README
TILE = 512, 440  # px
MUSEUM = "https://www.metmuseum.org/art/collection/search/"
# The Met's number: what is seen. Some that a guess can get right, some that none can: satin may
# have any colour, and a bat has hardly one.
PAINTINGS = {
    "435809": "reapers in a field of ripe wheat, others resting under a tree",
    "437397": "an old man in a beret, lit from the side",
    "436947": "a man steering a sailing boat, a woman beside him, water all around",
    "827660": "a bouquet of many kinds of flowers before a dark ground",
    "437854": "a whale and a ship in mist and spray",
    "437869": "a man with a beard and a wide lace collar",
    "437549": "a road through wheat fields under tall clouds",
    "459106": "a seated woman in a wide satin dress",
    "435882": "apples on a white cloth, and a potted plant before a wall",
    "437881": "a woman with a water pitcher, opening a window",
    "438417": "two men beside a leaning tree, looking at the moon",
    "436528": "irises in a white vase before a plain wall",
    "436535": "a wheat field and tall cypresses under curling clouds",
    "440723": "a soldier in a silk tunic and a high headdress, from the side",
    "437053": "fruit, bread and a basket, a landscape behind",
    "40081": "a scholar in a pavilion by the water, watching geese",
    "436002": "a nude woman lying on a sheet, a parrot on her hand",
    "437879": "a girl with a shawl, looking over her shoulder out of the dark",
    "437299": "a village between wooded hills, two women on a path",
    "436575": "a city on a hill under a stormy sky",
    "435839": "a wide square with arcades and a tall bell tower under a clear sky",
    "438817": "girls in white dancing dresses in a classroom, their teacher among them",
    "456949": "a large bat with one wing spread, on bare paper",
    "436819": "a girl in a white dress, standing with her legs apart",
}


def write_gallery(output: str, models: dict[str, Colorizer]) -> Path:
    """Write <output>/index.html, its pictures/, and six of them as sheet.jpg; returns the page.

    models: by name; the first one's colours are on the cards and the sheet. Raises KitError if
    the folder cannot be written, or holds another page.
    """
    page = user_path(output) / PAGE
    if page.exists() and MARK not in page.read_text("utf-8", "replace"):
        raise KitError(f"{page}: not a page of this command; choose another folder")
    source = open_source("sample")
    known = {Path(painting.path).stem: painting for painting in source.paintings}
    shown = [_show(known[number], source.root, models, page.parent) for number in PAINTINGS]
    facts = {"shown": shown, "models": list(models), "mark": MARK, "museum": MUSEUM}
    write_atomic(page.with_name("sheet.jpg"), _as_jpeg(_sheet(page.parent, ["grey", *models][:2])))
    write_atomic(page, render("pictures/gallery.html", facts))
    return page


def _show(
    painting: Painting, root: Path, models: dict[str, Colorizer], folder: Path
) -> dict[str, Any]:
    """Write a painting's pictures, <number>-<grey, a model or painted>.jpg; return what is told."""
    picture, number = open_picture(root / painting.path), Path(painting.path).stem
    images = {"grey": grey_version(picture).convert("L"), "painted": picture.image}
    measured = {"grey": measure(picture, next(iter(models.values())), strength=0)}
    for name, model in models.items():
        images[name], _ = colorize_picture(picture, model)
        measured[name] = measure(picture, model)
    for name, image in images.items():
        write_atomic(folder / "pictures" / f"{number}-{name}.jpg", _as_jpeg(image))
    numbers = {name: (round(e, 1), round(vivid, 2)) for name, (_, e, vivid) in measured.items()}
    told = {"title": painting.title, "made": f"{painting.painter}, {painting.date}"}
    told |= {"width": picture.image.width, "height": picture.image.height}
    told |= {"number": number, "seen": PAINTINGS[number], "numbers": numbers}
    return told | compare(measured)


def _sheet(folder: Path, kinds: list[str]) -> Image.Image:
    """Put six paintings side by side, a row for each kind of picture and one as painted."""
    rows, numbers = [], [number for number in SHEET if number in PAINTINGS]
    for kind in (*kinds, "painted"):
        pictures = [Image.open(folder / "pictures" / f"{n}-{kind}.jpg") for n in numbers]
        tiles = [ImageOps.fit(p.convert("RGB"), TILE, centering=(0.5, 0.3)) for p in pictures]
        rows.append(np.hstack(tiles))
    return Image.fromarray(np.vstack(rows))


def _as_jpeg(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return content.getvalue()
