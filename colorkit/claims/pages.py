"""The ledger's pages: report.html, a published folder's README and the kit's."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ..base import rendering
from ..base.errors import KitError
from ..base.files import write_atomic
from ..base.templates import render
from . import ledger, plots
from .archive import Archive
from .board import LEDGER, NOT_TESTED, SIGNED, TITLE, Verdict, first_line
from .verdicts import untrusted
from .whatif import leak_table, multiverse

LEDGER_MARKS = "<!-- ledger -->", "<!-- end of ledger -->"
TABLES_SHOWN: dict[str, Callable[[Archive], pd.DataFrame]] = {
    "models": ledger.model_table,
    "changes": ledger.change_table,
    "leaks": leak_table,
    "painters": ledger.painter_table,
    "multiverse": multiverse,
}
# Claims whose findings are drawn: what the axis says, and where nothing would be different.
DRAWN = {
    "scratch_best": ("difference, in shares of one colour's error", 0.0),
    "correct": ("ratio of test errors", 1.0),
    "learning_rate": ("ratio of test errors", 1.0),
}


def write_pages(
    targets: Iterable[Path], archive: Archive, scopes: Sequence[str], judged: Sequence[Verdict]
) -> None:
    """Write folders' ledger.json, report.html (the ledger is its first page) and README.md.

    archive: the folders' own; scopes and verdicts may be of others too, which add what it lacks.
    """
    tested = archive.paintings[archive.paintings["part"] == "test"]
    facts = {
        "title": TITLE,
        "first_line": first_line(judged),
        "scope": scopes,
        "judged": judged,
        "signed": SIGNED,
        "tables": {name: _html(make, archive) for name, make in TABLES_SHOWN.items()},
        "tests": _tests(judged),
        "numbers": [(v.claim, table) for v in judged if (table := _numbers(v))],
        "runs": _run_table(archive),
        "figures": _drawn(judged),
        "painting_count": tested["path"].nunique(),
        "archive": archive,
        "edited": untrusted(archive),
    }
    stored = [asdict(verdict, dict_factory=_without_nan) for verdict in judged]
    text = json.dumps(stored, indent=1, ensure_ascii=False) + "\n"
    for target in targets:
        facts["name"] = target.name
        write_atomic(target / LEDGER, text)
        write_atomic(target / "report.html", render("claims/ledger.html", facts))
        write_atomic(target / "README.md", render("claims/ledger.md", facts))


def _drawn(judged: Sequence[Verdict]) -> dict[str, str]:
    drawn = {}
    for verdict in judged:
        if verdict.claim["id"] in DRAWN and verdict.findings:
            forest = plots.forest(verdict.findings, *DRAWN[verdict.claim["id"]])
            drawn[verdict.claim["id"]] = rendering.img_tag(*forest)
    return drawn


def ledger_section(folders: Iterable[str], scopes: Iterable[str], judged: Sequence[Verdict]) -> str:
    """Write the kit's README's ledger from all that is published; folders: their names."""
    facts = {"first_line": first_line(judged), "judged": judged, "signed": SIGNED, "scope": scopes}
    return render("claims/section.md", facts | {"folders": folders, "marks": LEDGER_MARKS})


def _without_nan(facts: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Write NaN, which JSON does not know, as null; leave out what a finding comes from."""
    kept = {name: value for name, value in facts if name != "estimate"}
    wrong = [n for n, v in kept.items() if isinstance(v, float) and not math.isfinite(v)]
    return kept | dict.fromkeys(wrong)


def _html(make: Callable[[Archive], pd.DataFrame], archive: Archive) -> str:
    """Write a table as HTML; nothing if there is no row, or no result."""
    try:
        frame = make(archive)
    except KitError:
        return ""
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names="")
    return rendering.html_table(frame.columns, frame.itertuples(index=False, name=None))


def _tests(judged: Sequence[Verdict]) -> str:
    """Write how each claim was tested."""
    facts = [[v.claim[name] for name in ("says", "test", "confirms", "refutes")] for v in judged]
    return rendering.html_table(["claim", "test", "confirmed if", "refuted if"], facts)


def _numbers(verdict: Verdict) -> str:
    """Write a claim's numbers beside the paper's."""
    rows = []
    for f in verdict.findings:
        told = f.verdict if verdict.verdict != NOT_TESTED else ""
        paper = "" if f.paper is None else f.paper
        rows.append([f.what, paper, f.ours, f.low, f.high, told, f.note])
    columns = ["number", "paper", "ours", "low", "high", "verdict", "note"]
    return rendering.html_table(columns, rows)


def _run_table(archive: Archive) -> str:
    """Write which runs there are."""
    rows = []
    for key, run in sorted(archive.runs.items()):
        seconds = f"{run['seconds']:.0f}" if "seconds" in run else ""
        made = run["device"], run["versions"]["colorkit"], run["manifest_sha256"][:12]
        rows.append([key, seconds, *made])
    return rendering.html_table(["run", "seconds", "device", "version", "manifest"], rows)
