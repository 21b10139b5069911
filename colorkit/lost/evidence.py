"""How far guesses err, as a distribution: bits a pixel, and sets that hold the true colour.

An error is ab minus the guess, in bins of 10 Lab units; how often each occurs is counted for each
of 20 lightnesses. For an L table's guesses this is the distribution of colours given lightness.
"""

import numpy as np

from ..color import AB_SCALE

BIN = 10.0  # Lab units
BINS_REACH = 12  # bins to either side of 0; what errs more counts as the outermost
LIGHTNESSES = 20
BINS = 2 * BINS_REACH + 1
BELIEF = 200.0  # pixels: how many the whole's distribution counts for in each lightness's


class Errors:
    """The errors of some way to guess, counted on paintings that it was not fitted on.

    L: (n, S, S) in [-1, 1]; error: (n, 2, S, S) in ab/110, truth minus guess. Each painting of a
    pool counts alike. `p`: (LIGHTNESSES, BINS * BINS), the distributions.
    """

    def __init__(self, L: np.ndarray, error: np.ndarray):
        cells = BINS * BINS
        joint = lightness_bin(L) * cells + error_bin(error)
        counts = np.bincount(joint.ravel(), minlength=LIGHTNESSES * cells)
        counts = counts.reshape(LIGHTNESSES, cells).astype(float)
        whole = counts.sum(0) + 1e-3  # nothing is impossible
        whole /= whole.sum()
        mixed = counts + BELIEF * whole
        self.p = mixed / mixed.sum(1, keepdims=True)

    def bits(self, L: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Say how many bits the true bins take, given the guess: (n,), a mean for each painting."""
        told = -np.log2(self.p[lightness_bin(L), error_bin(error)])
        return told.mean((1, 2))

    def rank(self) -> np.ndarray:
        """Say how much mass lies in bins at least as likely as each, itself included: as `p`.

        A set of level t holds the bins with a rank of at most t, and the likeliest anyway.
        """
        order = np.argsort(-self.p, axis=1, kind="stable")
        mass = np.take_along_axis(self.p, order, axis=1).cumsum(1)
        ranks = np.empty_like(mass)
        np.put_along_axis(ranks, order, mass, axis=1)
        return ranks


def lightness_bin(L: np.ndarray) -> np.ndarray:
    """Number the lightness of L in [-1, 1], from 0 to LIGHTNESSES - 1."""
    return ((L + 1) / 2 * LIGHTNESSES).astype(int).clip(0, LIGHTNESSES - 1)


def error_bin(error: np.ndarray) -> np.ndarray:
    """Number the bin of errors (n, 2, ...) in ab/110, from 0 to BINS * BINS - 1: (n, ...)."""
    steps = np.rint(error * (AB_SCALE / BIN)).astype(int).clip(-BINS_REACH, BINS_REACH) + BINS_REACH
    return steps[:, 0] * BINS + steps[:, 1]
