"""Two plates of one painting: laid over each other, read as colour; which emulsion was it?"""

import numpy as np
import pytest
import torch
from conftest import sample_pixels
from scipy.ndimage import shift

from colorkit.base.errors import KitError
from colorkit.color import encode, to_srgb
from colorkit.film import expose, photograph
from colorkit.lost.plates import PlateTable, align, which_emulsion
from colorkit.metrics import fit_colour_table

FIRST, SECOND = "ortho", "pan,daylight,yellow"
FILMS = ("unsensitised", "ortho", "pan")


@pytest.fixture(scope="module")
def sample() -> torch.Tensor:
    """Half of the sample at 192 px, uint8."""
    return sample_pixels(192)


def plate(rgb: torch.Tensor, name: str, seed: int = 0, **how) -> np.ndarray:
    return photograph(rgb, name, seed=seed, **how)[:, 0].numpy()


def curved(rgb: torch.Tensor, name: str, seed: int) -> np.ndarray:
    """Photograph each painting with an exposure and a contrast of its own."""
    random, shots = np.random.default_rng(seed), []
    for one in rgb:
        stops, gamma = random.normal(0, 0.25), random.lognormal(0, 0.12)
        shots.append(plate(one[None], name, stops=stops, gamma=gamma))
    return np.concatenate(shots)


def error(sample: torch.Tensor, make, even: bool = False) -> tuple[float, float]:
    """Fit on 58 paintings and test on 29: mse_ab of the L table and of two plates."""
    train, test = sample[:58], sample[58:]
    (L, ab), (L_new, ab_new) = (encode(part.float() / 255) for part in (train, test))
    table = fit_colour_table(train, 20)(L_new)
    known, new = (make(part.float() / 255, n) for n, part in enumerate((train, test)))
    plates = PlateTable(*known, L[:, 0].numpy(), ab.numpy())
    if even:
        pairs = [plates.even(*pair) for pair in zip(*new, strict=True)]
        new = [np.stack(side) for side in zip(*pairs, strict=True)]
    _, guess = plates(*new)
    return float(((table - ab_new) ** 2).mean()), float(((guess - ab_new.numpy()) ** 2).mean())


def test_two_ideal_plates_tell_most_of_the_colour(sample):
    one, two = error(sample, lambda rgb, n: (plate(rgb, FIRST), plate(rgb, SECOND)))
    assert two < 0.3 * one


def test_grain_and_a_pixel_of_misregistration_leave_half(sample):
    """The issue's bound: .0045 where the L table has .0091."""

    def make(rgb: torch.Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = (
            plate(rgb, p, 2 * number + s, grain=2) for s, p in enumerate((FIRST, SECOND))
        )
        return first, shift(second, (0, 0.7, 0.7), order=1, mode="nearest")

    one, two = error(sample, make)
    assert two < 0.0045 / 0.0091 * one


def test_unknown_curves_leave_a_gain(sample):
    """The issue's bound: .0075 where the L table has .0091."""

    def make(rgb: torch.Tensor, number: int) -> tuple[np.ndarray, np.ndarray]:
        if number == 0:  # what the table is fitted on, it has as it should be
            return plate(rgb, FIRST), plate(rgb, SECOND)
        return curved(rgb, FIRST, 1), curved(rgb, SECOND, 2)

    one, two = error(sample, make, even=True)
    assert two < 0.0075 / 0.0091 * one


def test_a_plate_that_shows_nothing_is_refused_with_a_score(sample):
    (one,) = plate(sample[:1].float() / 255, FIRST)
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
    pool = sample.movedim(1, -1).reshape(-1, 3).numpy() / 255
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
