"""What the paper says: its tables' cells, its claims and its settings (results/paper.json)."""

import json
from functools import cache

import pandas as pd

from ..base.files import kit_file

PAPER_PARTS = {"train": "Training", "valid": "Validation", "test": "Testing"}  # as it has them
HOURS = 1.5  # section 3.3: for each GAN, 50 epochs on a Tesla T4


@cache
def paper_text() -> str:
    """Read results/paper.json as it is."""
    return kit_file("results", "paper.json").read_text(encoding="utf-8")


def claims() -> list[dict[str, str]]:
    """List the claims, in the paper's order."""
    return json.loads(paper_text())["claims"]


def claim(claim_id: str) -> dict[str, str]:
    """Return one claim: id, where, kind, says, test, confirms, refutes."""
    return next(claim for claim in claims() if claim["id"] == claim_id)


@cache
def paper_cell(table: int, part: str, model: str) -> float:
    """Return one cell of Table 1 or 2: an MSE."""
    named = {"table": table, "split": part, "model": model}
    cells = json.loads(paper_text())["cells"]
    return next(cell["mse"] for cell in cells if named.items() <= cell.items())


def assumptions() -> pd.DataFrame:
    """Read the list of everything the paper leaves open, and what this kit does about it."""
    return pd.read_csv(kit_file("data", "assumptions.csv"), keep_default_na=False)
