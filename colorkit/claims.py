"""Every claim of the paper, held against the runs by a rule that was fixed before them.

A rule looks at an archive and returns one of four verdicts with the numbers beside it; a hole in
the archive gives none. The claims, and what would confirm or refute each, are in
results/paper.json; which rule with which tolerance, in the protocol.
"""

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import fisher_exact

from . import forced_choice, stats
from .comparisons import (
    NOISE,
    Finding,
    Pairs,
    compare_with,
    compared,
    comparisons,
    model_pairs,
    pairwise,
    tables,
)
from .errors import KitError
from .paths import kit_file
from .recipes import MODELS, SHORT

if TYPE_CHECKING:
    from .archive import Archive

REPRODUCED, REFUTED = "reproduced", "not reproduced"
UNTOLD = "cannot be told from the paper"
NO_VERDICT = "no verdict"  # a hole among the runs, or too few of them
PARTS = ("train", "valid", "test")
LEAST_TOLERANCE = {"same_hours": 1, "by_votes": 1}  # below it a rule makes no sense
LEAST_RATERS = 3
PAPER_HOURS = 1.5  # section 3.3, for each GAN, on a Tesla T4


@dataclass(frozen=True)
class Verdict:
    """What became of one claim. `because` is one sentence with the numbers."""

    claim: dict[str, str]
    verdict: str
    because: str
    findings: tuple[Finding, ...] = field(default=())


Judged = tuple[str, str, list[Finding]]  # the verdict, because, the numbers
Rule = Callable[["Archive", float], Judged]


def paper() -> dict[str, Any]:
    """Read results/paper.json: the cells of Tables 1 and 2, and the claims."""
    return json.loads(kit_file("results", "paper.json").read_text(encoding="utf-8"))


def paper_cell(table: int, part: str, model: str) -> float:
    """Return one cell of Table 1 or 2."""
    return next(
        cell["mse"]
        for cell in paper()["cells"]
        if (cell["table"], cell["split"], cell["model"]) == (table, part, model)
    )


def verdicts(archive: "Archive") -> list[Verdict]:
    """Judge every claim, in the paper's order."""
    return [judge(archive, claim["id"]) for claim in paper()["claims"]]


def judge(archive: "Archive", claim_id: str) -> Verdict:
    """Judge one claim by the protocol's rule; "no verdict" says which run or what is missing."""
    claim = next(claim for claim in paper()["claims"] if claim["id"] == claim_id)
    rule, tolerance = archive.protocol.claims[claim["id"]]
    try:
        verdict, because, findings = RULES[rule](archive, tolerance)
    except KitError as error:
        return Verdict(claim, NO_VERDICT, str(error))
    return Verdict(claim, verdict, because, tuple(findings))


def in_prediction_interval(archive: "Archive", tolerance: float) -> Judged:
    """Is each cell of the paper where a run with a new split and a new seed would be?"""

    def cell(table: int, model: str, part: str) -> tuple[list[np.ndarray], float]:
        return archive.run_means(table, model, part), paper_cell(table, part, model)

    return _cells(archive, cell, PARTS, tolerance)


def ratios_in_prediction_interval(archive: "Archive", tolerance: float) -> Judged:
    """Are the paper's ratios, validation to training and test to validation, a new run's too?"""

    def ratio(table: int, model: str, ratio: str) -> tuple[list[np.ndarray], float]:
        over, under = ratio.split(" / ")
        pairs = zip(*(archive.run_means(table, model, part) for part in (over, under)), strict=True)
        theirs = paper_cell(table, over, model) / paper_cell(table, under, model)
        return [one / other for one, other in pairs], theirs

    return _cells(archive, ratio, ("valid / train", "test / valid"), tolerance)


def _cells(
    archive: "Archive",
    runs_and_paper: Callable[[int, str, str], tuple[list[np.ndarray], float]],
    parts: tuple[str, ...],
    tolerance: float,
) -> Judged:
    """Hold cells against prediction intervals that hold all of them at once (Bonferroni).

    An interval that reaches further than `tolerance` times its middle can refute nothing near
    it: what lies in it is within noise.
    """
    wanted = list(itertools.product(tables(archive), parts, MODELS))
    confidence = 1 - (1 - archive.protocol.analysis.confidence) / len(wanted)
    findings = []
    for table, part, model in wanted:
        runs, theirs = runs_and_paper(table, model, part)
        ours, low, high = stats.prediction_interval(runs, confidence)
        inside, narrow = low <= theirs <= high, high - ours <= tolerance * ours
        verdict = REFUTED if not inside else REPRODUCED if narrow else NOISE
        what = f"Table {table}, {part}, {SHORT[model]}"
        findings.append(Finding(what, ours, low, high, theirs, verdict))
    counts = {name: sum(f.verdict == name for f in findings) for name in (REPRODUCED, NOISE)}
    told = f"{counts[REPRODUCED]} of {len(findings)} are where a new run of ours would be"
    if counts[NOISE]:
        told += f", {counts[NOISE]} in an interval too wide to tell"
    if sum(counts.values()) < len(findings):
        return REFUTED, told, findings
    return (NOISE if counts[NOISE] else REPRODUCED), told, findings


def lowest(archive: "Archive", _: float) -> Judged:
    """Has the scratch pix2pix the lowest test error of the three, beyond noise?"""
    findings = pairwise(archive)
    against = [finding for finding in findings if "scratch" in finding.what]
    better = [f for f in against if f.verdict == "scratch is better"]
    worse = [f for f in against if f.verdict.endswith("is better") and f not in better]
    if worse:
        return REFUTED, f"in {len(worse)} of {len(against)} comparisons it is worse", findings
    if len(better) == len(against):
        return REPRODUCED, f"in all {len(against)} comparisons it is better", findings
    return NOISE, f"in {len(better)} of {len(against)} comparisons it is better", findings


def equal_models(archive: "Archive", tolerance: float) -> Judged:
    """Are the three models' test errors equal within the tolerance?"""
    return _equal(archive, model_pairs(archive), tolerance)


def equal_rates(archive: "Archive", tolerance: float) -> Judged:
    """Does each model's test error stay the same, within the tolerance, at Table 2's rate?"""
    if set(tables(archive)) != {1, 2}:
        raise KitError("both tables are needed")
    metric = archive.protocol.analysis.primary
    cells = {
        model: [archive.cell(table, model, metric=metric) for table in (2, 1)] for model in MODELS
    }
    named = {f"{SHORT[model]}: Table 2 - Table 1": pair for model, pair in cells.items()}
    return _equal(archive, named, tolerance)


def _equal(archive: "Archive", named: Pairs, tolerance: float) -> Judged:
    """Equal: every interval within the tolerance. Not: one surely beyond it (Holm)."""
    confidence = archive.protocol.analysis.confidence
    found = comparisons(archive, named)
    inside = [-tolerance <= c.low and c.high <= tolerance for c in found.values()]
    p_values = [stats.p_beyond(c, tolerance, confidence) for c in found.values()]
    beyond = [p < 1 - confidence for p in stats.holm(p_values)]
    told = (
        f"of {len(found)} differences {sum(inside)} are surely within ±{tolerance:g}, "
        f"{sum(beyond)} surely beyond"
    )
    findings = compared(archive, found)
    if any(beyond):
        return REFUTED, told, findings
    return (REPRODUCED if all(inside) else NOISE), told, findings


def no_further_than_seeds(archive: "Archive", tolerance: float) -> Judged:
    """Are U-Net and pretrained pix2pix as alike as two U-Nets of different seeds?

    As in the paper the pix2pix begins with that very U-Net; how far it is from the U-Net of
    another seed is told as well.
    """
    findings, told = [], []
    confidence = 1 - (1 - archive.protocol.analysis.confidence) / len(tables(archive))
    for table in tables(archive):
        for model in MODELS:
            archive.cell(table, model)
        between, others, seeds = (_apart(archive, table, kind) for kind in ("own", "other", "seed"))
        differences = [a - b for a, b in zip(between, seeds, strict=True)]
        estimate, low, high, _ = stats.over_splits(differences, confidence)
        own, other, two = (np.mean([s.mean() for s in some]) for some in (between, others, seeds))
        note = (
            f"CIEDE2000 {own:.1f} between the U-Net and the pix2pix that begins with it, "
            f"{other:.1f} with another seed's, {two:.1f} between two U-Nets"
        )
        told.append(f"Table {table}: {note}")
        what = f"Table {table}: between the models - between two seeds"
        findings.append(Finding(what, estimate, low, high, note=note))
    if all(f.high <= tolerance for f in findings):
        return REPRODUCED, "; ".join(told), findings
    if any(f.low > tolerance for f in findings):
        return REFUTED, "; ".join(told), findings
    return NOISE, "; ".join(told), findings


def _apart(archive: "Archive", table: int, kind: str) -> list[np.ndarray]:
    """Average the distances of one kind of pair, painting by painting, for each split."""
    d = archive.distances[archive.distances["study"] == "tables"]
    model = d[["a", "b"]].apply(lambda names: names.str.extract(r"^(t\d+-\w+)-s\d+$")[0])
    seed = d[["a", "b"]].apply(lambda names: names.str.extract(r"-s(\d+)$")[0])
    unet, pretrained = f"t{table}-unet_resnet18", f"t{table}-pix2pix_resnet18"
    wanted = {unet} if kind == "seed" else {unet, pretrained}
    pairs = [
        {a, b} == wanted and (one == other) == (kind == "own")
        for a, b, one, other in zip(model["a"], model["b"], seed["a"], seed["b"], strict=True)
    ]
    means = d[pairs].groupby(["split", "path"])["ciede2000"].mean()
    found = {split: part.to_numpy()[None] for split, part in means.groupby("split")}
    if lacking := set(archive.study("tables").splits) - set(found):
        raise KitError(f"Table {table}, {min(lacking)}: two seeds' distances are missing")
    return list(found.values())


def beats_table(archive: "Archive", _: float) -> Judged:
    """Is a model closer to the truth than a table of 40 numbers? Necessary, not enough."""
    found = compare_with(archive, "L_table")
    worse = [f for f in found if f.verdict == "L table is better"]
    better = [f for f in found if f.verdict not in (NOISE, "L table is better")]
    told = f"{len(better)} of {len(found)} beat the table, {len(worse)} are worse than it"
    if better:
        which = ", ".join(f.what.partition(" - ")[0] for f in better)
        return UNTOLD, f"{told} ({which}); how near is correct is not said", found
    return (REFUTED if len(worse) == len(found) else NOISE), told, found


def by_votes(archive: "Archive", tolerance: float) -> Judged:
    """Do people take the scratch pix2pix for the painting more often than the others?

    tolerance: how many votes there must be for each model, by at least three raters.
    """
    counts = {tally.model: tally for tally in forced_choice.tally(archive.votes.to_dict("records"))}
    least = min((counts[m].votes if m in counts else 0 for m in MODELS), default=0)
    raters = archive.votes["rater"].nunique()
    if least < tolerance or raters < LEAST_RATERS:
        told = f"the paper shows no votes; of ours there are {least} a model by {raters} raters"
        return UNTOLD, f"{told}, {tolerance:g} by {LEAST_RATERS} are needed", []
    findings = [
        Finding(SHORT[name], tally.rate, tally.low, tally.high, note=f"{tally.votes} votes")
        for name, tally in counts.items()
    ]
    scratch = counts.pop("pix2pix_scratch")
    adjusted = stats.holm([_p_of_two(scratch, other) for other in counts.values()])
    beyond = [
        np.sign(scratch.rate - other.rate) * (p < 1 - archive.protocol.analysis.confidence)
        for other, p in zip(counts.values(), adjusted, strict=True)
    ]
    told = ", ".join(f"{finding.what} {finding.ours:.0%}" for finding in findings)
    verdict = REFUTED if min(beyond) < 0 else REPRODUCED if min(beyond) > 0 else NOISE
    return verdict, f"taken for the painting: {told}", findings


def _p_of_two(a: forced_choice.Tally, b: forced_choice.Tally) -> float:
    counts = [[tally.fooled, tally.votes - tally.fooled] for tally in (a, b)]
    return float(fisher_exact(counts).pvalue)


def same_hours(archive: "Archive", tolerance: float) -> Judged:
    """Does a GAN take 1.5 hours on a T4, within a factor?"""
    hours = [
        run["seconds"] / 3600
        for key, run in archive.runs.items()
        if key.startswith("tables/") and re.search(r"\bT4\b", run["device"])
        if run["config"].get("profile") == "paper"
        if str(run["config"]["model"]).startswith("pix2pix")
    ]
    if not hours:
        return UNTOLD, "what its hours hold is not said, and none of these runs was on a T4", []
    mean = float(np.mean(hours))
    near = PAPER_HOURS / tolerance <= mean <= PAPER_HOURS * tolerance
    finding = Finding("hours for a GAN", mean, min(hours), max(hours), PAPER_HOURS)
    return (REPRODUCED if near else REFUTED), f"{mean:.2f} hours of {PAPER_HOURS}", [finding]


def untold(archive: "Archive", _: float) -> Judged:
    """The paper gives nothing that could be held against a run."""
    return UNTOLD, "nothing in the paper could be held against a run", []


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        in_prediction_interval,
        ratios_in_prediction_interval,
        lowest,
        equal_models,
        equal_rates,
        no_further_than_seeds,
        beats_table,
        by_votes,
        same_hours,
        untold,
    )
}
