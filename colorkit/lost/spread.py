"""Spread known colours over a picture: what lies near, and is as light, has the same colour.

Both ways are linear: a pixel's ab is a mean of the known colours and of a prior, and the weights
say what its colour rests on. Colours are spread as differences from the prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu
from skimage.graph import pixel_graph

from ..base.errors import check_choice
from ..color import L_CENTER

REACH = 0.2  # kernel: standard deviation in space, in sides of the picture
ALIKE = 10.0  # kernel: standard deviation in L*
DOUBT = 0.1  # kernel: the prior's weight, where a sure point on the spot has 1
PATCH = 7  # px: a point is as light as the square around it
PULL = 1e-5  # Levin: the prior's weight in each pixel's equation
WAYS = ("kernel", "levin")


@dataclass(frozen=True)
class Points:
    """Known colours: row and column (n, 2) in px, ab (n, 2) in ab/110, confidence (n,) in (0, 1].

    source: for each, the name of its source, (n,).
    """

    places: np.ndarray
    ab: np.ndarray
    confidence: np.ndarray
    source: Sequence[str]


@dataclass(frozen=True)
class Spread:
    """ab (2, S, S) in ab/110, and what of it rests on each source: {source: (S, S) in [0, 1]}."""

    ab: np.ndarray
    shares: dict[str, np.ndarray]

    @property
    def rest(self) -> np.ndarray:
        """What rests on no source, but on the prior: (S, S) in [0, 1]."""
        return np.ones_like(self.ab[0]) - sum(self.shares.values())


def spread(L: np.ndarray, prior: np.ndarray, points: Points, way: str = "kernel") -> Spread:
    """Colour a picture by known points.

    L: (S, S) in [-1, 1]; prior: (2, S, S) in ab/110, what to think where no point tells, such as
    an L table's answer. way: "kernel", a weighted mean over points near in (x, y, L), for up to
    about a hundred; or "levin", Levin, Lischinski and Weiss (2004): neighbours of one lightness
    have one colour, for hundreds and more; time and memory hardly depend on how many.
    With the kernel a share is exactly 0 out of a point's reach, so what rested on nothing that
    is taken away keeps its colour to the bit; with Levin's equations it fades, and a colour
    changes by at most its source's share times the difference of colours.
    KitError for an unknown way.
    """
    check_choice("way", way, WAYS)
    if not len(points.places):
        return Spread(prior.copy(), {})
    rows, columns = points.places.T
    new = points.ab - prior[:, rows, columns].T
    names = sorted(set(points.source))
    own = np.array(points.source)[:, None] == names
    carried = np.concatenate((new, own), axis=1, dtype=np.float32)
    result = (_kernel if way == "kernel" else _levin)(L_CENTER * (L + 1), points, carried)
    return Spread(prior + result[:2], dict(zip(names, result[2:], strict=True)))


def _kernel(lightness: np.ndarray, points: Points, carried: np.ndarray) -> np.ndarray:
    """Average what points carry (n, k) with compact weights: (k, S, S)."""
    size = len(lightness)
    smooth = uniform_filter(lightness, PATCH, mode="nearest")
    sums = np.zeros((carried.shape[1], size, size), dtype=np.float32)
    total = np.full((size, size), DOUBT, dtype=np.float32)
    steps, radius = np.arange(size) / size, REACH * 8**0.5
    for (row, column), values, sure in zip(points.places, carried, points.confidence, strict=True):
        here = [np.flatnonzero(abs(steps - steps[place]) < radius) for place in (row, column)]
        window = tuple(slice(near[0], near[-1] + 1) for near in here)
        down, across = (
            ((steps[w] - steps[p]) / REACH) ** 2 for w, p in zip(window, (row, column), strict=True)
        )
        lighter = (lightness[window] - smooth[row, column]) / ALIKE
        # (1 - d²/8)⁴ is nearly exp(-d²/2), and 0 from 2.8 standard deviations on.
        near = (1 - (down[:, None] + across + lighter**2) / 8).clip(0) ** 4 * sure
        total[window] += near
        for channel in np.flatnonzero(values):
            sums[channel][window] += near * values[channel]
    return sums / total


def _levin(lightness: np.ndarray, points: Points, carried: np.ndarray) -> np.ndarray:
    """Solve Levin's equations for what points (n,) carry (n, k): (k, S, S)."""
    pixels, size = lightness.size, len(lightness)
    at = points.places[:, 0] * size + points.places[:, 1]
    sure = np.bincount(at, points.confidence, pixels)
    sums = csr_array((points.confidence, (at, np.arange(len(at)))), (pixels, len(at))) @ carried
    told = sums / np.maximum(sure, 1)[:, None]
    doubt = 1 - np.minimum(sure, 1)
    means = diags_array(doubt) @ _neighbours(lightness)
    equations = diags_array(1 + PULL * doubt) - means
    # The matrix is diagonally dominant: pivots on the diagonal are safe and keep it sparse.
    solver = splu(equations.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    return solver.solve(told).T.reshape(-1, size, size).astype(np.float32)


def _neighbours(lightness: np.ndarray) -> csr_array:
    """Weigh each pixel's eight neighbours by likeness in lightness; rows add up to 1."""
    variance = uniform_filter(lightness**2, 3) - uniform_filter(lightness, 3) ** 2
    spread_ = np.maximum(variance, 0.05).ravel()
    pairs = pixel_graph(np.ones(lightness.shape, bool), connectivity=2)[0].tocoo()
    one, other, values = pairs.row, pairs.col, lightness.ravel()
    weights = np.exp(-((values[one] - values[other]) ** 2) / (2 * spread_[one])) + 1e-6
    sums = np.bincount(one, weights, lightness.size)
    return csr_array((weights / sums[one], (one, other)), (lightness.size,) * 2)


def mean_colours(ab: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Read true colours at places (n, 2), each the mean of a small square: (n, 2) in ab/110."""
    smooth = uniform_filter(ab, (1, PATCH, PATCH), mode="nearest")
    return smooth[:, places[:, 0], places[:, 1]].T


def random_points(ab: np.ndarray, count: int, seed: Sequence[int] | int) -> Points:
    """Draw points of a painting whose colours (2, S, S) are known, evenly over it, all sure."""
    places = np.random.default_rng(seed).integers(0, ab.shape[-1], (count, 2))
    return Points(places, mean_colours(ab, places), np.ones(count), ["painting"] * count)
