"""Rules for the paper's numbers: are they such as our runs, or any runs, give? Its time, too."""

import itertools
import math
from contextlib import suppress

import numpy as np

from ..base.errors import KitError
from ..experiment import MODELS
from ..metrics import BASELINES
from ..replication.paper import HOURS, PAPER_PARTS, paper_cell
from ..splits import SHARES
from . import stats
from .archive import Archive
from .board import INCONCLUSIVE, NOT, ODDS, REPLICATED
from .evidence import (
    FAILED,
    MEAN_COLOUR,
    Cell,
    Evidence,
    Finding,
    Judged,
    by_intervals,
    main_evidence,
)
from .protocol import Terms

SIZES = 104, 52  # of the paper's validation and test parts


def consistent(evidence: Evidence, terms: Terms) -> Judged:
    """Does each cell of the paper lie where a new run of ours could, where one colour would not?

    Prediction intervals on the log scale, wide enough to hold all cells at once; a new run has
    other paintings by other painters, a new split and a new seed.
    """
    confidence = 1 - evidence.alpha / (len(evidence.cells) * len(PAPER_PARTS))
    findings = []
    for table, part in itertools.product(evidence.tables, PAPER_PARTS):
        for model in evidence.models(table):
            findings.append(_of_a_cell(evidence, confidence, (table, model), part))
    inside = sum(f.verdict != NOT for f in findings)
    clear = sum(f.verdict == REPLICATED for f in findings)
    without = f" ({18 - len(findings)} have no runs)" if len(findings) < 18 else ""
    told = (
        f"{inside} of {len(findings)} cells{without} lie where a new run of ours could, {clear} of "
        "them where one constant colour could not"
    )
    if inside < len(findings):
        return Judged(NOT, told, findings)
    return Judged(REPLICATED if clear == inside else INCONCLUSIVE, told, findings)


def _of_a_cell(evidence: Evidence, confidence: float, cell: Cell, part: str) -> Finding:
    logs = np.log(evidence.means(cell, part))
    colour = evidence.means(cell, part, MEAN_COLOUR).mean()
    noise, theirs = evidence.archive.protocol.analysis.noise, paper_cell(cell[0], part, cell[1])
    if len(logs) > 1:
        ours, low, high = stats.prediction_interval(logs, confidence, noise["painters"])
    else:
        each = evidence.errors(cell, part)[0].mean(0)
        paintings = each.std(ddof=1) / each.mean() / math.sqrt(len(each))
        spread = math.hypot(noise["runs"], noise["painters"], paintings, paintings)
        ours, low, high = stats.Estimate(float(logs[0].mean()), spread).ratio(confidence)
    verdict = NOT
    if low <= theirs <= high:
        verdict = INCONCLUSIVE if low <= colour <= high else REPLICATED
    note = f"one constant colour {colour:.4f}; from low to high a factor {high / low:.1f}"
    key = {"table": cell[0], "part": part, "model": cell[1]}
    return Finding(key, ours, low, high, theirs, verdict, note)


def exchangeable(evidence: Evidence, terms: Terms) -> Judged:
    """Can paintings dealt at random give test errors so much above validation errors? (No runs.)

    Validation and test paintings of a clean random split are exchangeable for any fixed
    predictor. Asked of every predictor whose errors are known; the most favourable one counts.
    """
    pools = _predictors(evidence.archive)
    ratios = {}
    for cell in itertools.product((1, 2), MODELS):
        test, valid = (paper_cell(cell[0], part, cell[1]) for part in ("test", "valid"))
        ratios[cell] = test / valid
    least = min(ratios.values())
    found = [stats.deal_at_random(errors, SIZES, least) for errors in pools]
    p, low, high = max(found, key=lambda one: one[2])
    # The least of six ratios is held against chance, so it must be six times as unlikely.
    verdict = ODDS if p < evidence.alpha / len(ratios) else INCONCLUSIVE
    findings = []
    for (table, model), ratio in ratios.items():
        key = {"table": table, "model": model, "measure": "test / valid"}
        ours = _test_over_valid(evidence, (table, model))
        findings.append(Finding(key, ours, low, high, ratio, verdict))
    told = (
        f"{least:.2f} to {max(ratios.values()):.2f} in the paper; 104 and 52 paintings dealt at "
        f"random give {low:.2f} to {high:.2f} in 99 of 100 deals, whatever the model (the widest "
        f"of {len(pools)} predictors); as much as the paper's least in {p * stats.DEALS:.0f} of "
        f"{stats.DEALS:,} deals"
    )
    return Judged(verdict, told, findings)


def _predictors(archive: Archive) -> list[np.ndarray]:
    """List the errors of known predictors on paintings, (n,) each.

    Each baseline on all paintings of the main study's first split, which needs no training, and
    each model on all its test paintings, without runs that failed.
    """
    seen, found = main_evidence(archive, "mse_ab"), []
    first = archive.protocol.main.splits[:1]
    for name in BASELINES:
        parts = [archive.cell(0, name, part, splits=first)[0][0] for part in PAPER_PARTS]
        found.append(np.concatenate(parts))
    for cell in seen.cells:
        with suppress(KitError):  # what is missing is no predictor
            runs = zip(seen.errors(cell), seen.relative(cell) <= FAILED, strict=True)
            if fine := [errors[learnt].mean(0) for errors, learnt in runs if learnt.any()]:
                found.append(np.concatenate(fine))
    return found


def _test_over_valid(evidence: Evidence, cell: Cell) -> float:
    if cell not in evidence.studies:
        return math.nan
    parts = [evidence.errors(cell, part) for part in ("test", "valid")]
    ratios = [test.mean() / valid.mean() for test, valid in zip(*parts, strict=True)]
    return float(np.exp(np.mean(np.log(ratios))))


def like_training(evidence: Evidence, terms: Terms) -> Judged:
    """Are validation errors like training errors, each relative to the mean colour's?"""
    findings = []
    for table, model in evidence.cells:
        ours = _valid_over_train(evidence, (table, model))
        theirs = paper_cell(table, "valid", model) / paper_cell(table, "train", model)
        key = {"table": table, "model": model, "measure": "valid / train"}
        findings.append(evidence.ratio(key, ours, theirs, note="over one colour's"))
    told = f"validation over training error, each relative to one colour's: {ratios_told(findings)}"
    return evidence.equal(findings, math.log1p(terms.margin), told)


def _valid_over_train(evidence: Evidence, cell: Cell) -> stats.Estimate:
    valid, train = (np.log(evidence.relative(cell, part)) for part in ("valid", "train"))
    chance = [evidence.by_chance(cell, part) for part in ("valid", "train")]
    return evidence.estimate(cell, valid - train, math.hypot(*chance), "ratios")


def ratios_told(findings: list[Finding]) -> str:
    """Say ratios: each with its interval if they are few, else from the least to the largest."""
    if len(findings) <= 2:
        return "; ".join(f"{f.what} {f.number()}" for f in findings)
    ours = [f.ours for f in findings]
    return f"{min(ours):.2f} to {max(ours):.2f} in {len(findings)} cells"


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
    """Is the test error smaller the more paintings were trained on, steps being equal?

    Fold by fold; the fold with all of its paintings is the main study's.
    """
    findings, archive, main = [], evidence.archive, evidence.archive.protocol.main
    for study in archive.protocol.studies.values():
        shares = {split.partition("-")[0] for split in study.splits}
        if not (shares <= set(SHARES) and len(shares) == 1):
            continue
        folds = tuple(f"fold-{split.partition('-')[2]}" for split in study.splits)
        if not set(folds) <= set(main.splits):
            raise KitError(f"{study.name}: the main study lacks {min(set(folds))}")
        for table, model in itertools.product(study.tables, study.models):
            less = [split.mean() for split in archive.cell(table, model, study=study.name)]
            whole = [split.mean() for split in archive.cell(table, model, splits=folds)]
            estimate = stats.over_splits(np.log(np.divide(less, whole)), archive.tested(main.name))
            key = {"table": table, "model": model, "measure": f"{min(shares)} / all"}
            findings.append(evidence.ratio(key, estimate))
    if not findings:
        raise KitError("no runs on fewer paintings")
    told = "test error with fewer training paintings over that with all, equal steps: "
    told += "; ".join(f"{f.what} {f.number()}" for f in findings)
    return Judged(by_intervals(findings, 1.0), told, findings)
