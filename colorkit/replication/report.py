"""The report of a results folder: tables.csv, pictures and report.html, which is one file."""

import math
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.io.formats.style import Styler
from torch import Tensor

from .. import figures
from ..base.files import data_name, write_atomic
from ..base.rendering import html_table, img_tag, png
from ..base.templates import render
from ..experiment import MODELS, VARIANTS
from ..metrics import METRICS, ColourTable, predict_rgb
from ..splits import PARTS
from .grid import Grid
from .paper import PAPER_PARTS, assumptions
from .tables import LABELS, cells, collect, format_number, over_seeds, pivot

TABLE = ["part", "model", "paper", "ours", "skill", "paintings"]  # columns of `tables.cells`
RUN = ["run", "seconds", "device", "backbone", "size", "epochs", "batch", "lr", "betas"]


def comparison(grid: Grid, table: int) -> tuple[dict[str, Tensor], list[str]]:
    """Colour some test paintings with every finished model of a table (first seed).

    Returns rows for `figures.picture_grid` ("grey", "forty numbers", each model,
    "truth": (n, 3, S, S)) and the paintings' titles.
    """
    folder = grid.folder
    pixels, titles = folder.examples()
    rows = {"grey": predict_rgb(ColourTable(torch.zeros(1, 2)), pixels)}
    if baselines := folder.result("baselines"):
        forty_numbers = ColourTable(torch.tensor(baselines["tables"]["L_table"]))
        rows["forty numbers"] = predict_rgb(forty_numbers, pixels)
    for run in grid.finished(table):
        rows[MODELS[run["config"]["model"]]] = folder.coloured(run, pixels)
    return rows | {"truth": pixels}, titles


def dots(rows: pd.DataFrame) -> tuple[Figure, str]:
    """Draw rows of `tables.pivot` on one axis for each part: diamonds the paper's, dots ours.

    Where there are several seeds, a line is as long as their standard deviation to both sides.
    """
    labels = list(rows["model"].unique())
    figure = Figure(figsize=(9, 1.1 + 0.27 * len(labels)), layout="constrained")
    axes = figure.subplots(1, len(PAPER_PARTS), sharex=True, sharey=True)
    told = []
    for axis, part in zip(axes, PAPER_PARTS.values(), strict=True):
        for row in rows[rows["part"] == part].itertuples():
            height, colour = labels.index(row.model), figures.PALETTE[row.baseline]
            axis.errorbar(row.ours, height, xerr=row.spread, fmt="o", color=colour, ms=5)
            axis.plot(row.paper, height, "D", color="black", mfc="none", ms=6)
            paper = "" if math.isnan(row.paper) else f" (paper {row.paper:.4f})"
            told.append(f"{part}, {row.model}: {format_number(row.ours, 4)}{paper}")
        axis.set_title(part, fontsize=10)
        axis.set_yticks(range(len(labels)), labels)
        axis.grid(axis="y", color="#dddddd", lw=0.8)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    axes[0].set_xlim(left=0)
    axes[0].xaxis.set_major_locator(MaxNLocator(3))
    figure.supxlabel("MSE of ab/110: ◇ paper, ● ours", fontsize=10)
    return figure, f"MSE of ab/110. {'; '.join(told)}."


def digits(rows: pd.DataFrame) -> Styler:
    """Arrange rows of `tables.pivot` for a page: a row a model, the parts side by side."""
    wide = rows.pivot(index="model", columns="part", values=["paper", "ours"])
    wide = wide.reindex(LABELS.values()).reindex(columns=PAPER_PARTS.values(), level=1)
    return wide.style.format(precision=4, na_rep="")


def write_report(grid: Grid) -> None:
    """Write tables.csv, the pictures, and report.html."""
    frame, folder = collect(grid), grid.folder
    tables = [_section(grid, frame, table) for table in grid.tables]
    runs = [run for table in grid.tables for run in grid.finished(table)]
    facts = {
        "grid": grid,
        "folder": folder,
        "data": data_name(folder.data),
        "tables": tables,
        "metrics": METRICS,
        "counts": _counts(grid),
        "runs": runs,
        "made": html_table(RUN, map(_run_cells, runs)),
        "assumptions": html_table(assumptions().columns, assumptions().to_numpy()),
        "holes": int(frame["ours"].isna().sum()),
    }
    for table in tables:
        for name, (figure, _) in table["drawn"].items():
            write_atomic(folder.path / "pictures" / f"{name}-t{table['number']}.png", png(figure))
    write_atomic(folder.path / "tables.csv", frame.to_csv(index=False, lineterminator="\n"))
    write_atomic(folder.path / "report.html", render("replication/report.html", facts))


def _section(grid: Grid, frame: pd.DataFrame, table: int) -> dict[str, Any]:
    """Say what the report has of one table."""
    rows = pivot(frame, table)
    drawn = {"dots": dots(rows), "comparison": figures.picture_grid(*comparison(grid, table))}
    if runs := grid.finished(table):
        curves = {MODELS[run["config"]["model"]]: run["history"] for run in runs}
        drawn["losses"] = figures.losses(curves)
    return {
        "number": table,
        "drawn": drawn,
        "pictures": {name: img_tag(*shown) for name, shown in drawn.items()},
        "cells": html_table(TABLE, map(cells, rows.to_dict("records"))),
        "scores": _scores(frame, table),
        "changes": _changes(frame, table),
    }


def _scores(frame: pd.DataFrame, table: int) -> str:
    """Write all scores on the test paintings."""
    part = frame[(frame["table"] == table) & (frame["part"] == "test") & (frame["variant"] == "")]
    wide = over_seeds(part, ["model", "metric"]).unstack()
    wide = wide.reindex(index=list(LABELS), columns=list(METRICS)).rename(index=LABELS)
    return html_table(["model", *METRICS], wide.itertuples(name=None), ".3g")


def _changes(frame: pd.DataFrame, table: int) -> str:
    """Write what each variant does to the primary metric on the test paintings."""
    part = frame[(frame["table"] == table) & (frame["part"] == "test")]
    means, rows = over_seeds(part[part["metric"] == "mse_ab"], ["variant", "model"]), []
    for (variant, model), value in means.items():
        if variant:
            before, question = means["", model], VARIANTS[variant].question
            difference = format_number(value - before, 4, sign=True)
            rows.append([question, MODELS[model], before, value, difference])
    return html_table(["changed", "model", "as in the paper", "changed", "difference"], rows)


def _run_cells(run: dict[str, Any]) -> list[Any]:
    """Write one run as a row of RUN."""
    c = run["config"]
    sizes = c["weights"], c["size"], c["epochs"], c["batch_size"]
    betas = ", ".join(map(str, c["betas"]))
    return [run["id"], f"{run['seconds']:.0f}", run["device"], *sizes, str(c["lr"]), betas]


def _counts(grid: Grid) -> str:
    manifest = grid.folder.listed
    table = pd.crosstab(manifest["painter"], manifest["part"]).reindex(columns=list(PARTS))
    table = table.fillna(0).astype(int).assign(all=lambda t: t.sum(axis=1))
    largest = table.sort_values("all", ascending=False)
    shown = largest.head(8)
    if len(largest) > 8:
        rest = largest.iloc[8:].sum().rename(f"{len(largest) - 8} other painters")
        shown = pd.concat([shown, rest.to_frame().T])
    return html_table(["painter", *shown.columns], shown.itertuples(name=None))
