"""`colorkit demo`: drop a picture, see what every model makes of it. Needs the extra "demo"."""

import html
import io
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from ..base.errors import KitError, need, sigterm_as_interrupt
from ..base.files import slug, user_path
from ..base.templates import render
from ..base.terminal import console
from ..experiment import MODELS, SHORT
from ..folder import read_result
from ..metrics import BASELINES, ColourTable
from ..saving import describe_model
from ..sources import open_source
from .files import Picture, fitted, open_picture, save_picture
from .guessed import MANY, guess_map
from .paint import colorize_picture, colours_of, compare, grey_version, measure
from .pretrained import BOX, Colorizer, finished_models, load_pretrained

if TYPE_CHECKING:
    import gradio

# Pages on tabs of their own: title, and what lays one out, given examples {title: file} and the
# folder for what is made.
Pages = Mapping[str, Callable[[dict[str, Path], Path], None]]
MAX_UPLOAD_PIXELS = 50_000_000  # of an upload; `colorkit colorize` takes larger ones
MAX_BYTES = 60_000_000
PAGE_PX = 1024  # px of the pictures on the page; what is saved is at full size
KEPT_SECONDS = 600  # how long an upload, or what was made of it, can be had
WAITING = 20  # requests that may wait; others are told to come again
EXAMPLES = ("Jalais Hill, Pontoise", "Boating", "Still Life with Apples and a Pot of Primroses")
EXAMPLES += ("Sibylle", "Young Ladies of the Village", "Two Young Girls at the Piano")
ABOUT = """# Colour a grey picture
**The colours are guesses**, from lightness and shape. Nothing here says what colours a painting
had."""
HOW = "Each model sees a small square; its colours go onto the picture's own lightness."
THE_TWO = f"""

**lively** is to look at: varied, plausible, often wrong. **cautious** is to measure: on average
nearer to the truth, and browner.

The maps show how many colours a model leaves open at each lightness: dark is few, the lightest
yellow {MANY} or more, each 10 x 10 Lab units wide. Chosen so, they hold the true colour in 90 % of
the pixels, in 90 % of paintings like the museum's that come with the kit; of other
pictures they promise nothing."""
UNCOMPARED = {
    "none": "This picture is grey, so nothing here can say how near the colours come.",
    "toned": "This picture is toned, not coloured: it has one colour for each lightness, as in "
    "sepia. So nothing here can say how near the colours come.",
}
SCORES_SHOWN = """| picture | mse_ab | CIEDE2000 | chroma ratio |
|---|---|---|---|
{rows}

{verdict}

mse_ab and CIEDE2000 are errors: lower is nearer. A chroma ratio of 1 is as vivid as the picture
was."""
# Gradio's own pictures have no alternative text: they get their label.
DESCRIBE = """() => document.querySelectorAll(".picture").forEach((block) => {
  const said = block.querySelector("label").textContent.trim();
  block.querySelectorAll("img").forEach((image) => { image.alt = said; });
})"""
HAND_OVER = """(file) => {
  if (file) Object.assign(document.createElement("a"),
    {href: file.url, download: file.orig_name}).click();
}"""


@dataclass(frozen=True)
class Upload:
    """A picture as large as the page shows it, in grey too, and `paint.colours_of` it."""

    picture: Picture
    grey: Image.Image
    colours: str


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
            untrained = "" if model.config.get("epochs") else " (untrained)"
            models[SHORT[architecture] + untrained] = model
    size = max((model.size for model in models.values()), default=64)
    if result := read_result(out / "runs" / "baselines.json"):
        for name in ("mean_ab", "L_table"):
            generator = ColourTable(torch.tensor(result["tables"][name]))
            models[BASELINES[name]] = Colorizer(generator, describe_model(name, size))
    return models


def open_upload(path: Path) -> Picture:
    """Read an upload whole. KitError, for people, who do not know its path, if it cannot be."""
    if not path.exists():
        raise KitError("that picture has been forgotten; choose it again")
    if path.stat().st_size > MAX_BYTES:
        raise KitError(f"more than {MAX_BYTES // 10**6} MB; use `colorkit colorize`")
    try:
        return open_picture(path, MAX_UPLOAD_PIXELS)
    except KitError as error:
        raise KitError(str(error).removeprefix(f"{path}: ")) from error


@lru_cache(maxsize=WAITING)  # a change of strength reads nothing again
def read_upload(path: str) -> Upload:
    """Read an upload, for the page. Raises KitError, for people, if there is nothing to be done."""
    picture = open_upload(Path(path))
    small = replace(picture, image=fitted(picture.image, PAGE_PX))
    return Upload(small, grey_version(small), colours_of(small))


def answer(
    models: dict[str, Colorizer], upload: Upload, strength: float, to: Path
) -> tuple[dict[str, str], str]:
    """Colour one upload with every model, for the page; the pictures go to the folder `to`.

    Returns the pictures, {label: file}, and what to say of them.
    """
    shown = {}

    def show(image: Image.Image, label: str) -> None:
        file = to / f"{slug(label)}.jpg"
        image.convert("RGB").save(file, quality=90)
        shown[label] = str(file)

    show(upload.grey, "grey")
    for name, model in models.items():
        show(colorize_picture(upload.picture, model, strength)[0], name)
    show(upload.picture.image, "as it was")
    for name, model in models.items():
        if model.config.get("boxed"):
            show(guess_map(upload.picture.image, model), f"{name}: sure is dark, a guess light")
    said = UNCOMPARED.get(upload.colours) or _compared(upload.picture, models, strength)
    return shown, said


def save_coloured(
    model: Colorizer, name: str, example: Path, to: Path, upload: str | None, strength: float
) -> Path:
    """Colour an upload, or the example, at full size, with all that it carries.

    Returns the file, which lies in a folder of its own in `to` and is called after both.
    """
    path = Path(upload or example)
    picture = open_upload(path)
    coloured, _ = colorize_picture(picture, model, strength)
    ending = ".png" if picture.alpha else ".jpg"
    called = f"{path.stem[:60]}-{slug(name).strip('-')}{ending}"
    file = Path(tempfile.mkdtemp(dir=to)) / called
    save_picture(replace(picture, image=coloured), file)
    return file


def page(
    models: dict[str, Colorizer], examples: dict[str, Path], to: Path, more: Pages
) -> "gradio.Blocks":
    """Lay the page out. examples: {title: file}; the first is shown until there is an upload.

    to: the page's own folder, for what is made. more: other pages, on tabs of their own.
    """
    gr = load_gradio()
    with gr.Blocks(title="colorkit", analytics_enabled=False) as blocks:
        with gr.Tab("Guessed colours"):
            _lay_out(models, examples, to)
        for title, lay_out in more.items():
            with gr.Tab(title) as tab:
                lay_out(examples, to)
            tab.select(None, js=DESCRIBE)
    return blocks.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)


def _lay_out(models: dict[str, Colorizer], examples: dict[str, Path], to: Path) -> None:
    gr, first, example = load_gradio(), next(iter(models)), next(iter(examples.values()))
    colour = partial(_colour, models, example, to)
    trouble, preview, slid, beside, baselines, numbers = colour(None, 1.0)
    gr.Markdown(ABOUT)
    with gr.Row(elem_classes="sides"):
        with gr.Column(scale=1):
            upload = upload_box()
            trouble = gr.HTML(trouble, elem_classes="trouble")
            preview = gr.HTML(preview, elem_id="preview")
            with gr.Column(elem_classes="later"):
                example_buttons(examples, upload, to)
        with gr.Column(scale=2):
            drag = f"Grey, and {first}: drag the line"
            large = {"buttons": ["fullscreen"], "elem_id": "slider", "elem_classes": "picture"}
            slider = gr.ImageSlider(slid, label=drag, **large)
            told = "0 is grey, 1 is what the models say; more is livelier, not truer"
            strength = gr.Slider(0, 2, 1, step=0.05, label="Strength of the colours", info=told)
            beside = gr.HTML(beside, elem_id="beside")
            asked = [upload, strength]
            with gr.Row():
                for name, model in models.items():
                    file = partial(save_coloured, model, name, example, to)
                    offer(f"Save {name} at full size", file, asked, trouble)
            with gr.Accordion("More: numbers and baselines", open=False, elem_classes="later"):
                baselines = gr.HTML(baselines)
                numbers = gr.Markdown(numbers, elem_id="numbers")
                gr.Markdown(HOW + THE_TWO * (models.keys() == BOX.keys()))
    shown = [trouble, preview, slider, beside, baselines, numbers]
    changes = [upload.change, strength.change]
    # A slider that is dragged asks many times, and only the last answer is wanted.
    gr.on(changes, colour, asked, shown, api_name="colour", trigger_mode="always_last").then(
        None, js=DESCRIBE
    )


def upload_box() -> Any:
    """Lay out where a picture is dropped or chosen; its value is the file's path."""
    what = {"label": "Your picture: drop it here, or click", "file_types": ["image"]}
    return load_gradio().File(**what, type="filepath", height=110, elem_classes="upload")


def example_buttons(examples: dict[str, Path], upload: Any, to: Path) -> None:
    """Lay out the paintings that can be taken instead of an upload. examples: {title: file}."""
    gr = load_gradio()
    gr.Markdown("Or take a painting:")
    with gr.Row(elem_classes="examples"):
        for title, path in examples.items():
            button = gr.Button(title, icon=_thumb(path, to))
            button.click(lambda path=path: str(path), None, upload, api_visibility="private")


def offer(label: str, make: Callable[..., Path], inputs: list[Any], trouble: Any) -> None:
    """Lay out a button that has a file made, and hands it to the browser.

    make: gets the values of `inputs`; its KitError is shown in `trouble`.
    """
    gr = load_gradio()
    button, carrier = gr.Button(label), gr.DownloadButton(visible="hidden")

    def made(*values: Any) -> tuple[str | None, str]:
        try:
            return str(make(*values)), ""
        except KitError as error:
            return None, in_trouble(error)

    done = button.click(made, inputs, [carrier, trouble], api_visibility="private")
    done.then(None, carrier, js=HAND_OVER)


def in_trouble(error: KitError) -> str:
    """Say, as HTML, what is wrong."""
    return f'<p role="alert">{html.escape(str(error))}</p>'


def _colour(
    models: dict[str, Colorizer], example: Path, to: Path, upload: str | None, strength: float
) -> tuple[Any, ...]:
    """Answer an upload, or show the example without one."""
    try:
        seen = read_upload(str(upload or example))
        files, said = answer(models, seen, strength, Path(tempfile.mkdtemp(dir=to)))
    except KitError as error:
        return in_trouble(error), "", None, "", "", ""
    own = files["as it was"] if seen.colours != "none" else files.pop("as it was")
    more = {label: files.pop(label) for label in BASELINES.values() if label in files}
    slid = files["grey"], next(file for label, file in files.items() if label in models)
    preview = _beside({"as it was read": own})
    return "", preview, slid, _beside(files), _beside(more), said


def _beside(files: dict[str, str]) -> str:
    return render("pictures/beside.html", {"shown": files}) if files else ""


def serve(out: str, port: int, share: bool, more: Pages) -> None:
    """Serve the page until Ctrl-C. more: other pages, on tabs of their own.

    Raises KitError if there is no model or no gradio.
    """
    _pass_proxies_by(share)
    gr = load_gradio()
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
    readable = {"body_text_color_subdued": "*neutral_600", "block_info_text_color": "*neutral_600"}
    readable |= {f"{name}_dark": "*neutral_300" for name in readable}
    with tempfile.TemporaryDirectory(prefix="colorkit-demo-") as to, sigterm_as_interrupt():
        os.environ["GRADIO_TEMP_DIR"] = to  # what lies there is shown as it is, and goes with us
        os.environ["GRADIO_DEBUG"] = "0"  # 1: launch would end with the page, and not before
        blocks = page(models, examples, Path(to), more)
        # gradio's words are for who programs with it
        with redirect_stdout(io.StringIO()), _variables_refused():
            _, here, public = blocks.launch(
                share=share,
                server_port=port or None,
                max_file_size=MAX_BYTES,
                ssr_mode=False,
                footer_links=[],
                theme=theme.set(**readable),
                css=render("pictures/demo.css", {}),
                js=DESCRIBE,
                run_history=False,  # nothing is kept of what people upload
                prevent_thread_lock=True,
            )
        if share and not public:
            console.print("No public link could be had: gradio.live cannot be reached from here.")
        if public:
            console.print("Whoever has the public link can upload; it ends with this command.")
        console.print(f"Open {public or here.rstrip('/')}, Ctrl+C ends it")
        lasting = set(Path(to).rglob("*"))
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(60)
                _forget(Path(to), lasting)


def _compared(picture: Picture, models: dict[str, Colorizer], strength: float) -> str:
    numbers = {"grey": measure(picture, next(iter(models.values())), strength=0)}
    numbers |= {name: measure(picture, model, strength) for name, model in models.items()}
    rows = (f"| {n} | {e:.4f} | {c:.1f} | {v:.2f} |" for n, (e, c, v) in numbers.items())
    return SCORES_SHOWN.format(rows="\n".join(rows), verdict=compare(numbers)["verdict"])


def _thumb(path: Path, to: Path) -> Path:
    small = to / f"thumb-{path.stem}.jpg"
    fitted(grey_version(open_picture(path)), 300).save(small)
    return small


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


def load_gradio() -> Any:
    """Import gradio. KitError if it is not installed, or stumbles over its own variables."""
    with _variables_refused():
        return need("demo", "gradio")


@contextmanager
def _variables_refused() -> Iterator[None]:
    """Say in one line what gradio finds in variables such as GRADIO_SERVER_PORT=notaport."""
    try:
        yield
    except KitError:
        raise
    except ImportError as error:  # a public link by a SOCKS proxy needs a package, which this names
        raise KitError(f"gradio: {error}") from error
    except (ValueError, OverflowError) as error:
        raise KitError(f"gradio: {error}; unset your GRADIO_… variables") from error
