"""The command `colorkit`: the front door, which opens the rooms that are there."""

import os
import sys
from importlib import import_module
from typing import Annotated

import typer
from rich.table import Table

from . import __version__, has_room
from .base.errors import KitError, install
from .base.notebook import quiet
from .base.terminal import Data, Painters, can_print_anything, console, printable

ROOMS = ("replication", "claims", "pictures", "lost", "making", "course")
HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, context_settings=HELP)
data_app = typer.Typer(no_args_is_help=True)
app.add_typer(data_app, name="data", help="Look at the paintings of a source.")
for room in ROOMS:
    if has_room(room):
        app.add_typer(import_module(f".{room}.commands", __package__).app)


def _tell_version(asked: bool) -> None:
    if asked:
        console.print(f"colorkit {__version__}")
        raise typer.Exit


@app.callback()
def colorkit(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print it")
    ] = False,
) -> None:
    """Colour grey pictures of paintings, and find out what the numbers mean."""


@data_app.command("show")
def show_source(data: Data = "sample", painters: Painters = "") -> None:
    """Count the paintings of each painter and show what would be used."""
    console.print("looking at the paintings")
    from .sources import choose_painters, open_source

    source = open_source(data)
    chosen = choose_painters(source, painters)
    found = [painting.painter for painting in source.paintings]
    table = Table("painter", "found", "artists.csv", "used", title=source.name)
    for painter in sorted({*found, *source.catalogue}, key=lambda name: (-found.count(name), name)):
        listed = str(source.catalogue.get(painter, ""))
        used = "yes" if painter in chosen else ""
        table.add_row(painter, str(found.count(painter)), listed, used)
    used_count = sum(painter in chosen for painter in found)
    console.print(table, f"{len(found)} paintings by {len(set(found))} painters; {used_count} used")


@data_app.command("check")
def check_source(data: Data = "sample", painters: Painters = "") -> None:
    """Audit every picture file and say what is done with it. Writes nothing."""
    console.print("looking at every file")
    from .curation import audit
    from .sources import choose_paintings, open_source

    source = open_source(data)
    paintings = choose_paintings(source, painters or "all")
    curation = audit(source, paintings)
    table = Table(title=f"{source.name}: remarks")
    for column in ("file", "rule", "detail", "action"):
        table.add_column(column, overflow="fold")
    for remark in curation.remarks.itertuples():
        table.add_row(remark.path, remark.rule, remark.detail, remark.action)
    if table.rows:
        console.print(table)
    console.print(f"{len(paintings)} files looked at, {len(curation.manifest)} can be used")


@app.command()
def doctor() -> None:
    """Check this machine: packages, device, disk, sample; exit code 1 if something is missing."""
    console.print("looking at this machine")
    from .base.doctor import diagnose

    rows = diagnose()
    for fine, found, remedy in rows:
        console.print("ok  " if fine else "FAIL", found, "" if fine else f"-> {remedy}")
    raise typer.Exit(0 if all(fine for fine, _, _ in rows) else 1)


def main() -> None:
    """Run the command; an error the user can mend is one line and exit code 2."""
    quiet()
    can_print_anything()
    os.environ["MPLBACKEND"] = "agg"  # no command opens a window, whatever was wanted of others
    try:
        app()
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed; {install('repro')}")
    except (KitError, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"colorkit: {' '.join(printable(message).split())}", file=sys.stderr)
    sys.exit(2)
