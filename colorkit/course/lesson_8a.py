"""Lesson 8a: paired errors, alarms between seeds, what an interval promises, what 0.0004 takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from .answers import exercise
from .judging import in_words, must, number

FIVE, QUANTILE = 5, 2.776  # Student's quantile for 95 % of five numbers


@exercise(
    "8a.1",
    "Take the differences first, painting by painting: a - b.",
    "Then it is exercise 6.2 again: the spread of those differences, over the root of n.",
    "It is (a - b).std(ddof=1) / np.sqrt(len(a)).",
)
def paired(paired_error: Callable) -> None:
    rng = np.random.default_rng()
    for n in (6, 40):
        hard = rng.gamma(2, 0.01, size=n)
        a, b = (hard + rng.normal(0, 0.002, size=n) for _ in range(2))
        wanted = float((a - b).std(ddof=1) / np.sqrt(n))
        got = number("what paired_error returns", paired_error(a.copy(), b.copy()))
        told = f"for {n} paintings paired_error is {got:.5f}, must be {wanted:.5f}"
        if abs(got - (a - b).std() / np.sqrt(n)) <= 1e-6:
            told += " (nearly: use std(ddof=1), the spread around an estimated mean)"
        must(abs(got - wanted) <= 1e-6, told)


@exercise(
    "8a.2",
    a="so it would be if a test over paintings knew that a training can come out otherwise.",
    b="some more than one in twenty, but here it is far more.",
    c="two trainings do differ on these paintings, though the model is the same.",
)
def alarms_between_seeds(alarms: Any, p_values: Any) -> str:
    share = number("alarms", alarms) / len(p_values)
    return "a" if share <= 0.1 else "b" if share <= 0.25 else "c"


@exercise(
    "8a.3",
    "A variance of `shared` is a standard deviation of shared**0.5: multiply the numbers by that.",
    "A study is a row of five numbers: together = rng.normal(size=(4000, 1)) and "
    "own = rng.normal(size=(4000, 5)) add up by themselves.",
    "The interval holds 0 if abs(mean) <= 2.776 * std(ddof=1) / 5**0.5, each over axis=1; "
    "return the mean of that.",
)
def promise_of_an_interval(coverage: Callable) -> str:
    some = float(np.random.default_rng().uniform(0.4, 0.7))
    for shared in (0.0, 0.2, some):
        got = number("what coverage returns", coverage(shared))
        must(0 <= got <= 1, f"coverage({shared:.2g}) is {got:g}, must be a share, 0 to 1")
        wanted = _coverage(shared)
        told = f"coverage({shared:.2g}) is {got:.2f}, must be about {wanted:.2f}"
        must(abs(got - wanted) <= 0.03, told)
    alone, fifth = (f"{100 * _coverage(shared):.0f}" for shared in (0.0, 0.2))
    return f"it promises 95 of 100 and keeps {alone}; if folds share a fifth it keeps {fifth}"


def _coverage(shared: float) -> float:
    """Of Student's interval from five numbers that are correlated: exact."""
    narrow = np.sqrt((1 - shared) / (1 + (FIVE - 1) * shared))
    return float(1 - 2 * stats.t.sf(QUANTILE * narrow, FIVE - 1))


@exercise(
    "8a.4",
    "Write at least 40 words, and quote a number that the cell of *How small a difference* prints.",
    "What could the authors have said honestly, from one training and 52 paintings?",
    rubric=(
        "names the smallest difference that could be found, or the number of paintings",
        "asks for several trainings",
        "tells *not found* from *not there*",
    ),
)
def answer_to_the_authors(answer: Any, least: Any, needed: Any) -> str:
    return in_words(answer, 40, [number("least", least), *map(float, needed.values())])
