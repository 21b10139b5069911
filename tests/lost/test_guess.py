"""Sets of colours keep their promise on paintings whose error is known to differ."""

import json

import numpy as np
import pytest
import torch
from colorizers import model_of
from conftest import paint

from colorkit.base.errors import KitError
from colorkit.lost import plots
from colorkit.lost.evidence import Errors
from colorkit.lost.guess import calibrate, calibrate_model, count_boxed, surest_first
from colorkit.lost.ladder import Paintings
from colorkit.pictures.guessed import KEPT
from colorkit.sources import DEFAULT_QUARTET


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
    with pytest.raises(KitError, match="8 paintings .* at least 9 .* as many to count .*; add"):
        calibrate(errors, *paintings(8, 0))


def test_a_models_sets_keep_their_promise_on_the_paintings_they_were_calibrated_with(gallery):
    paintings = Paintings.of(str(gallery), 32)
    sets = calibrate_model(model_of(torch.zeros(2, 32, 32)), paintings)
    covered = sets.coverage(paintings.L, paintings.ab)  # the model says grey: ab is its error
    assert (covered >= 0.9).mean() > 0.8


@pytest.mark.slow
def test_the_numbers_in_the_box_are_those_of_its_models():
    """After `colorkit make --publish`: python -m colorkit.lost.guess."""
    kept = json.loads(KEPT.read_text())
    for name, counts in count_boxed().items():
        assert kept[name] == pytest.approx(counts, abs=1)  # a bin at the edge, on other machines


def test_a_catalogues_painters_are_all_asked(gallery):
    """And not four of them, of whom the experiments are made."""
    for number, name in enumerate(DEFAULT_QUARTET):
        for n in range(3):
            paint(gallery / name / f"{n}.jpg", seed=1000 + 10 * number + n)
    (gallery / "artists.csv").write_text("name,paintings\nAda Blue,8\n")
    assert len(Paintings.of(str(gallery), 32).L) == 36


def test_figures_say_what_they_show(errors):
    known, new = paintings(60, 3), paintings(60, 4)
    over = [calibrate(errors, *known, per_painting=how).coverage(*new) for how in (False, True)]
    kept = [f"{(shares >= 0.9).mean():.0%}" for shares in over]
    said = f"over pixels {kept[0]}, over paintings {kept[1]}"
    assert said in plots.coverages(*over, 0.9)[1]
    curve = np.array([[0.5, 0.002], [1.0, 0.004]])
    told = plots.surest(curve, 2 * curve)[1]
    assert "the surest half has 50% of the whole's" in told
    assert "left grey 0.0040 to 0.0080" in told
    seen = np.array([[10.0, 20.0], [30.0, 40.0]])
    said = plots.tones(seen, seen + 5, seen, {"red": (10.0, 15.0)})[1]
    assert "5.0 units of L* away. Marked: red, 10 for 15." in said
