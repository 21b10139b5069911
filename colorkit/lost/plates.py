"""Two photographs of one painting on different emulsions: their difference is colour.

The second plate is laid onto the first (SIFT, RANSAC), exposure and contrast are undone where they
are not known, and a table says which colour has such a pair of greys. And from a few known
colours: on which emulsion was it taken?
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from skimage.feature import SIFT, match_descriptors
from skimage.measure import ransac
from skimage.transform import AffineTransform, warp

from ..base.errors import KitError
from ..color import to_linear, to_srgb
from ..film import CONTRAST, EXPOSURE, plate_weights

STEPS = 24  # of each plate's grey in the table: 576 cells
SMOOTHED = 1.5  # px: the table sees plates through a Gaussian this wide, which grain hardly passes
TONES = np.array([EXPOSURE, CONTRAST] * 2)  # prior of each plate's stops and log slope
WORTH = 10.0  # independent pixels that a picture's tones count for: neighbours repeat each other
MATCHES = 12  # places that must agree before two plates show one painting
OFFSET, SLOPE = 1.0, 0.3  # prior standard deviations: density, slope (around 1)
DARKEST = 2.0  # density; what is blacker on a print tells nothing
PRINTED = np.linspace(0, 1, 256)  # a print's greys, sRGB
FLOOR = 1e-3  # least light that a density is taken of


@dataclass(frozen=True)
class Aligned:
    """A plate laid onto another: grey (H, W) in [0, 1], NaN where it does not reach.

    matches: places that agree within 2 px, the score by which pairs are refused. negative: it was
    a negative beside the other, and was inverted.
    """

    grey: np.ndarray
    matches: int
    negative: bool


def align(moving: np.ndarray, fixed: np.ndarray) -> Aligned:
    """Lay a plate (h, w) onto another (H, W), both grey in [0, 1]; shift, turn, scale, shear.

    Where `moving` is a negative and `fixed` a positive, or the other way round, it is inverted; two
    negatives of one kind cannot be told from two positives. Sides of 200 to 1,000 px are best.
    Raises KitError, with its score, if they do not seem to show one painting.
    """
    found = [
        (*_transform(plate, fixed), negative)
        for plate, negative in ((moving, False), (1 - moving, True))
    ]
    model, matches, negative = max(found, key=lambda one: one[1])
    if matches < MATCHES:
        rule = f"{matches} places agree, {MATCHES} must"
        raise KitError(f"the plates do not seem to show one painting: {rule}; crop both to it")
    plate = 1 - moving if negative else moving
    grey = warp(plate, model.inverse, output_shape=fixed.shape, order=3, cval=np.nan)
    return Aligned(grey.clip(0, 1), matches, negative)


def _transform(moving: np.ndarray, fixed: np.ndarray) -> tuple[AffineTransform | None, int]:
    try:
        places, words = zip(*map(_landmarks, (moving, fixed)), strict=True)
    except RuntimeError:  # scikit-image: a picture without a landmark
        return None, 0
    pairs = match_descriptors(*words, max_ratio=0.85, cross_check=True)
    if len(pairs) < 4:
        return None, 0
    one, other = (p[pairs[:, side], ::-1] for side, p in enumerate(places))
    how = {"min_samples": 3, "residual_threshold": 2, "max_trials": 1000, "rng": 0}
    model, inliers = ransac((one, other), AffineTransform, **how)
    if inliers is None or not 0.25 < abs(np.linalg.det(model.params[:2, :2])) < 4:
        return None, 0
    return model, int(inliers.sum())


def _landmarks(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sift = SIFT()
    sift.detect_and_extract(grey)
    return sift.keypoints, sift.descriptors


class PlateTable:
    """The mean L and ab of pixels with such a pair of greys; 576 cells, read in between too.

    first, second: (n, S, S), sRGB greys in [0, 1]; L: (n, S, S) in [-1, 1]; ab: (n, 2, S, S) in
    ab/110, of the paintings that it is fitted on.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray, L: np.ndarray, ab: np.ndarray):
        place = np.rint(self._place(first, second)).astype(int)
        cell = (place[0] * STEPS + place[1]).ravel()
        lab = (L, ab[:, 0], ab[:, 1])
        told = [np.bincount(cell, w.ravel(), STEPS**2) for w in (np.ones_like(L), *lab)]
        sums = np.array(told).reshape(4, STEPS, STEPS)
        self.log_p = np.log(gaussian_filter(sums[0] / sums[0].sum(), 0.5) + 1e-7)
        for width in (1, 4, STEPS):  # a cell that never occurred gets its neighbours' mean
            sums += 1e-3 * gaussian_filter(sums, width, axes=(1, 2))
        self.table = sums[1:] / sums[0]

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the colours of plates (n, S, S): L (n, S, S) and ab (n, 2, S, S)."""
        place = self._place(first, second)
        lab = [map_coordinates(part, place, order=1, mode="nearest") for part in self.table]
        return lab[0], np.stack(lab[1:], axis=1)

    def even(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo the unknown exposure and contrast of plates (n, S, S): the likeliest of each plate.

        Likely is what makes the pairs of greys such as occurred in the paintings fitted on.
        """
        pairs = [self._even(*pair) for pair in zip(first, second, strict=True)]
        evened = np.stack(pairs, axis=1)
        return evened[0], evened[1]

    def _even(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = [gaussian_filter(plate, SMOOTHED)[::3, ::3].ravel() for plate in (first, second)]

        def unlikely(tones: np.ndarray) -> float:
            evened, logs = [], 0.0
            for plate, (stops, slope) in zip(seen, tones.reshape(2, 2), strict=True):
                curve = _undone(stops, slope)
                evened.append(np.interp(plate, PRINTED, curve))
                steep = np.interp(plate, PRINTED, np.gradient(curve, PRINTED)).clip(0.05)
                logs += np.log(steep).mean()
            place = np.stack(evened) * (STEPS - 1)
            logs += map_coordinates(self.log_p, place, order=1, mode="nearest").mean()
            return ((tones / TONES) ** 2).sum() / 2 - WORTH * logs

        how = {"maxiter": 4, "xtol": 0.01, "ftol": 0.001}
        tones = minimize(unlikely, np.zeros(4), method="Powell", options=how).x
        curves = [_undone(*pair) for pair in tones.reshape(2, 2)]
        return np.interp(first, PRINTED, curves[0]), np.interp(second, PRINTED, curves[1])

    def _place(self, *plates: np.ndarray) -> np.ndarray:
        calm = [gaussian_filter(plate, SMOOTHED, axes=(1, 2)) for plate in plates]
        return np.stack(calm).clip(0, 1) * (STEPS - 1)


def _undone(stops: float, slope: float) -> np.ndarray:
    """Return the curve, at PRINTED, that undoes `film.photograph` with stops and log gamma."""
    light = to_linear(torch.from_numpy(PRINTED)) ** np.exp(-slope) / 2**stops
    return to_srgb(light).numpy()


def which_emulsion(
    colours: np.ndarray, greys: np.ndarray, plates: Sequence[str], noise: float = 0.03
) -> dict[str, float]:
    """Say how likely each plate is to have given these greys of known colours: {plate: p}.

    colours: (n, 3), sRGB in [0, 1]; greys: (n,), sRGB in (0, 1], a positive's. noise: standard
    deviation of a grey's density. Exposure and contrast may be anything likely; the plates are
    equally likely beforehand, and none other is thought of. White and black greys do not count.
    KitError for fewer than 3 colours.
    """
    if len(colours) < 3:
        raise KitError(f"{len(colours)} known colours: an emulsion needs at least 3")
    seen = _density(to_linear(torch.as_tensor(greys)).numpy())
    told = (seen > 0) & (seen < DARKEST)
    if not told.any():
        raise KitError("every grey is white or black, which tells nothing; choose other places")
    seen, linear = seen[told], to_linear(torch.as_tensor(colours))[told].numpy()
    logs = []
    for plate in plates:
        density = _density(linear @ plate_weights(plate).numpy())
        spread = OFFSET**2 + SLOPE**2 * np.outer(density, density)
        spread += noise**2 * np.eye(len(density))
        logs.append(multivariate_normal.logpdf(seen - density, cov=spread))
    likely = np.exp(np.array(logs) - max(logs))
    return dict(zip(plates, (likely / likely.sum()).tolist(), strict=True))


def _density(light: np.ndarray) -> np.ndarray:
    return -np.log10(np.maximum(light, FLOOR))
