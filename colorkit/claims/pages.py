"""The ledger's pages: terminal, report.html, a published folder's README and the kit's."""

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import rich.table
from matplotlib.figure import Figure
from rich.console import Group
from rich.text import Text

from .. import figures
from ..base.errors import KitError
from ..base.files import write_atomic
from ..base.templates import render, replace_section
from . import figures as ledger_figures
from . import ledger
from .archive import Archive, fingerprint
from .gathering import publish_runs, published, published_folders, read_published
from .protocol import Protocol
from .rules import INCONCLUSIVE, NOT, NOT_TESTED, ODDS, REPLICATED, UNTESTABLE
from .verdicts import Verdict, untrusted, verdicts

TITLE = "What has been tested, and what has not"
MARKS = "<!-- ledger -->", "<!-- end of ledger -->"
SIGNS = {REPLICATED: "✓", NOT: "✗", INCONCLUSIVE: "~", ODDS: "≠", NOT_TESTED: "○", UNTESTABLE: "–"}
COLOURS = {REPLICATED: "green", NOT: "red", INCONCLUSIVE: "yellow", ODDS: "magenta"}
WORDS = {ODDS: "at odds with the paper's own method"}
MEANING = {
    REPLICATED: "runs at the claim's own settings confirm it",
    NOT: "such runs refute it, on these paintings",
    INCONCLUSIVE: "such runs can tell neither",
    ODDS: "arithmetic: the tables do not come from the method as described",
    NOT_TESTED: "no run meets what it needs, or the design could not find it",
    UNTESTABLE: "it does not say what would be true",
}


def terminal(archives: Sequence[Archive], judged: Sequence[Verdict]) -> Group:
    """Make the ledger for the terminal: what the runs are, then a row a claim."""
    shown = rich.table.Table(title=TITLE, show_lines=True)
    for column in ("claim", "verdict", "because", "in small runs (no verdict)", "where"):
        shown.add_column(column)
    for verdict in judged:
        said = Text(sign(verdict), style=COLOURS.get(verdict.verdict, ""))
        where = f"{verdict.claim['where']} ({verdict.claim['kind']})"
        shown.add_row(verdict.claim["says"], said, verdict.because, verdict.small, where)
    lines = [f"  {line}" for archive in archives for line in ledger.scope(archive)]
    return Group(first_line(judged), *lines, shown)


def sign(verdict: Verdict) -> str:
    """Write a verdict with its sign."""
    return f"{SIGNS[verdict.verdict]} {WORDS.get(verdict.verdict, verdict.verdict)}"


def first_line(judged: Sequence[Verdict]) -> str:
    """Say before any table what has been tested at all."""
    tested = [v for v in judged if v.verdict in (REPLICATED, NOT, INCONCLUSIVE)]
    odd = [v for v in judged if v.verdict == ODDS]
    settings = "256 px, 1,150 steps, 519 paintings, an ImageNet ResNet-18 where there is one"
    if tested:
        told = f"{len(tested)} of {len(judged)} claims have been tested at the paper's settings"
    else:
        told = "No claim that depends on training has been tested at the paper's settings yet"
    told += f" ({settings})."
    if odd:
        told += (
            " One pattern of its tables cannot come from a clean random split, whatever the model."
        )
    return f"{told} The last column tells what small runs show. It decides nothing."


def publish_protocol(protocol: Protocol, out: Path, results: Path, name: str) -> Path:
    """Publish results and their pages in <results>/<name>-<date>/, and README's table anew."""
    target = results / f"{name}-{time.strftime('%Y-%m-%d')}"
    publish_runs(protocol, out, target)
    others = [read_published(f) for f in published_folders(results) if f != target]
    write_pages([read_published(target), *others], target)
    if (readme := results.with_name("README.md")).exists():
        update_readme(readme, results)
    return target


def write_pages(archives: Sequence[Archive], target: Path) -> None:
    """Write ledger.json, report.html (the ledger is its first page) and README.md.

    The first archive is the folder's own; the others, older ones, add what it lacks.
    """
    judged = verdicts(archives)
    facts = facts_of(archives, judged) | {"name": target.name}
    content = [asdict(v) for v in judged]
    pages = {
        "ledger.json": json.dumps(_without_nan(content), indent=1, ensure_ascii=False) + "\n",
        "report.html": render("ledger.html", facts),
        "README.md": render("ledger.md", facts),
    }
    for name, text in pages.items():
        write_atomic(target / name, text)


def facts_of(archives: Sequence[Archive], judged: Sequence[Verdict]) -> dict[str, Any]:
    """Gather what the pages show; a table whose runs are missing is None."""
    archive = archives[0]
    tables = {
        "models": _or_none(ledger.model_table, archive),
        "baselines": _or_none(ledger.baseline_table, archive),
        "changes": ledger.change_table(archive),
        "leaks": ledger.leak_table(archive),
        "painters": ledger.painter_table(archive),
        "colours": _or_none(ledger.colour_table, archive),
        "palettes": ledger.palette_table(archive),
        "spaces": _or_none(ledger.space_table, archive),
        "multiverse": _or_none(ledger.multiverse, archive),
    }
    drawn = {
        v.claim["id"]: figures.img_tag(*differences(v))
        for v in judged
        if v.claim["id"] in ("scratch_best", "correct", "learning_rate") and v.findings
    }
    main = archive.protocol.main.name
    if not archive.colours.empty:
        palettes = ledger_figures.palettes(archive.colours[archive.colours["study"] == main])
        drawn["colours"] = figures.img_tag(*palettes)
    return {
        "title": TITLE,
        "first_line": first_line(judged),
        "scopes": [(a.protocol.fixed, ledger.scope(a)) for a in archives],
        "judged": judged,
        "sign": sign,
        "meaning": [(SIGNS[v], WORDS.get(v, v), text) for v, text in MEANING.items()],
        "tables": {name: _html(frame) for name, frame in tables.items()},
        "figures": drawn,
        "painting_count": _tested(archive),
        "protocol": archive.protocol,
        "history": archive.history,
        "holes": archive.holes,
        "runs": sorted(archive.runs.items()),
        "fingerprint": fingerprint(archive),
        "edited": untrusted(archive),
    }


def differences(judged: Verdict) -> tuple[Figure, str]:
    """Draw a claim's findings with their intervals: shares of one colour's error, or ratios."""
    rows = [(f.what, f.ours, f.low, f.high) for f in judged.findings]
    if judged.claim["id"] == "scratch_best":
        return ledger_figures.forest(rows, "difference, in shares of one colour's error", 0.0)
    return ledger_figures.forest(rows, "ratio of test errors", 1.0)


def readme_section(results: Path) -> str:
    """Write the README's ledger from all that is published."""
    archives, folders = published(results), published_folders(results)
    if not archives:
        return f"{MARKS[0]}\nNo protocol has been published yet.\n{MARKS[1]}"
    judged = verdicts(archives)
    rows = [f"| {v.claim['says']} | {sign(v)} | {v.because} | {v.small} |" for v in judged]
    lines = [line for archive in archives for line in ledger.scope(archive)]
    return "\n".join(
        [
            MARKS[0],
            first_line(judged),
            "",
            "| the paper's claim | verdict | because | in small runs (no verdict) |",
            "|---|---|---|---|",
            *rows,
            "",
            f"From {', '.join(f'[{f.name}](results/{f.name}/README.md)' for f in folders)}:",
            "",
            *(f"- {line}" for line in lines),
            MARKS[1],
        ]
    )


def update_readme(readme: Path, results: Path) -> None:
    """Put the newest ledger into a README between its marks, if it has them."""
    replace_section(readme, MARKS, readme_section(results))


def _without_nan(content: Any) -> Any:
    """Write NaN, which JSON does not know, as null."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _tested(archive: Archive) -> int:
    here = archive.paintings
    return here[here["part"] == "test"]["path"].nunique()


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
