"""What judges say, and what they ask of any answer: its type, shape, device and finiteness."""

import re
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Wrong(Exception):  # noqa: N818  (an answer, not an error)
    """Says what is wrong with an answer."""


class NotYet(Exception):  # noqa: N818
    """Says what has to be done before an answer can be looked at."""


def must(true: bool, otherwise: str) -> None:
    """Raise Wrong unless something is true of an answer."""
    if not true:
        raise Wrong(otherwise)


def is_empty(answer: Any) -> bool:
    """Tell whether nothing has been written where an answer belongs."""
    return answer is ... or answer is None or (isinstance(answer, str) and not answer.strip())


def same(what: str, got: Any, wanted: Tensor, tolerance: float = 1e-3) -> None:
    """Raise Wrong unless an answer is the wanted tensor, within a tolerance."""
    if is_empty(got):
        raise NotYet(f"{what} is not there yet")
    must(isinstance(got, Tensor), f"{what} is a {type(got).__name__}, must be a torch tensor")
    shape, wanted_shape = tuple(got.shape), tuple(wanted.shape)
    must(shape == wanted_shape, f"{what} has shape {shape}, must be {wanted_shape}")
    must(got.device == wanted.device, f"{what} is on {got.device}, must be on {wanted.device}")
    must(got.is_floating_point(), f"{what} is {got.dtype}, must be float")
    must(bool(torch.isfinite(got).all()), f"{what} holds NaN or infinity")
    error = float((got.detach().to(wanted) - wanted).abs().max())
    must(error <= tolerance, f"{what} is off by up to {error:.2g}")


def number(what: str, got: Any) -> float:
    """Read an answer as a number: Python's, NumPy's, or a tensor of one element."""
    if is_empty(got):
        raise NotYet(f"{what} is not there yet")
    if isinstance(got, Tensor | np.ndarray) and set(got.shape) <= {1}:
        got = got.item()
    real = isinstance(got, Real) and not isinstance(got, bool)
    must(real, f"{what} is a {type(got).__name__}, must be a number")
    must(bool(np.isfinite(got)), f"{what} is {got}, must be finite")
    return float(got)


def near(what: str, got: Any, wanted: float, tolerance: float) -> None:
    """Raise Wrong unless an answer is the wanted number, within a tolerance."""
    value = number(what, got)
    close = abs(value - wanted) <= tolerance
    must(close, f"{what} is {value:.4g}, which does not come out when computed again")


def filled(what: str, got: Any, names: Iterable[str], told: str) -> None:
    """Raise NotYet for a dictionary with nothing in it, and Wrong for one that lacks a name.

    told: what belongs in it.
    """
    must(isinstance(got, Mapping), f"{what} is a {type(got).__name__}, must be a dict")
    if not got:
        raise NotYet(f"{what} is empty: fill in {told}")
    missing = [name for name in names if name not in got]
    must(not missing, f"{what} lacks {', '.join(missing)}")


QUOTED_TO = 0.05  # of a number, as in "about 9,000" for 8,798


def in_words(text: Any, least: int, numbers: Iterable[float]) -> str:
    """Raise Wrong unless a text has so many words, and quotes one of the numbers.

    Returns what is told then: more than that a program does not judge.
    """
    must(isinstance(text, str), f"the answer is a {type(text).__name__}, must be text in quotes")
    count = len(text.split())
    must(count >= least, f"{count} word{'s' * (count != 1)}, must be {least} or more")
    text = re.sub(r"(?<=\d)[ ,](?=\d{3}(?!\d))", "", text)  # 8,798 is 8798
    quoted = re.findall(r"\d*\.?\d+", text)
    digits = {(len(q.partition(".")[2]), float(q)) for q in quoted}
    allowed = [(wanted, QUOTED_TO * abs(wanted)) for wanted in numbers]
    found = any(
        abs(value - wanted) <= max(0.5 * 10**-n, near) and (value or not wanted)  # 0 says nothing
        for n, value in digits
        for wanted, near in allowed
    )
    must(found, "no number asked for is quoted")
    return "a person reads it: compare yours with a neighbour's"


def to_a_decimal(text: str, numbers: Iterable[Any]) -> bool:
    """Tell whether a text quotes one of the numbers with a decimal: 4.3, not "room 4"."""
    figures = {f"{float(figure):.1f}" for figure in re.findall(r"\d+\.\d+", text)}
    return not figures.isdisjoint(f"{number('a number', value):.1f}" for value in numbers)


def quoting(text: Any, least: int, found: Any, exercise: str) -> str:
    """Judge a text as `in_words` does, by the dictionary of numbers that an exercise found."""
    if not isinstance(found, Mapping) or not found:
        raise NotYet(f"it needs the numbers of exercise {exercise}; do that first")
    return in_words(text, least, [number("a number", value) for value in found.values()])
