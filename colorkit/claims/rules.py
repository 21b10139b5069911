"""The rules that hold the paper's claims against runs: each gives a verdict, and its numbers.

A rule sees `Evidence`: which study's runs stand for each model and table. Errors are relative to
the mean colour's on the same paintings, so another set of paintings is another number and the same
meaning. It never looks at settings: whether these runs may decide anything is for `claims.judge`.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import KitError
from ..experiment import MODELS, SHORT
from ..replication.paper import HOURS, PARTS, paper_cell
from . import stats

if TYPE_CHECKING:
    from .archive import Archive
    from .protocol import Terms

REPLICATED, NOT, INCONCLUSIVE = "replicated", "not replicated", "inconclusive"
ODDS, NOT_TESTED, UNTESTABLE = "at odds", "not tested yet", "not testable as stated"
MEAN_COLOUR = "mean_ab"
FAILED = 2.0  # a run is a failure if it is so many times worse than one constant colour
SIZES = 104, 52  # of the paper's validation and test parts


@dataclass(frozen=True)
class Finding:
    """One number held against the paper's, or against another model's.

    `key` holds the facts (table, model, part, ...), `what` says them; low and high are a 90 %
    interval unless the rule says otherwise.
    """

    key: dict[str, Any]
    what: str
    ours: float
    low: float = math.nan
    high: float = math.nan
    paper: float | None = None
    verdict: str = ""
    note: str = ""


class Judged(NamedTuple):
    """What a rule makes of runs: a verdict if they may decide, the numbers in one sentence."""

    verdict: str
    told: str
    findings: list[Finding] = []  # noqa: RUF012  (a NamedTuple's default is never changed)


Rule = Callable[["Evidence", "Terms"], Judged]


@dataclass(frozen=True)
class Evidence:
    """Runs that stand for models and tables: {(table, model): the study they are of}."""

    archive: "Archive"
    studies: dict[tuple[int, str], str] = field(default_factory=dict)

    @property
    def tables(self) -> list[int]:
        """Return the tables of which there is anything."""
        return sorted({table for table, _ in self.studies})

    def models(self, table: int) -> list[str]:
        """Return the models of a table that there are, in the paper's order."""
        return [model for model in MODELS if (table, model) in self.studies]

    def need_all(self) -> None:
        """Raise KitError unless all three models are there in at least one table."""
        for table in self.tables or [1]:
            if lacking := set(MODELS) - set(self.models(table)):
                names = ", ".join(SHORT[model] for model in MODELS if model in lacking)
                raise KitError(f"Table {table}: no runs of {names}")

    def crossed(self, table: int, model: str) -> bool:
        """Tell whether every split was trained with the same seeds."""
        return not self.archive.study(self.studies[table, model]).own_seeds

    def errors(self, table: int, model: str, part: str = "test") -> list[np.ndarray]:
        """Return errors for each split: (seeds, paintings)."""
        study, metric = self.studies[table, model], self.archive.protocol.analysis.primary
        return self.archive.cell(table, model, part, metric, study)

    def baseline(
        self, table: int, model: str, part: str = "test", name: str = MEAN_COLOUR
    ) -> list[np.ndarray]:
        """Return a baseline's errors on the paintings of a model's runs: for each split (n,)."""
        study, metric = self.studies[table, model], self.archive.protocol.analysis.primary
        return [split[0] for split in self.archive.cell(0, name, part, metric, study)]

    def relative(self, table: int, model: str, part: str = "test") -> list[np.ndarray]:
        """Return runs' mean errors over the mean colour's: for each split (seeds,)."""
        pairs = zip(self.errors(table, model, part), self.baseline(table, model, part), strict=True)
        return [errors.mean(1) / colour.mean() for errors, colour in pairs]

    def log_relative(self, table: int, model: str, name: str = MEAN_COLOUR) -> stats.Estimate:
        """Estimate log(test error / a baseline's): below 0 if the model is better.

        A failed run counts as one that just failed: how far it went astray says nothing.
        """
        errors = self.errors(table, model)
        baseline = self.baseline(table, model, name=name)
        stats.check_enough(errors)
        pairs = list(zip(errors, baseline, strict=True))
        colours = self.baseline(table, model)
        values = [
            np.log(np.minimum(e.mean(1), FAILED * c.mean()) / b.mean())
            for (e, b), c in zip(pairs, colours, strict=True)
        ]
        return self.estimate(
            (table, model), values, [stats.log_ratio_error(e.mean(0), b) for e, b in pairs]
        )

    def estimate(
        self,
        cell: tuple[int, str],
        values: Sequence[np.ndarray],
        paintings: Sequence[float],
        noise: str = "runs",
    ) -> stats.Estimate:
        """Estimate the mean of runs' values (for each split (seeds,)).

        For a single split: paintings is the standard error that its paintings give, noise names
        the protocol's standard deviation of one run.
        """
        if len(values) == 1:
            runs = self.archive.protocol.analysis.noise[noise]
            return stats.of_one_split(values[0], paintings[0], runs)
        tested = self.archive.tested(self.studies[cell])
        return stats.over_splits(values, tested, self.crossed(*cell))

    @property
    def alpha(self) -> float:
        """Return the protocol's rate of false alarms."""
        return self.archive.protocol.analysis.alpha

    @property
    def confidence(self) -> float:
        """Return the confidence of intervals: both one-sided tests at alpha."""
        return 1 - 2 * self.alpha


def consistent(evidence: Evidence, terms: "Terms") -> Judged:
    """Does each cell of the paper lie where a new run of ours could, where one colour would not?

    Prediction intervals on the log scale, wide enough to hold all cells at once; a new run has
    other paintings by other painters, a new split and a new seed.
    """
    cells = [(t, p, m) for t in evidence.tables for p in PARTS for m in evidence.models(t)]
    if not cells:
        raise KitError("no runs")
    confidence = 1 - evidence.alpha / len(cells)
    findings = [_cell(evidence, confidence, *cell) for cell in cells]
    inside = sum(f.verdict != NOT for f in findings)
    clear = sum(f.verdict == REPLICATED for f in findings)
    without = f" ({18 - len(cells)} have no runs)" if len(cells) < 18 else ""
    told = (
        f"{inside} of {len(cells)} cells{without} lie where a new run of ours could, {clear} of "
        "them where one constant colour could not"
    )
    verdict = NOT if inside < len(cells) else REPLICATED if clear == inside else INCONCLUSIVE
    return Judged(verdict, told, findings)


def _cell(evidence: Evidence, confidence: float, table: int, part: str, model: str) -> Finding:
    errors = evidence.errors(table, model, part)
    colour = float(np.mean([c.mean() for c in evidence.baseline(table, model, part)]))
    noise, theirs = evidence.archive.protocol.analysis.noise, paper_cell(table, part, model)
    logs = [np.log(split.mean(1)) for split in errors]
    if len(logs) > 1:
        ours, low, high = stats.prediction_interval(logs, confidence, noise["painters"])
    else:
        each = errors[0].mean(0)
        paintings = each.std(ddof=1) / each.mean() / math.sqrt(len(each))
        spread = math.hypot(noise["runs"], noise["painters"], paintings, paintings)
        value = float(logs[0].mean())
        ours = math.exp(value)
        low, high = map(math.exp, stats.Estimate(value, spread).interval(confidence))
    verdict = NOT
    if low <= theirs <= high:
        verdict = INCONCLUSIVE if low <= colour <= high else REPLICATED
    note = f"one constant colour {colour:.4f}; from low to high a factor {high / low:.1f}"
    key = {"table": table, "part": part, "model": model}
    what = f"Table {table}, {part}, {SHORT[model]}"
    return Finding(key, what, ours, low, high, theirs, verdict, note)


def exchangeable(evidence: Evidence, terms: "Terms") -> Judged:
    """Can paintings dealt at random give test errors so much above validation errors? (No runs.)

    Validation and test paintings of a clean random split are exchangeable for any fixed
    predictor. Asked of every predictor whose errors are known; the most favourable one counts.
    """
    pools, findings = evidence.archive.pools(FAILED), []
    ratios = {
        (table, model): paper_cell(table, "test", model) / paper_cell(table, "valid", model)
        for table in (1, 2)
        for model in MODELS
    }
    least = min(ratios.values())
    found = {name: stats.exchangeable(errors, SIZES, least) for name, errors in pools.items()}
    widest = max(found, key=lambda name: found[name][2])
    p, low, high = found[widest]
    for (table, model), ratio in ratios.items():
        own = evidence.archive.protocol.analysis
        ours = _test_over_valid(evidence, table, model)
        key = {"table": table, "model": model, "ratio": "test / valid"}
        verdict = ODDS if p < own.alpha / len(ratios) else INCONCLUSIVE
        what = f"Table {table}, {SHORT[model]}, test / valid"
        findings.append(Finding(key, what, ours, low, high, ratio, verdict))
    told = (
        f"{least:.2f} to {max(ratios.values()):.2f} in the paper; 104 and 52 paintings dealt at "
        f"random give {low:.2f} to {high:.2f} in 99 of 100 deals, whatever the model (the widest "
        f"of {len(pools)} predictors); as much as the paper's least in {p * stats.DEALS:.0f} of "
        f"{stats.DEALS:,} deals"
    )
    return Judged(findings[0].verdict, told, findings)


def _test_over_valid(evidence: Evidence, table: int, model: str) -> float:
    if (table, model) not in evidence.studies:
        return math.nan
    test, valid = (evidence.errors(table, model, part) for part in ("test", "valid"))
    ratios = [t.mean() / v.mean() for t, v in zip(test, valid, strict=True)]
    return float(np.exp(np.mean(np.log(ratios))))


def like_training(evidence: Evidence, terms: "Terms") -> Judged:
    """Are validation errors like training errors, each relative to the mean colour's?"""
    findings, within, beyond = [], [], []
    for table in evidence.tables:
        for model in evidence.models(table):
            estimate = _valid_over_train(evidence, table, model)
            low, high = map(math.exp, estimate.interval(evidence.confidence))
            within.append(estimate.p_within(math.log1p(terms.margin)))
            beyond.append(estimate.p_beyond(math.log1p(terms.margin)))
            theirs = paper_cell(table, "valid", model) / paper_cell(table, "train", model)
            key = {"table": table, "model": model, "ratio": "valid / train"}
            what = f"Table {table}, {SHORT[model]}, valid / train"
            ours = math.exp(estimate.value)
            findings.append(Finding(key, what, ours, low, high, theirs, note="over one colour's"))
    if not findings:
        raise KitError("no runs")
    told = (
        f"validation over training error, each relative to one colour's: {_ratios_told(findings)}"
    )
    return _equal(evidence, told, findings, within, beyond)


def _valid_over_train(evidence: Evidence, table: int, model: str) -> stats.Estimate:
    parts = {p: evidence.errors(table, model, p) for p in ("valid", "train")}
    colours = {p: evidence.baseline(table, model, p) for p in parts}
    logs = {p: [np.log(r) for r in evidence.relative(table, model, p)] for p in parts}
    values = [v - t for v, t in zip(logs["valid"], logs["train"], strict=True)]
    noise = [
        math.hypot(*(stats.log_ratio_error(parts[p][n].mean(0), colours[p][n]) for p in parts))
        for n in range(len(values))
    ]
    return evidence.estimate((table, model), values, noise, "ratios")


def _equal(
    evidence: Evidence,
    told: str,
    findings: list[Finding],
    within: list[float],
    beyond: list[float],
) -> Judged:
    """All surely within the margin: replicated. One surely beyond it (Holm): not replicated."""
    if min(stats.holm(beyond)) < evidence.alpha:
        return Judged(NOT, told, findings)
    return Judged(REPLICATED if max(within) < evidence.alpha else INCONCLUSIVE, told, findings)


def lowest(evidence: Evidence, terms: "Terms") -> Judged:
    """Is scratch nowhere surely worse, by a margin, and better than one colour?

    The paper's differences are too small for any study of its size to find; what can be tested is
    that scratch is not worse than either other model by the margin.
    """
    evidence.need_all()
    pairs = [
        (table, "pix2pix_scratch", other)
        for table in evidence.tables
        for other in MODELS
        if other != "pix2pix_scratch"
    ]
    estimates = [_difference(evidence, *pair) for pair in pairs]
    findings = _pair_findings(evidence, pairs, estimates)
    told = _pairs_told(evidence, findings)
    worse = [e.p_beyond(terms.margin) if e.value > 0 else 1.0 for e in estimates]
    if min(stats.holm(worse)) < evidence.alpha:
        return Judged(NOT, told, findings)
    if doubt := _not_better_than_colour(evidence, ["pix2pix_scratch"]):
        return Judged(INCONCLUSIVE, f"{doubt}; {told}", findings)
    fine = all(e.p_below(terms.margin) < evidence.alpha for e in estimates)
    return Judged(REPLICATED if fine else INCONCLUSIVE, told, findings)


def equal_models(evidence: Evidence, terms: "Terms") -> Judged:
    """Are the three models' test errors equal, within a share of the mean colour's error?"""
    evidence.need_all()
    pairs = [(t, a, b) for t in evidence.tables for a, b in itertools.combinations(MODELS, 2)]
    estimates = [_difference(evidence, *pair) for pair in pairs]
    findings = _pair_findings(evidence, pairs, estimates)
    told = _pairs_told(evidence, findings)
    beyond = [e.p_beyond(terms.margin) for e in estimates]
    doubt = _not_better_than_colour(evidence, list(MODELS))
    if doubt and min(stats.holm(beyond)) >= evidence.alpha:
        return Judged(INCONCLUSIVE, f"{doubt}; {told}", findings)
    within = [e.p_within(terms.margin) for e in estimates]
    return _equal(evidence, told, findings, within, beyond)


def _difference(evidence: Evidence, table: int, a: str, b: str) -> stats.Estimate:
    """Estimate (error of a - error of b) / the mean colour's error, on the same paintings.

    Runs in their order are pairs: those of one seed began alike where their networks do.
    """
    if evidence.studies[table, a] != evidence.studies[table, b]:
        raise KitError(f"Table {table}: {SHORT[a]} and {SHORT[b]} are of two studies")
    ones, others = evidence.errors(table, a), evidence.errors(table, b)
    stats.check_enough(ones)
    colours, values, noise = evidence.baseline(table, a), [], []
    for one, other, colour in zip(ones, others, colours, strict=True):
        seeds = min(len(one), len(other))
        difference = one[:seeds] - other[:seeds]
        share = _capped(one[:seeds], colour) - _capped(other[:seeds], colour)
        influence = (difference.mean(0) - share.mean() * colour) / colour.mean()
        values.append(share)
        noise.append(float(influence.std(ddof=1) / math.sqrt(len(colour))))
    return evidence.estimate((table, a), values, noise)


def _capped(errors: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return runs' errors over one colour's, (seeds,); a failed run counts as just failed."""
    return np.minimum(errors.mean(1) / colour.mean(), FAILED)


def _pair_findings(
    evidence: Evidence,
    pairs: list[tuple[int, str, str]],
    estimates: list[stats.Estimate],
) -> list[Finding]:
    found = []
    for (table, a, b), estimate in zip(pairs, estimates, strict=True):
        low, high = estimate.interval(evidence.confidence)
        note = f"a true difference of {estimate.detectable(evidence.alpha):.1%} would be found"
        what = f"Table {table}: {SHORT[a]} - {SHORT[b]}"
        key = {"table": table, "a": a, "b": b}
        theirs = paper_cell(table, "test", a) - paper_cell(table, "test", b)
        note += f"; the paper's MSE differ by {theirs:+.4f}"
        found.append(Finding(key, what, estimate.value, low, high, note=note))
    return found


def _pairs_told(evidence: Evidence, findings: list[Finding]) -> str:
    """Say differences, how wide their intervals are, and how many runs failed."""
    told = []
    for table in evidence.tables:
        here = [f for f in findings if f.key["table"] == table]
        reach = [(f.high - f.low) / 2 for f in here]
        failed = [
            f"{count} of {runs} {SHORT[model]} runs fail"
            for model in evidence.models(table)
            for count, runs in [_failures(evidence.relative(table, model))]
            if count
        ]
        told.append(
            f"Table {table}: {min(f.ours for f in here):+.0%} to {max(f.ours for f in here):+.0%}, "
            f"known to ±{min(reach):.0%} to ±{max(reach):.0%}" + "".join(f", {f}" for f in failed)
        )
    return f"differences of test error, in shares of one colour's: {'; '.join(told)}"


def _failures(runs: Sequence[np.ndarray]) -> tuple[int, int]:
    """Count the runs (for each split (seeds,), over one colour's error) that failed, and all."""
    return sum(int((split > FAILED).sum()) for split in runs), sum(map(len, runs))


def _ratios_told(findings: list[Finding]) -> str:
    """Say ratios: each with its interval if they are few, else from the least to the largest."""
    if len(findings) <= 2:
        each = [f"{f.what} {f.ours:.2f} [{f.low:.2f}, {f.high:.2f}]" for f in findings]
        return "; ".join(each)
    ours = [f.ours for f in findings]
    return f"{min(ours):.2f} to {max(ours):.2f} in {len(findings)} cells"


def _not_better_than_colour(evidence: Evidence, models: list[str]) -> str:
    """Say how many models do not surely beat the mean colour; nothing if all do."""
    wanted = [(table, model) for table in evidence.tables for model in models]
    beats = [evidence.log_relative(*cell).p_below(0.0) < evidence.alpha for cell in wanted]
    if all(beats):
        return ""
    return f"{sum(beats)} of {len(beats)} surely beat one constant colour, which comes first"


def same_rate(evidence: Evidence, terms: "Terms") -> Judged:
    """Does each model fail as seldom, and err as much, at Table 2's rate as at Table 1's?"""
    models = [m for m in evidence.models(1) if m in evidence.models(2)]
    if not models:
        raise KitError("no runs of one model at both rates")
    findings, within, beyond, failing = [], [], [], []
    for model in models:
        runs = {table: evidence.relative(table, model) for table in (1, 2)}
        counts = {table: _failures(some) for table, some in runs.items()}
        failing.append(stats.more_failures(counts[1], counts[2]))
        values = [
            np.array([math.log(_middle(two) / _middle(one))])
            for one, two in zip(runs[1], runs[2], strict=True)
        ]
        noise = [
            stats.log_ratio_error(two.mean(0), one.mean(0))
            for one, two in zip(evidence.errors(1, model), evidence.errors(2, model), strict=True)
        ]
        estimate = evidence.estimate((1, model), values, noise)
        low, high = map(math.exp, estimate.interval(evidence.confidence))
        within.append(estimate.p_within(math.log1p(terms.margin)))
        beyond.append(estimate.p_beyond(math.log1p(terms.margin)))
        note = (
            f"worse than twice one colour's: {counts[2][0]} of {counts[2][1]} runs at Table 2's "
            f"rate, {counts[1][0]} of {counts[1][1]} at Table 1's"
        )
        theirs = paper_cell(2, "test", model) / paper_cell(1, "test", model)
        ours = math.exp(estimate.value)
        what = f"{SHORT[model]}: Table 2 / Table 1"
        findings.append(Finding({"model": model}, what, ours, low, high, theirs, note=note))
    told = "test error at Table 2's rate over Table 1's (middle runs): " + "; ".join(
        f"{SHORT[f.key['model']]} {f.ours:.2f} [{f.low:.2f}, {f.high:.2f}], {f.note}"
        for f in findings
    )
    if min(stats.holm(failing)) < evidence.alpha:
        return Judged(NOT, told, findings)
    doubt = _not_better_than_colour(evidence, models)
    if doubt and min(stats.holm(beyond)) >= evidence.alpha:
        return Judged(INCONCLUSIVE, f"{doubt}; {told}", findings)
    return _equal(evidence, told, findings, within, beyond)


def _middle(relative: np.ndarray) -> float:
    """Average the middle runs; a failed one among two, which have no middle, as just failed."""
    return stats.middle(np.minimum(relative, FAILED))


def nearer_than_scratch(evidence: Evidence, terms: "Terms") -> Judged:
    """Are U-Net and pretrained pix2pix nearer to each other than to scratch, and as near as seeds?

    Mean CIEDE2000 between pictures. The excess is the pair's distance less that which other seeds
    of the same two models have on average.
    """
    evidence.need_all()
    findings, told, nearer, excess = [], [], [], []
    for table in evidence.tables:
        cell = (table, "unet_resnet18")
        apart = evidence.archive.distances_by_kind(evidence.studies[cell], table)
        estimates = {
            "excess over seeds": evidence.estimate(cell, apart["pair"] - apart["seeds"], [0.0]),
            "less than to scratch": evidence.estimate(
                cell, apart["pair"] - apart["scratch"], [0.0]
            ),
        }
        excess.append(estimates["excess over seeds"])
        nearer.append(estimates["less than to scratch"])
        for what, e in estimates.items():
            low, high = e.interval(evidence.confidence)
            key = {"table": table, "what": what}
            findings.append(Finding(key, f"Table {table}: {what}", e.value, low, high))
        means = {kind: float(np.mean([v.mean() for v in some])) for kind, some in apart.items()}
        low, high = excess[-1].interval(evidence.confidence)
        told.append(
            f"Table {table}: the pair {means['pair']:.1f} apart, either and scratch "
            f"{means['scratch']:.1f}, two seeds of either {means['seeds']:.1f} (excess "
            f"{excess[-1].value:+.1f} [{low:+.1f}, {high:+.1f}])"
        )
    words = "CIEDE2000: " + "; ".join(told)
    if doubt := _not_better_than_colour(evidence, ["unet_resnet18", "pix2pix_resnet18"]):
        return Judged(INCONCLUSIVE, f"{doubt}; {words}", findings)
    close = all(e.p_below(terms.margin) < evidence.alpha for e in excess)
    if close and all(e.p_below(terms.margin) < evidence.alpha for e in nearer):
        return Judged(REPLICATED, words, findings)
    far = [e.p_beyond(terms.margin) if e.value > 0 else 1.0 for e in excess]
    further = any(e.p_below(0.0) >= evidence.alpha for e in nearer)
    if further and min(stats.holm(far)) < evidence.alpha:
        return Judged(NOT, words, findings)
    return Judged(INCONCLUSIVE, words, findings)


def beats_table(evidence: Evidence, terms: "Terms") -> Judged:
    """Is a model closer to the truth than a table of 40 numbers? Necessary, not enough."""
    cells = [(table, model) for table in evidence.tables for model in evidence.models(table)]
    if not cells:
        raise KitError("no runs")
    estimates = [evidence.log_relative(*cell, name="L_table") for cell in cells]
    adjusted = stats.holm([estimate.p_zero() for estimate in estimates])
    findings = []
    for (table, model), e in zip(cells, estimates, strict=True):
        low, high = map(math.exp, e.interval(evidence.confidence))
        what = f"Table {table}: {SHORT[model]} / L table"
        findings.append(
            Finding({"table": table, "model": model}, what, math.exp(e.value), low, high)
        )
    sure = [e.value for e, p in zip(estimates, adjusted, strict=True) if p < evidence.alpha]
    better = sum(value < 0 for value in sure)
    told = (
        f"what is necessary: to beat a table of 40 numbers; {better} of {len(cells)} surely do, "
        f"{len(sure) - better} are surely worse"
    )
    told += f" (times its error: {_ratios_told(findings)})"
    return Judged(UNTESTABLE, told, findings)


def by_votes(evidence: Evidence, terms: "Terms") -> Judged:
    """Is scratch's picture taken for the painting more often than the others'?

    Raters and paintings are drawn anew together: one painting that fools everybody, or one rater
    whom everything fools, is one fact.
    """
    votes = evidence.archive.votes
    if votes.empty:
        raise KitError("no vote has been cast")
    findings, tail = [], evidence.alpha / 2
    for other in (m for m in MODELS if m != "pix2pix_scratch"):
        rows = votes[votes["model"].isin(["pix2pix_scratch", other])]
        fooled, scratch = rows["fooled"].to_numpy(float), rows["model"].eq("pix2pix_scratch")
        sides = [
            stats.cluster_bootstrap(
                fooled[side], rows["rater"].to_numpy()[side], rows["path"].to_numpy()[side]
            )
            for side in (scratch.to_numpy(), ~scratch.to_numpy())
        ]
        count = min(map(len, sides))
        drawn = sides[0][:count] - sides[1][:count]
        low, high = np.quantile(drawn, [tail, 1 - tail])
        ours = float(fooled[scratch].mean() - fooled[~scratch].mean())
        what = f"scratch - {SHORT[other]}"
        findings.append(Finding({"other": other}, what, ours, float(low), float(high)))
    raters = votes["rater"].nunique()
    told = f"taken for the painting, by {raters} raters: " + "; ".join(
        f"{f.what} {f.ours:+.0%} [{f.low:+.0%}, {f.high:+.0%}]" for f in findings
    )
    if all(f.low > 0 for f in findings):
        return Judged(REPLICATED, told, findings)
    return Judged(NOT if any(f.high < 0 for f in findings) else INCONCLUSIVE, told, findings)


def within_hours(evidence: Evidence, terms: "Terms") -> Judged:
    """Can a GAN be trained in the paper's time? Faster runs bound its cost; none refutes it."""
    hours = [
        run["seconds"] / 3600
        for run in evidence.archive.runs_of(evidence.studies)
        if str(run["config"]["model"]).startswith("pix2pix")
    ]
    if not hours:
        raise KitError("no runs of a GAN")
    finding = Finding({}, "hours for a GAN", float(np.mean(hours)), min(hours), max(hours), HOURS)
    enough = max(hours) <= HOURS * (1 + terms.margin)
    told = (
        f"{finding.ours:.2f} hours ({finding.low:.2f} to {finding.high:.2f}); {HOURS} are claimed"
    )
    return Judged(REPLICATED if enough else INCONCLUSIVE, told, [finding])


def falls_faster(evidence: Evidence, terms: "Terms") -> Judged:
    """Does the training loss fall faster at Table 2's rate? After a fifth of the epochs."""
    findings = []
    for model in (m for m in evidence.models(1) if m in evidence.models(2)):
        losses = {t: evidence.archive.losses(evidence.studies[t, model], t, model) for t in (1, 2)}
        pairs = list(zip(losses[1], losses[2], strict=True))
        values = [np.log(two).mean(keepdims=True) - np.log(one).mean() for one, two in pairs]
        if len(values) < 2:
            raise KitError("one split: its loss has no interval")
        estimate = evidence.estimate((1, model), values, [])
        low, high = map(math.exp, estimate.interval(evidence.confidence))
        lower = sum(int((two < one).sum()) for one, two in pairs)
        note = f"lower in {lower} of {sum(len(one) for one, _ in pairs)} runs"
        what = f"{SHORT[model]}: loss at Table 2's rate / Table 1's"
        findings.append(
            Finding({"model": model}, what, math.exp(estimate.value), low, high, note=note)
        )
    if not findings:
        raise KitError("no runs of one model at both rates")
    told = "training loss after a fifth of the epochs: " + "; ".join(
        f"{f.what} {f.ours:.2f} [{f.low:.2f}, {f.high:.2f}], {f.note}" for f in findings
    )
    if all(f.high < 1 for f in findings):
        return Judged(REPLICATED, told, findings)
    return Judged(NOT if any(f.low > 1 for f in findings) else INCONCLUSIVE, told, findings)


def more_helps(evidence: Evidence, terms: "Terms") -> Judged:
    """Is the test error smaller the more paintings were trained on, steps being equal?"""
    curves = evidence.archive.by_training_share()
    if not curves:
        raise KitError("no runs on fewer paintings")
    findings = []
    for (table, model, name), values in curves.items():
        tested = evidence.archive.tested(evidence.archive.protocol.main.name)
        estimate = stats.over_splits(values, tested)
        low, high = map(math.exp, estimate.interval(evidence.confidence))
        key = {"table": table, "model": model, "share": name}
        what = f"Table {table}, {SHORT[model]}: {name} / all"
        findings.append(Finding(key, what, math.exp(estimate.value), low, high))
    told = "test error with fewer training paintings over that with all, equal steps: " + "; ".join(
        f"{f.what} {f.ours:.2f} [{f.low:.2f}, {f.high:.2f}]" for f in findings
    )
    if all(f.low > 1 for f in findings):
        return Judged(REPLICATED, told, findings)
    return Judged(NOT if any(f.high < 1 for f in findings) else INCONCLUSIVE, told, findings)


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        consistent,
        exchangeable,
        like_training,
        lowest,
        equal_models,
        same_rate,
        nearer_than_scratch,
        beats_table,
        by_votes,
        within_hours,
        falls_faster,
        more_helps,
    )
}
