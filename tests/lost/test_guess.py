"""Sets of colours keep their promise on paintings whose error is known to differ."""

import numpy as np
import pytest

from colorkit.base.errors import KitError
from colorkit.lost.evidence import Errors
from colorkit.lost.guess import calibrate, surest_first


def paintings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Invent paintings: some are guessed well, some badly, and the dark better than the light."""
    random = np.random.default_rng(seed)
    L = random.uniform(-1, 1, (count, 16, 16))
    hard = random.lognormal(0, 0.6, (count, 1, 1, 1))
    error = random.normal(0, 0.08, (count, 2, 16, 16)) * hard * (1.5 + L)[:, None]
    return L, error


@pytest.fixture(scope="module")
def errors() -> Errors:
    return Errors(*paintings(300, 1))


def test_bits_of_a_uniform_error_are_the_logarithm_of_its_bins():
    random = np.random.default_rng(0)
    L = random.uniform(-1, 1, (60, 32, 32))
    bins = random.integers(0, 4, (2, 60, 32, 32)) * 10 / 110
    error = np.stack((bins[0], bins[1]), axis=1)  # 4 x 4 of them
    assert Errors(L, error).bits(L, error).mean() == pytest.approx(4, abs=0.02)
    assert Errors(L, 0 * error).bits(L, 0 * error).mean() < 0.01


def test_ninety_per_cent_of_new_paintings_are_covered(errors):
    """Over many calibrations, as the promise is made; one over pixels breaks it."""
    kept, broken = [], []
    for seed in range(40):
        known, new = paintings(60, 100 + seed), paintings(100, 900 + seed)
        kept.append((calibrate(errors, *known).coverage(*new) >= 0.9).mean())
        naive = calibrate(errors, *known, per_painting=False)
        broken.append((naive.coverage(*new) >= 0.9).mean())
    assert 0.88 < np.mean(kept) < 0.95
    assert np.mean(broken) < 0.75


def test_sets_are_small_where_the_guess_is_good(errors):
    L, error = paintings(100, 7)
    size = calibrate(errors, L, error).size(L)
    assert size[L < -0.5].mean() < size[L > 0.5].mean() / 2


def test_colouring_only_the_surest_errs_less(errors):
    L, error = paintings(100, 8)
    curve = surest_first(calibrate(errors, L, error).size(L), error)
    assert curve[-1] == pytest.approx([1, (error**2).mean()])
    assert curve[9, 1] < 0.6 * curve[-1, 1]


def test_too_few_paintings_promise_nothing(errors):
    with pytest.raises(KitError, match="8 paintings .* at least 9"):
        calibrate(errors, *paintings(8, 0))
