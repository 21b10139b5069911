"""What the paper says: its tables' cells, its claims and its settings (results/paper.json)."""

import json
from functools import cache

import pandas as pd

from ..base.files import kit_file

PAPER_PARTS = ("train", "valid", "test")
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
def _cells() -> dict[tuple[int, str, str], float]:
    return {
        (cell["table"], cell["split"], cell["model"]): cell["mse"]
        for cell in json.loads(paper_text())["cells"]
    }


def paper_cell(table: int, part: str, model: str) -> float:
    """Return one cell of Table 1 or 2: an MSE."""
    return _cells()[table, part, model]


def assumptions() -> pd.DataFrame:
    """Read the list of everything the paper leaves open, and what this kit does about it."""
    return pd.read_csv(kit_file("data", "assumptions.csv"), keep_default_na=False)
