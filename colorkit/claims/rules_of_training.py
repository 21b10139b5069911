"""Rules for what trainings cost and what changes them: rates, time, more paintings."""

import itertools
import math

import numpy as np

from ..base.errors import KitError
from ..experiment import SHORT
from ..replication.paper import HOURS, paper_cell
from ..splits import SHARES
from . import stats
from .archive import Archive
from .evidence import FAILED, INCONCLUSIVE, NOT, REPLICATED, Evidence, Finding, Judged, by_intervals
from .protocol import Terms


def same_rate(evidence: Evidence, terms: Terms) -> Judged:
    """Does each model fail as seldom, and err as much, at Table 2's rate as at Table 1's?"""
    models, findings, failing, told = evidence.at_both_rates, [], [], []
    for model in models:
        few, many = (evidence.relative(table, model) > FAILED for table in (1, 2))
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
    runs = [np.minimum(evidence.relative(table, model), FAILED) for table in (2, 1)]
    values = np.log(np.divide(*map(stats.middle, runs)))[:, None]
    two, one = (evidence.errors(table, model)[0].mean(0) for table in (2, 1))
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
    study, losses = evidence.archive.study(evidence.studies[table, model]), []
    for split in study.splits:
        row = []
        for run in evidence.archive.records(study.name, split, table, model):
            history = run["history"]
            epoch = history[min(len(history), max(2, len(history) // 5)) - 1]
            row.append(next(loss for name, loss in epoch.items() if name.startswith("train_")))
        losses.append(row)
    return np.array(losses)


def within_hours(evidence: Evidence, terms: Terms) -> Judged:
    """Can a GAN be trained in the paper's time? Faster runs bound its cost; none refutes it."""
    hours = []
    for run in evidence.archive.runs_of(evidence.studies):
        if run["config"]["model"].startswith("pix2pix"):
            hours.append(run["seconds"] / 3600)
    if not hours:
        raise KitError("no runs of a GAN")
    key = {"measure": "hours for a GAN"}
    found = Finding(key, float(np.mean(hours)), min(hours), max(hours), HOURS)
    told = f"{found.ours:.2f} hours ({found.low:.2f} to {found.high:.2f}); {HOURS} are claimed"
    enough = found.high <= HOURS * (1 + terms.margin)
    return Judged(REPLICATED if enough else INCONCLUSIVE, told, [found])


def more_helps(evidence: Evidence, terms: Terms) -> Judged:
    """Is the test error smaller the more paintings were trained on, steps being equal?"""
    findings, archive = [], evidence.archive
    for (table, model, share), values in _by_training_share(archive).items():
        estimate = stats.over_splits(values, archive.tested(archive.protocol.main.name))
        key = {"table": table, "model": model, "measure": f"{share} / all"}
        findings.append(evidence.ratio(key, estimate))
    if not findings:
        raise KitError("no runs on fewer paintings")
    told = "test error with fewer training paintings over that with all, equal steps: "
    told += "; ".join(f"{f.what} {f.number()}" for f in findings)
    return Judged(by_intervals(findings, 1.0), told, findings)


def _by_training_share(archive: Archive) -> dict[tuple[int, str, str], list[np.ndarray]]:
    """Return log(test error with fewer training paintings / with all), fold by fold.

    {(table, model, "half" or "quarter"): for each fold (1,)}; the fold with all of its paintings
    is the main study's. KitError for a hole.
    """
    found, main = {}, archive.protocol.main
    for study in archive.protocol.studies.values():
        schemes = {split.partition("-")[0] for split in study.splits}
        if not (schemes <= set(SHARES) and len(schemes) == 1):
            continue
        folds = tuple(f"fold-{split.partition('-')[2]}" for split in study.splits)
        if not set(folds) <= set(main.splits):
            raise KitError(f"{study.name}: the main study lacks {min(set(folds))}")
        for table, model in itertools.product(study.tables, study.models):
            less = archive.cell(table, model, study=study.name)
            whole = archive.cell(table, model, splits=folds)
            logs = [
                math.log(few.mean() / all_.mean()) for few, all_ in zip(less, whole, strict=True)
            ]
            found[table, model, min(schemes)] = [np.array([log]) for log in logs]
    return found
