"""The room's commands: build the students' notebooks, and mark what they hand in."""

from typing import Annotated

import typer

from ..base.files import user_path, write_atomic
from ..base.terminal import console

app = typer.Typer()
course = typer.Typer(no_args_is_help=True)
app.add_typer(course, name="course", help="Build the students' notebooks; mark what they hand in.")


@course.command("build")
def build_course(
    output: Annotated[str, typer.Option("-o", "--output", help="a folder; this one if empty")] = "",
) -> None:
    """Write student/, solutions/ and instructor/ from the kit's notebooks."""
    console.print("building the notebooks")
    from .build import build

    made = build(user_path(output or "."))
    console.print(f"{len(made)} files in student, solutions and instructor")


@course.command("marks")
def mark(
    folder: Annotated[str, typer.Argument(help="notebooks, or JSON files of hand_in, or both")],
    output: Annotated[str, typer.Option("-o", "--output", help="such as marks.csv")] = "",
) -> None:
    """Execute again what was handed in, and print which exercises are right.

    It runs the code of others: use a machine that has nothing to lose.
    """
    console.print("reading what was handed in")
    from .marks import marks

    table = marks(user_path(folder), lambda path: console.print(path.name))
    console.print(table.to_string(index=False))
    if output:
        write_atomic(user_path(output), table.to_csv(index=False))
