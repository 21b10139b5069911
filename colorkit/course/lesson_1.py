"""Lesson 1: sets of four painters, what moves a hash, two photographs of one painting."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from ..curation import NEAR_DUPLICATE_BITS, perceptual_hash, quartets
from .answers import exercise
from .judging import filled, must, near, number, quoting


@exercise(
    "1.1",
    a="a total looks like a fingerprint, but four numbers are added up in it.",
    b="the sets to choose from are many more than the totals they can have.",
    c="230,300 sets share fewer than 2,400 totals, so many share one.",
)
def sets_of_four(fits: Any) -> str:
    must(isinstance(fits, Sequence), "`fits` is not the list of the cell above")
    return "a" if len(fits) <= 1 else "b" if len(fits) < 100 else "c"


@exercise(
    "1.2",
    "combinations(counts.values(), 4) gives every four counts, each set once.",
    "Painters with equal counts are two painters: keep them both.",
    "sum(True for ...) counts, and so does the sum of comparisons.",
)
def count_of_quartets(my_quartets: Callable) -> None:
    for _ in range(5):
        counts = {f"painter {n}": random.randint(1, 9) for n in range(random.randint(7, 10))}
        total = sum(random.sample(list(counts.values()), 4))
        wanted = len(quartets(counts, total))
        got = number("what my_quartets returns", my_quartets(dict(counts), total))
        must(got == wanted, f"my_quartets finds {got:g} sets with {total}, there are {wanted}")


@exercise(
    "1.3",
    "ways[name](picture) is the picture after what was done to it.",
    "moved[name] is the mean of bits_apart over the twenty, the picture against the changed one.",
    "beyond lists the names whose mean is above curation.NEAR_DUPLICATE_BITS.",
)
def what_moves_a_hash(
    moved: Any, beyond: Any, ways: Mapping[str, Callable], twenty: Sequence[Image.Image]
) -> str:
    filled("moved", moved, ways, "a number for each of `ways`")
    for name, way in ways.items():
        near(f"moved[{name!r}]", moved[name], _mean_bits(way, twenty), 0.01)
    wanted = {name for name in ways if moved[name] > NEAR_DUPLICATE_BITS}
    listed = isinstance(beyond, list | tuple | set)
    must(listed and set(beyond) == wanted, f"beyond is {beyond}, which is not what `moved` says")
    return f"of {len(ways)} ways to change a picture, these hide it: {', '.join(sorted(wanted))}"


@exercise(
    "1.4",
    "Write at least 40 words, and quote one of the numbers in `moved`.",
    "Which mistake is worse here: to keep two copies apart, or to put two paintings together?",
    rubric=(
        "a rule that someone else could apply, with a number in it",
        "a missed pair makes a test error too small",
        "a wrong pair costs less than a missed one, or a reason why not",
    ),
)
def two_photographs(opinion: Any, moved: Any) -> str:
    return quoting(opinion, 40, moved, "1.3")


def _mean_bits(way: Callable, pictures: Sequence[Image.Image]) -> float:
    apart = 0
    for picture in pictures:
        pair = perceptual_hash(picture), perceptual_hash(way(picture))
        apart += sum(one != other for one, other in zip(*pair, strict=True))
    return apart / len(pictures)
