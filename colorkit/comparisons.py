"""Models held against each other, and against the baselines, on the test paintings.

All comparisons of one question are one family for Holm's adjustment.
"""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import stats
from .recipes import MODELS, SHORT

if TYPE_CHECKING:
    from .archive import Archive

NOISE = "within noise"
BASELINE_SHORT = {"grey": "grey", "mean_ab": "mean colour", "L_table": "L table"}
Pairs = dict[str, list[list[np.ndarray]]]  # what is compared: the scores of two models


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


def tables(archive: "Archive") -> tuple[int, ...]:
    """Return which of the paper's tables the protocol's main study has."""
    return archive.study("tables").tables


def pairwise(archive: "Archive") -> list[Finding]:
    """Compare each pair of models on the test paintings, one family for Holm's adjustment."""
    return compared(archive, comparisons(archive, model_pairs(archive)))


def compare_with(archive: "Archive", baseline: str) -> list[Finding]:
    """Compare each model with a baseline on the test paintings, one family."""
    metric = archive.protocol.analysis.primary
    reference, label = archive.cell(0, baseline, metric=metric), BASELINE_SHORT[baseline]
    named = {
        f"Table {table}: {SHORT[model]} - {label}": [
            archive.cell(table, model, metric=metric),
            reference,
        ]
        for table, model in itertools.product(tables(archive), MODELS)
    }
    return compared(archive, comparisons(archive, named))


def model_pairs(archive: "Archive") -> Pairs:
    """Name each pair of models of each table, with their test scores."""
    metric = archive.protocol.analysis.primary
    return {
        f"Table {table}: {SHORT[a]} - {SHORT[b]}": [
            archive.cell(table, model, metric=metric) for model in (a, b)
        ]
        for table in tables(archive)
        for a, b in itertools.combinations(MODELS, 2)
    }


def comparisons(archive: "Archive", named: Pairs) -> dict[str, stats.Comparison]:
    """Compare each named pair as the protocol says."""
    analysis = archive.protocol.analysis
    return {
        what: stats.compare(a, b, analysis.confidence, analysis.draws)
        for what, (a, b) in named.items()
    }


def compared(archive: "Archive", found: dict[str, stats.Comparison]) -> list[Finding]:
    """Say of each comparison of a family which model is better, or that it is within noise."""
    adjusted = stats.holm([comparison.p for comparison in found.values()])
    return [
        _compared_finding(what, comparison, p, 1 - archive.protocol.analysis.confidence)
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
        f"a true difference of {found.detectable:.4f} would be found in 4 of 5 such studies"
    )
    return Finding(what, found.estimate, found.low, found.high, verdict=verdict, note=note)
