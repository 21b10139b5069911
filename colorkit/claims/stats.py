"""Is it more than noise? Estimates with their error, from runs, splits and paintings.

What is compared was tested on the same paintings, so differences are paired; errors and ratios
are compared on the log scale, because a run fails upwards. Every verdict comes from one object,
`Estimate`, whose error and degrees of freedom serve confirmation and refutation alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from ..base.errors import KitError

LEAST_PAINTINGS = 5
POWER = 0.8
DEALS = 10_000


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and the degrees of freedom that error was estimated with."""

    value: float
    error: float
    freedom: float = math.inf

    def interval(self, confidence: float) -> tuple[float, float]:
        """Return Student's interval."""
        reach = self._quantile((1 + confidence) / 2) * self.error
        return self.value - reach, self.value + reach

    def ratio(self, confidence: float) -> tuple[float, float, float]:
        """Return the ratio whose logarithm it is, and Student's interval of that."""
        return tuple(math.exp(n) for n in (self.value, *self.interval(confidence)))

    def p_zero(self) -> float:
        """Return the two-sided p of "the truth is 0"."""
        return self.p_beyond(0.0)

    def p_below(self, bound: float) -> float:
        """Return the p of "the truth is `bound` or more": small if it is surely below."""
        return self._tail((bound - self.value) / self._error)

    def p_within(self, margin: float) -> float:
        """Return the p of "the truth is `margin` or more from 0" (two one-sided tests)."""
        return max(self.p_below(margin), replace(self, value=-self.value).p_below(margin))

    def p_beyond(self, margin: float) -> float:
        """Return the p of "the truth is at most `margin` from 0", exact at that border."""
        distance = abs(self.value)
        near, far = (distance - margin) / self._error, (distance + margin) / self._error
        return min(1.0, self._tail(near) + self._tail(far))

    def detectable(self, alpha: float = 0.05) -> float:
        """Return the true distance from 0 that four of five such studies would find, nearly."""
        return (self._quantile(1 - alpha / 2) + self._quantile(POWER)) * self.error

    @property
    def _error(self) -> float:
        return max(self.error, 1e-12)  # two copies of one model do not differ at all

    def _quantile(self, p: float) -> float:
        return float(
            stats.norm.ppf(p) if math.isinf(self.freedom) else stats.t.ppf(p, self.freedom)
        )

    def _tail(self, t: float) -> float:
        return float(stats.norm.sf(t) if math.isinf(self.freedom) else stats.t.sf(t, self.freedom))


def over_splits(
    values: Sequence[np.ndarray], tested: float = 0.0, crossed: bool = False
) -> Estimate:
    """Average runs' values over splits of equal weight.

    values: for each split its runs' (seeds,). tested: the share of the paintings that a split
    tests; folds share training paintings, so their means are correlated by about that much
    (Nadeau & Bengio 2003; a watched painting counts here as trained on). crossed: every split has
    the same seeds, which then are a second source of chance that folds alone do not show; the
    wider of both intervals counts.
    Raises KitError for fewer than two splits.
    """
    if len(values) < 2:
        raise KitError(f"{len(values)} split: an interval needs at least 2")
    means, count = np.array([split.mean() for split in values]), len(values)
    factor = 1 / count + tested / (1 - tested)
    by_split = Estimate(float(means.mean()), math.sqrt(means.var(ddof=1) * factor), count - 1)
    by_seed = _over_both(np.stack(values), factor) if crossed and len(values[0]) > 1 else by_split
    return max(by_split, by_seed, key=lambda e: e.error * e._quantile(0.975))


def _over_both(values: np.ndarray, factor: float) -> Estimate:
    """Average (splits, seeds) that are crossed, both random; Satterthwaite's freedom (1946)."""
    splits, seeds = values.shape
    by_split, by_seed = values.mean(1), values.mean(0)
    rest = values - by_split[:, None] - by_seed + values.mean()
    parts = [by_split.var(ddof=1) * factor, by_seed.var(ddof=1) / seeds]
    parts.append(-(rest**2).sum() / ((splits - 1) * (seeds - 1)) / (splits * seeds))
    variance = max(sum(parts), parts[1])
    freedoms = splits - 1, seeds - 1, (splits - 1) * (seeds - 1)
    squares = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    freedom = max(1.0, variance**2 / squares) if squares else 1.0
    return Estimate(float(values.mean()), math.sqrt(variance), freedom)


def of_one_split(values: np.ndarray, paintings: float, runs: float) -> Estimate:
    """Average a single split's runs (seeds,), whose noise cannot be seen in them.

    paintings: standard error from the paintings (`log_ratio_error`); runs: standard deviation of
    one run's value, as the protocol stated it beforehand. It speaks of this split only.
    """
    return Estimate(float(values.mean()), math.hypot(paintings, runs / math.sqrt(len(values))))


def log_ratio_error(a: np.ndarray, b: np.ndarray) -> float:
    """Return the standard error of log(mean a / mean b) over the same paintings, (n,) each."""
    return standard_error(a / a.mean() - b / b.mean())


def standard_error(values: np.ndarray) -> float:
    """Return the standard error of a mean of values (n,)."""
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def prediction_interval(
    logs: np.ndarray, confidence: float, more: float = 0.0
) -> tuple[float, float, float]:
    """Say where one new run, with a new split and a new seed, is to be expected.

    logs: runs' log errors (splits, seeds). more: standard deviation of what a new
    run would have anew and these share, such as the painters. Returns the mean, low and high as
    errors: Student's interval with the variance between splits and within them (one-way random
    effects), and Satterthwaite's degrees of freedom (1946).
    """
    (count, seeds), means = logs.shape, logs.mean(1)
    between = means.var(ddof=1) * (1 + 1 / count)
    squares, within = between**2 / (count - 1), 0.0
    if seeds > 1:
        within = logs.var(axis=1, ddof=1).mean() * (1 - 1 / seeds)
        squares += within**2 / (count * (seeds - 1))
    total = between + within + more**2
    freedom = total**2 / squares if squares else math.inf
    return Estimate(float(means.mean()), math.sqrt(total), freedom).ratio(confidence)


def deal_at_random(
    errors: np.ndarray, sizes: tuple[int, int], ratio: float
) -> tuple[float, float, float]:
    """Deal paintings at random to two parts: how often is the second's mean so much larger?

    errors: of any fixed predictor, (n,). Returns the share of deals whose second mean is at
    least `ratio` times the first, and the ratios that 99 of 100 deals lie between. Where there
    are fewer paintings than the parts need they are drawn with replacement.
    """
    random, (first, second) = np.random.default_rng(0), sizes
    if len(errors) >= first + second:
        lots = random.random((DEALS, len(errors)))  # the lowest are dealt, in their order
        order = lots.argsort(axis=1)[:, : first + second]
    else:
        order = random.integers(0, len(errors), (DEALS, first + second))
    drawn = errors[order]
    ratios = drawn[:, first:].mean(1) / drawn[:, :first].mean(1)
    low, high = np.quantile(ratios, [0.005, 0.995])
    return float(np.mean(ratios >= ratio)), float(low), float(high)


def middle(values: np.ndarray) -> np.ndarray:
    """Average the middle half (interquartile mean), or take the median of three or fewer.

    values: (splits, runs). One failed run among three or more does not move it.
    """
    few = values.shape[1] < 4
    return np.median(values, axis=1) if few else stats.trim_mean(values, 0.25, axis=1)


def cluster_bootstrap(votes: pd.DataFrame) -> np.ndarray:
    """Draw raters and paintings of votes anew, both with replacement; (2000,) shares of fooled.

    votes: columns rater, path, fooled.
    """
    random = np.random.default_rng(0)
    weights = np.ones((2000, len(votes)))
    for clusters in ("rater", "path"):
        names, index = np.unique(votes[clusters], return_inverse=True)
        shares = np.full(len(names), 1 / len(names))
        weights *= random.multinomial(len(names), shares, 2000)[:, index]
    sums = weights.sum(1)
    return (weights[sums > 0] @ votes["fooled"].to_numpy(float)) / sums[sums > 0]


def over_paintings(values: np.ndarray, confidence: float, draws: int) -> tuple[float, float]:
    """Bootstrap (BCa) the mean of paintings' values (n,): these models, other paintings."""
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    how = {"confidence_level": confidence, "n_resamples": draws, "method": "BCa", "batch": 1000}
    drawn = stats.bootstrap((values,), np.mean, **how, rng=np.random.default_rng(0))
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def signed_ranks(differences: np.ndarray) -> float:
    """Return Wilcoxon's p of paintings' differences (n,); 1 if there are none."""
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def more_failures(few: np.ndarray, many: np.ndarray) -> float:
    """Return Fisher's two-sided p of "both fail as often"; of each run: did it fail?"""
    table = [[failed.sum(), (~failed).sum()] for failed in (few, many)]
    return float(stats.fisher_exact(table).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of one family (Holm 1979): at most one false alarm in 20 families."""
    p = np.asarray(p_values, dtype=float)
    order, adjusted = np.argsort(p), np.empty(len(p))
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.tolist()


def check_paintings(values: Sequence[np.ndarray]) -> None:
    """Raise KitError where an interval would come from next to nothing."""
    fewest, least = min(split.shape[-1] for split in values), LEAST_PAINTINGS
    if fewest < least:
        raise KitError(f"{fewest} test paintings in a split: a test needs at least {least}")
