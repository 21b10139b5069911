"""The room's commands: colour a picture by known points."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..base.terminal import Model, console

app = typer.Typer()


@app.command()
def hint(
    picture: Annotated[Path, typer.Argument(help="a picture file")],
    hints: Annotated[Path, typer.Argument(help="its hints: JSON, or a picture that has them")],
    output: Annotated[Path, typer.Option("-o", "--output", help="such as out.png")],
    without: Annotated[list[str] | None, typer.Option(help="leave a source out")] = None,
    way: Annotated[str, typer.Option(help="kernel, or levin for hundreds of points")] = "kernel",
    model: Model = "cautious",
    sources: Annotated[str, typer.Option(help="also draw what rests on which source")] = "",
) -> None:
    """Colour a picture by known points, each with its source; the hints go into the output too."""
    from dataclasses import replace

    from ..base.errors import check_choice
    from ..pictures.files import SUFFIXES, open_picture, save_picture
    from .hints import SOURCES, colour_by_hints, read_hints

    check_choice("output's suffix", output.suffix.lower(), SUFFIXES)
    record = read_hints(hints)
    for source in without or ():
        record = record.without(source)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        done = colour_by_hints(picture, record, model, way)
    for warning in told:
        console.print(str(warning.message))
    opened = open_picture(picture)
    kept = opened.kept | {"xmp": done.xmp}
    if not save_picture(replace(opened, image=done.image, kept=kept), output):
        console.print(f"{output}: its metadata could not be written")
    record.save(output.with_suffix(".hints.json"))
    for source, share in zip(SOURCES, done.spread.shares.mean((1, 2)), strict=True):
        if share:
            console.print(f"{share:6.1%} of the colour rests on source '{source}'")
    rest = 1 - done.spread.shares.sum(0).mean()
    console.print(f"{rest:6.1%} rests on no hint: the model's guess")
    console.print(f"{done.clipped:6.1%} of the pixels are clipped to sRGB")
    if sources:
        from ..base.files import write_atomic
        from ..figures import png
        from .plots import source_map

        write_atomic(Path(sources), png(source_map(done)[0]))
