"""One source, three builds: notebooks for students, their solutions, a guide for who teaches.

The source are the executed notebooks. Tags of cells say what a cell is: exercise, check, solution,
instructor, ci (a test, no lesson), plumbing. Inside a code cell, nbgrader's fences hold a solution.
"""

import re
from pathlib import Path
from textwrap import dedent

import nbformat
from nbformat import NotebookNode

from ..base.errors import KitError
from ..base.files import kit_file, write_atomic

DROPPED = {"student": {"solution", "instructor", "ci"}, "solutions": {"instructor", "ci"}}
FOLDED = {"setup", "parameters", "plumbing"}
BADGE = re.compile(r"(/blob/[^/)]+/)notebooks/")  # what it opens
SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION(\n|$)", re.M | re.S
)


def build(output: Path) -> list[Path]:
    """Write student/, solutions/ and instructor/guide.md from the kit's notebooks.

    Returns the files. Raises KitError for a fence that is not closed.
    """
    made, pages = {}, []
    for source in sorted(kit_file("notebooks").glob("*.ipynb")):
        for kind in DROPPED:
            text = nbformat.writes(build_notebook(_read(source), kind)) + "\n"
            made[output / kind / source.name] = text
        pages.append(guide_page(_read(source)))
    made[output / "instructor" / "guide.md"] = "# Guide\n\n" + "\n".join(filter(None, pages))
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
            cell.source = BADGE.sub(r"\1student/", cell.source)
            _as_new(cell)
    if kind == "student":
        book.metadata.pop("widgets", None)  # their state is an output
    return book


def for_the_site(book: NotebookNode) -> NotebookNode:
    """Make a page of a source, which is changed: answers and plumbing folded, students' badges."""
    book = build_notebook(book, "solutions")
    for cell in book.cells:
        cell.source = BADGE.sub(r"\1student/", cell.source)
        if cell.cell_type == "code" and tags(cell) & (FOLDED | {"exercise", "solution"}):
            fold = "hide-cell" if "solution" in tags(cell) else "hide-input"
            cell.metadata["tags"] = [*cell.metadata["tags"], fold]
            if not tags(cell) & FOLDED:
                cell.metadata["mystnb"] = {"code_prompt_show": "A solution"}
    return book


def tags(cell: NotebookNode) -> set[str]:
    """Read a cell's tags."""
    return set(cell.metadata.get("tags", []))


def guide_page(book: NotebookNode) -> str:
    """Write a lesson's exercises with their solutions, and what only a teacher is told."""
    parts = []
    for cell in book.cells:
        fenced = [dedent(found[2]) for found in SOLUTION.finditer(cell.source)]
        answers = "\n".join(fenced).rstrip()
        if cell.cell_type == "markdown" and tags(cell) & {"exercise", "solution", "instructor"}:
            parts.append(cell.source)
        elif cell.cell_type == "code" and (answers or "solution" in tags(cell)):
            parts.append(f"```python\n{answers or cell.source}\n```")
    title = book.cells[0].source.splitlines()[0]
    return "\n\n".join([f"#{title}", *parts]) + "\n" if parts else ""


def _read(path: Path) -> NotebookNode:
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if cell.source.count("### BEGIN SOLUTION") != len(SOLUTION.findall(cell.source)):
            raise KitError(f"{path.name}: a solution is not closed; add ### END SOLUTION")
    return book


def _stub(found: re.Match) -> str:
    """Stand for a solution; inside a function, so that `check` knows it is not answered."""
    return f"{found[1]}{'raise NotImplementedError  ' * bool(found[1])}# your lines here\n"


def _as_new(cell: NotebookNode) -> None:
    """Take a cell's outputs away, and fold what is no lesson: Colab's forms, Jupyter's arrows."""
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        if tags(cell) & FOLDED:
            cell.source = (
                f"# @title Run me: {', '.join(sorted(tags(cell) & FOLDED))}\n{cell.source}"
            )
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
