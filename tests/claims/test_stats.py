"""Known answers: simulated studies whose truth is known, and SciPy's own numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from colorkit.base.errors import KitError
from colorkit.claims import stats
from colorkit.claims.stats import Estimate

STUDIES = 1000
# Standard deviations of splits, seeds, split x seed and paintings, as in the published runs: of the
# U-Net less scratch (log errors), and worlds where one of them is the largest.
WORLDS = {
    "as published": (0.05, 0.127, 0.097, 0.06),
    "splits": (0.3, 0.05, 0.05, 0.05),
    "seeds": (0.02, 0.3, 0.1, 0.05),
    "runs": (0.02, 0.02, 0.4, 0.05),
}


def study(
    random: np.random.Generator, world: str, crossed: bool, shared: float = 0.0, truth: float = 0.0
) -> list[np.ndarray]:
    """Simulate runs' paired differences: 5 splits of 2 seeds (crossed: the same two everywhere).

    shared: how much of the splits' variance they have in common, as folds may; half a fold's
    training paintings are another's.
    """
    split, seed, run, painting = WORLDS[world]
    own = split * np.sqrt(1 - shared) * random.standard_normal((5, 1))
    own += split * np.sqrt(shared) * random.standard_normal()
    own += painting * random.standard_normal((5, 1))
    luck = seed * random.standard_normal((1 if crossed else 5, 2))
    return list(truth + own + luck + run * random.standard_normal((5, 2)))


@pytest.mark.parametrize(
    ("crossed", "shared"),
    [(True, 0.0), (False, 0.0), (False, 0.2)],
    ids=["crossed seeds", "own seeds", "folds that share what they trained on"],
)
@pytest.mark.parametrize("world", WORLDS)
def test_false_alarms_are_at_most_seven_in_a_hundred(world, crossed, shared):
    random = np.random.default_rng(1)
    studies = [study(random, world, crossed, shared) for _ in range(STUDIES)]
    p_values = [stats.over_splits(values, 0.22, crossed).p_zero() for values in studies]
    assert np.mean(np.array(p_values) < 0.05) <= 0.07


def test_power_is_what_it_is_said_to_be():
    random = np.random.default_rng(3)
    known = [stats.over_splits(study(random, "runs", False)).error for _ in range(500)]
    size = Estimate(0.0, float(np.sqrt(np.mean(np.square(known)))), 4).detectable()
    found = [stats.over_splits(study(random, "runs", False, truth=size)) for _ in range(STUDIES)]
    assert np.mean([e.p_zero() < 0.05 for e in found]) == pytest.approx(0.8, abs=0.06)
    by_hand = Estimate(0.0, 0.0027 / 52**0.5).detectable()
    assert by_hand == pytest.approx(0.00105, abs=1e-5)


@pytest.mark.parametrize("border", [0.0, 0.1, 0.3, 1.0])
def test_beyond_a_margin_is_exact_at_its_border(border):
    """As often as alpha says, however wide the error is against the margin."""
    random, error = np.random.default_rng(4), 1.0
    found = [Estimate(random.normal(border, error), error).p_beyond(border) for _ in range(6000)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.01)


def test_equivalence_by_hand():
    e = Estimate(0.02, 0.02, 7)
    expected = scipy_stats.t.sf((0.1 - 0.02) / 0.02, 7)
    assert e.p_within(0.1) == pytest.approx(expected)
    low, high = e.interval(0.9)
    assert e.p_within(high) == pytest.approx(0.05)
    assert low == pytest.approx(0.04 - high)


def test_as_scipy_says():
    values = study(np.random.default_rng(7), "runs", False)
    means = [split.mean() for split in values]
    e, expected = stats.over_splits(values), scipy_stats.ttest_1samp(means, 0)
    assert e.p_zero() == pytest.approx(expected.pvalue)
    assert e.interval(0.9) == pytest.approx(expected.confidence_interval(0.9))


def test_the_error_of_a_ratio_is_what_drawing_paintings_gives():
    random = np.random.default_rng(8)
    hard = random.lognormal(0, 0.7, 4000)
    a, b = hard * random.lognormal(0, 0.3, 4000), hard * random.lognormal(0, 0.3, 4000)
    drawn = [np.log(a[i].mean() / b[i].mean()) for i in random.integers(0, 4000, (3000, 50))]
    said = [stats.log_ratio_error(a[i], b[i]) for i in random.integers(0, 4000, (200, 50))]
    assert np.mean(said) == pytest.approx(np.std(drawn), rel=0.15)


@pytest.mark.parametrize("world", WORLDS)
def test_a_new_run_lies_in_the_prediction_interval(world):
    random, hits = np.random.default_rng(4), []
    for _ in range(STUDIES):
        runs = study(random, world, False)
        _, low, high = stats.prediction_interval(np.array(runs), 0.95)
        hits.append(low <= np.exp(study(random, world, False)[0][0]) <= high)
    assert 0.92 <= np.mean(hits) <= 0.985


def test_dealing_at_random_gives_the_papers_ratio_in_no_deal():
    errors = np.random.default_rng(5).lognormal(0, 0.75, 300)
    p, low, high = stats.deal_at_random(errors, (104, 52), 2.15)
    assert p < 1e-3
    assert 0.55 < low < 0.8 < 1.25 < high < 1.75
    assert stats.deal_at_random(errors, (104, 52), 1.0)[0] == pytest.approx(0.5, abs=0.05)
    few = stats.deal_at_random(errors[:60], (104, 52), 2.15)
    assert few[0] < 0.01


def test_bca_over_paintings_holds_the_truth():
    random, hits = np.random.default_rng(3), 0
    for _ in range(400):
        low, high = stats.over_paintings(random.exponential(1, 100), 0.95, draws=1000)
        hits += low <= 1 <= high
    assert 0.92 <= hits / 400 <= 0.97  # BCa's own error is of order 1/n


def test_raters_and_paintings_are_drawn_together():
    votes = pd.DataFrame(
        {"rater": np.repeat(np.arange(10), 20), "path": np.tile(np.arange(20), 10)}
    )
    drawn = stats.cluster_bootstrap(votes.assign(fooled=votes["path"] == 3))
    assert drawn.mean() == pytest.approx(0.05, abs=0.01)
    assert drawn.std() > 0.04  # as a rate of one in twenty paintings, not of 200 votes


def test_one_failed_run_does_not_move_the_middle():
    for runs in ([1.0, 1.0, 1.0, 90.0], [1.0, 1.0, 90.0]):
        assert stats.middle(np.array([runs])) == [1]


def test_holm_by_hand():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]


def test_failures_as_fisher_says():
    none, one, seven = (np.arange(20) < failed for failed in (0, 1, 7))
    assert stats.more_failures(seven, none) == pytest.approx(0.0083, abs=5e-4)
    assert stats.more_failures(one, none) == 1


def test_no_interval_from_next_to_nothing():
    with pytest.raises(KitError, match="1 split: an interval needs at least 2"):
        stats.over_splits([np.ones(3)])
    with pytest.raises(KitError, match="4 test paintings in a split"):
        stats.check_paintings([np.ones((1, 4))] * 2)


def test_a_model_against_itself_is_no_different_and_nothing_is_divided_by_zero():
    with np.errstate(all="raise"):
        e = stats.over_splits([np.zeros(2)] * 5, 0.2, crossed=True)
        assert (e.p_zero(), e.p_beyond(0.1)) == (1, 1)
        assert e.p_within(0.1) < 1e-9
