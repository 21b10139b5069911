"""Known answers: simulated studies whose truth is known, and SciPy's own numbers."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from colorkit import stats
from colorkit.errors import KitError

STUDIES = 400
# Of splits, seeds, paintings, and what is left: which of them varies most.
WORLDS = {
    "paintings": (0.0, 0.0, 1.0, 0.3),
    "all": (0.05, 0.1, 1.0, 0.5),
    "seeds": (0.0, 0.3, 1.0, 0.5),
    "splits": (0.3, 0.1, 1.0, 0.3),
}


def study(
    random: np.random.Generator, world: str, truth: float = 0.0, shared: float = 0.0
) -> list[np.ndarray]:
    """Simulate paired differences: 5 splits, 2 seeds, 50 paintings (skewed, as errors are).

    shared: how much of the splits' variance they have in common, as folds may.
    """
    split, seed, painting, rest = WORLDS[world]
    truth += np.sqrt(shared) * split * random.standard_normal() if shared else 0.0
    split *= np.sqrt(1 - shared)
    return [
        truth
        + split * random.standard_normal()
        + seed * random.standard_normal((2, 1))
        + painting * (random.exponential(1, 50) - 1)
        + rest * random.standard_normal((2, 50))
        for _ in range(5)
    ]


def within_error(hits: int, rate: float, studies: int = STUDIES) -> bool:
    """Tell whether a count is what the rate gives, within its Monte-Carlo error (99.9 %)."""
    return scipy_stats.binomtest(hits, studies, rate).pvalue > 0.001


@pytest.mark.parametrize("world", WORLDS)
def test_the_deciding_interval_holds_the_truth_in_95_of_100_studies(world):
    random, hits = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        _, low, high, _ = stats.over_splits(study(random, world, truth=0.7))
        hits += low <= 0.7 <= high
    assert within_error(hits, 0.95), hits / STUDIES


def test_the_hierarchical_bootstrap_is_too_wide_or_too_narrow_as_documented():
    random, rates = np.random.default_rng(2), {}
    for world in ("paintings", "splits"):
        hits = 0
        for _ in range(STUDIES):
            drawn = stats.hierarchical_bootstrap(study(random, world), draws=500)
            low, high = np.quantile(drawn, [0.025, 0.975])
            hits += low <= 0 <= high
        rates[world] = hits / STUDIES
    assert rates["paintings"] > 0.97
    assert 0.86 < rates["splits"] < 0.95


def test_bca_over_paintings_holds_the_truth():
    random, hits = np.random.default_rng(3), 0
    for _ in range(STUDIES):
        low, high = stats.over_paintings(random.exponential(1, 100), 0.95, draws=1000)
        hits += low <= 1 <= high
    assert 0.92 <= hits / STUDIES <= 0.97  # BCa's own error is of order 1/n


@pytest.mark.parametrize("world", WORLDS)
def test_a_new_run_lies_in_the_prediction_interval(world):
    random, hits = np.random.default_rng(4), 0
    for _ in range(STUDIES):
        runs = [split.mean(axis=1) for split in study(random, world)]
        _, low, high = stats.prediction_interval(runs)
        hits += low <= study(random, world)[0][0].mean() <= high
    assert within_error(hits, 0.95), hits / STUDIES


def test_where_there_is_no_effect_none_is_found_at_the_nominal_rate():
    random, single, families = np.random.default_rng(5), 0, 0
    for _ in range(STUDIES):
        p = [stats.over_splits(study(random, "all"))[3] for _ in range(3)]
        single += p[0] < 0.05
        families += min(stats.holm(p)) < 0.05
    assert within_error(single, 0.05)
    assert within_error(families, 0.05)


def test_a_real_effect_is_found_and_has_the_right_sign():
    random = np.random.default_rng(6)
    a, b = study(random, "all", truth=-1.0), study(random, "all")
    found = stats.compare(a, b, draws=2000)
    assert found.high < 0
    assert found.p < 0.05
    assert found.wilcoxon < 0.001
    assert found.better > 0.6
    assert (found.splits, found.seeds, found.n) == (5, 2, 250)
    assert found.bootstrap[0] < found.estimate < found.bootstrap[1] < 0
    assert found.paintings[0] < found.estimate < found.paintings[1] < 0


def test_as_scipy_says():
    differences = study(np.random.default_rng(7), "all")
    means = [split.mean() for split in differences]
    estimate, low, high, p = stats.over_splits(differences, 0.9)
    expected = scipy_stats.ttest_1samp(means, 0)
    assert p == pytest.approx(expected.pvalue)
    assert (low, high) == pytest.approx(expected.confidence_interval(0.9))
    assert estimate == pytest.approx(np.mean(means))
    zero = [np.zeros_like(split) for split in differences]
    each = np.concatenate([split.mean(axis=0) for split in differences])
    found = stats.compare(differences, zero, draws=500)
    assert found.wilcoxon == pytest.approx(scipy_stats.wilcoxon(each).pvalue)
    assert found.estimate == pytest.approx(estimate)


def test_the_bootstrap_has_the_mean_and_the_variance_of_drawing_by_hand():
    values = study(np.random.default_rng(8), "all")
    drawn = stats.hierarchical_bootstrap(values, draws=4000)
    random, by_hand = np.random.default_rng(9), []
    for _ in range(4000):
        total = 0.0
        for number in random.integers(0, 5, 5):
            seeds = random.integers(0, 2, 2)
            paintings = random.integers(0, 50, 50)
            total += values[number][np.ix_(seeds, paintings)].mean()
        by_hand.append(total / 5)
    assert drawn.mean() == pytest.approx(np.mean(by_hand), abs=0.01)
    assert drawn.std() == pytest.approx(np.std(by_hand), rel=0.06)


def test_holm_by_hand():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]


def test_improvement_counts_ties_as_halves():
    a = [np.array([[1.0, 2.0, 3.0, 4.0]])]
    b = [np.array([[2.0, 2.0, 2.0, 2.0]])]
    assert stats.probability_of_improvement(a, b) == (1 + 0.5) / 4
    assert stats.probability_of_improvement(b, a) == 1 - (1 + 0.5) / 4


def test_the_detectable_difference_is_detected_in_four_of_five_studies():
    assert stats.detectable(0.0027, 52) == pytest.approx(0.00105, abs=1e-5)  # by hand
    assert stats.paintings_needed(0.0027, 0.0003) == 636
    random, size, hits = np.random.default_rng(10), stats.detectable(1, 60), 0
    for _ in range(STUDIES):
        hits += scipy_stats.ttest_1samp(random.normal(size, 1, 60), 0).pvalue < 0.05
    assert within_error(hits, 0.79)


@pytest.mark.parametrize("world", WORLDS)
def test_the_deciding_test_finds_its_detectable_difference_in_four_of_five_studies(world):
    random = np.random.default_rng(12)
    means = [split.mean() for _ in range(200) for split in study(random, world)]
    # For the spread of many splits, as if it were known: five of them with just that spread.
    five = np.array([-2, -1, 0, 1, 2]) / np.sqrt(2.5) * np.std(means)
    size = stats.detectable_by_splits(five)
    hits = sum(
        stats.over_splits(study(random, world, truth=size))[3] < 0.05 for _ in range(STUDIES)
    )
    assert within_error(hits, 0.8), hits / STUDIES


def test_folds_that_share_their_own_effect_are_trusted_too_much_as_documented():
    random, hits = np.random.default_rng(13), 0
    for _ in range(STUDIES):
        folds = study(random, "splits", shared=0.5)
        _, low, high, _ = stats.over_splits(folds)
        hits += low <= 0 <= high
    assert 0.65 < hits / STUDIES < 0.85


def test_beyond_a_tolerance_by_hand():
    random = np.random.default_rng(14)
    a, b = study(random, "all", truth=-1.0), study(random, "all")
    found = stats.compare(a, b, draws=500)
    means = [(x - y).mean() for x, y in zip(a, b, strict=True)]
    expected = scipy_stats.ttest_1samp(means, -0.2, alternative="less").pvalue
    assert stats.p_beyond(found, 0.2) == pytest.approx(expected)
    assert stats.p_beyond(found, 0) == pytest.approx(found.p / 2)


def test_no_interval_from_next_to_nothing():
    one = [np.ones((3, 20))]
    with pytest.raises(KitError, match="1 split: an interval needs at least 2"):
        stats.over_splits(one)
    with pytest.raises(KitError, match="4 test paintings in a split"):
        stats.compare([np.ones((1, 4))] * 2, [np.ones((1, 4))] * 2)


def test_a_model_against_itself_is_no_different_and_nothing_is_divided_by_zero():
    same = study(np.random.default_rng(11), "all")
    with np.errstate(all="raise"):
        found = stats.compare(same, same, draws=500)
    assert (found.estimate, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (found.wilcoxon, found.detectable) == (1, 0)
