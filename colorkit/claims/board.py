"""Verdicts in words and signs, and what is published of them: at once, no run is read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..base.errors import KitError
from ..base.templates import render

if TYPE_CHECKING:
    from .evidence import Finding

REPLICATED, NOT, INCONCLUSIVE = "replicated", "not replicated", "inconclusive"
ODDS, NOT_TESTED, UNTESTABLE = "at odds", "not tested yet", "not testable as stated"
TITLE = "What has been tested, and what has not"
SIGNS = {REPLICATED: "✓", NOT: "✗", INCONCLUSIVE: "~", NOT_TESTED: "○", UNTESTABLE: "–"}
SIGNED = {verdict: f"{sign} {verdict}" for verdict, sign in SIGNS.items()}
SIGNED[ODDS] = "≠ at odds with the paper's own method"
STYLES = {REPLICATED: "green", NOT: "red", INCONCLUSIVE: "yellow", ODDS: "magenta"}
LEDGER = "ledger.json"  # in a published folder


@dataclass(frozen=True)
class Verdict:
    """What became of one claim.

    `because` is about the runs that decide, or says what they need; `small` about other runs,
    which decide nothing. `findings` are the numbers of the former, else of the latter.
    """

    claim: dict[str, str]
    verdict: str
    because: str
    small: str = ""
    findings: tuple["Finding", ...] = ()


def published_verdicts(results: Path) -> tuple[Path, list[Verdict]]:
    """Read the newest published folder's verdicts, without findings; returns the folder too."""
    folders = {path.parent.name: path.parent for path in results.glob(f"*/{LEDGER}")}
    if not folders:
        raise KitError(f"{results}: no published protocol; run `colorkit protocol`")
    folder = folders[newest_first(folders)[0]]
    rows = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
    told = ("claim", "verdict", "because", "small")
    return folder, [Verdict(**{name: row[name] for name in told}) for row in rows]


def newest_first(names: Iterable[str]) -> list[str]:
    """Sort names of published folders by the date at their ends."""
    return sorted(names, key=lambda name: (name[-10:], name), reverse=True)


def terminal(scopes: Iterable[str], judged: Sequence[Verdict]) -> Group:
    """Make the ledger for the terminal: what the runs are, then a row a claim."""
    shown = Table(title=TITLE, show_lines=True)
    for column in ("claim", "verdict", "because", "in small runs (no verdict)", "where"):
        shown.add_column(column)
    for verdict in judged:
        said = Text(SIGNED[verdict.verdict], style=STYLES.get(verdict.verdict, ""))
        where = f"{verdict.claim['where']} ({verdict.claim['kind']})"
        shown.add_row(verdict.claim["says"], said, verdict.because, verdict.small, where)
    return Group(first_line(judged), *(f"  {line}" for line in scopes), shown)


def first_line(judged: Sequence[Verdict]) -> str:
    """Say before any table what has been tested at all."""
    tested = sum(v.verdict in (REPLICATED, NOT, INCONCLUSIVE) for v in judged)
    odds = any(v.verdict == ODDS for v in judged)
    return render("claims/first_line.txt", {"tested": tested, "odds": odds, "judged": judged})
