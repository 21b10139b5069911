"""Two plates of one painting: laid over each other, read as colour; which emulsion was it?"""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import sample_pixels
from scipy.ndimage import shift

from colorkit.base.errors import KitError
from colorkit.color import encode, to_srgb
from colorkit.film import expose
from colorkit.lost.ladder import Paintings, Plates
from colorkit.lost.plates import PlateTable, align, which_emulsion
from colorkit.metrics import fit_colour_table

FILMS = ("unsensitised", "ortho", "pan")


@pytest.fixture(scope="module")
def sample() -> Paintings:
    """Half of the sample at 192 px."""
    pixels = sample_pixels(192)
    L, ab = encode(pixels.float() / 255)
    return Paintings(pd.DataFrame(), pixels, L[:, 0].numpy(), ab.numpy())


def rough(sample: Paintings) -> Plates:
    """Photograph with grain, the second plate one pixel off along the diagonal."""
    first, second = sample.plates(grain=2)
    return [first, shift(second, (0, 0.7, 0.7), order=1, mode="nearest")]


@pytest.mark.parametrize(
    ("fitted", "seen", "most"),
    [
        (Paintings.plates, Paintings.plates, 0.3),
        (rough, rough, 0.0045 / 0.0091),
        (Paintings.plates, partial(Paintings.plates, curves=True), 0.0075 / 0.0091),
    ],
    ids=["ideal", "grain and misregistration", "unknown curves"],
)
def test_two_plates_tell_colours_that_one_does_not(sample, fitted, seen, most):
    """The issue's bounds, as shares of the L table's error; on 29 paintings, fitted on 58."""
    known, new = np.split(np.arange(len(sample.L)), [58])
    table = fit_colour_table(sample.pixels[known], 20)
    one = table(torch.from_numpy(sample.L[new])[:, None]).numpy()
    plates = PlateTable(*(p[known] for p in fitted(sample)), sample.L[known], sample.ab[known])
    pair = [plate[new] for plate in seen(sample)]
    _, two = plates(*(pair if seen is fitted else plates.even(*pair)))
    one, two = (((guess - sample.ab[new]) ** 2).mean() for guess in (one, two))
    assert two < most * one


def test_a_plate_that_shows_nothing_is_refused_with_a_score(sample):
    one = sample.plates()[0][0]
    with pytest.raises(KitError, match="do not seem to show one painting: 0 places agree"):
        align(np.zeros((256, 256)), one)


def photographed(random: np.random.Generator, colours: np.ndarray, film: str) -> np.ndarray:
    """Photograph colours (n, 3) with density noise .03, an unknown exposure and contrast."""
    light = expose(torch.tensor(colours.T[None, :, :, None]), film).flatten().numpy().clip(1e-3)
    density = -np.log10(light) * random.lognormal(0, 0.12) + random.normal(0.1, 0.08)
    density += random.normal(0, 0.03, len(colours))
    return to_srgb(torch.tensor(10**-density)).numpy()


@pytest.mark.parametrize(("count", "least"), [(10, 0.85), (20, 0.93), (50, 0.96)])
def test_the_emulsion_is_told_from_known_colours_of_paintings(sample, count, least):
    """The issue's bounds; it says 80 % and is right in 80 +- 5 %."""
    random, right, said = np.random.default_rng(count), [], []
    pool = sample.pixels.movedim(1, -1).reshape(-1, 3).numpy() / 255
    pool = pool[pool.mean(1) > 0.15]  # who measures colours does not choose black
    for number in range(200):
        film = FILMS[number % 3]
        colours = pool[random.integers(0, len(pool), count)]
        likely = which_emulsion(colours, photographed(random, colours, film), FILMS)
        right.append(max(likely, key=likely.get) == film)
        said.append(max(likely.values()))
    assert np.mean(right) >= least
    assert np.mean(said) == pytest.approx(np.mean(right), abs=0.05)


def test_an_emulsion_needs_colours_and_a_name():
    colours = np.random.default_rng(0).uniform(0.2, 0.8, (3, 3))
    greys = photographed(np.random.default_rng(0), colours, "pan")
    with pytest.raises(KitError, match="2 known colours"):
        which_emulsion(colours[:2], greys[:2], FILMS)
    with pytest.raises(KitError, match="every grey is white or black"):
        which_emulsion(colours, np.ones(3), FILMS)
    with pytest.raises(KitError, match="emulsion 'collodion'"):
        which_emulsion(colours, greys, ["collodion"])
