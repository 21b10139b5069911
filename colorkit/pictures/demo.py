"""`colorkit demo`: drop a picture, see what every model makes of it. Needs the extra "demo"."""

import os
import re
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from .. import figures
from ..base.errors import KitError, sigterm_as_interrupt
from ..experiment import MODELS
from ..folder import read_result
from ..metrics import BASELINES, ColourTable
from ..pretrained import BOX, Colorizer, describe_model, finished_models, load_pretrained
from .files import Picture, fitted, open_picture, save_picture
from .paint import colorize_picture, grey_version, measure

if TYPE_CHECKING:
    import gradio

MAX_PIXELS = 50_000_000  # of an upload; `colorkit colorize` takes larger ones
MAX_BYTES = 60_000_000
SHOWN = 1024  # px of the pictures on the page; downloads are at full size
KEPT_SECONDS = 600  # how long a coloured picture can be downloaded
WAITING = 20  # requests that may wait; others are told to come again
COLUMNS = ["model", "mse_ab", "CIEDE2000", "chroma ratio"]
ABOUT = """# Colour a grey picture
Each model sees a small square and guesses colours from lightness and shape; they go onto the
picture's own lightness at full size. **A guess is not a restoration**: nothing here says what
colours a painting had."""


@dataclass(frozen=True)
class Answer:
    """What the page shows: (file, label) of pictures, numbers beside the truth, downloads."""

    pictures: list[tuple[str, str]]
    rows: list[list[Any]]
    files: list[str]


def boxed_models() -> dict[str, Colorizer]:
    """Load the two models that come with the kit, by their names."""
    return {name: load_pretrained(name) for name in BOX}


def models_of(out: Path) -> dict[str, Colorizer]:
    """Load what a results folder has: a run of each model, and two baselines, by their names."""
    models = {}
    finished = finished_models(out)
    for architecture in MODELS:
        mine = (f for f, config in finished.items() if config["architecture"] == architecture)
        if folder := next(mine, None):  # the first table and seed
            model = load_pretrained(folder)
            models[model.name] = model
    size = max((model.size for model in models.values()), default=64)
    if result := read_result(out / "runs" / "baselines.json"):
        for name in ("mean_ab", "L_table"):
            generator = ColourTable(torch.tensor(result["tables"][name]))
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
    names = [name for name in models if name in names]
    if not names:
        raise KitError("no model chosen: tick at least one")
    if Path(path).stat().st_size > MAX_BYTES:
        raise KitError(f"more than {MAX_BYTES // 10**6} MB; use `colorkit colorize`")
    picture = open_picture(Path(path), MAX_PIXELS)
    shown, rows, files = [], [], []

    def show(image: Image.Image, label: str) -> None:
        file = to / f"shown-{len(shown)}.jpg"
        fitted(image, SHOWN).save(file, quality=90)
        shown.append((str(file), label))

    show(grey_version(picture), "grey")
    if not picture.grey:
        rows.append(["grey", *measure(picture, models[names[0]], strength=0)])
    for name in names:
        coloured, _ = colorize_picture(picture, models[name], strength)
        show(coloured, name)
        named = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        file = to / f"{Path(path).stem[:60]}-{named}.png"
        save_picture(Picture(coloured, picture.alpha), file)
        files.append(str(file))
        if not picture.grey:
            rows.append([name, *measure(picture, models[name], strength)])
    if not picture.grey:
        show(picture.image, "as it was")
    return Answer(shown, rows, files)


def page(models: dict[str, Colorizer], examples: dict[str, Path], to: Path) -> "gradio.Blocks":
    """Lay the page out. examples: {title: file}. to: the page's own folder, for downloads."""
    gr = _gradio()
    one_at_a_time = threading.Lock()

    def colour(path: str | None, names: list[str], strength: float) -> tuple[Any, ...]:
        folder = Path(tempfile.mkdtemp(dir=to))
        try:
            with one_at_a_time:
                found = answer(models, path, names, strength, folder)
        except KitError as error:
            raise gr.Error(str(error).removeprefix(f"{path}: "), print_exception=False) from error
        grey, first = found.pictures[0][0], found.pictures[1][0]
        return (grey, first), found.pictures, found.rows, found.files

    with gr.Blocks(title="colorkit", analytics_enabled=False) as blocks:
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
    return blocks.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)


def serve(out: str = "", port: int = 0, share: bool = False) -> None:
    """Serve the page until Ctrl-C. Raises KitError if there is no model or no gradio."""
    from ..base.files import user_path
    from ..sources import open_source

    gr = _gradio()
    models = models_of(user_path(out)) if out else boxed_models()
    if not models:
        raise KitError(f"{out}: has no model; run `colorkit reproduce` first")
    source = open_source("sample")
    some = source.paintings[::35]
    examples = {figures.short(painting.title, 40): source.root / painting.path for painting in some}
    fonts = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    with tempfile.TemporaryDirectory(prefix="colorkit-demo-") as to, sigterm_as_interrupt():
        os.environ["GRADIO_TEMP_DIR"] = to  # what lies there is shown as it is, and goes with us
        page(models, examples, Path(to)).launch(
            share=share,
            server_port=port or None,
            max_file_size=MAX_BYTES,
            ssr_mode=False,
            footer_links=[],
            theme=fonts,
            run_history=False,  # nothing is kept of what people upload
            prevent_thread_lock=True,
        )
        examples = set(Path(to).rglob("*"))
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(60)
                _forget(Path(to), examples)


def _forget(to: Path, lasting: Collection[Path] = ()) -> None:
    """Delete the files that were made, or uploaded, long ago."""
    for path in sorted({*to.rglob("*")} - {*lasting}, reverse=True):  # files before their folder
        with suppress(OSError):  # it is gone, or not empty
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.rmdir() if path.is_dir() else path.unlink()


def _gradio() -> Any:
    try:
        import gradio
    except ModuleNotFoundError as error:
        raise KitError(f"{error.name} is not installed; pip install 'colorkit[demo]'") from error
    return gradio
