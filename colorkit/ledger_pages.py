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

from . import figures, ledger
from .archive import Archive, fingerprint, load, newest, publish
from .claims import (
    NO_VERDICT,
    NOISE,
    REFUTED,
    REPRODUCED,
    UNTOLD,
    Finding,
    Verdict,
    verdicts,
)
from .errors import KitError
from .paths import write_atomic
from .report import render

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
    write_pages(load(target), target, f"colorkit reproduce --protocol results/{name}.yaml --data …")
    if (readme := results.with_name("README.md")).exists():
        update_readme(readme, results)
    return target


def write_pages(archive: Archive, target: Path, command: str) -> None:
    """Write ledger.json, report.html (the ledger is its first page) and README.md."""
    judged = verdicts(archive)
    facts = facts_of(archive, judged) | {"command": command, "name": target.name}
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
        "changes": ledger.change_table(archive),
        "leaks": ledger.leak_table(archive),
        "painters": ledger.painter_table(archive),
        "colours": _or_none(ledger.colour_table, archive),
        "palettes": ledger.palette_table(archive),
        "spaces": _or_none(ledger.space_table, archive),
    }
    shown = {v.claim["id"]: v for v in judged}
    drawn = {
        name: figures.img_tag(*differences(shown[name].findings, archive))
        for name in ("scratch_best", "correct", "learning_rate")
        if shown[name].findings
    }
    if not archive.colours.empty:
        drawn["colours"] = figures.img_tag(
            *figures.palettes(archive.colours.query("study == 'tables'"))
        )
    return {
        "scope": ledger.scope(archive),
        "judged": judged,
        "signs": SIGNS,
        "tables": {name: _html(frame) for name, frame in tables.items()},
        "figures": drawn,
        "protocol": archive.protocol,
        "history": archive.history,
        "holes": archive.holes,
        "runs": sorted(archive.runs.items()),
        "fingerprint": fingerprint(archive),
        "alike": ledger.ALIKE,
        "twice": ledger.TWICE,
        "painter_count": archive.paintings["painter"].nunique(),
        "painting_count": archive.paintings.query("study == 'tables'")["path"].nunique(),
    }


def differences(findings: tuple[Finding, ...], archive: Archive) -> tuple[Figure, str]:
    """Draw a claim's differences with their intervals."""
    rows = [(f.what, f.ours, f.low, f.high) for f in findings]
    metric, confidence = archive.protocol.analysis.primary, archive.protocol.analysis.confidence
    band = archive.protocol.claims["close"][1]
    return figures.forest(rows, f"difference of test {metric} ({confidence:.0%} intervals)", band)


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
    before, mark, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
    if mark:
        write_atomic(readme, before + readme_section(results) + rest.partition(MARKS[1])[2])


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
