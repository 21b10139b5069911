"""Run a numbered notebook with papermill: typed parameters in, an executed notebook out."""

import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from ..base.errors import KitError
from ..base.files import kit_file
from ..base.kernel import ThisPython


def execute(name: str, output: Path, parameters: dict[str, Any]) -> None:
    """Run a notebook of the kit, such as "03_unet_resnet18", and keep it as `output`.

    If a cell fails, the notebook is kept with the error in it, and KitError says where (see
    `failure`). Its third cell refuses parameters that it does not have.
    """
    notebook = kit_file("notebooks", f"{name}.ipynb")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            _plain(notebook),
            _plain(output),
            parameters,
            kernel_name="python3",
            kernel_manager_class=ThisPython,
            progress_bar=False,
            start_timeout=180,
            cwd=output.parent,
        )
    except PapermillExecutionError as error:
        raise KitError(failure(output) or str(error)) from error


def _plain(path: Path) -> str:
    """Write a path for papermill, which takes braces for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def failure(executed: Path) -> str | None:
    """Say where an executed notebook failed: its name, the cell's heading, the error's last line.

    Returns None if it did not fail, or is not there.
    """
    try:
        cells = nbformat.read(executed, as_version=4).cells
    except (OSError, ValueError):
        return None
    heading = "start"
    for cell in cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)
            heading = headings[-1] if headings else heading
        for out in cell.get("outputs", []):
            if out.output_type == "error":
                last = f"{out.ename}: {out.evalue}".strip().splitlines()[-1]
                return f"{executed.name}, under '{heading}': {last}"
    return None
