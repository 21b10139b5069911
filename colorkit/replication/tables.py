"""Tables and report from the runs' JSON files; nothing here trains or scores."""

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import rich.table
import torch
from matplotlib.figure import Figure
from torch import Tensor

from .. import figures
from ..base.files import kit_file, write_atomic
from ..base.templates import render
from ..batches import examples
from ..curation import read_manifest
from ..experiment import data_name, failure_path, read_result
from ..metrics import BASELINES, METRICS, ColourTable, summarize
from ..recipes import MODELS, VARIANTS
from ..splits import SPLITS
from ..training import load_generator, load_splits, predict_rgb

if TYPE_CHECKING:
    from .grid import Grid

COLUMNS = ["table", "split", "model", "variant", "metric", "paper", "ours", "n", "seed", "status"]
LABELS = MODELS | BASELINES
SPLIT_NAMES = {"train": "Training", "valid": "Validation", "test": "Testing"}  # as in the paper


def paper_cells() -> dict[tuple[int, str, str], float]:
    """Read the paper's MSE for each (table, split, model) of Tables 1 and 2."""
    cells = json.loads(kit_file("results", "paper.json").read_text(encoding="utf-8"))["cells"]
    return {(cell["table"], cell["split"], cell["model"]): cell["mse"] for cell in cells}


def assumptions() -> pd.DataFrame:
    """Read the list of everything the paper leaves open, and what this kit does about it."""
    return pd.read_csv(kit_file("data", "assumptions.csv"), keep_default_na=False)


def collect(grid: "Grid") -> pd.DataFrame:
    """Read the runs of a grid into one row a number (COLUMNS).

    `status` is "ok", "failed" for a run that diverged, or "missing"; `ours` is then empty.
    """
    paper, baselines = paper_cells(), read_result(grid.out, "baselines")
    rows = []
    for run in grid.experiments():
        result = read_result(grid.out, run.id)
        failed = failure_path(grid.out, run.id).exists()
        status = "ok" if result else "failed" if failed else "missing"
        for split in SPLITS:
            numbers, n = _summary(result and result["scores"], baselines, split)
            for metric in METRICS:
                cell = math.nan
                if metric == "mse_ab" and not run.variant:
                    cell = paper[run.table, split, run.model]
                ours = numbers.get(metric, math.nan)
                named = [run.table, split, run.model, run.variant, metric]
                rows.append([*named, cell, ours, n, run.seed, status])
    for table in grid.tables:
        rows += [
            [table, split, model, "", metric, math.nan, value, n, "", "ok"]
            for model in BASELINES
            for split in SPLITS
            for numbers, n in [_summary(baselines and baselines["scores"][model], baselines, split)]
            for metric, value in numbers.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def pivot(frame: pd.DataFrame, table: int) -> list[dict[str, Any]]:
    """Arrange one table as the paper does: split by split, models, then baselines.

    Each row: split, model (label), paper, ours (mean over seeds), spread (standard deviation
    over seeds, if several), skill, n, failed ("failed", or how many of the seeds did; else
    empty). Holes are NaN; a mean over some of the seeds only is a hole.
    """
    part = frame[(frame["table"] == table) & (frame["variant"] == "")]
    rows = []
    for split, name in SPLIT_NAMES.items():
        for model, label in LABELS.items():
            here = part[(part["split"] == split) & (part["model"] == model)]
            mse = here[here["metric"] == "mse_ab"]
            skill = here[here["metric"] == "skill_ab"]["ours"]
            complete = mse["ours"].notna().all()
            rows.append(
                {
                    "split": name,
                    "model": label,
                    "baseline": model in BASELINES,
                    "paper": mse["paper"].mean(),
                    "ours": mse["ours"].mean() if complete else math.nan,
                    "spread": mse["ours"].std() if complete and len(mse) > 1 else math.nan,
                    "skill": skill.mean() if complete else math.nan,
                    "n": int(mse["n"].max()) if len(mse) else 0,
                    "failed": _failed(mse["status"]),
                }
            )
    return rows


def changes(frame: pd.DataFrame, table: int) -> list[list[str]]:
    """Tell what each variant does to the primary metric on the test paintings.

    Rows: what was changed, model, test mse_ab as the paper has it and with the change (means
    over seeds), their difference.
    """
    part = frame[(frame["table"] == table) & (frame["split"] == "test")]
    mse = part[part["metric"] == "mse_ab"].groupby(["variant", "model"])["ours"]
    means = mse.agg(lambda values: values.mean(skipna=False))
    return [
        [
            VARIANTS[variant].question,
            MODELS[model],
            number(means["", model], 4),
            number(value, 4),
            number(value - means["", model], 4, sign=True),
        ]
        for (variant, model), value in means.items()
        if variant
    ]


def _failed(statuses: pd.Series) -> str:
    count = int((statuses == "failed").sum())
    return f"{count} of {len(statuses)} failed" if count and len(statuses) > 1 else "failed" * count


def score_table(scores: dict[str, dict[str, Any]], baselines: dict[str, Any]) -> pd.DataFrame:
    """Put mse_ab of runs and baselines side by side, with the skill on the test paintings.

    scores: {label: a run's "scores"}; baselines: the result of `run_baselines`.
    """
    named = {BASELINES[name]: value for name, value in baselines["scores"].items()} | scores
    rows = {}
    for label, splits in named.items():
        reference = baselines["scores"]["mean_ab"]
        numbers = {name: summarize(splits[name], reference[name]) for name in SPLITS}
        rows[label] = {f"mse_ab {name}": numbers[name]["mse_ab"] for name in SPLITS}
        rows[label]["skill test"] = numbers["test"]["skill_ab"]
    return pd.DataFrame(rows).T.round(4)


def terminal_table(frame: pd.DataFrame, table: int) -> rich.table.Table:
    """Make one table for the terminal."""
    shown = rich.table.Table(title=f"Table {table}: MSE of ab/110, paper and ours")
    for column in ("split", "model", "paper", "ours", "skill", "paintings"):
        shown.add_column(column, justify="left" if column in ("split", "model") else "right")
    for row in pivot(frame, table):
        last = row["model"] == list(LABELS.values())[-1]
        style = "dim" if row["baseline"] else ""
        shown.add_row(*cells(row), style=style, end_section=last)
    return shown


def cells(row: dict[str, Any]) -> list[str]:
    """Write one row of `pivot` as text; a missing number is a dash, or says that runs failed."""
    spread = "" if math.isnan(row["spread"]) else f" ± {row['spread']:.4f}"
    ours = row["failed"] or number(row["ours"], 4) + spread
    skill = number(row["skill"], 2, sign=True)
    return [row["split"], row["model"], number(row["paper"], 4), ours, skill, str(row["n"])]


def number(value: float, digits: int, sign: bool = False) -> str:
    """Write a number with fixed digits, NaN as a dash."""
    return "–" if math.isnan(value) else f"{value:{'+' if sign else ''}.{digits}f}"


def comparison(grid: "Grid", table: int) -> tuple[dict[str, Tensor], list[str]]:
    """Colour some test paintings with every finished model of a table (first seed).

    Returns rows for `figures.picture_grid` ("grey", the L table, each model, "truth":
    (n, 3, S, S)) and the paintings' titles.
    """
    manifest = read_manifest(grid.out / "manifest.csv")
    splits = load_splits(grid.out, grid.profile, grid.data, manifest)
    pixels, titles = examples(splits, manifest)
    rows = {"grey": predict_rgb(ColourTable(torch.zeros(1, 2)), pixels)}
    if baselines := read_result(grid.out, "baselines"):
        table_of_L = ColourTable(torch.tensor(baselines["tables"]["L_table"]))
        rows["L table"] = predict_rgb(table_of_L, pixels)
    for run in grid.finished(table):
        generator = load_generator(grid.out, run)
        rows[MODELS[run["config"]["model"]]] = predict_rgb(generator, pixels)
    return rows | {"truth": pixels}, titles


def histories(grid: "Grid", table: int) -> dict[str, list[dict[str, float]]]:
    """Read the losses by epoch of a table's finished runs (first seed), {label: rows}."""
    return {MODELS[run["config"]["model"]]: run["history"] for run in grid.finished(table)}


def write_report(grid: "Grid") -> None:
    """Write tables.csv, report.md with its pictures, and report.html, which is one file."""
    frame = collect(grid)
    drawn = {table: _draw(grid, table) for table in grid.tables}
    facts = {
        "grid": grid,
        "data": data_name(grid.data),
        "tables": {t: [cells(row) for row in pivot(frame, t)] for t in grid.tables},
        "changes": {t: changes(frame, t) for t in grid.tables},
        "others": {t: _other_metrics(frame, t) for t in grid.tables},
        "metrics": METRICS,
        "counts": _counts(grid),
        "runs": [run for table in grid.tables for run in grid.finished(table)],
        "assumptions": assumptions().to_dict("records"),
        "holes": int(frame["ours"].isna().sum()),
    }
    tags = {t: {name: figures.img_tag(*d) for name, d in some.items()} for t, some in drawn.items()}
    alts = {t: {name: alt for name, (_, alt) in some.items()} for t, some in drawn.items()}
    for table, some in drawn.items():
        for name, (figure, _) in some.items():
            write_atomic(grid.out / "pictures" / f"{name}-t{table}.png", figures.png(figure))
    write_atomic(grid.out / "tables.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_atomic(grid.out / "report.md", render("report.md", facts | {"pictures": alts}))
    write_atomic(grid.out / "report.html", render("report.html", facts | {"pictures": tags}))


def _summary(
    scores: dict[str, Any] | None, baselines: dict[str, Any] | None, split: str
) -> tuple[dict[str, float], int]:
    if not (scores and baselines):
        return {}, 0
    rows = scores[split]
    return summarize(rows, baselines["scores"]["mean_ab"][split]), len(rows)


def _draw(grid: "Grid", table: int) -> dict[str, tuple[Figure, str]]:
    drawn = {"comparison": figures.picture_grid(*comparison(grid, table))}
    if curves := histories(grid, table):
        drawn["losses"] = figures.losses(curves)
    return drawn


def _other_metrics(frame: pd.DataFrame, table: int) -> list[list[str]]:
    part = frame[(frame["table"] == table) & (frame["split"] == "test")]
    part = part[part["variant"] == ""]
    means = part.groupby(["model", "metric"])["ours"].mean()
    digits = {"mse_ab": 4, "mse_rgb": 4, "psnr": 1, "ciede2000": 1, "colourfulness": 1}
    return [
        [LABELS[model], *(number(means.get((model, m), np.nan), digits.get(m, 2)) for m in METRICS)]
        for model in LABELS
    ]


def _counts(grid: "Grid") -> list[dict[str, Any]]:
    manifest = read_manifest(grid.out / "manifest.csv")
    table = pd.crosstab(manifest["painter"], manifest["split"]).reindex(columns=list(SPLITS))
    table = table.fillna(0).astype(int).assign(all=lambda t: t.sum(axis=1))
    largest = table.sort_values("all", ascending=False)
    shown = largest.head(8)
    if len(largest) > 8:
        rest = largest.iloc[8:].sum().rename(f"{len(largest) - 8} other painters")
        shown = pd.concat([shown, rest.to_frame().T])
    return [{"painter": name} | row.to_dict() for name, row in shown.iterrows()]
