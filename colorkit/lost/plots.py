"""Figures of the room. Each function returns (figure, alt text)."""

import pandas as pd
from matplotlib.figure import Figure

from ..figures import PALETTE
from .hints import SOURCES, Hinted

REST = "the model's guess"


def source_map(hinted: Hinted) -> tuple[Figure, str]:
    """Show a picture beside what its colours rest on: a map for each source, and for the guess."""
    shares = hinted.spread.shares
    maps = {name: share for name, share in zip(SOURCES, shares, strict=True) if share.any()}
    maps[REST] = 1 - shares.sum(0)
    figure = Figure(figsize=(2.6 * (len(maps) + 1), 2.9), layout="compressed")
    axes = figure.subplots(1, len(maps) + 1)
    small = hinted.picture.image.copy()
    small.thumbnail((400, 400))
    axes[0].imshow(small)
    axes[0].set_title("coloured by hints", fontsize=9)
    shape = {"aspect": small.height / small.width, "vmin": 0, "vmax": 1, "cmap": "cividis"}
    for axis, (name, share) in zip(axes[1:], maps.items(), strict=True):
        image = axis.imshow(share, **shape)
        axis.set_title(name, fontsize=9)
    figure.colorbar(image, ax=axes[1:], shrink=0.7, label="share of the colour")
    for axis in axes:
        axis.axis("off")
    means = ", ".join(f"{name} {share.mean():.0%}" for name, share in maps.items())
    return figure, f"A coloured picture, and maps of what its colours rest on: {means}."


def ladder(table: pd.DataFrame) -> tuple[Figure, str]:
    """Draw what each kind of evidence leaves of the L table's error: a table of `ladder.climb`."""
    figure = Figure(figsize=(8, 0.34 * len(table) + 1), layout="constrained")
    axis = figure.subplots()
    for row, rung in enumerate(table.itertuples()):
        colour = PALETTE[0] if rung.sure == "yes" else "grey"
        reach = [[rung.ratio - rung.low], [rung.high - rung.ratio]]
        axis.errorbar(rung.ratio, row, xerr=reach, fmt="o", color=colour, capsize=3)
        axis.text(
            1.02,
            row,
            f"{rung.mse_ab:.4f}   {rung.ciede2000:.1f}   {rung.bits:.2f}",
            transform=axis.get_yaxis_transform(),
            va="center",
            fontsize=8,
        )
    axis.axvline(1, color="grey", linewidth=0.8)
    axis.set_yticks(range(len(table)), table["evidence"], parse_math=False)
    axis.set(
        xlabel="error (mse_ab), in shares of the L table's, with its interval; grey: not sure",
        xlim=(0, None),
    )
    axis.set_ylim(len(table) - 0.5, -0.5)
    header = {"transform": axis.transAxes, "va": "bottom", "fontsize": 8}
    axis.text(1.02, 1.01, "mse_ab  ΔE00  bits", **header)
    told = "; ".join(f"{rung.evidence} {rung.ratio:.2f}" for rung in table.itertuples())
    return figure, f"Error left by each kind of evidence, in shares of the L table's: {told}."
