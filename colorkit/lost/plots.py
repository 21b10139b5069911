"""Figures of the room. Each function returns (figure, alt text)."""

from matplotlib.figure import Figure

from .hints import SOURCES, Hinted

REST = "the model's guess"


def source_map(hinted: Hinted) -> tuple[Figure, str]:
    """Show a picture beside what its colours rest on: a map for each source, and for the guess."""
    shares = hinted.spread.shares
    maps = {name: share for name, share in zip(SOURCES, shares, strict=True) if share.any()}
    maps[REST] = 1 - shares.sum(0)
    figure = Figure(figsize=(2.6 * (len(maps) + 1), 2.9), layout="compressed")
    axes = figure.subplots(1, len(maps) + 1)
    small = hinted.image.copy()
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
