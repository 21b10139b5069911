"""The room's commands: known points, and what evidence is worth."""

import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..base.terminal import Data, Model, Painters, console, one_of
from ..pictures.commands import PAGES

app = typer.Typer()


def _known_colours(examples: dict[str, Path], to: Path) -> None:
    from .page import lay_out

    lay_out(examples, to)


PAGES["Known colours"] = _known_colours


@app.command()
def hint(
    picture: Annotated[Path, typer.Argument(help="a picture file")],
    hints: Annotated[Path, typer.Argument(help="its hints: JSON, or a picture that has them")],
    output: Annotated[Path, typer.Option("-o", "--output", help="such as out.png")],
    without: Annotated[
        list[str] | None,
        one_of(("text", "fragment", "cross-section", "copy", "guess"), "leave a source out"),
    ] = None,
    way: Annotated[
        str, one_of(("kernel", "levin"), "how to spread; levin for hundreds of points")
    ] = "kernel",
    model: Model = "cautious",
    sources: Annotated[str, typer.Option(help="also draw what rests on which source")] = "",
) -> None:
    """Colour a picture by known points, each with its source; the hints go into the output too."""
    console.print("loading the model")
    from ..base.errors import check_choice
    from ..base.files import refuse_overwriting, write_atomic
    from ..base.rendering import png
    from ..pictures.files import SUFFIXES, save_picture
    from .hints import SOURCES, colour_by_hints, read_hints
    from .plots import source_map

    check_choice("output's suffix", output.suffix.lower(), SUFFIXES)
    beside = output.with_suffix(".hints.json")
    refuse_overwriting([output, beside, *map(Path, filter(None, [sources]))], [picture, hints])
    record = read_hints(hints)
    for source in without or ():
        record = record.without(source)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        done = colour_by_hints(picture, record, model, way)
    for warning in told:
        console.print(str(warning.message))
    if lost := save_picture(done.picture, output):
        console.print(f"{output}: not kept: {', '.join(lost)}")
    record.save(beside)  # as well: a JPEG holds no more than 64 kB of XMP
    shares = done.spread.shares
    for source in [name for name in SOURCES if name in shares]:
        console.print(f"{shares[source].mean():6.1%} of the colour rests on source '{source}'")
    console.print(f"{done.spread.rest.mean():6.1%} rests on no hint: the model's guess")
    console.print(
        f"{done.paler:6.1%} of the pixels are paler than predicted, for sRGB to have their colours"
    )
    if sources:
        write_atomic(Path(sources), png(source_map(done)[0]))


@app.command("ladder")
def ladder_command(
    data: Data = "sample",
    painters: Painters = "",
    model: Annotated[list[str] | None, typer.Option(help="models to place on it as well")] = None,
    output: Annotated[str, typer.Option("-o", "--output", help="a folder; none: print only")] = "",
) -> None:
    """Say what each kind of evidence of a painting's colours is worth."""
    console.print("measuring each kind of evidence")
    from .ladder import climb, write_ladder

    began = time.monotonic()
    table = climb(data, painters, model or ())
    console.print(table.to_string(index=False))
    if output:
        write_ladder(table, Path(output))
    console.print(f"{time.monotonic() - began:.0f} s")
