"""Lesson 7: what strength does, colour on the picture's lightness, mirror images, a label."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import color
from ..metrics import score
from .answers import exercise
from .judging import filled, must, near, number, quoting, same


@exercise(
    "7.1",
    a="so it would be for a model that is too cautious by more than a quarter.",
    b="where the hue is wrong, more of it is more wrong.",
    c="the two errors differ by less than a hundredth.",
)
def stronger(nearest: Any) -> str:
    must(isinstance(nearest, Mapping) and "lively" in nearest, "`nearest` has no 'lively'")
    best = number("nearest['lively']", nearest["lively"])
    if abs(best - 1.25) < 0.01:  # in the middle of 1 and 1.5
        return "c"
    return "a" if best > 1.25 else "b"


@exercise(
    "7.2",
    "The model sees the square: model(seen) is its ab.",
    "enlarged(ab, L) brings ab to the size of L.",
    "color.decode(L, ab) puts colours on a lightness; take the picture's own L.",
)
def colour_on_lightness(my_colorize: Callable) -> None:
    model, seen = nn.Conv2d(1, 2, 3, padding=1, bias=False), 2 * torch.rand(1, 1, 16, 16) - 1
    nn.init.uniform_(model.weight, -0.05, 0.05)  # sRGB has such pale colours: nothing is clipped
    L = 0.8 * torch.rand(1, 1, 37, 50) - 0.4
    with torch.inference_mode():
        ab = F.interpolate(model(seen), (37, 50), mode="bicubic", antialias=True)
        got = my_colorize(model, L.clone(), seen.clone())
        same("what my_colorize returns", got, color.decode(L, ab), 0.01)


@exercise(
    "7.3",
    "model(L_dozen.flip(-1)).flip(-1) colours the mirror images, and turns the colours back.",
    "metrics.score(L_dozen, one, other) compares two colourings of the same L, row by row.",
    "changes[name] is the mean of row['ciede2000'] over the dozen.",
)
def mirror_images(changes: Any, models: Mapping[str, nn.Module], L_dozen: Tensor) -> str:
    filled("changes", changes, models, "a number for each of `models`")
    name = random.choice(list(models))
    with torch.inference_mode():
        one, other = models[name](L_dozen), models[name](L_dozen.flip(-1)).flip(-1)
    rows = score(L_dozen, one, other)
    near(f"changes[{name!r}]", changes[name], sum(r["ciede2000"] for r in rows) / len(rows), 0.02)
    told = ", ".join(f"{name} by {changes[name]:.1f}" for name in models)
    return f"mirrored, the colours change: {told}; about 1 is just visible"


@exercise(
    "7.4",
    "Write at least 30 words, and quote one of the numbers in `changes`.",
    "Would a visitor know who chose the colours, from what, and that they may be wrong?",
    rubric=(
        "says who or what chose the colours, and from what",
        "says that they are guesses and may be wrong",
        "a number that a visitor without statistics understands",
    ),
)
def label_on_the_wall(wall_label: Any, changes: Any) -> str:
    return f"{quoting(wall_label, 30, changes, '7.3')}, and with the one below"
