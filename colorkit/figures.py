"""Figures of the course and the report. Each function returns (figure, alt text)."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle
from PIL.Image import Image
from torch import Tensor, nn

from .color import AB_SCALE, gamut_slice, lab_to_rgb, rgb_to_lab
from .metrics import ColourTable, Predictor, predict_rgb
from .models import ScratchUnet, unet_parts

# Okabe and Ito's palette: told apart with any colour vision.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


def picture_grid(
    rows: Mapping[str, Tensor], titles: Sequence[str] = (), width: float = 7.5
) -> tuple[Figure, str]:
    """Lay out pictures, a labelled row for each entry: (n, 3, S, S), uint8 or float in [0, 1]."""
    columns = max(len(pictures) for pictures in rows.values())
    cell = min(width / columns, 2.2)
    figure = Figure(figsize=(cell * columns + 1.4, cell * len(rows)), layout="compressed")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (label, pictures) in zip(axes, rows.items(), strict=True):
        for axis in line:
            axis.axis("off")
        for axis, picture in zip(line, pictures, strict=False):
            axis.imshow(picture.permute(1, 2, 0).cpu().numpy())
        beside = {"transform": line[0].transAxes, "ha": "right", "va": "center"}
        line[0].text(-0.08, 0.5, label, wrap=True, **beside)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(short(title, int(12 * cell)), fontsize=8, parse_math=False)
    subject = f" Columns: {'; '.join(titles)}." if titles else ""
    return figure, f"Grid of pictures. Rows from top: {', '.join(rows)}.{subject}"


def colourings(
    models: Mapping[str, Predictor], pixels: Tensor, titles: Sequence[str] = (), grey: str = "L"
) -> tuple[Figure, str]:
    """Show pictures (n, 3, S, S) uint8 turned grey, as each model colours them, and as they are.

    grey: as of `film.grey_encoder`.
    """
    rows = {"grey": predict_rgb(ColourTable(torch.zeros(1, 2)), pixels, grey)}
    rows |= {label: predict_rgb(model, pixels, grey) for label, model in models.items()}
    return picture_grid(rows | {"truth": pixels}, titles)


def side_by_side(pictures: Mapping[str, Image], width: float = 9.0) -> tuple[Figure, str]:
    """Show one picture in several versions, such as coloured by several models, four a row."""
    columns, first = min(4, len(pictures)), next(iter(pictures.values()))
    lines = -(-len(pictures) // columns)
    height = lines * (width / columns * first.height / first.width + 0.3)
    figure = Figure(figsize=(width, height), layout="compressed")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, (label, picture) in zip(axes, pictures.items(), strict=False):
        small = picture.convert("RGB")
        small.thumbnail((400, 400))
        axis.imshow(small)
        axis.set_title(label, fontsize=9, parse_math=False)
    return figure, f"One picture in {len(pictures)} versions: {'; '.join(pictures)}."


def painter_counts(here: Mapping[str, int], catalogue: Mapping[str, int]) -> tuple[Figure, str]:
    """Draw how many paintings each painter has here, beside the catalogue's count if any."""
    names = sorted(here, key=lambda name: -here[name])[:20]
    figure = Figure(figsize=(7, 0.28 * len(names) + 1), layout="constrained")
    axis = figure.subplots()
    rows = range(len(names))
    axis.barh(rows, [here[n] for n in names], color=PALETTE[0], label="found here")
    listed = [catalogue.get(n, np.nan) for n in names]
    if not np.isnan(listed).all():
        axis.plot(listed, rows, "|", color="black", markersize=12, label="in the catalogue")
    axis.set_yticks(rows, names, parse_math=False)
    axis.set(xlabel="paintings", ylim=(len(names) - 0.5, -0.5))
    axis.legend(frameon=False)
    most = ", ".join(f"{name} {here[name]}" for name in names[:4])
    return figure, f"Bars: paintings of each of {len(names)} painters. Most: {most}."


def lab_planes(rgb: Tensor, title: str = "") -> tuple[Figure, str]:
    """Show a picture (3, S, S) in [0, 1] beside its L*, a* and b*."""
    lab = rgb_to_lab(rgb)
    figure = Figure(figsize=(9, 2.6), layout="compressed")
    axes = figure.subplots(1, 4)
    axes[0].imshow(rgb.permute(1, 2, 0).numpy(), interpolation="nearest")
    axes[0].set_title(short(title, 20) or "picture", parse_math=False)
    reach = float(lab[1:].abs().max())
    planes = {"L*": ("gray", 0, 100), "a*  green to red": ("PiYG_r", -reach, reach)}
    blue_to_yellow = LinearSegmentedColormap.from_list("", ["#2040c0", "#f7f7f7", "#e0b000"])
    planes["b*  blue to yellow"] = (blue_to_yellow, -reach, reach)
    for axis, plane, (name, (cmap, low, high)) in zip(axes[1:], lab, planes.items(), strict=True):
        image = axis.imshow(plane, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(name)
        figure.colorbar(image, ax=axis, shrink=0.8)
    for axis in axes:
        axis.axis("off")
    means = ", ".join(f"{c} {v:.0f}" for c, v in zip("Lab", lab.mean((1, 2)), strict=True))
    return figure, f"{title}: the picture and its planes L*, a*, b*. Means: {means}."


def gamut(lightnesses: Sequence[float] = (25, 50, 75)) -> tuple[Figure, str]:
    """Show which ab of the square [-110, 110]^2 are sRGB colours at some lightnesses."""
    figure = Figure(figsize=(3 * len(lightnesses), 3.2), layout="compressed")
    axes = figure.subplots(1, len(lightnesses), squeeze=False)[0]
    shares = []
    for axis, lightness in zip(axes, lightnesses, strict=True):
        colours, mask = gamut_slice(lightness)
        picture = torch.where(mask, colours, torch.tensor(0.93))
        axis.imshow(picture.permute(1, 2, 0).numpy(), extent=[-AB_SCALE, AB_SCALE] * 2)
        shares.append(f"{100 * mask.float().mean():.0f} % at L* = {lightness:g}")
        axis.set(title=f"L* = {lightness:g}", xlabel="a*")
    axes[0].set_ylabel("b*")
    return figure, f"Slices through sRGB in the ab plane; inside sRGB: {', '.join(shares)}."


def colour_table(table: Sequence[Sequence[float]]) -> tuple[Figure, str]:
    """Draw the mean colour of each lightness: table (bins, 2), ab/110."""
    ab = AB_SCALE * np.array(table)
    middle = (np.arange(len(ab)) + 0.5) * 100 / len(ab)
    lab = torch.tensor(np.column_stack((middle, ab)), dtype=torch.float32).T[:, None]
    figure = Figure(figsize=(7, 3), layout="constrained")
    strip, curve = figure.subplots(2, 1, height_ratios=[1, 3], sharex=True)
    strip.imshow(lab_to_rgb(lab).permute(1, 2, 0).numpy(), extent=[0, 100, 0, 1], aspect="auto")
    strip.set(yticks=[], title="the colour the table gives to each lightness")
    for channel, name in enumerate(("a*", "b*")):
        curve.plot(middle, ab[:, channel], ("-", "--")[channel], color=PALETTE[channel], label=name)
    curve.axhline(0, color="grey", linewidth=0.8)
    curve.set(xlabel="L*")
    curve.legend(frameon=False)
    return figure, (
        f"Mean a* and b* against lightness: a* from {ab[:, 0].min():.0f} to {ab[:, 0].max():.0f}, "
        f"b* from {ab[:, 1].min():.0f} to {ab[:, 1].max():.0f}; above, the colours, all brownish."
    )


def losses(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> tuple[Figure, str]:
    """Draw the losses of runs by epoch, as in the paper's Figure 2; {label: history rows}."""
    adversarial = any("critic" in rows[0] for rows in histories.values())
    figure = Figure(figsize=(9 if adversarial else 5.5, 3.4), layout="constrained")
    axes = figure.subplots(1, 2 if adversarial else 1, squeeze=False)[0]
    panels = [("L1 of ab", ("train_l1", "training"), ("valid_l1", "validation"))]
    panels += [("adversarial", ("critic", "critic"), ("fooling", "fooling it"))] * adversarial
    for axis, (title, *parts) in zip(axes, panels, strict=True):
        for (name, _), style in zip(parts, ("-", "--"), strict=True):
            for colour, rows in zip(PALETTE, histories.values(), strict=False):
                points = [(row["epoch"], row[name]) for row in rows if name in row]
                if points:
                    axis.plot(*zip(*points, strict=True), style, marker="o", ms=3, color=colour)
        (_, solid), (_, dashed) = parts
        axis.set(title=f"{title} (solid: {solid}, dashed: {dashed})", xlabel="epoch", ylim=0)
        if title == "adversarial":
            axis.axhline(np.log(2), linestyle=":", color="grey")  # of a critic without an opinion
        axis.title.set_fontsize(9)
        axis.xaxis.get_major_locator().set_params(integer=True)
    lines = [Line2D([], [], color=colour) for colour in PALETTE[: len(histories)]]
    figure.legend(lines, list(histories), loc="outside lower center", ncols=3, frameon=False)
    ends = []
    for label, (*_, last) in histories.items():
        ends.append(f"{label} ends at train {last['train_l1']:.3f}, valid {last['valid_l1']:.3f}")
    return figure, f"Loss curves by epoch. L1: {'; '.join(ends)}."


def critic_view(rgb: Tensor, probability: Tensor, patch: int) -> tuple[Figure, str]:
    """Show a picture (3, S, S) in [0, 1], one patch of it, and the critic's verdict (h, w)."""
    size = rgb.shape[-1]
    figure = Figure(figsize=(7.5, 3.2), layout="compressed")
    left, right = figure.subplots(1, 2)
    left.imshow(rgb.permute(1, 2, 0).numpy(), interpolation="nearest")
    corner, side = max(0, (size - patch) / 2), min(patch, size)
    left.add_patch(Rectangle((corner, corner), side - 1, side - 1, fill=False, color="w", lw=2))
    whole = f"one patch ({patch} px) covers it all"
    left.set_title(whole if patch > size else f"one of its patches, {patch} x {patch} px")
    image = right.imshow(probability, vmin=0, vmax=1, cmap="cividis")
    right.set_title("probability of 'real', patch by patch")
    figure.colorbar(image, ax=right, shrink=0.8)
    left.axis("off")
    right.axis("off")
    low, high = probability.min(), probability.max()
    return figure, f"A picture and a map of the critic's verdicts, from {low:.2f} to {high:.2f}."


def feature_sizes(
    network: nn.Module, parts: Sequence[nn.Module], L: Tensor
) -> list[tuple[int, int]]:
    """Run a network once on L (N, 1, S, S) and note (channels, width) of each part's output."""
    sizes: list[tuple[int, int]] = []

    def note(module, inputs, output):
        sizes.append((output.shape[1], output.shape[-1]))

    hooks = [part.register_forward_hook(note) for part in parts]
    with torch.no_grad():
        network.eval()(L)
    for hook in hooks:
        hook.remove()
    return sizes


def unet_diagram(unet: nn.Module, size: int) -> tuple[Figure, str]:
    """Draw a U-Net from the sizes its steps really have, as in the paper's Figure 1."""
    down_parts, up_parts = unet_parts(unet)
    sizes = feature_sizes(unet, [*down_parts, *up_parts], torch.zeros(1, 1, size, size))
    encoder, decoder = [(1, size), *sizes[: len(down_parts)]], sizes[len(down_parts) :]
    joins_input = not isinstance(unet, ScratchUnet)  # fastai's adds L itself to its last step
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axis = figure.subplots()
    places: dict[int, tuple[float, float]] = {}  # right upper corners of the encoder, by width
    for column, (channels, width) in enumerate(encoder + decoder):
        height = 0.35 + 0.65 * np.log2(width + 1) / np.log2(size + 1)
        down = column < len(encoder)
        colour = {"color": PALETTE[0 if down else 1], "alpha": 0.8}
        axis.add_patch(Rectangle((column, -height / 2), 0.55, height, **colour))
        place, said = (column + 0.27, -height / 2 - 0.06), f"{channels}\n{width} px"
        axis.text(*place, said, ha="center", va="top", fontsize=7)
        if down:
            places[width] = (column + 0.55, height / 2)
        elif width in places and (width < size or joins_input):
            bend = {"connectionstyle": "arc3,rad=-0.25", "mutation_scale": 9, "color": "grey"}
            end = (column, height / 2)
            axis.add_patch(FancyArrowPatch(places[width], end, arrowstyle="->", **bend))
    axis.set(xlim=(-0.3, len(encoder + decoder)), ylim=(-0.85, 1.35))
    axis.set_title("channels and width of each step; arrows: skip connections", fontsize=9)
    axis.axis("off")
    return figure, (
        f"U-Net: from {size} px down to {encoder[-1][1]} px with {encoder[-1][0]} channels and "
        f"back to {decoder[-1][0]} channels at {size} px; arrows join steps of equal width."
    )


def short(title: str, limit: int) -> str:
    return title if len(title) <= limit else title[: limit - 1] + "…"
