"""`colorkit demo`: drop a picture, see what every model makes of it. Needs the extra "demo"."""

import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image, ImageOps

from . import figures
from .color import encode
from .errors import KitError, sigterm_as_interrupt
from .experiment import read_result
from .inference import colorize_picture, square
from .metrics import BASELINES, ColourTable, score
from .pictures import Picture, open_picture, save_picture
from .pretrained import Colorizer, describe_model, load_pretrained, newest_model
from .recipes import MODELS

if TYPE_CHECKING:
    import gradio

MAX_PIXELS = 50_000_000  # of an upload; `colorkit colorize` takes larger ones
MAX_BYTES = 60_000_000
SHOWN = 1024, 1024  # px of the pictures on the page; downloads are at full size
KEPT_SECONDS = 600  # how long a coloured picture can be downloaded
WAITING = 20  # requests that may wait; others are told to come again
COLUMNS = ["model", "mse_ab", "CIEDE2000", "chroma ratio"]
ABOUT = """# Colour a grey picture
Each model sees a small square and guesses colours from lightness and shape; they go onto the
picture's own lightness at full size. **A guess is not a restoration**: nothing here says what
colours a painting had."""


@dataclass(frozen=True)
class Answer:
    """What the page shows: labelled pictures, the numbers beside the truth, files to download."""

    pictures: list[tuple[Image.Image, str]]
    rows: list[list[Any]]
    files: list[str]


def models_of(out: Path) -> dict[str, Colorizer]:
    """Load what a results folder has: the first run of each model, and the baselines."""
    models = {}
    for architecture, label in MODELS.items():
        folders = [
            folder
            for folder in sorted((out / "models").glob(f"t*-{architecture}-s*"))
            if re.fullmatch(rf"t\d-{architecture}-s\d+", folder.name)
        ]
        if folders:
            models[label] = load_pretrained(folders[0])
    size = max((model.size for model in models.values()), default=64)
    if result := read_result(out, "baselines"):
        for name in ("mean_ab", "L_table"):
            table = result["tables"][name]
            generator = ColourTable(torch.tensor(table))
            models[BASELINES[name]] = Colorizer(generator, describe_model(name, size))
    return models


def answer(
    models: dict[str, Colorizer], path: str | None, names: Sequence[str], strength: float, to: Path
) -> Answer:
    """Colour one upload with the named models; full-size files go to the folder `to`.

    Raises KitError, for people, if there is nothing to be done.
    """
    if not path:
        raise KitError("no picture yet: choose one, or take an example")
    if not names:
        raise KitError("no model chosen: tick at least one")
    picture = _upload(Path(path))
    pictures, rows, files, clean = [], [], [], Picture(picture.image, picture.alpha)
    if not picture.grey:
        rows.append(["grey", *_numbers(picture, models[names[0]], strength=0)])
    for name in names:
        coloured, _ = colorize_picture(picture, models[name], strength)
        pictures.append((ImageOps.contain(coloured, SHOWN), name))
        named = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        file = to / f"{Path(path).stem[:60]}-{named}.png"
        save_picture(coloured, file, clean)
        files.append(str(file))
        if not picture.grey:
            rows.append([name, *_numbers(picture, models[name], strength)])
    grey = colorize_picture(Picture(pictures[0][0]), models[names[0]], strength=0)[0]
    shown = [(grey, "grey"), *pictures]
    if not picture.grey:
        shown.append((ImageOps.contain(picture.image, SHOWN), "as it was"))
    return Answer(shown, rows, files)


def page(models: dict[str, Colorizer], examples: dict[str, Path], to: Path) -> "gradio.Blocks":
    """Lay the page out. examples: {title: file}. to: the page's own folder, for downloads."""
    gr = _gradio()

    def colour(path: str | None, names: list[str], strength: float) -> tuple[Any, ...]:
        _forget(to)
        folder = Path(tempfile.mkdtemp(dir=to))
        try:
            found = answer(models, path, names, strength, folder)
        except KitError as error:
            raise gr.Error(str(error).removeprefix(f"{path}: "), print_exception=False) from error
        grey, first = found.pictures[0][0], found.pictures[1][0]
        return (grey, first), found.pictures, found.rows, found.files

    quiet = {"analytics_enabled": False, "delete_cache": (60, KEPT_SECONDS)}
    with gr.Blocks(title="colorkit", **quiet) as blocks:
        gr.Markdown(ABOUT)
        with gr.Row():
            with gr.Column(scale=1):
                upload = gr.File(label="Picture", file_types=["image"], type="filepath")
                titles, paths = list(examples), [str(path) for path in examples.values()]
                gr.Examples(paths, upload, label="Paintings to try", example_labels=titles)
                chosen = gr.CheckboxGroup(list(models), value=list(models), label="Models")
                strength = gr.Slider(0, 2, 1, step=0.05, label="Strength of the colours")
                go = gr.Button("Colour", variant="primary", elem_id="go")
            with gr.Column(scale=2):
                slider = gr.ImageSlider(
                    label="Grey, and the first model chosen: drag the line", elem_id="slider"
                )
                gallery = gr.Gallery(
                    label="All of them", columns=3, height="auto", elem_id="gallery"
                )
                table = gr.Dataframe(headers=COLUMNS, label="If the picture had colours: how near?")
                files = gr.Files(label="Download at full size", elem_id="files")
        shown = [slider, gallery, table, files]
        go.click(colour, [upload, chosen, strength], shown, api_name="colour")
    return blocks.queue(max_size=WAITING, default_concurrency_limit=1)


def serve(out: str = "", port: int = 0, share: bool = False) -> None:
    """Serve the page until Ctrl-C. Raises KitError if there is no model or no gradio."""
    from .paths import user_path
    from .sources import open_source

    gr = _gradio()
    folder = user_path(out) if out else newest_model().parents[1]
    models = models_of(folder)
    if not models:
        raise KitError(f"{folder}: has no model; run `colorkit reproduce` first")
    source = open_source("sample")
    some = source.paintings[::35]
    examples = {figures.short(painting.title, 40): source.root / painting.path for painting in some}
    to = Path(tempfile.mkdtemp(prefix="colorkit-demo-"))
    fonts = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        with sigterm_as_interrupt():
            page(models, examples, to).launch(
                share=share,
                server_port=port or None,
                max_file_size=MAX_BYTES,
                allowed_paths=[str(to)],
                ssr_mode=False,
                footer_links=[],
                run_history=False,  # nothing is kept of what people upload
                theme=fonts,
            )
    finally:
        shutil.rmtree(to, ignore_errors=True)


def _upload(path: Path) -> Picture:
    if path.stat().st_size > MAX_BYTES:
        raise KitError(f"more than {MAX_BYTES // 10**6} MB; use `colorkit colorize`")
    try:
        with Image.open(path) as image:
            pixels = image.width * image.height
    except Exception:  # whatever it is, open_picture says it better
        pixels = 0
    if pixels > MAX_PIXELS:
        raise KitError(f"more than {MAX_PIXELS // 10**6} megapixels; use `colorkit colorize`")
    return open_picture(path)


def _numbers(picture: Picture, model: Colorizer, strength: float) -> list[float]:
    L, ab = encode(square(picture.image, model.size))
    with torch.inference_mode():
        (row,) = score(L, strength * model(L), ab)
    vivid = row["chroma"] / row["chroma_true"] if row["chroma_true"] else 0.0
    return [round(row["mse_ab"], 4), round(row["ciede2000"], 1), round(vivid, 2)]


def _forget(to: Path) -> None:
    """Delete what was coloured long ago."""
    for folder in to.iterdir():
        if folder.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _gradio() -> Any:
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise KitError(f"{error.name} is not installed; pip install 'colorkit[demo]'") from error
    return gradio
