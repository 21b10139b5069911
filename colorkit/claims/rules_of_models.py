"""Rules that hold a model against another, its own other rate, or what knows nothing."""

import itertools
import math

import numpy as np

from ..base.errors import KitError
from ..experiment import MODELS, SHORT
from ..replication.paper import paper_cell
from . import stats
from .board import INCONCLUSIVE, NOT, REPLICATED, UNTESTABLE
from .evidence import (
    FAILED,
    MEAN_COLOUR,
    SCRATCH,
    Evidence,
    Finding,
    Judged,
    by_intervals,
)
from .protocol import Terms
from .rules_of_numbers import ratios_told

OTHERS = tuple(model for model in MODELS if model != SCRATCH)
Compared = tuple[int, str, str]  # a table and two of its models


def lowest(evidence: Evidence, terms: Terms) -> Judged:
    """Is scratch nowhere surely worse, by a margin, and better than one colour?

    The paper's differences are too small for any study of its size to find; what can be tested is
    that scratch is not worse than either other model by the margin.
    """
    evidence.need_all()
    pairs = [(table, SCRATCH, other) for table in evidence.tables for other in OTHERS]
    findings, told = _differences(evidence, pairs)
    if evidence.any_above(findings, terms.margin):
        return Judged(NOT, told, findings)
    if doubt := evidence.not_better_than_colour([SCRATCH]):
        return Judged(INCONCLUSIVE, f"{doubt}; {told}", findings)
    fine = evidence.all_below(findings, terms.margin)
    return Judged(REPLICATED if fine else INCONCLUSIVE, told, findings)


def equal_models(evidence: Evidence, terms: Terms) -> Judged:
    """Are the three models' test errors equal, within a share of the mean colour's error?"""
    evidence.need_all()
    pairs = [(t, a, b) for t in evidence.tables for a, b in itertools.combinations(MODELS, 2)]
    findings, told = _differences(evidence, pairs)
    doubt = evidence.not_better_than_colour(list(MODELS))
    return evidence.equal(findings, terms.margin, told, doubt)


def _differences(evidence: Evidence, pairs: list[Compared]) -> tuple[list[Finding], str]:
    """Estimate pairs' differences of test error, and say them."""
    findings = []
    for table, a, b in pairs:
        estimate = _difference(evidence, table, a, b)
        theirs = paper_cell(table, "test", a) - paper_cell(table, "test", b)
        note = f"a true difference of {estimate.detectable(evidence.alpha):.1%} would be found"
        note += f"; the paper's MSE differ by {theirs:+.4f}"
        findings.append(evidence.difference({"table": table, "a": a, "b": b}, estimate, note=note))
    told = []
    for table in evidence.tables:
        here = [f for f in findings if f.key["table"] == table]
        ours, reach = [f.ours for f in here], [(f.high - f.low) / 2 for f in here]
        range_told = f"{min(ours):+.0%} to {max(ours):+.0%}"
        known = f"known to ±{min(reach):.0%} to ±{max(reach):.0%}"
        told.append(f"Table {table}: {range_told}, {known}{_failures_told(evidence, table)}")
    return findings, f"differences of test error, in shares of one colour's: {'; '.join(told)}"


def _difference(evidence: Evidence, table: int, a: str, b: str) -> stats.Estimate:
    """Estimate (error of a - error of b) / the mean colour's error, on the same paintings.

    Runs in their order are pairs: those of one seed began alike where their networks do.
    """
    if evidence.studies[table, a] != evidence.studies[table, b]:
        raise KitError(f"Table {table}: {SHORT[a]} and {SHORT[b]} are of two studies")
    stats.check_paintings(evidence.errors((table, a)))
    shares = np.subtract(*(np.minimum(evidence.relative((table, m)), FAILED) for m in (a, b)))
    one, other = (evidence.errors((table, model))[0] for model in (a, b))
    colour = evidence.errors((table, a), baseline=MEAN_COLOUR)[0][0]
    influence = ((one - other).mean(0) - shares[0].mean() * colour) / colour.mean()
    return evidence.estimate((table, a), shares, stats.standard_error(influence))


def _failures_told(evidence: Evidence, table: int) -> str:
    told = ""
    for model in evidence.models(table):
        failed = evidence.relative((table, model)) > FAILED
        if failed.any():
            told += f", {failed.sum()} of {failed.size} {SHORT[model]} runs fail"
    return told


def same_rate(evidence: Evidence, terms: Terms) -> Judged:
    """Does each model fail as seldom, and err as much, at Table 2's rate as at Table 1's?"""
    models, findings, failing, told = evidence.at_both_rates, [], [], []
    for model in models:
        few, many = (evidence.relative((table, model)) > FAILED for table in (1, 2))
        failing.append(stats.more_failures(few, many))
        note = (
            f"worse than twice one colour's: {many.sum()} of {many.size} runs at Table 2's rate, "
            f"{few.sum()} of {few.size} at Table 1's"
        )
        theirs = paper_cell(2, "test", model) / paper_cell(1, "test", model)
        key = {"model": model, "measure": "Table 2 / Table 1"}
        findings.append(evidence.ratio(key, _two_over_one(evidence, model), theirs, note=note))
        told.append(f"{SHORT[model]} {findings[-1].number()}, {note}")
    words = f"test error at Table 2's rate over Table 1's (middle runs): {'; '.join(told)}"
    if min(stats.holm(failing)) < evidence.alpha:
        return Judged(NOT, words, findings)
    doubt = evidence.not_better_than_colour(models)
    return evidence.equal(findings, math.log1p(terms.margin), words, doubt)


def _two_over_one(evidence: Evidence, model: str) -> stats.Estimate:
    """Estimate log(test error at Table 2's rate / at Table 1's), of the middle runs.

    A failed run among two, which have no middle, counts as one that just failed.
    """
    runs = [np.minimum(evidence.relative((table, model)), FAILED) for table in (2, 1)]
    values = np.log(np.divide(*map(stats.middle, runs)))[:, None]
    two, one = (evidence.errors((table, model))[0].mean(0) for table in (2, 1))
    return evidence.estimate((1, model), values, stats.log_ratio_error(two, one))


def falls_faster(evidence: Evidence, terms: Terms) -> Judged:
    """Does the training loss fall faster at Table 2's rate? After a fifth of the epochs."""
    findings, told = [], []
    for model in evidence.at_both_rates:
        one, two = (_losses(evidence, table, model) for table in (1, 2))
        if len(one) < 2:
            raise KitError("one split: its loss has no interval")
        logs = np.log(two).mean(1, keepdims=True) - np.log(one).mean(1, keepdims=True)
        note = f"lower in {(two < one).sum()} of {one.size} runs"
        key = {"model": model, "measure": "loss at Table 2's rate / Table 1's"}
        findings.append(evidence.ratio(key, evidence.estimate((1, model), logs), note=note))
        told.append(f"{SHORT[model]}: {key['measure']} {findings[-1].number()}, {note}")
    words = "training loss after a fifth of the epochs: " + "; ".join(told)
    return Judged(by_intervals(findings, 1.0, -1), words, findings)


def _losses(evidence: Evidence, table: int, model: str) -> np.ndarray:
    """Return runs' training losses after a fifth of the epochs: (splits, seeds).

    After two at least: the first epoch is mostly the scale of new weights.
    """
    shape, losses = evidence.means((table, model)).shape, []  # KitError for a hole
    for run in evidence.archive.runs_of({(table, model): evidence.studies[table, model]}):
        history = run["history"]
        epoch = history[min(len(history), max(2, len(history) // 5)) - 1]
        losses.append(next(loss for name, loss in epoch.items() if name.startswith("train_")))
    return np.reshape(losses, shape)


def nearer_than_scratch(evidence: Evidence, terms: Terms) -> Judged:
    """Are U-Net and pretrained pix2pix nearer to each other than to scratch, and as near as seeds?

    Mean CIEDE2000 between pictures. The excess is the pair's distance less that which other seeds
    of the same two models have on average.
    """
    evidence.need_all()
    told, nearer, excess = [], [], []
    for table in evidence.tables:
        cell = (table, "unet_resnet18")
        apart = evidence.archive.distances_by_kind(evidence.studies[cell], table)
        over = evidence.estimate(cell, apart["pair"] - apart["seeds"])
        less = evidence.estimate(cell, apart["pair"] - apart["scratch"])
        excess.append(evidence.difference({"table": table, "measure": "excess over seeds"}, over))
        key = {"table": table, "measure": "less than to scratch"}
        nearer.append(evidence.difference(key, less))
        means = {kind: float(some.mean()) for kind, some in apart.items()}
        told.append(
            f"Table {table}: the pair {means['pair']:.1f} apart, either and scratch "
            f"{means['scratch']:.1f}, two seeds of either {means['seeds']:.1f} (excess "
            f"{excess[-1].number('+.1f')})"
        )
    findings = list(itertools.chain(*zip(excess, nearer, strict=True)))
    words = "CIEDE2000: " + "; ".join(told)
    if doubt := evidence.not_better_than_colour(["unet_resnet18", "pix2pix_resnet18"]):
        return Judged(INCONCLUSIVE, f"{doubt}; {words}", findings)
    if evidence.all_below(findings, terms.margin):
        return Judged(REPLICATED, words, findings)
    if not evidence.all_below(nearer, 0.0) and evidence.any_above(excess, terms.margin):
        return Judged(NOT, words, findings)
    return Judged(INCONCLUSIVE, words, findings)


def beats_table(evidence: Evidence, terms: Terms) -> Judged:
    """Is a model closer to the truth than a table of 40 numbers? Necessary, not enough."""
    findings = []
    for table, model in evidence.cells:
        key = {"table": table, "model": model, "measure": "error / the L table's"}
        findings.append(evidence.ratio(key, evidence.log_relative((table, model), "L_table")))
    adjusted = stats.holm([found.estimate.p_zero() for found in findings])
    sure = [f.ours for f, p in zip(findings, adjusted, strict=True) if p < evidence.alpha]
    better = sum(ratio < 1 for ratio in sure)
    told = (
        f"what is necessary: to beat a table of 40 numbers; {better} of {len(findings)} surely do, "
        f"{len(sure) - better} are surely worse (times its error: {ratios_told(findings)})"
    )
    return Judged(UNTESTABLE, told, findings)


def by_votes(evidence: Evidence, terms: Terms) -> Judged:
    """Is scratch's picture taken for the painting more often than the others'?

    Raters and paintings are drawn anew together: one painting that fools everybody, or one rater
    whom everything fools, is one fact.
    """
    votes, findings, told = evidence.votes, [], []
    if votes.empty:
        raise KitError("no vote has been cast")
    if lacking := sorted(set(MODELS) - set(votes["model"])):
        raise KitError(f"no vote on {', '.join(SHORT[model] for model in lacking)}")
    drawn, rates = {}, {}
    for model, mine in votes.groupby("model"):
        drawn[model] = stats.cluster_bootstrap(mine)
        rates[model] = float(mine["fooled"].mean())
    for other in OTHERS:
        count = min(len(drawn[SCRATCH]), len(drawn[other]))
        differences = drawn[SCRATCH][:count] - drawn[other][:count]
        low, high = np.quantile(differences, [evidence.alpha / 2, 1 - evidence.alpha / 2])
        ours = rates[SCRATCH] - rates[other]
        findings.append(Finding({"a": SCRATCH, "b": other}, ours, float(low), float(high)))
        told.append(f"{findings[-1].what} {findings[-1].number('+.0%')}")
    by = f"taken for the painting, by {votes['rater'].nunique()} raters: "
    return Judged(by_intervals(findings, 0.0), by + "; ".join(told), findings)
