"""Marks of what was handed in. A notebook is executed again, because its outputs can be edited."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell

from .. import __version__
from ..base.errors import KitError
from ..base.kernel import ThisPython
from .answers import load
from .cells import tags
from .judging import NotYet

CELL_SECONDS = 600  # then a cell is interrupted, and the next one runs


def marks(folder: Path, starts: Callable[[Path], None] = lambda path: None) -> pd.DataFrame:
    """Tell, a row a file, which exercises are right (✓), wrong (✗) or not answered (○).

    folder: holds notebooks, executed again in the smoke profile, and the JSON files of `hand_in`,
    taken as they are. This runs the code of others: use a machine that has nothing to lose.
    `starts` is called before each file. Raises KitError if there are none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".ipynb", ".json"))
    files = [path for path in files if ".ipynb_checkpoints" not in path.parts]
    if not files:
        raise KitError(f"{folder}: no notebooks (.ipynb) and no JSON of hand_in; name their folder")
    rows = []
    for path in files:
        starts(path)
        try:
            row = _marks_of(path)
        except (KitError, OSError) as error:
            row = {"remark": str(error)}
        rows.append({"file": str(path.relative_to(folder))} | row)
    table = pd.DataFrame(rows).fillna("")
    return table[[name for name in table if name != "remark"] + ["remark"]]


def execute_again(path: Path) -> dict[str, Any]:
    """Execute a notebook, errors or not, and return what its `hand_in` would write.

    Raises KitError if it is no notebook with exercises, or its kernel dies.
    """
    try:
        book = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat's own, JSON's, a KeyError
        raise KitError("not a notebook; ask for the file again") from error
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    lessons = set(
        re.findall(r"colorkit\.\w+\(\"(\d+[a-z]?)\.\d+\"", "\n".join(c.source for c in code))
    )
    if len(lessons) != 1:
        raise KitError("no exercises of one lesson in it; ask for the right notebook")
    (lesson,) = lessons
    for place, cell in enumerate(book.cells):
        if "parameters" in tags(cell) and re.search(r"(?m)^profile\b", cell.source):
            book.cells.insert(place + 1, new_code_cell('# Parameters\nprofile = "smoke"'))
            break
    last = f'import colorkit as kit\nkit.hand_in("{lesson}", "marks")'
    book.cells.append(new_code_cell(last))
    with tempfile.TemporaryDirectory() as runs:
        at = {"metadata": {"path": runs}}
        client = NotebookClient(book, timeout=CELL_SECONDS, kernel_name="python3", resources=at)
        client.kernel_manager_class = ThisPython
        client.allow_errors = client.interrupt_on_timeout = True
        try:
            client.execute(env=os.environ | {"COLORKIT_RUNS": runs})
        except DeadKernelError as error:
            raise KitError("its kernel died; look for a cell that takes all memory") from error
        return _content(Path(runs) / "handed-in" / f"lesson-{lesson}-marks.json")


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["lesson"], content["version"], content["name"]
        [record["mark"] for record in content["exercises"].values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KitError("not a file of hand_in; ask for the file again") from error
    return content


def _marks_of(path: Path) -> dict[str, str]:
    again = path.suffix == ".ipynb"
    content = execute_again(path) if again else _content(path)
    marked = {number: record["mark"] for number, record in content["exercises"].items()}
    remark = "executed again" if again else f"as handed in by {content['name']}"
    try:
        load(str(content["lesson"]))
    except NotYet:
        remark += f"; there is no lesson {content['lesson']}"
    if (by := content["version"]) != __version__:
        remark += f"; made by colorkit {by}, this is {__version__}"
    return {"lesson": content["lesson"]} | marked | {"remark": remark}
