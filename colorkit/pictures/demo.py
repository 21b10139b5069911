"""`colorkit demo`: drop a picture, see what every model makes of it. Needs the extra "demo"."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from ..base.errors import KitError, need, sigterm_as_interrupt
from ..base.files import slug
from ..experiment import MODELS
from ..folder import read_result
from ..metrics import BASELINES, ColourTable
from ..pretrained import BOX, Colorizer, describe_model, finished_models, load_pretrained
from .files import Picture, fitted, open_picture, save_picture
from .paint import colorize_picture, colours_of, grey_version, measure

if TYPE_CHECKING:
    import gradio

MAX_PIXELS = 50_000_000  # of an upload; `colorkit colorize` takes larger ones
MAX_BYTES = 60_000_000
SHOWN = 1024  # px of the pictures on the page; downloads are at full size
KEPT_SECONDS = 600  # how long a coloured picture can be downloaded
WAITING = 20  # requests that may wait; others are told to come again
EXAMPLES = ("Jalais Hill, Pontoise", "Boating", "Still Life with Apples and a Pot of Primroses")
EXAMPLES += ("Sibylle", "Young Ladies of the Village", "Two Young Girls at the Piano")
ABOUT = """# Colour a grey picture
Each model sees a small square and guesses colours from lightness and shape; they go onto the
picture's own lightness at full size. **A guess is not a restoration**: nothing here says what
colours a painting had."""
THE_TWO = """

**lively** is to look at: vivid, plausible, often wrong. **cautious** is to measure: on average
nearer to the truth, and browner."""
UNCOMPARED = {
    "none": "This picture is grey, so nothing here can say how near the colours come.",
    "toned": "This picture is toned, not coloured: it has one colour for each lightness, as in "
    "sepia. So nothing here can say how near the colours come.",
}
COMPARED = """| | mse_ab | CIEDE2000 | chroma ratio |
|---|---|---|---|
{rows}

{verdict}

mse_ab and CIEDE2000 are errors: lower is nearer. A chroma ratio of 1 is as vivid as the picture
was."""
CSS = """
#numbers :is(td, th) {padding: 4px 6px; overflow-wrap: normal; word-break: normal}
@media (max-width: 640px) {#gallery .grid-container {grid-template-columns: 1fr 1fr !important}}
"""


@dataclass(frozen=True)
class Answer:
    """What the page shows: (file, label) of pictures, what to say of them, downloads."""

    pictures: list[tuple[str, str]]
    said: str
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


def answer(models: dict[str, Colorizer], path: Path, strength: float, to: Path) -> Answer:
    """Colour one upload with every model; full-size files go to the folder `to`.

    Raises KitError, for people, if there is nothing to be done.
    """
    if path.stat().st_size > MAX_BYTES:
        raise KitError(f"more than {MAX_BYTES // 10**6} MB; use `colorkit colorize`")
    picture = open_picture(path, MAX_PIXELS)
    colours, shown, files = colours_of(picture), [], []

    def show(image: Image.Image, label: str) -> None:
        file = to / f"shown-{len(shown)}.jpg"
        fitted(image, SHOWN).save(file, quality=90)
        shown.append((str(file), label))

    show(grey_version(picture), "grey")
    for name, model in models.items():
        coloured, _ = colorize_picture(picture, model, strength)
        show(coloured, name)
        suffix = ".png" if picture.alpha else ".jpg"
        files.append(to / f"{path.stem[:60]}-{slug(name)}{suffix}")
        save_picture(replace(picture, image=coloured), files[-1])
    if colours != "none":
        show(picture.image, "as it was")
    said = UNCOMPARED.get(colours) or _compared(picture, models, strength)
    return Answer(shown, said, [str(file) for file in files])


def page(models: dict[str, Colorizer], examples: dict[str, Path], to: Path) -> "gradio.Blocks":
    """Lay the page out. examples: {title: file}; the first is shown until there is an upload.

    to: the page's own folder, for downloads.
    """
    gr, paths = _gradio(), list(examples.values())
    colour = _colouring(models, paths[0], to)

    def take(event: gr.SelectData) -> str:
        return str(paths[event.index])

    slid, all_of_them, said, *files = colour(None, 1.0)
    with gr.Blocks(title="colorkit", analytics_enabled=False) as blocks:
        gr.Markdown(ABOUT + THE_TWO * (models.keys() == BOX.keys()))
        with gr.Row():
            with gr.Column(scale=1):
                upload = gr.File(label="Your picture", file_types=["image"], type="filepath")
                thumbs = [(_thumb(path), title) for title, path in examples.items()]
                plain = {"object_fit": "contain", "height": "max-content", "buttons": []}
                small = {"columns": 3, "allow_preview": False}
                tried = gr.Gallery(thumbs, label="Or a painting", **small, **plain)
                info = "0 is grey, 1 is what the models say; more is livelier, not truer"
                strength = gr.Slider(0, 2, 1, step=0.05, label="Strength of the colours", info=info)
            with gr.Column(scale=2):
                before_after = {"label": f"Grey, and {next(iter(models))}: drag the line"}
                slider = gr.ImageSlider(
                    slid, buttons=["fullscreen"], elem_id="slider", **before_after
                )
                beside = {"label": "Side by side", "columns": 4, "elem_id": "gallery"}
                gallery = gr.Gallery(all_of_them, **beside, **plain)
                numbers = gr.Markdown(said, elem_id="numbers")
                with gr.Row():
                    pairs = zip(models, files, strict=True)
                    downloads = [gr.DownloadButton(f"Download {n}", file) for n, file in pairs]
        tried.select(take, None, upload, api_visibility="private")
        gr.on(
            [upload.change, strength.change],
            colour,
            [upload, strength],
            [slider, gallery, numbers, *downloads],
            api_name="colour",
            trigger_mode="always_last",
        )
    return blocks.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)


def _colouring(models: dict[str, Colorizer], example: Path, to: Path) -> Callable[..., tuple]:
    """Make what answers an upload, or shows the example without one: one at a time."""
    gr, one_at_a_time = _gradio(), threading.Lock()

    def colour(upload: str | None, strength: float) -> tuple[Any, ...]:
        folder, path = Path(tempfile.mkdtemp(dir=to)), Path(upload or example)
        try:
            with one_at_a_time:
                found = answer(models, path, strength, folder)
        except KitError as error:
            what = str(error).removeprefix(f"{path}: ")
            gr.Warning(what)
            return None, None, what, *[None] * len(models)
        grey, first = found.pictures[0][0], found.pictures[1][0]
        return (grey, first), found.pictures, found.said, *found.files

    return colour


def serve(out: str = "", port: int = 0, share: bool = False) -> None:
    """Serve the page until Ctrl-C. Raises KitError if there is no model or no gradio."""
    from ..base.files import user_path
    from ..sources import open_source

    _pass_proxies_by(share)
    gr = _gradio()
    models = models_of(user_path(out)) if out else boxed_models()
    if not models:
        raise KitError(f"{out}: has no model; run `colorkit reproduce` first")
    source = open_source("sample")
    found = {painting.title: painting for painting in source.paintings}
    chosen = [found[title] for title in EXAMPLES]
    examples = {p.painter.split()[-1]: source.root / p.path for p in chosen}
    gr.set_static_paths([source.root])  # shown from where they are, and not forgotten
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["monospace"]}
    theme = gr.themes.Default(primary_hue="neutral", **fonts)  # tints nothing that is shown
    with tempfile.TemporaryDirectory(prefix="colorkit-demo-") as to, sigterm_as_interrupt():
        os.environ["GRADIO_TEMP_DIR"] = to  # what lies there is shown as it is, and goes with us
        page(models, examples, Path(to)).launch(
            share=share,
            server_port=port or None,
            max_file_size=MAX_BYTES,
            ssr_mode=False,
            footer_links=[],
            theme=theme,
            css=CSS,
            run_history=False,  # nothing is kept of what people upload
            prevent_thread_lock=True,
        )
        lasting = set(Path(to).rglob("*"))
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(60)
                _forget(Path(to), lasting)


def _compared(picture: Picture, models: dict[str, Colorizer], strength: float) -> str:
    """Put the errors in a table, and say whether the liveliest answer is the nearest."""
    numbers = {"grey": measure(picture, next(iter(models.values())), strength=0)}
    numbers |= {name: measure(picture, model, strength) for name, model in models.items()}
    rows = (f"| {n} | {e:.4f} | {c:.1f} | {v:.2f} |" for n, (e, c, v) in numbers.items())
    return COMPARED.format(rows="\n".join(rows), verdict=verdict(numbers))


def verdict(numbers: dict[str, tuple[float, float, float]]) -> str:
    """Say whether the liveliest answer is the nearest. numbers: {name: (error, …, liveliness)}."""
    liveliest = max(numbers, key=lambda name: numbers[name][2])
    nearest = min(numbers, key=lambda name: numbers[name][0])
    if liveliest == nearest:
        return f"Here the liveliest answer, **{liveliest}**, is the nearest too."
    more = numbers[liveliest][0] / numbers[nearest][0] - 1
    return (
        f"The liveliest answer loses: **{liveliest}** has the most colour, and {more:.0%} more "
        f"error than **{nearest}**. What looks alive need not be near."
    )


def _thumb(path: Path) -> Image.Image:
    return fitted(grey_version(open_picture(path)), 300)


def _forget(to: Path, lasting: Collection[Path] = ()) -> None:
    """Delete the files that were made, or uploaded, long ago."""
    for path in sorted({*to.rglob("*")} - {*lasting}, reverse=True):  # files before their folder
        with suppress(OSError):  # it is gone, or not empty
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.rmdir() if path.is_dir() else path.unlink()


def _pass_proxies_by(share: bool) -> None:
    """Let gradio look at its own page, as it does at the start, where a proxy is set.

    Nothing but a public link needs the network. httpx reads these variables.
    """
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "localhost"
    os.environ["no_proxy"] = f"{given},localhost,127.0.0.1" if share else "*"


def _gradio() -> Any:
    try:
        return need("demo", "gradio")
    except KitError:
        raise
    except ValueError as error:  # such as GRADIO_SERVER_PORT=notaport, which it reads at once
        raise KitError(f"gradio: {error}; unset your GRADIO_… variables") from error
