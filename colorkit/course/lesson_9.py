"""Lesson 9: a plate by hand, what a curve cannot mend, perfect colours on a wrong grey, advice."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from skimage.color import deltaE_ciede2000
from torch import Tensor

from .. import color, film
from ..base.errors import KitError
from .answers import exercise
from .judging import NotYet, Wrong, filled, in_words, must, near, number, same, to_a_decimal


@exercise(
    "9.1",
    "Light first: color.to_linear(rgb), and color.to_srgb at the end.",
    "weights[:, None, None] * light has the shape of the pictures.",
    "Add up along dim=1, and keep it: keepdim=True.",
)
def photograph_by_hand(my_photograph: Callable) -> None:
    rgb, weights = torch.rand(2, 3, 8, 8), torch.rand(3)
    weights = weights / weights.sum()
    light = torch.einsum("c,nchw->nhw", weights, color.to_linear(rgb))[:, None]
    got = my_photograph(rgb.clone(), weights.clone())
    same("what my_photograph returns", got, color.to_srgb(light))


@exercise(
    "9.2",
    a="that is what a curve does where a photograph is only too dark or too flat.",
    b="exposure and contrast are mended, and two colours of one grey are not.",
    c="then a curve would hardly help; but a plate's mean error is a shift, which it mends.",
)
def after_the_best_curve(curves: Any) -> str:
    before, after = (number("an error", value) for value in curves.loc["ortho"].iloc[:2])
    share = after / before
    return "a" if share < 1 / 4 else "b" if share <= 2 / 3 else "c"


@exercise(
    "9.3",
    "film.lightness(film.photograph(some, plate)) is the plate's L*.",
    "distance(some, plate_L) puts the paintings' own a*, b* on it, and compares.",
)
def perfect_colours(distances: Any, some: Tensor) -> str:
    filled("distances", distances, ("unsensitised",), "a number for each of six plates")
    plates = _plates(distances)
    must(len(plates) >= 6, f"distances has {len(plates)} plates, must be 6")
    lab = color.rgb_to_lab(some)
    for plate in plates:
        L = film.lightness(film.photograph(some, plate))
        put = color.rgb_to_lab(color.lab_to_rgb(torch.cat((L, lab[:, 1:]), dim=1)))
        pair = [pixels.movedim(1, -1).numpy() for pixels in (lab, put)]
        near(f"distances[{plate!r}]", distances[plate], float(deltaE_ciede2000(*pair).mean()), 0.02)
    best, worst = (choose(plates, key=distances.get) for choose in (min, max))
    return f"from {distances[best]:.1f} ({best}) to {distances[worst]:.1f} ({worst})"


def _plates(names: Iterable[str]) -> list[str]:
    """Keep a name of each plate but the eye: two spellings of one have the same weights."""
    found: dict[tuple[float, ...], str] = {}
    for name in names:
        try:
            found.setdefault(tuple(film.plate_weights(name).tolist()), name)
        except KitError as unknown:
            raise Wrong(str(unknown)) from unknown
    found.pop(tuple(film.plate_weights("eye").tolist()), None)
    return list(found.values())


@exercise(
    "9.4",
    "Write at least 40 words, and quote distances['unsensitised'] as a figure with one decimal.",
    "What did the plate do to red and blue, and what would you ask of the firm?",
    rubric=(
        "says what a plate of 1868 did to colours, so that the grey itself is wrong",
        "a number, with what it means",
        "asks for evidence: a test on surviving works, sources, another photograph",
    ),
)
def advice_to_a_museum(advice: Any, distances: Any) -> str:
    if not isinstance(distances, Mapping) or "unsensitised" not in distances:
        raise NotYet("it needs distances['unsensitised'] of exercise 9.3; do that first")
    wanted = number("distances['unsensitised']", distances["unsensitised"])
    told = in_words(advice, 40, [wanted])
    found = to_a_decimal(advice, [wanted])
    must(found, "what you found for its plate is not there with one decimal")
    return told
