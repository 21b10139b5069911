"""Lesson 2: encode and decode, the forty numbers, forty draws of the split."""

import math
import random
import re
from collections.abc import Callable
from typing import Any

import torch

from .. import color
from ..folder import Folder
from ..metrics import errors_of_one_colour, fit_colour_table
from .answers import exercise
from .judging import filled, must, near, number, quoting, same


@exercise(
    "2.1",
    a="blurred colours look almost the same to us, and the metric agrees, but only in part: it "
    "still counts every pixel whose colour is off.",
    b="lightness carries the edges, and a blurred edge is wrong on both of its sides.",
    c="the two are within 10 % of each other here.",
)
def blur(colour_error: Any, lightness_error: Any) -> str:
    colour = number("colour_error", colour_error)
    lightness = number("lightness_error", lightness_error)
    if math.isclose(colour, lightness, rel_tol=0.1):
        return "c"
    return "a" if colour > lightness else "b"


@exercise(
    "2.2",
    "Lab units first: color.rgb_to_lab(rgb), whose planes are lab[..., :1, :, :] and the rest.",
    "L = L*/50 - 1 and ab = (a*, b*)/110.",
    "Backwards: L* = (L + 1) * 50, joined with 110 * ab by torch.cat along dim -3.",
)
def encode_and_decode(my_encode: Callable, my_decode: Callable) -> None:
    for what, rgb in (("", torch.rand(2, 3, 8, 8)), ("of one picture, ", torch.rand(3, 8, 8))):
        L, ab = color.encode(rgb)
        answer = my_encode(rgb.clone())
        pair = isinstance(answer, tuple | list) and len(answer) == 2
        must(pair, f"my_encode must return L and ab, got {type(answer).__name__}")
        same(f"{what}L of my_encode", answer[0], L)
        same(f"{what}ab of my_encode", answer[1], ab)
        same(f"{what}what my_decode returns", my_decode(L.clone(), ab.clone()), rgb)


@exercise(
    "2.3",
    "The step of a pixel is ((L + 1) / 2 * 20).long(), and 20 itself belongs to step 19.",
    "torch.bincount(step, minlength=20) counts the pixels of each step.",
    "torch.bincount(step, ab[:, 0].flatten(), minlength=20) adds up their a; divide by the counts.",
)
def forty_numbers(my_table: Callable) -> None:
    ramp = torch.linspace(0, 255, 2048)[torch.randperm(2048)]  # so that no step is empty
    pixels = (ramp.view(8, 1, 16, 16) + torch.randint(-40, 41, (8, 3, 16, 16))).clamp(0, 255).byte()
    L, ab = color.encode(pixels.float() / 255)
    same("the table", my_table(L.clone(), ab.clone()), fit_colour_table(pixels, bins=20).table)


@exercise(
    "2.4",
    "The colour is the mean over the paintings with part == 'train', for each draw anew.",
    "The error is that of the paintings with part == 'test'.",
    "The mean of (ab - colour)² is square - 2 * colour * mean + colour**2.",
)
def forty_draws(draws: Any, lower: Any, folder: Folder) -> str:
    filled("draws", draws, (), "the error of each split")
    names = ["paper", *(f"paper-{n}" for n in range(1, 40))]
    absent = [name for name in names if name not in draws]
    must(not absent, f"{len(absent)} of 40 draws are missing, such as {absent[:1]}")
    errors = {name: number(f"draws[{name!r}]", draws[name]) for name in names}
    sample = random.sample(names, 3)
    for name, again in errors_of_one_colour(folder.manifest, folder.pixels, sample).items():
        near(f"draws[{name!r}]", errors[name], again, 1e-6)
    values = sorted(errors.values())
    told = sum(value < errors["paper"] for value in values)
    asked = (
        "draws is right; lower must be how many of the other 39 errors are under that of 'paper'"
    )
    must(number("lower", lower) == told, asked)
    return (
        f"one colour errs by {values[0]:.4f} to {values[-1]:.4f}, depending on the draw; "
        f"{told} of 39 other draws are easier than `paper`"
    )


@exercise(
    "2.5",
    "Write at least 40 words, and quote one of the errors in `draws`.",
    "Which part of the difference between two errors could be the draw alone?",
    rubric=(
        "compares 0.0133 with the range of your own draws",
        "asks for a baseline on the *same* test paintings",
        "asks for several draws, or the list of paintings",
    ),
)
def one_draw(opinion: Any, draws: Any) -> str:
    """Judge the answer without the paper's own errors, which the question quotes."""
    own = re.sub(r"0?\.013[0-5]", "", opinion) if isinstance(opinion, str) else opinion
    return quoting(own, 40, draws, "2.4")
