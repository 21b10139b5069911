"""Lesson 10: what evidence is worth, known colours spread, a source taken back, a label."""

import random
from collections.abc import Callable
from typing import Any

import torch

from .answers import exercise
from .judging import filled, must, near, number, quoting, same, to_a_decimal

RUNGS = {"a": "its mean colour", "b": "10 known points", "c": "its painter's other works"}


@exercise(
    "10.1",
    a="one colour says how warm a painting is, and not where it is blue.",
    b="a point speaks for its neighbourhood and its lightness, and ten of them cover most of both.",
    c="other works would have to be alike; a painter's palette changes from work to work.",
)
def worth_most(ratio: Any) -> str:
    return min(RUNGS, key=lambda letter: number(RUNGS[letter], ratio[RUNGS[letter]]))


@exercise(
    "10.2",
    "What each point says is given - there, a difference (n, 2).",
    'torch.einsum("nhw,nc->chw", near, given - there) adds up the weighted differences.',
    "Divide by doubt + near.sum(0), and add the prior.",
)
def spread_by_hand(my_spread: Callable) -> None:
    near_, prior, doubt = torch.rand(4, 8, 8), torch.rand(2, 8, 8), random.uniform(0.05, 0.5)
    near_[:, :2] = 0  # out of all reach
    given, there = torch.rand(4, 2) - 0.5, torch.rand(4, 2) - 0.5
    told = (near_[:, None] * (given - there)[:, :, None, None]).sum(0)
    got = my_spread(near_.clone(), given.clone(), there.clone(), prior.clone(), doubt)
    same("what my_spread returns", got, prior + told / (doubt + near_.sum(0)))


@exercise(
    "10.3",
    "record.without(kind) is the record without one source.",
    "hints.colour_by_hints(path, record.without(kind), model).picture.image is the picture.",
)
def worth_of_a_source(
    moved: Any,
    notes: Any,
    apart: Callable,
    coloured: Any,
    hints: Any,
    path: Any,
    record: Any,
    model: Any,
) -> str:
    # `hints` is the notebook's: a course must not need the room of lost paintings.
    whole = {hint.source for hint in record.hints} == {*notes}
    remedy = "run the cell of `notes` again, and do not assign to `record`"
    must(whole, f"`record` has lost sources: {remedy}")
    filled("moved", moved, notes, "a number for each source")
    for kind in notes:
        other = hints.colour_by_hints(path, record.without(kind), model)
        wanted = apart(coloured.picture.image, other.picture.image)
        near(f"moved[{kind!r}]", moved[kind], wanted, 0.02)
    most = max(notes, key=moved.get)
    return f"most rests on '{most}': without it the picture moves by {moved[most]:.1f}"


@exercise(
    "10.4",
    "Write at least 40 words, and quote one of the numbers in `moved`, such as 0.7.",
    "Would a visitor know which colours have a source, and who chose the others?",
    rubric=(
        "names a source for at least two colours",
        "says what is guessed, and by whom or what",
        "a number that a visitor understands",
    ),
)
def label_with_sources(wall_label: Any, moved: Any) -> str:
    told = quoting(wall_label, 40, moved, "10.3")
    found = to_a_decimal(wall_label, moved.values())
    must(found, "no number of `moved` stands there with its decimal")
    return f"{told}, and with the one below"
