"""What the rooms' commands share: the console, and options of one meaning."""

import io
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console

from .files import user_path

console = Console(highlight=False, markup=False, soft_wrap=True)


def one_of(names: Iterable[str], told: str, *more: str, **options: Any) -> Any:
    """Describe an option with known values: shown in the help, and completed by the shell.

    more: what else it may be, such as "FOLDER". What is wrong is refused by whoever uses it.
    """
    known = list(names)

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    shown = " | ".join([*known, *more])  # with spaces, where a long line can be broken
    return typer.Option(help=told, metavar=shown, autocompletion=complete, **options)


Data = Annotated[str, one_of(("sample", "kaggle"), "paintings", "FOLDER")]
Out = Annotated[str, typer.Option(help="results folder; runs/<profile> if empty")]
Painters = Annotated[str, typer.Option(help='such as "Claude Monet,Rembrandt", or all')]
Device = Annotated[str, one_of(("cuda", "cpu"), "empty: the GPU if there is one")]
Model = Annotated[
    str,
    one_of(
        ("lively", "cautious"),
        "ours, a run's folder runs/…/models/<run>, or one of the Hugging Face Hub",
        "FOLDER",
        "OWNER/NAME",
    ),
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
