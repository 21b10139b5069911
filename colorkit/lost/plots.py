"""Figures of the room. Each function returns (figure, alt text)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator
from PIL.Image import Image

from ..figures import PALETTE
from .hints import SOURCES, Hinted

REST = "the model's guess"
NAMES = {"guess": "a person's guess"}  # so that nobody takes it for the model's
BAR = 0.02  # of coverage, a bar


def maps(
    pictures: Mapping[str, Image],
    parts: Mapping[str, np.ndarray],
    label: str,
    most: float = 1.0,
    spots: Mapping[str, tuple[int, int]] | None = None,
) -> tuple[Figure, str]:
    """Show pictures of one shape beside maps, (S, S) from 0 to `most`; label: what these count.

    spots: by a map's name a row and a column of it, marked by a cross there and on the first
    picture.
    """
    small = {title: picture.convert("RGB") for title, picture in pictures.items()}
    for picture in small.values():
        picture.thumbnail((400, 400))
    first = next(iter(small.values()))
    count = len(small) + len(parts)
    columns, width = (2, 3.0) if count in (2, 4) else (3, 2.2)
    lines = -(-count // columns)
    height = lines * (width * first.height / first.width + 0.3)
    figure = Figure(figsize=(width * columns, height), layout="compressed")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis, (title, picture) in zip(axes, small.items(), strict=False):
        axis.imshow(picture)
        axis.set_title(title, fontsize=9)
    shape = {"aspect": first.height / first.width, "vmin": 0, "vmax": most, "cmap": "cividis"}
    for axis, (name, part) in zip(axes[len(small) :], parts.items(), strict=False):
        image = axis.imshow(part, **shape)
        axis.set_title(name, fontsize=9)
        if name in (spots or {}):
            row, column = spots[name]
            _mark(axis, column, row)
            down, across = row / len(part), column / len(part)
            _mark(axes[0], across * first.width, down * first.height)
    figure.colorbar(image, ax=axes, shrink=0.7).set_label(label, fontsize=9)
    for axis in axes:
        axis.axis("off")
    means = ", ".join(f"{name} {part.mean():.2g}" for name, part in parts.items())
    return figure, f"A picture, {', '.join(small)}, and maps of it ({label}); their means: {means}."


def _mark(axis: Axes, x: float, y: float) -> None:
    axis.plot(x, y, "x", color="white", path_effects=[withStroke(linewidth=3, foreground="black")])


def source_map(hinted: Hinted) -> tuple[Figure, str]:
    """Show a picture beside what its colours rest on: a map for each source, and for the guess."""
    shares = hinted.spread.shares
    parts = {NAMES.get(name, name): shares[name] for name in SOURCES if name in shares}
    parts |= {REST: hinted.spread.rest}
    return maps({"coloured by points": hinted.picture.image}, parts, "share of the colour")


def ladder(table: pd.DataFrame) -> tuple[Figure, str]:
    """Draw what each kind of evidence leaves of the L table's error: a table of `ladder.climb`."""
    figure = Figure(figsize=(8, 0.34 * len(table) + 1), layout="constrained")
    axis = figure.subplots()
    beside = {"transform": axis.get_yaxis_transform(), "family": "monospace", "fontsize": 8}
    for row, rung in enumerate(table.itertuples()):
        colour = {"yes": PALETTE[0], "no": "grey"}.get(rung.sure, "black")  # the yardstick
        reach = [[rung.ratio - rung.low], [rung.high - rung.ratio]]
        axis.errorbar(rung.ratio, row, xerr=reach, fmt="o", color=colour, capsize=3)
        told = f"{rung.mse_ab:.4f} {rung.ciede2000:9.1f} {rung.bits:5.2f}"
        axis.text(1.02, row, told, va="center", **beside)
    axis.text(1.02, -0.7, "mse_ab CIEDE2000  bits", va="bottom", **beside)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set_yticks(range(len(table)), table["evidence"], parse_math=False)
    axis.set(
        xlabel="error (mse_ab) as a share of the L table's, with its 95 % interval; grey: not sure",
        xlim=(0, None),
    )
    axis.set_ylim(len(table) - 0.5, -0.5)
    told = "; ".join(f"{rung.evidence} {rung.ratio:.2f}" for rung in table.itertuples())
    return figure, f"Error left by each kind of evidence, in shares of the L table's: {told}."


def tones(
    seen: np.ndarray,
    true: np.ndarray,
    curve: np.ndarray,
    marked: Mapping[str, tuple[float, float]],
) -> tuple[Figure, str]:
    """Draw one painting's true L* against a photograph's, and the curve that repairs most of it.

    All three alike in shape, L*; curve: what the curve makes of `seen`. marked: places by name,
    each with its L* in the photograph and in the painting.
    """
    figure = Figure(figsize=(5, 4), layout="constrained")
    axis = figure.subplots()
    axis.hexbin(seen.ravel(), true.ravel(), gridsize=60, bins="log", cmap="Blues", mincnt=1)
    order, left = np.argsort(seen, axis=None), np.sqrt(((curve - true) ** 2).mean())
    mended = f"the best curve: {left:.1f} units remain"
    axis.plot(seen.ravel()[order], curve.ravel()[order], color=PALETTE[1], label=mended)
    axis.plot([0, 100], [0, 100], "--", color="grey", linewidth=0.8, label="a plate that sees L*")
    for name, place in marked.items():
        axis.plot(*place, "o", color="black", markersize=5)
        above = place[1] > np.interp(place[0], seen.ravel()[order], curve.ravel()[order])
        free = {"xytext": (-10, 55) if above else (30, -3), "ha": "center" if above else "left"}
        line = {"arrowstyle": "-"}
        axis.annotate(name, place, textcoords="offset points", arrowprops=line, **free)
    axis.set(xlabel="L* of the photograph", ylabel="L* of the painting")
    axis.set_title("pixels of one painting; dark blue: many", fontsize=9)
    axis.legend(frameon=False, loc="lower right", fontsize=9)
    told = "; ".join(f"{name}, {x:.0f} for {y:.0f}" for name, (x, y) in marked.items())
    return figure, (
        "Lightness of a painting's pixels against that of its photograph: a cloud, and a curve "
        f"through its middle, from which pixels are {left:.1f} units of L* away. Marked: {told}."
    )


def emulsions(
    colours: np.ndarray, densities: Mapping[str, np.ndarray], seen: np.ndarray, odds: dict
) -> tuple[Figure, str]:
    """Draw the densities (n,) of known colours (n, 3) against what each emulsion would give."""
    figure = Figure(figsize=(2.4 * len(densities), 2.7), layout="constrained")
    axes = figure.subplots(1, len(densities), sharey=True)
    for axis, (plate, expected) in zip(axes, densities.items(), strict=True):
        axis.plot(expected, np.poly1d(np.polyfit(expected, seen, 1))(expected), color="grey")
        axis.scatter(expected, seen, c=colours, s=60, edgecolors="black", linewidths=0.5, zorder=2)
        axis.set_title(f"{plate}: {odds[plate]:.0%}", fontsize=10)
        axis.xaxis.set_major_locator(MultipleLocator(0.5))
    figure.supxlabel("density on this emulsion, computed", fontsize="medium")
    axes[0].set_ylabel("density in the photograph")
    told = ", ".join(f"{plate} {share:.0%}" for plate, share in odds.items())
    return figure, f"Densities of {len(seen)} known colours against {len(odds)} emulsions: {told}."


def coverages(
    over_pixels: np.ndarray, over_paintings: np.ndarray, promised: float
) -> tuple[Figure, str]:
    """Draw which share of each new painting's pixels is covered, by two calibrations: (n,) each.

    promised: the share of a painting's pixels that should be.
    """
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    both = {"over pixels": over_pixels, "over paintings": over_paintings}
    # No bar straddles the promise.
    lowest = min(map(np.min, both.values()))
    below = np.ceil((promised - lowest) / BAR)
    steps = promised + BAR * np.arange(-below, round((1 - promised) / BAR) + 1)
    for axis, colour, (name, covered) in zip(axes, PALETTE[1::-1], both.items(), strict=True):
        axis.hist(covered, bins=steps, color=colour)
        axis.axvline(promised, color="black", linestyle="--")
        kept = f"calibrated {name}: {(covered >= promised).mean():.0%} keep the promise"
        axis.set_title(kept, fontsize=10, loc="left")
        axis.set_ylabel("paintings")
    axes[1].set_xlabel("share of a painting's pixels whose true colour is in its set")
    kept = ", ".join(f"{name} {(c >= promised).mean():.0%}" for name, c in both.items())
    worst = ", ".join(f"{c.min():.0%}" for c in both.values())
    return figure, (
        f"Histograms of coverage. Paintings with at least {promised:.0%} of their pixels covered, "
        f"by calibration: {kept}. The worst painting: {worst}."
    )


def surest(curve: np.ndarray, grey: np.ndarray) -> tuple[Figure, str]:
    """Draw the error of what is coloured against how much is: a curve of `guess.surest_first`.

    grey: the curve of the same pixels if they are left grey.
    """
    figure = Figure(figsize=(5, 2.8), layout="constrained")
    axis = figure.subplots()
    axis.plot(100 * curve[:, 0], curve[:, 1], "o-", color=PALETTE[0], ms=4, label="coloured")
    axis.plot(100 * grey[:, 0], grey[:, 1], "s--", color="grey", ms=4, label="left grey")
    axis.set(xlabel="these pixels, surest first (%)", ylabel="mse_ab of these", ylim=(0, None))
    axis.legend(frameon=False)
    half = curve[len(curve) // 2 - 1, 1] / curve[-1, 1]
    told = f"coloured {curve[0, 1]:.4f} to {curve[-1, 1]:.4f}, left grey {grey[0, 1]:.4f} to"
    return figure, (
        "Error against the share of pixels, surest first; "
        f"the surest half has {half:.0%} of the whole's. {told.capitalize()} {grey[-1, 1]:.4f}."
    )
