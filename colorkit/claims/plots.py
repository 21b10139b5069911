"""What the ledger draws. Each function returns (figure, alt text)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..color import AB_SCALE, lab_to_rgb
from ..experiment import SHORT
from ..figures import PALETTE, short
from .evidence import Finding


def forest(findings: Sequence[Finding], axis_label: str, centre: float = 0.0) -> tuple[Figure, str]:
    """Draw findings with their intervals around a centre, where nothing would be different."""
    rows = [(found.what, found.ours, found.low, found.high) for found in findings]
    figure = Figure(figsize=(8, 0.9 + 0.32 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(centre, color="#888888", lw=1)
    for height, (_, estimate, low, high) in enumerate(reversed(rows)):
        axis.plot([low, high], [height, height], color=PALETTE[0], lw=2)
        axis.plot(estimate, height, "o", color=PALETTE[0], ms=6)
    axis.set_yticks(range(len(rows)), [label for label, *_ in reversed(rows)], parse_math=False)
    axis.set(xlabel=axis_label)
    if centre == 1:
        axis.set_xscale("log")
    reaches = [max(abs(low - centre), abs(high - centre)) for _, _, low, high in rows]
    if centre == 0 and max(reaches) > 20 * np.median(reaches):  # one row would press the others
        axis.set_xscale("symlog", linthresh=float(np.median(reaches)))
    axis.spines[["top", "right", "left"]].set_visible(False)
    told = "; ".join(f"{label} {e:.3g} ({low:.3g} to {high:.3g})" for label, e, low, high in rows)
    return figure, f"{axis_label}, with 90 % intervals: {told}."


def palettes(counts: pd.DataFrame) -> tuple[Figure, str]:
    """Draw the colours that painters and models use: a square of a* and b* for each.

    counts: columns painter, model ("painting" or a model), a, b (middle of a bin of ten units)
    and pixels. Every bin is drawn in its own colour at L* 65, the darker the rarer.
    """
    counts = counts.groupby(["painter", "model", "a", "b"], as_index=False)["pixels"].sum()
    painters, models = sorted(set(counts["painter"])), ["painting", *SHORT]
    models = [model for model in models if model in set(counts["model"])]
    size = 1.7 * len(models) + 1.2, 1.7 * len(painters) + 0.4
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots(len(painters), len(models), squeeze=False)
    for line, painter in zip(axes, painters, strict=True):
        for axis, model in zip(line, models, strict=True):
            part = counts[(counts["painter"] == painter) & (counts["model"] == model)]
            _palette(axis, part)
        line[0].set_ylabel(short(painter, 22), fontsize=8)
    for axis, model in zip(axes[0], models, strict=True):
        axis.set_title(SHORT.get(model, model), fontsize=9)
    return figure, (
        "Squares of a* (right: red) and b* (up: yellow), one for each painter (rows: "
        f"{', '.join(painters)}) and source (columns: {', '.join(models)}), brightest where most "
        "pixels are."
    )


def _palette(axis: Axes, part: pd.DataFrame) -> None:
    picture = np.zeros((22, 22, 3))
    ab = torch.tensor(part[["a", "b"]].to_numpy(), dtype=torch.float32)
    lab = torch.cat((torch.full((len(ab), 1), 65.0), ab), dim=1)[:, :, None, None]
    share = (part["pixels"] / part["pixels"].max()).to_numpy() ** 0.3
    rows, columns = (((part[name] + AB_SCALE) // 10).astype(int) for name in ("b", "a"))
    picture[rows, columns] = lab_to_rgb(lab)[:, :, 0, 0].numpy() * share[:, None]
    axis.imshow(picture, origin="lower", extent=(-AB_SCALE, AB_SCALE) * 2)
    axis.set(xticks=[], yticks=[], xlim=(-60, 80), ylim=(-60, 80))
