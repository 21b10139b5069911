"""What the ledger draws. Each function returns (figure, alt text)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..figures import PALETTE
from .evidence import Finding


def forest(
    findings: Sequence[Finding], axis_label: str, centre: float = 0.0, margin: float = 0.0
) -> tuple[Figure, str]:
    """Draw findings with their intervals around a centre, where nothing would be different.

    margin: a border, dashed, that a rule asks about; 0: none.
    """
    rows = [(found.what, found.ours, found.low, found.high) for found in findings]
    figure = Figure(figsize=(8, 0.9 + 0.32 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(centre, color="#888888", lw=1)
    if margin:
        axis.axvline(centre + margin, color=PALETTE[1], lw=1.5, ls="--")
        at = {"xytext": (4, 0), "textcoords": "offset points", "annotation_clip": False}
        where = (centre + margin, len(rows) - 0.45)
        axis.annotate(f"margin {margin:g}", where, color=PALETTE[1], fontsize=8, **at)
    for height, (_, estimate, low, high) in enumerate(reversed(rows)):
        axis.plot([low, high], [height, height], color=PALETTE[0], lw=2)
        axis.plot(estimate, height, "o", color=PALETTE[0], ms=6)
    axis.set_yticks(range(len(rows)), [label for label, *_ in reversed(rows)], parse_math=False)
    axis.set(xlabel=axis_label, ylim=(-0.5, len(rows) - 0.5))
    if centre == 1:
        axis.set_xscale("log")
    axis.spines[["top", "right", "left"]].set_visible(False)
    told = "; ".join(f"{label} {e:.3g} ({low:.3g} to {high:.3g})" for label, e, low, high in rows)
    if margin:
        below = sum(high < centre + margin for *_, high in rows)
        above = sum(low > centre + margin for _, _, low, _ in rows)
        told += f"; {below} wholly below the margin of {margin:g}, {above} wholly above it"
    return figure, f"{axis_label}, with 90 % intervals: {told}."


def pairs(a: np.ndarray, b: np.ndarray, names: tuple[str, str]) -> tuple[Figure, str]:
    """Draw two models' errors on the same paintings (n,), and their difference."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    end = 1.05 * max(a.max(), b.max())
    left.plot([0, end], [0, end], color="#888888", lw=1)
    left.plot(b, a, "o", color=PALETTE[0], ms=5, alpha=0.7)
    left.set(xlim=(0, end), ylim=(0, end), aspect="equal", xticks=left.get_yticks())
    left.set(xlim=(0, end), ylim=(0, end))  # ticks alone would widen it
    left.set(xlabel=f"error of {names[1]}", ylabel=f"error of {names[0]}", title="a dot a painting")
    strips = {names[0]: a, names[1]: b, "difference": a - b}
    jitter = np.random.default_rng(0).uniform(-0.15, 0.15, size=len(a))
    for height, (values, mark) in enumerate(zip(reversed(strips.values()), "Dos", strict=True)):
        right.plot(values, height + jitter, mark, color=PALETTE[(1, 0, 0)[height]], ms=4, alpha=0.6)
        right.plot([values.mean()] * 2, [height - 0.3, height + 0.3], color="black", lw=1.5)
    right.axvline(0, color="#888888", lw=1)
    right.set_yticks(range(3), list(reversed(strips)))
    right.set(xlabel="error of a painting (black line: mean)", title="the difference spreads less")
    for axis in (left, right):
        axis.title.set_fontsize(10)
        axis.spines[["top", "right"]].set_visible(False)
    r = np.corrcoef(a, b)[0, 1]
    spreads = f"{a.std(ddof=1):.4f}, {b.std(ddof=1):.4f} and {(a - b).std(ddof=1):.4f}"
    return figure, (
        f"Left: the error of {names[0]} against that of {names[1]}, a dot a painting, with the "
        f"diagonal: what is hard for one is hard for the other (correlation {r:.2f}). Right: both "
        f"errors and their difference; their standard deviations are {spreads}: the difference "
        "spreads least."
    )


def studies(shared: float, folds: int = 5, count: int = 100) -> tuple[Figure, str]:
    """Draw Student's 95 % intervals of studies whose truth is 0: without and with sharing."""
    random, reach, missed = np.random.default_rng(44), 2.776, []  # a typical draw: 5 and 14 miss
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for axis, common in zip(axes, (0.0, shared), strict=True):
        values = random.normal(size=(count, 1)) * common**0.5
        values = values + random.normal(size=(count, folds)) * (1 - common) ** 0.5
        means, errors = values.mean(1), reach * values.std(1, ddof=1) / folds**0.5
        outside = abs(means) > errors
        for n, (mean, error, out) in enumerate(zip(means, errors, outside, strict=True)):
            colour, width = (PALETTE[1], 2.2) if out else (PALETTE[0], 0.8)
            axis.plot([n, n], [mean - error, mean + error], color=colour, lw=width)
        axis.axhline(0, color="black", lw=1)
        missed.append(int(outside.sum()))
        told = f"folds share {common:.0%}: {missed[-1]} of {count} miss the truth"
        axis.set_title(told, fontsize=10)
        axis.set(xlabel="study", ylim=(-4, 4))
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("difference; the truth is 0")
    return figure, (
        f"{count} intervals of 95 % each, of invented studies of {folds} folds, whose truth is 0; "
        f"thick: those that miss it. {missed[0]} miss it if folds share nothing, {missed[1]} if "
        f"they share {shared:.0%}."
    )


def deals(ratios: Sequence[float], theirs: Sequence[float]) -> tuple[Figure, str]:
    """Draw how much two heaps of paintings, dealt at random, differ; and the paper's ratios."""
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    axis = figure.subplots()
    axis.hist(ratios, bins=60, color=PALETTE[0])
    top = axis.get_ylim()[1]
    for ratio in theirs:
        axis.plot([ratio, ratio], [0, 0.35 * top], color=PALETTE[1], lw=2, ls="--")
    axis.axvline(1, color="black", lw=1)
    axis.text(np.mean(theirs), 0.4 * top, "the paper's six", color=PALETTE[1], ha="center")
    axis.set(xlabel="mean error of 52 paintings / mean error of 104 others", ylabel="deals")
    axis.spines[["top", "right"]].set_visible(False)
    low, high = np.quantile(ratios, [0.005, 0.995])
    return figure, (
        f"Histogram of {len(ratios):,} random deals: the ratio lies around 1, and between "
        f"{low:.2f} and {high:.2f} in 99 of 100. The paper's six ratios, {min(theirs):.2f} to "
        f"{max(theirs):.2f}, lie far to the right of all of them."
    )
