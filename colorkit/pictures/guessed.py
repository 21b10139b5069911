"""What is a guess in a coloured picture: how many colours each pixel may have.

The numbers come with the kit for its own two models. `colorkit.lost.guess` says what they promise,
and makes them, for any model.
"""

import json
from functools import cache

import numpy as np
from PIL import Image

from ..base.errors import KitError
from ..color import grey_input
from .paint import square
from .pretrained import BOX, BOXED, Colorizer

KEPT = BOXED / "guesses.json"
MAP_SIDE = 256  # px of what a map is made from
MANY = 60  # colours of 10 x 10 Lab units: as light as a map gets
SURE, GUESSED = np.array([0, 34, 78]), np.array([254, 232, 56])  # told apart by lightness too


@cache
def _read_kept() -> dict[str, list[int]]:
    return json.loads(KEPT.read_text("utf-8"))


def counts_of(model: Colorizer) -> list[int]:
    """Return how many colours a model leaves open at each lightness, dark to light, evenly.

    Raises KitError for a model that does not come with the kit.
    """
    name = model.config.get("boxed", "")
    if name not in _read_kept():
        rule = f"no map of guesses is kept but for {' and '.join(BOX)}"
        remedy = (
            "calibrate_model of colorkit.lost.guess makes one, colorkit.lost.plots.maps draws it"
        )
        raise KitError(f"{model.name}: {rule}; {remedy}")
    return _read_kept()[name]


def guess_map(image: Image.Image, model: Colorizer) -> Image.Image:
    """Draw how many colours each pixel may have, few dark and many light.

    image: of a `Picture`; the map is as large. Raises KitError as `counts_of`.
    """
    counts = np.asarray(counts_of(model))
    L = grey_input(square(image, MAP_SIDE))[0, 0].numpy()
    open_here = counts[((L + 1) / 2 * len(counts)).astype(int).clip(0, len(counts) - 1)]
    share = (open_here / MANY).clip(0, 1)[..., None]
    drawn = ((1 - share) * SURE + share * GUESSED).astype(np.uint8)
    return Image.fromarray(drawn).resize(image.size)
