"""The teacher's guide: what holds for every lesson, then a page a lesson, from its notebook.

A paragraph that begins with its name in bold, in a notebook's first cell or in one tagged
`instructor`, is found by that name: those of TOLD, and If it fails.
"""

import json
import re
from textwrap import dedent
from typing import Any, NamedTuple

from nbformat import NotebookNode

from ..base.errors import KitError
from ..base.files import kit_file
from ..base.templates import render
from .answers import EXERCISES, load
from .cells import SOLUTION, opening_the_students, tags

TOLD = ("Before", "Hook", "Explain", "Misconceptions", "Common mistakes", "Short of time")
SILENT = {"setup", "plumbing", "parameters", "ci"}  # cells whose outputs no lesson speaks of
NAMED = re.compile(r"^\*\*(.+?)\.?\*\*[., ]*(.*?)(?=\n\n\*\*|\Z)", re.M | re.S)
HEADING = re.compile(r"### Exercise (\d+[a-z]?\.\d+) · ([\w ]+), (\d+) minutes\n+(.*)", re.S)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
MARKED = re.compile(r"^[✓✗○] ([\w.]+): (.*)$", re.M)
LONG_TABLE = 12  # lines of a table that nobody compares
UNTOLD = re.compile(r"^(?:[✓✗○] \d|epoch \d).*\n?", re.M)  # said elsewhere; a progress bar


class LessonPage(NamedTuple):
    """A lesson, as the guide's template reads it."""

    file: str
    number: str
    title: str
    badges: str
    told: dict[str, str]  # by the names in bold
    exercises: list[dict[str, Any]]
    numbers: list[tuple[str, str]]  # of each section: what its cells print
    measured: dict[str, Any]  # of data/lessons.json


def write_guide(books: dict[str, NotebookNode]) -> str:
    """Write the guide as Markdown. books: the source notebooks, by their files' names.

    Raises KitError for a lesson with exercises whose teacher is not told all of TOLD.
    """
    lessons = json.loads(kit_file("data", "lessons.json").read_text(encoding="utf-8"))
    pages = [lesson_page(name, book, lessons.get(name, {})) for name, book in books.items()]
    pages = [found for found in pages if found.exercises]
    for found in pages:
        if missing := [name for name in TOLD if name not in found.told]:
            remedy = f"begin a paragraph with **{missing[0]}.** in a cell tagged instructor"
            raise KitError(f"{found.file}: a teacher is not told its {missing[0]}; {remedy}")
    return render("course/guide.md", {"pages": pages})


def lesson_page(file: str, book: NotebookNode, measured: dict[str, Any]) -> LessonPage:
    """Read a lesson: what its teacher is told, its exercises with answers, what it prints."""
    number, _, title = book.cells[0].source.splitlines()[0].lstrip("# ").partition(" · ")
    badges = "\n".join(re.findall(r"(?m)^\[!\[.+$", opening_the_students(book.cells[0].source)))
    heads = [book.cells[0], *(cell for cell in book.cells if "instructor" in tags(cell))]
    told = {name: text.strip() for cell in heads for name, text in NAMED.findall(cell.source)}
    runs = [printed(book), *([measured["printed"]] if measured else [])]
    shown = {key: banded([run[key] for run in runs if key in run]) for key in runs[-1]}
    asked = exercises(book, "\n".join(shown.values()))
    return LessonPage(file, number, title, badges, told, asked, sections(book, shown), measured)


def exercises(book: NotebookNode, shown: str) -> list[dict[str, Any]]:
    """List a lesson's exercises, with answers, hints and what a right answer is told."""
    found, said = [], dict(MARKED.findall(shown))
    for cell in book.cells:
        if heading := HEADING.match(cell.source):
            number, kind, minutes, text = heading.groups()
            load(number.partition(".")[0])
            about = {"number": number, "kind": kind, "minutes": int(minutes), "text": text.strip()}
            about |= EXERCISES[number]._asdict()
            found.append(about | {"answers": [], "said": said.get(number, "")})
        elif found and cell.cell_type == "code":
            fenced = [dedent(part[2]).rstrip() for part in SOLUTION.finditer(cell.source)]
            found[-1]["answers"] += fenced
    return found


def sections(book: NotebookNode, shown: dict[str, str]) -> list[tuple[str, str]]:
    """List what a lesson prints, section by section, in its order."""
    found = [("", "")]
    for cell in book.cells:
        if cell.cell_type == "markdown":
            found += [(heading, "") for heading in re.findall(r"(?m)^## (.+)$", cell.source)]
        elif text := UNTOLD.sub("", shown.get(cell.id, "")).strip("\n"):
            found[-1] = found[-1][0], "\n".join(filter(None, [found[-1][1], text]))
    return [(heading, text) for heading, text in found if text]


def printed(book: NotebookNode) -> dict[str, str]:
    """Return what each cell of a lesson prints, by the cell's id; tables as text."""
    found = {}
    for cell in book.cells:
        if cell.cell_type == "code" and not SILENT & tags(cell):
            found[cell.id] = "\n".join(filter(None, map(_text, cell.outputs)))
    return {key: text for key, text in found.items() if text}


def banded(texts: list[str]) -> str:
    """Write what several runs print as one text; where numbers differ, the least to the greatest.

    Runs that print other words than the last one do not count.
    """
    last = texts[-1]
    alike = [text for text in texts if _words(text) == _words(last)]
    columns = zip(*map(NUMBER.findall, alike), strict=True)
    numbers = [_band(column) for column in columns]
    return NUMBER.sub(lambda _: numbers.pop(0), last)


def _band(column: tuple[str, ...]) -> str:
    ordered = sorted(set(column), key=lambda number: float(number.replace(",", "")))
    return " to ".join(dict.fromkeys((ordered[0], ordered[-1])))


def _words(text: str) -> list[list[str]]:
    return [part.split() for part in NUMBER.split(text)]


def _text(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text.rstrip()
    lines = [line.rstrip() for line in output.get("data", {}).get("text/plain", "").splitlines()]
    is_table = "dataframe" in output.get("data", {}).get("text/html", "") and len(lines) > 1
    return "\n".join(lines) if is_table and len(lines) <= LONG_TABLE else ""
