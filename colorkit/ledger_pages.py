"""The ledger's pages: terminal, report.html, a published folder's README and the kit's."""

import json
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import rich.table
from matplotlib.figure import Figure
from rich.console import Group
from rich.text import Text

from . import figures, ledger, ledger_figures
from .archive import Archive, fingerprint, load, newest, publish
from .claims import (
    NO_VERDICT,
    NOISE,
    REFUTED,
    REPRODUCED,
    UNTOLD,
    Verdict,
    verdicts,
)
from .errors import KitError
from .pages import render, replace_section
from .paths import write_atomic
from .protocol import edited_after_results

MARKS = "<!-- ledger -->", "<!-- end of ledger -->"
COLOURS = {REPRODUCED: "green", REFUTED: "red", NOISE: "yellow", UNTOLD: "cyan", NO_VERDICT: "dim"}
SIGNS = {REPRODUCED: "✓", REFUTED: "✗", NOISE: "~", UNTOLD: "?", NO_VERDICT: "–"}


def terminal(archive: Archive, judged: list[Verdict]) -> Group:
    """Make the ledger for the terminal: what it is about, then a row a claim."""
    shown = rich.table.Table(title="The ledger", show_lines=True)
    for column in ("claim", "verdict", "because", "where"):
        shown.add_column(column)
    for verdict in judged:
        said = Text(f"{SIGNS[verdict.verdict]} {verdict.verdict}", style=COLOURS[verdict.verdict])
        shown.add_row(verdict.claim["says"], said, verdict.because, verdict.claim["where"])
    return Group(*(f"  {line}" for line in ledger.scope(archive)), shown)


def publish_protocol(archive: Archive, results: Path, name: str) -> Path:
    """Publish an archive and its pages in <results>/<name>-<date>/, and README's table anew."""
    target = results / f"{name}-{time.strftime('%Y-%m-%d')}"
    publish(archive, target)
    write_pages(load(target), target)
    if (readme := results.with_name("README.md")).exists():
        update_readme(readme, results)
    return target


def write_pages(archive: Archive, target: Path) -> None:
    """Write ledger.json, report.html (the ledger is its first page) and README.md."""
    judged = verdicts(archive)
    facts = facts_of(archive, judged) | {"name": target.name}
    pages = {
        "ledger.json": json.dumps([asdict(v) for v in judged], indent=1, ensure_ascii=False) + "\n",
        "report.html": render("ledger.html", facts),
        "README.md": render("ledger.md", facts),
    }
    for name, text in pages.items():
        write_atomic(target / name, text)


def facts_of(archive: Archive, judged: list[Verdict]) -> dict[str, Any]:
    """Gather what the pages show; a table whose runs are missing is None."""
    tables = {
        "models": _or_none(ledger.model_table, archive),
        "baselines": _or_none(ledger.baseline_table, archive),
        "changes": ledger.change_table(archive),
        "leaks": ledger.leak_table(archive),
        "painters": ledger.painter_table(archive),
        "colours": _or_none(ledger.colour_table, archive),
        "palettes": ledger.palette_table(archive),
        "spaces": _or_none(ledger.space_table, archive),
    }
    shown = {v.claim["id"]: v for v in judged}
    drawn = {
        name: figures.img_tag(*differences(shown[name], archive))
        for name in ("scratch_best", "correct", "learning_rate")
        if shown[name].findings
    }
    if not archive.colours.empty:
        drawn["colours"] = figures.img_tag(
            *ledger_figures.palettes(archive.colours.query("study == 'tables'"))
        )
    leaks = [run for key, run in archive.runs.items() if key.startswith("leaks/")]
    leaks = [run for run in leaks if run.get("history")]
    return {
        "scope": ledger.scope(archive),
        "judged": judged,
        "signs": SIGNS,
        "tables": {name: _html(frame) for name, frame in tables.items()},
        "figures": drawn,
        "painting_count": _tested(archive),
        "protocol": archive.protocol,
        "history": archive.history,
        "holes": archive.holes,
        "runs": sorted(archive.runs.items()),
        "fingerprint": fingerprint(archive),
        "leak_epochs": max((run["history"][-1]["epoch"] for run in leaks), default="no"),
        "edited": edited_after_results(archive.protocol, archive.history),
    }


def differences(judged: Verdict, archive: Archive) -> tuple[Figure, str]:
    """Draw a claim's differences with their intervals, and the tolerance if its rule has one."""
    rows = [(f.what, f.ours, f.low, f.high, f.verdict != NOISE) for f in judged.findings]
    metric, confidence = archive.protocol.analysis.primary, archive.protocol.analysis.confidence
    rule, tolerance = archive.protocol.claims[judged.claim["id"]]
    band = tolerance if rule.startswith("equal") else 0.0
    return ledger_figures.forest(
        rows, f"difference of test {metric} ({confidence:.0%} intervals)", band
    )


def readme_section(results: Path) -> str:
    """Write the README's ledger from the newest published protocol, if there is one."""
    try:
        folder = newest(results)
    except KitError:
        return f"{MARKS[0]}\nNo protocol has been published yet.\n{MARKS[1]}"
    archive = load(folder)
    rows = [
        f"| {v.claim['says']} | {SIGNS[v.verdict]} {v.verdict} | {v.because} |"
        for v in verdicts(archive)
    ]
    about = "; ".join(ledger.scope(archive))
    return "\n".join(
        [
            MARKS[0],
            "| the paper's claim | verdict | because |",
            "|---|---|---|",
            *rows,
            "",
            f"From [{folder.name}](results/{folder.name}/README.md). What it is about: {about}.",
            MARKS[1],
        ]
    )


def update_readme(readme: Path, results: Path) -> None:
    """Put the newest ledger into a README between its marks, if it has them."""
    replace_section(readme, MARKS, readme_section(results))


def _tested(archive: Archive) -> int:
    here = archive.paintings
    return here[(here["study"] == "tables") & (here["part"] == "test")]["path"].nunique()


def _or_none(make: Any, archive: Archive) -> pd.DataFrame | None:
    try:
        return make(archive)
    except KitError:
        return None


def _html(frame: pd.DataFrame | None) -> str:
    if frame is None or frame.empty:
        return "<p>No result yet.</p>"
    index = not isinstance(frame.index, pd.RangeIndex)
    text = frame.to_html(border=0, index=index, float_format="%.4f", na_rep="–", justify="left")
    return re.sub(r"<td>(-?[\d.]+|–)</td>", r'<td class="n">\1</td>', text)
