"""Every claim of the paper, held against the runs by a rule that was fixed before them.

A rule looks at an archive and returns one of four verdicts with the numbers beside it; a hole in
the archive gives none. The claims, and what would confirm or refute each, are in
results/paper.json; which rule with which tolerance, in the protocol.
"""

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import fisher_exact

from . import forced_choice, stats
from .errors import KitError
from .paths import kit_file
from .recipes import MODELS, SHORT

if TYPE_CHECKING:
    from .archive import Archive

REPRODUCED, REFUTED = "reproduced", "not reproduced"
NOISE, UNTOLD = "within noise", "cannot be told from the paper"
NO_VERDICT = "no verdict"  # a hole among the runs, or too few of them
PARTS = ("train", "valid", "test")
PAPER_HOURS = 1.5  # section 3.3, for each GAN, on a Tesla T4


@dataclass(frozen=True)
class Finding:
    """One number held against the paper's, or against another model's."""

    what: str
    ours: float
    low: float
    high: float
    paper: float | None = None
    verdict: str = ""
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of one claim. `because` is one sentence with the numbers."""

    claim: dict[str, str]
    verdict: str
    because: str
    findings: tuple[Finding, ...] = field(default=())


Rule = Callable[["Archive", float], tuple[str, str, list[Finding]]]


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
    return [_judge(archive, claim) for claim in paper()["claims"]]


def _judge(archive: "Archive", claim: dict[str, str]) -> Verdict:
    rule, tolerance = archive.protocol.claims[claim["id"]]
    try:
        return Verdict(claim, *_frozen(RULES[rule](archive, tolerance)))
    except KitError as error:
        return Verdict(claim, NO_VERDICT, str(error))


def _frozen(judged: tuple[str, str, list[Finding]]) -> tuple[str, str, tuple[Finding, ...]]:
    verdict, because, findings = judged
    return verdict, because, tuple(findings)


def in_prediction_interval(archive: "Archive", _: float) -> tuple[str, str, list[Finding]]:
    """Is each cell of the paper where a run with a new split and a new seed would be?"""
    return _cells(archive, lambda table, model, part: archive.run_means(table, model, part), PARTS)


def ratio_in_prediction_interval(archive: "Archive", _: float) -> tuple[str, str, list[Finding]]:
    """Is the paper's ratio of test to validation error where a new run's would be?"""

    def ratio(table: int, model: str, _: str) -> list[np.ndarray]:
        parts = [archive.run_means(table, model, part) for part in ("test", "valid")]
        return [test / valid for test, valid in zip(*parts, strict=True)]

    return _cells(archive, ratio, ("test / validation",))


def _cells(
    archive: "Archive", runs: Callable[[int, str, str], list[np.ndarray]], parts: Iterable[str]
) -> tuple[str, str, list[Finding]]:
    confidence, findings = archive.protocol.analysis.confidence, []
    for table, part, model in itertools.product(tables(archive), parts, MODELS):
        if part in PARTS:
            theirs = paper_cell(table, part, model)
        else:
            theirs = paper_cell(table, "test", model) / paper_cell(table, "valid", model)
        ours, low, high = stats.prediction_interval(runs(table, model, part), confidence)
        verdict = REPRODUCED if low <= theirs <= high else REFUTED
        what = f"Table {table}, {part}, {SHORT[model]}"
        findings.append(Finding(what, ours, low, high, theirs, verdict))
    inside = sum(finding.verdict == REPRODUCED for finding in findings)
    verdict = REPRODUCED if inside == len(findings) else REFUTED
    return verdict, f"{inside} of {len(findings)} are where a new run of ours would be", findings


def lowest(archive: "Archive", _: float) -> tuple[str, str, list[Finding]]:
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


def equal_models(archive: "Archive", tolerance: float) -> tuple[str, str, list[Finding]]:
    """Are the three models' test errors equal within the tolerance?"""
    return _equal(pairwise(archive), tolerance)


def equal_rates(archive: "Archive", tolerance: float) -> tuple[str, str, list[Finding]]:
    """Does each model's test error stay the same, within the tolerance, at Table 2's rate?"""
    if tables(archive) != (1, 2):
        raise KitError("both tables are needed")
    metric = archive.protocol.analysis.primary
    cells = {
        model: [archive.cell(table, model, metric=metric) for table in (2, 1)] for model in MODELS
    }
    named = {f"{SHORT[model]}: Table 2 - Table 1": pair for model, pair in cells.items()}
    return _equal(_compared(archive, named), tolerance)


def _equal(findings: list[Finding], tolerance: float) -> tuple[str, str, list[Finding]]:
    inside = [f for f in findings if -tolerance <= f.low and f.high <= tolerance]
    outside = [f for f in findings if f.low > tolerance or f.high < -tolerance]
    told = (
        f"of {len(findings)} differences {len(inside)} are surely within ±{tolerance:g}, "
        f"{len(outside)} surely beyond"
    )
    if outside:
        return REFUTED, told, findings
    return (REPRODUCED if len(inside) == len(findings) else NOISE), told, findings


def no_further_than_seeds(archive: "Archive", tolerance: float) -> tuple[str, str, list[Finding]]:
    """Are U-Net and pretrained pix2pix as alike as two U-Nets of different seeds?"""
    confidence, findings = archive.protocol.analysis.confidence, []
    for table in tables(archive):
        for model in MODELS:
            archive.check_complete("tables", table, model)
        between, seeds = _apart(archive, table)
        differences = [a - b for a, b in zip(between, seeds, strict=True)]
        estimate, low, high, _ = stats.over_splits(differences, confidence)
        means = [np.mean([split.mean() for split in some]) for some in (between, seeds)]
        what = f"Table {table}: between the models - between two seeds"
        note = f"CIEDE2000 {means[0]:.1f} between the models, {means[1]:.1f} between two seeds"
        findings.append(Finding(what, estimate, low, high, note=note))
    told = "; ".join(f"Table {t}: {f.note}" for t, f in zip(tables(archive), findings, strict=True))
    if all(f.high <= tolerance for f in findings):
        return REPRODUCED, told, findings
    if any(f.low > tolerance for f in findings):
        return REFUTED, told, findings
    return NOISE, told, findings


def _apart(archive: "Archive", table: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    d = archive.distances[archive.distances["study"] == "tables"]
    names = d[["a", "b"]].apply(lambda column: column.str.extract(r"^(t\d+-\w+)-s(\d+)$")[0])
    seeds = d[["a", "b"]].apply(lambda column: column.str.extract(r"-s(\d+)$")[0])
    unet, pretrained = f"t{table}-unet_resnet18", f"t{table}-pix2pix_resnet18"
    same_seed = (seeds["a"] == seeds["b"]) & (names["a"] == unet) & (names["b"] == pretrained)
    same_model = (names["a"] == unet) & (names["b"] == unet)
    if not (same_seed.any() and same_model.any()):
        raise KitError(f"Table {table}: needs two seeds, and the models' distances")
    means = [
        d[rows].groupby(["split", "path"])["ciede2000"].mean() for rows in (same_seed, same_model)
    ]
    return tuple([part.to_numpy()[None] for _, part in mean.groupby("split")] for mean in means)


def beats_table(archive: "Archive", _: float) -> tuple[str, str, list[Finding]]:
    """Is the best model closer to the truth than a table of 40 numbers? Necessary, not enough."""
    metric = archive.protocol.analysis.primary
    reference = archive.cell(0, "L_table", metric=metric)
    named = {
        f"Table {table}: {SHORT[model]} - L table": [
            archive.cell(table, model, metric=metric),
            reference,
        ]
        for table, model in itertools.product(tables(archive), MODELS)
    }
    findings = _compared(archive, named)
    worse = [f for f in findings if f.verdict == "L table is better"]
    better = [f for f in findings if f.verdict not in (NOISE, "L table is better")]
    told = f"{len(better)} of {len(findings)} beat the table, {len(worse)} are worse than it"
    verdict = REPRODUCED if better else REFUTED if len(worse) == len(findings) else NOISE
    return verdict, told, findings


def by_votes(archive: "Archive", tolerance: float) -> tuple[str, str, list[Finding]]:
    """Do people take the scratch pix2pix for the painting more often than the others?"""
    votes = archive.votes
    if len(votes) < tolerance:
        told = f"the paper shows no votes; of ours there are {len(votes)}, {tolerance:g} are needed"
        return UNTOLD, told, []
    counts = {tally.model: tally for tally in forced_choice.tally(votes.to_dict("records"))}
    if set(counts) != set(MODELS):
        raise KitError("votes on all three models are needed")
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


def same_hours(archive: "Archive", tolerance: float) -> tuple[str, str, list[Finding]]:
    """Does a GAN take 1.5 hours on a T4, within a factor?"""
    hours = [
        run["seconds"] / 3600
        for run in archive.runs.values()
        if "T4" in run["device"] and run["config"].get("profile") == "paper"
        if str(run["config"]["model"]).startswith("pix2pix")
    ]
    if not hours:
        return UNTOLD, "what its hours hold is not said, and none of these runs was on a T4", []
    mean = float(np.mean(hours))
    near = PAPER_HOURS / tolerance <= mean <= PAPER_HOURS * tolerance
    finding = Finding("hours for a GAN", mean, min(hours), max(hours), PAPER_HOURS)
    return (REPRODUCED if near else REFUTED), f"{mean:.2f} hours of {PAPER_HOURS}", [finding]


def untold(archive: "Archive", _: float) -> tuple[str, str, list[Finding]]:
    """The paper gives nothing that could be held against a run."""
    return UNTOLD, "nothing in the paper could be held against a run", []


def tables(archive: "Archive") -> tuple[int, ...]:
    """Return which of the paper's tables the protocol's main study has."""
    return next(study.tables for study in archive.protocol.studies if study.name == "tables")


def pairwise(archive: "Archive") -> list[Finding]:
    """Compare each pair of models on the test paintings, a family for Holm's adjustment."""
    metric = archive.protocol.analysis.primary
    named = {
        f"Table {table}: {SHORT[a]} - {SHORT[b]}": [
            archive.cell(table, model, metric=metric) for model in (a, b)
        ]
        for table in tables(archive)
        for a, b in itertools.combinations(MODELS, 2)
    }
    return _compared(archive, named)


def _compared(archive: "Archive", named: dict[str, list[list[np.ndarray]]]) -> list[Finding]:
    analysis = archive.protocol.analysis
    found = {
        what: stats.compare(a, b, analysis.confidence, analysis.draws)
        for what, (a, b) in named.items()
    }
    adjusted = stats.holm([comparison.p for comparison in found.values()])
    return [
        _compared_finding(what, comparison, p, 1 - analysis.confidence)
        for (what, comparison), p in zip(found.items(), adjusted, strict=True)
    ]


def _compared_finding(what: str, found: stats.Comparison, p: float, alpha: float) -> Finding:
    first, second = what.rpartition(": ")[2].split(" - ")
    verdict = NOISE
    if p < alpha:
        verdict = f"{first if found.estimate < 0 else second} is better"
    note = (
        f"p {p:.3g} (Holm); bootstrap {found.bootstrap[0]:+.4f} to {found.bootstrap[1]:+.4f}; "
        f"paintings alone {found.paintings[0]:+.4f} to {found.paintings[1]:+.4f}; "
        f"Wilcoxon {found.wilcoxon:.2g}; better on {found.better:.0%} of paintings; "
        f"{found.n} paintings show {found.detectable:.4f}"
    )
    return Finding(what, found.estimate, found.low, found.high, verdict=verdict, note=note)


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        in_prediction_interval,
        ratio_in_prediction_interval,
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
