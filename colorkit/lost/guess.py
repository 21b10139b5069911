"""Which colours are guesses: sets of colours that hold the truth, calibrated for each painting.

A set that covers 90 % of all pixels may miss most of one painting. Here the unit is the painting:
90 % of the pixels are covered in at least 90 % of paintings that were not seen (split conformal
prediction, Vovk; applied to whole pictures by Kutiel et al. 2022). It holds for paintings drawn
like those it was calibrated on, and for nothing else.
"""

import json
from dataclasses import dataclass

import numpy as np

from ..base.errors import KitError
from ..base.files import write_atomic
from ..pictures.guessed import KEPT
from ..pictures.pretrained import BOX, Colorizer, load_pretrained
from .evidence import Errors, error_bin, lightness_bin
from .ladder import RUNG_SIDE, Paintings, network_ab

PIXELS = 0.9  # of a painting, covered
PAINTINGS_KEPT = 0.9  # of new paintings, in which that holds


@dataclass(frozen=True)
class Sets:
    """Sets of colours around a guess, in bins of 10 x 10 Lab units; see `calibrate`.

    inside: (LIGHTNESSES, BINS * BINS), whether a bin is in the set at a lightness.
    """

    inside: np.ndarray

    def size(self, L: np.ndarray) -> np.ndarray:
        """Map how much is a guess: the number of bins in each pixel's set, as L."""
        return self.counts[lightness_bin(L)]

    @property
    def counts(self) -> np.ndarray:
        """The number of bins in the set at each lightness: (LIGHTNESSES,)."""
        return self.inside.sum(1)

    def coverage(self, L: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Say for each painting which share of its pixels' true colours is in their sets: (n,)."""
        return self.inside[lightness_bin(L), error_bin(error)].mean((1, 2))


def calibrate(errors: Errors, L: np.ndarray, error: np.ndarray, per_painting: bool = True) -> Sets:
    """Choose the level of the sets on paintings that nothing was fitted on.

    L: (n, S, S) in [-1, 1]; error: (n, 2, S, S) in ab/110, truth minus guess. per_painting: off
    shows what calibrating over pixels gives. KitError for too few paintings to promise anything.
    """
    needed = int(np.ceil(PAINTINGS_KEPT / (1 - PAINTINGS_KEPT) - 1e-9))
    if len(L) < needed:
        rule = f"at least {needed} are needed, beside as many to count errors on"
        raise KitError(f"{len(L)} paintings to calibrate with: {rule}; add paintings")
    ranks = errors.rank()
    scores = ranks[lightness_bin(L), error_bin(error)].reshape(len(L), -1)
    if per_painting:
        levels = np.sort(np.quantile(scores, PIXELS, axis=1, method="higher"))
        level = levels[int(np.ceil(PAINTINGS_KEPT * (len(L) + 1) - 1e-9)) - 1]
    else:
        level = np.quantile(scores, PIXELS)
    return Sets((ranks <= level) | (ranks == ranks.min(1, keepdims=True)))


def calibrate_model(model: Colorizer, paintings: Paintings) -> Sets:
    """Calibrate a model's sets on paintings that it was not trained on.

    One half, drawn at random, counts the errors, the other chooses the level. KitError as above.
    """
    L, error = paintings.L, paintings.ab - network_ab(model, paintings.L)
    known, watched = np.array_split(np.random.default_rng(0).permutation(len(L)), 2)
    return calibrate(Errors(L[known], error[known]), L[watched], error[watched])


def count_boxed() -> dict[str, list[int]]:
    """Count the colours that the models in the box leave open, from the sample: {name: counts}."""
    paintings = Paintings.of("sample", RUNG_SIDE)
    models = {name: load_pretrained(name) for name in BOX}
    return {name: calibrate_model(m, paintings).counts.tolist() for name, m in models.items()}


def surest_first(size: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Say how far colours err if only the surest pixels are coloured.

    size: of `Sets.size`, (n, S, S); error: (n, 2, S, S) in ab/110. Returns (20, 2): the share
    coloured, and mse_ab over it. Pixels of one size come in an order that has no meaning.
    """
    order = np.random.default_rng(0).permutation(size.size)
    order = order[np.argsort(size.ravel()[order], kind="stable")]
    squares = (error**2).mean(1).ravel()[order].cumsum()
    counts = np.ceil(np.arange(1, 21) / 20 * size.size).astype(int)
    return np.column_stack((counts / size.size, squares[counts - 1] / counts))


if __name__ == "__main__":  # after `colorkit make --publish`
    write_atomic(KEPT, json.dumps(count_boxed()) + "\n")
