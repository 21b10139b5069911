"""Tables 1 and 2 from the runs' JSON files; nothing here trains or scores."""

import math
from typing import Any

import pandas as pd
import rich.table

from ..experiment import MODELS
from ..metrics import BASELINES, METRICS, summarize
from ..splits import PARTS
from .grid import Grid
from .paper import PAPER_PARTS, paper_cell

TABLE_COLUMNS = ["table", "part", "model", "variant", "metric"]
TABLE_COLUMNS += ["paper", "ours", "n", "seed", "status"]
LABELS = MODELS | BASELINES


def collect(grid: Grid) -> pd.DataFrame:
    """Read the runs of a grid into one row a number (TABLE_COLUMNS).

    `status` is "ok", "failed" for a run that diverged, or "missing"; `ours` is then empty.
    """
    folder, rows = grid.folder, []
    baselines = folder.result("baselines")
    for run in grid.experiments():
        result = folder.result(run.id)
        failed = folder.failure_path(run.id).exists()
        status = "ok" if result else "failed" if failed else "missing"
        named = {"table": run.table, "model": run.model, "variant": run.variant, "seed": run.seed}
        rows += _rows(named | {"status": status}, result and result["scores"], baselines)
    for table in grid.tables:
        for model in BASELINES:
            named = {"table": table, "model": model, "variant": "", "seed": "", "status": "ok"}
            rows += _rows(named, baselines and baselines["scores"][model], baselines)
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def _rows(
    named: dict[str, Any], scores: dict[str, Any] | None, baselines: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Write a row for each part and metric; without scores a model's are holes."""
    rows = []
    for part in PARTS:
        here = scores[part] if scores and baselines else []
        numbers = summarize(here, baselines["scores"]["mean_ab"][part]) if here else {}
        for metric in METRICS:
            row = {"part": part, "metric": metric, "paper": math.nan, "n": len(here)}
            if metric == "mse_ab" and named["model"] in MODELS and not named["variant"]:
                row["paper"] = paper_cell(named["table"], part, named["model"])
            rows.append(named | row | {"ours": numbers.get(metric, math.nan)})
    return rows


def pivot(frame: pd.DataFrame, table: int) -> pd.DataFrame:
    """Arrange one table as the paper does: part by part, models, then baselines.

    Columns: part, model (label), paper, spread (standard deviation over seeds, if several), n,
    failed ("failed", or how many of the seeds did; else empty), ours and skill (means over
    seeds), baseline. Holes are NaN.
    """
    mine, by = frame[(frame["table"] == table) & (frame["variant"] == "")], ["part", "model"]
    mse, skill = (mine[mine["metric"] == name] for name in ("mse_ab", "skill_ab"))
    rows = mse.groupby(by).agg(
        paper=("paper", "mean"),
        spread=("ours", lambda ours: ours.std(skipna=False)),
        n=("n", "max"),
        failed=("status", _failed),
    )
    rows["ours"], rows["skill"] = over_seeds(mse, by), over_seeds(skill, by)
    rows = rows.reindex(pd.MultiIndex.from_product([PAPER_PARTS, LABELS], names=by)).reset_index()
    rows = rows.fillna({"n": 0, "failed": ""}).astype({"n": int})
    rows["baseline"] = rows["model"].isin(BASELINES)
    return rows.replace({"part": PAPER_PARTS, "model": LABELS})


def over_seeds(frame: pd.DataFrame, by: list[str]) -> pd.Series:
    """Average `ours` over seeds; a mean over some of them only is a hole."""
    return frame.groupby(by)["ours"].agg(lambda ours: ours.mean(skipna=False))


def _failed(statuses: pd.Series) -> str:
    count = int((statuses == "failed").sum())
    return f"{count} of {len(statuses)} failed" if count and len(statuses) > 1 else "failed" * count


def terminal_table(frame: pd.DataFrame, table: int) -> rich.table.Table:
    """Make one table for the terminal."""
    shown = rich.table.Table(title=f"Table {table}: MSE of ab/110, paper and ours")
    for column in ("part", "model", "paper", "ours", "skill", "paintings"):
        shown.add_column(column, justify="left" if column in ("part", "model") else "right")
    for row in pivot(frame, table).to_dict("records"):
        last = row["model"] == list(LABELS.values())[-1]
        style = "dim" if row["baseline"] else ""
        shown.add_row(*cells(row), style=style, end_section=last)
    return shown


def cells(row: dict[str, Any]) -> list[str]:
    """Write one row of `pivot` as text; a missing number is a dash, or says that runs failed."""
    spread = "" if math.isnan(row["spread"]) else f" ± {row['spread']:.4f}"
    ours = row["failed"] or format_number(row["ours"], 4) + spread
    skill = format_number(row["skill"], 2, sign=True)
    return [row["part"], row["model"], format_number(row["paper"], 4), ours, skill, str(row["n"])]


def format_number(value: float, digits: int, sign: bool = False) -> str:
    """Write a number with fixed digits, NaN as a dash."""
    return "–" if math.isnan(value) else f"{value:{'+' if sign else ''}.{digits}f}"
