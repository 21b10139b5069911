"""What the cells of a lesson's notebook are, by their tags: the one source of all builds.

Tags: exercise, check, solution, instructor, ci (a test, no lesson), plumbing, shown (parameters
that students choose, so not folded). Inside a code cell, nbgrader's fences hold a solution.
"""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..base.errors import KitError
from ..base.files import kit_file

FOLDED = {"setup", "parameters", "plumbing"}
SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION(\n|$)", re.M | re.S
)


def tags(cell: NotebookNode) -> set[str]:
    """Read a cell's tags."""
    return set(cell.metadata.get("tags", []))


def folded(cell: NotebookNode) -> set[str]:
    """Tell for which of its tags a cell is folded; empty if it is not."""
    return set() if "shown" in tags(cell) else FOLDED & tags(cell)


def opening_the_students(text: str) -> str:
    """Let badges open the notebook to fill in, instead of its source."""
    return re.sub(r"(/blob/[^/)]+/)notebooks/", r"\1student/", text)


def lessons() -> dict[str, NotebookNode]:
    """Read the kit's notebooks, by their files' names. KitError for a fence that is not closed."""
    return {path.name: _read(path) for path in sorted(kit_file("notebooks").glob("*.ipynb"))}


def _read(path: Path) -> NotebookNode:
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if cell.source.count("### BEGIN SOLUTION") != len(SOLUTION.findall(cell.source)):
            raise KitError(f"{path.name}: a solution is not closed; add ### END SOLUTION")
    return book
