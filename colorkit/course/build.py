"""One source, three builds: notebooks for students, their solutions, a guide for teachers."""

import re
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ..base.files import write_atomic
from .cells import SOLUTION, folded, lessons, opening_the_students, tags
from .guide import write_guide

DROPPED = {"student": {"solution", "instructor", "ci"}, "solutions": {"instructor", "ci"}}


def build(output: Path) -> list[Path]:
    """Write student/, solutions/ and instructor/guide.md from the kit's notebooks.

    Returns the files. Raises KitError for a fence that is not closed.
    """
    books = lessons()
    made = {output / "instructor" / "guide.md": write_guide(books)}
    for name, book in books.items():
        for kind in DROPPED:
            text = nbformat.writes(build_notebook(deepcopy(book), kind)) + "\n"
            made[output / kind / name] = text
    for path, text in made.items():
        write_atomic(path, text)
    return list(made)


def build_notebook(book: NotebookNode, kind: str) -> NotebookNode:
    """Make the "student" or the "solutions" build of a source, which is changed."""
    book.cells = [cell for cell in book.cells if not DROPPED[kind] & tags(cell)]
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.source = SOLUTION.sub(_stub if kind == "student" else r"\2", cell.source)
        if kind == "student":
            cell.source = opening_the_students(cell.source)
            _as_new(cell)
    if kind == "student":
        book.metadata.pop("widgets", None)  # their state is an output
    return book


def for_the_site(book: NotebookNode) -> NotebookNode:
    """Make a page of a source, which is changed: answers and plumbing folded, students' badges."""
    book = build_notebook(book, "solutions")
    for cell in book.cells:
        cell.source = opening_the_students(cell.source)
        if cell.cell_type == "code" and (folded(cell) or tags(cell) & {"exercise", "solution"}):
            fold = "hide-cell" if "solution" in tags(cell) else "hide-input"
            cell.metadata["tags"] = [*cell.metadata["tags"], fold]
            if not folded(cell):
                cell.metadata["mystnb"] = {"code_prompt_show": "A solution"}
    return book


def _stub(found: re.Match) -> str:
    """Stand for a solution; inside a function, so that `check` knows it is not answered."""
    return f"{found[1]}{'raise NotImplementedError  ' * bool(found[1])}# your lines here\n"


def _as_new(cell: NotebookNode) -> None:
    """Take a cell's outputs away, and fold what is no lesson: Colab's forms, Jupyter's arrows."""
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        if why := folded(cell):
            cell.source = f"# @title Run me: {', '.join(sorted(why))}\n{cell.source}"
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
