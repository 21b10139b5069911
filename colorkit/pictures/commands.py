"""The room's commands: colour pictures, show a page or a gallery, export a model."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track

from ..base.terminal import Device, Model, console, printable

if TYPE_CHECKING:
    from .demo import Pages

app = typer.Typer()
PAGES: "Pages" = {}  # of the demo, from rooms that stand on this one


@app.command("colorize")
def colorize_files(
    inputs: Annotated[list[str], typer.Argument(help="picture files, folders, patterns")],
    output: Annotated[str, typer.Option("-o", "--output", help="a folder, or a picture's name")],
    model: Model = "lively",
    size: Annotated[int, typer.Option(help="px the model sees; 0: its own")] = 0,
    device: Device = "",
    strength: Annotated[float, typer.Option(help="factor on the colours, 0 to 2")] = 1.0,
    compare: Annotated[
        bool, typer.Option("--compare", help="write NAME-compared too: grey, coloured, original")
    ] = False,
    guess_map: Annotated[
        bool, typer.Option("--guess-map", help="write NAME-guess too: dark is sure, light a guess")
    ] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="sub-folders too")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="write over outputs")] = False,
) -> None:
    """Colour pictures at their full size, by a model that comes with the kit or by your own."""
    console.print("loading the model")
    from ..base.device import choose_device
    from .batch import Settings, colour_all, find_pairs, summary
    from .pretrained import load_pretrained

    settings = Settings(strength, size, compare, guess_map, overwrite)
    pairs = find_pairs(inputs, output, recursive, settings.beside)
    colorizer = load_pretrained(model).to(choose_device(device))
    console.print(f"{len(pairs)} to colour by {colorizer.name}")
    began = time.monotonic()
    done = colour_all(pairs, colorizer, settings)
    shown = {"total": len(pairs), "console": console, "transient": True}
    results = list(track(done, "colouring", **shown))
    failed = [done.error for done in results if done.error]
    for error in failed:
        print(f"failed: {printable(error)}", file=sys.stderr)
    console.print(summary(results, began))
    raise typer.Exit(1 if failed else 0)


@app.command()
def demo(
    out: Annotated[str, typer.Option(help="results whose models to show; empty: our two")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: the first free one")] = 0,
    share: Annotated[
        bool, typer.Option("--share", help="a public link too, such as from Colab")
    ] = False,
) -> None:
    """Open a page where pictures are dropped and coloured by every model."""
    console.print("loading the models")
    from .demo import serve

    serve(out, port, share, PAGES)


@app.command()
def export(
    output: Annotated[str, typer.Option("-o", "--output", help="such as model.onnx")],
    model: Model = "lively",
) -> None:
    """Write a model as ONNX, for programs without PyTorch, and check that it gives the same."""
    console.print("loading the model")
    from .onnx import OPSET, export_onnx
    from .pretrained import load_pretrained

    difference = export_onnx(load_pretrained(model), output)
    console.print(f"{output}: {model}, ONNX opset {OPSET}, at most {difference:.1e} from PyTorch")


@app.command()
def gallery(
    output: Annotated[str, typer.Option("-o", "--output", help="a folder; it gets index.html")],
) -> None:
    """Make a page of 24 paintings, grey, coloured and as painted, that works without a network."""
    console.print("colouring 24 paintings")
    from .demo import boxed_models
    from .gallery import write_gallery

    console.print(f"{write_gallery(output, boxed_models())}: open it in a browser")
