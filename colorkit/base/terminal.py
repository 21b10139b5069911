"""What the rooms' commands share: the console, and options of one meaning."""

import io
import sys
from typing import Annotated

import typer
from rich.console import Console

from .files import user_path

console = Console(highlight=False, markup=False, soft_wrap=True)

Data = Annotated[str, typer.Option(help="sample, kaggle, or a folder of paintings")]
Out = Annotated[str, typer.Option(help="results folder; runs/<profile> if empty")]
Painters = Annotated[str, typer.Option(help='comma-separated, such as "Claude Monet,Rembrandt"')]
Device = Annotated[str, typer.Option(help="cuda or cpu; empty: the GPU if there is one")]
Model = Annotated[
    str,
    typer.Option(help="lively, cautious, a run's runs/…/models/<run>, or OWNER/NAME on the Hub"),
]
Jobs = Annotated[int, typer.Option(min=1, help="jobs at once")]
NoNotebooks = Annotated[
    bool, typer.Option("--no-notebooks", help="the trainings alone, without Jupyter")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="list the runs and stop")]


def can_print_anything() -> None:
    """Let what the terminal's encoding lacks, such as ✗ on Windows, be replaced and not raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(message: str) -> str:
    """Write names that are not UTF-8 so that they can be printed."""
    return message.encode(errors="backslashreplace").decode()


def absolute(data: str) -> str:
    """Make a folder of paintings' path absolute: notebooks work in another folder."""
    return data if data in ("", "sample", "kaggle") else str(user_path(data))
