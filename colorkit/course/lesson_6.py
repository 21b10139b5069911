"""Lesson 6: who has the lowest error, standard errors, the luck of the paintings, a caption."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .answers import exercise
from .judging import NotYet, in_words, must, near, number

DRAWS = 4000


@exercise(
    "6.1",
    a="so it would be if lightness told nothing about colour.",
    b="they were fitted to thousands of pixels for each number, and ask for lightness alone.",
    c="they could, with more training; look at the column `skill_ab`.",
)
def lowest_error(wide: Any) -> str:
    frame = isinstance(wide, pd.DataFrame) and "mse_ab" in wide and len(wide) > 0
    must(frame, "`wide` is not the table of the cell above")
    return {"grey": "a", "mean_ab": "a", "L_table": "b"}.get(wide["mse_ab"].idxmin(), "c")


@exercise(
    "6.2",
    "The spread of single paintings is errors.std(ddof=1).",
    "A mean of n paintings spreads less, by the square root of n.",
)
def error_of_a_mean(error_of_mean: Callable) -> None:
    for n in (5, 17, 52):
        errors = np.random.default_rng().gamma(2, 0.01, size=9)
        wanted = float(errors.std(ddof=1) / np.sqrt(n))
        got = number("what error_of_mean returns", error_of_mean(errors.copy(), n))
        close = abs(got - wanted) <= 1e-6
        must(close, f"for 9 errors and n = {n} it is {got:.5f}, must be {wanted:.5f}")


@exercise(
    "6.3",
    "rng.integers(n, size=n) draws n of n paintings, some twice, some not at all.",
    "Take both errors of the paintings that were drawn: the same ones for both.",
    "swapped is the share of draws in which the mean of forty is not below that of one_colour.",
)
def luck_of_the_paintings(swapped: Any, one_colour: np.ndarray, forty: np.ndarray) -> str:
    share = number("swapped", swapped)
    must(0 <= share <= 1, f"swapped is {share:g}, must be a share, 0 to 1")
    rng, n = np.random.default_rng(), len(forty)
    drawn = rng.integers(n, size=(DRAWS, n))
    near("swapped", share, float(((forty - one_colour)[drawn].mean(1) >= 0).mean()), 0.05)
    return f"in {share:.1%} of other draws of such paintings the order would be the other one"


@exercise(
    "6.4",
    "Write at least 40 words, and quote one of your numbers: paintings, errors, standard errors.",
    "Could a reader redo the table with your caption, and know what is good?",
    rubric=(
        "number of test paintings, split and seed",
        "the space and scale of the error",
        "a baseline on the same paintings, and a spread",
    ),
)
def caption_of_table_1(caption: Any, one_colour: Any, forty: Any) -> str:
    if len(one_colour) < 2:
        raise NotYet("it needs the errors of exercise 6.3; run that cell first")
    numbers = [len(one_colour), one_colour.mean(), forty.mean()]
    numbers += [some.std(ddof=1) / np.sqrt(len(some)) for some in (one_colour, forty)]
    return in_words(caption, 40, [float(value) for value in numbers])
