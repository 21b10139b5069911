"""What a rule sees, what it finds, and what it makes of that.

A rule sees `Evidence`: which study's runs stand for each model and table. Errors are relative to
the mean colour's on the same paintings, so another set of paintings is another number and the same
meaning. It never looks at settings: whether these runs may decide anything is for `verdicts.judge`.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..experiment import MODELS, SHORT
from . import stats
from .archive import Archive
from .board import INCONCLUSIVE, NOT, REPLICATED

MEAN_COLOUR, SCRATCH = "mean_ab", "pix2pix_scratch"
Cell = tuple[int, str]  # a table and a model
Key = dict[str, Any]  # what a number is of
FAILED = 2.0  # a run is a failure if it is so many times worse than one constant colour


@dataclass(frozen=True)
class Finding:
    """One number held against the paper's, or against another model's.

    key: what it is of, as facts: table, part, model, or models a and b, and the measure. low and
    high are a 90 % interval unless the rule says otherwise. estimate: what they come from, if an
    estimate; nobody keeps it.
    """

    key: Key
    ours: float
    low: float = math.nan
    high: float = math.nan
    paper: float | None = None
    verdict: str = ""
    note: str = ""
    estimate: stats.Estimate | None = None

    @property
    def what(self) -> str:
        """Say what the number is of, in words."""
        told: list[str] = []
        for name, fact in self.key.items():
            if name == "b":
                told[-1] += f" - {SHORT[fact]}"
            else:
                told.append(f"Table {fact}" if name == "table" else SHORT.get(fact, fact))
        return ", ".join(told)

    def number(self, form: str = ".2f") -> str:
        """Write the number with its interval."""
        return f"{self.ours:{form}} [{self.low:{form}}, {self.high:{form}}]"


class Judged(NamedTuple):
    """What a rule makes of runs: a verdict if they may decide, the numbers in one sentence."""

    verdict: str
    told: str
    findings: list[Finding] = []  # noqa: RUF012  (a NamedTuple's default is never changed)


@dataclass(frozen=True)
class Evidence:
    """Runs that stand for models and tables: {(table, model): the study they are of}.

    Errors are of the protocol's primary metric unless another is named; variant: of runs changed
    so; splits: of these, all if none is named.
    """

    archive: Archive
    studies: dict[Cell, str]
    metric: str = ""
    variant: str = ""
    splits: tuple[str, ...] = ()

    @property
    def tables(self) -> list[int]:
        """Return the tables of which there is anything."""
        return sorted({table for table, _ in self.studies})

    def models(self, table: int) -> list[str]:
        """Return the models of a table that there are, in the paper's order."""
        return [model for model in MODELS if (table, model) in self.studies]

    @property
    def cells(self) -> list[Cell]:
        """List tables and models in the paper's order. KitError if there is none."""
        if not self.studies:
            raise KitError("no runs")
        return [(table, model) for table in self.tables for model in self.models(table)]

    @property
    def at_both_rates(self) -> list[str]:
        """List the models that both tables have. KitError if there is none."""
        if not (models := [model for model in self.models(1) if model in self.models(2)]):
            raise KitError("no runs of one model at both rates")
        return models

    @property
    def votes(self) -> pd.DataFrame:
        """Return the votes (archive.VOTES) on these runs' pictures."""
        votes = self.archive.votes
        of = zip(votes["table"], votes["model"], votes["study"], strict=True)
        mine = [self.studies.get((table, model)) == study for table, model, study in of]
        return votes[np.array(mine, dtype=bool)]

    def need_all(self) -> None:
        """Raise KitError unless all three models are there in at least one table."""
        for table in self.tables or [1]:
            if lacking := set(MODELS) - set(self.models(table)):
                names = ", ".join(SHORT[model] for model in MODELS if model in lacking)
                raise KitError(f"Table {table}: no runs of {names}")

    def errors(self, cell: Cell, part: str = "test", baseline: str = "") -> list[np.ndarray]:
        """Return errors for each split, (seeds, paintings), or a baseline's: (1, paintings)."""
        metric = self.metric or self.archive.protocol.analysis.primary
        named, variant = ((0, baseline), "") if baseline else (cell, self.variant)
        return self.archive.cell(*named, part, metric, self.studies[cell], variant, self.splits)

    def means(self, cell: Cell, part: str = "test", baseline: str = "") -> np.ndarray:
        """Average `errors` over the paintings: (splits, seeds), a baseline's (splits, 1)."""
        return np.array([split.mean(1) for split in self.errors(cell, part, baseline)])

    def relative(self, cell: Cell, part: str = "test") -> np.ndarray:
        """Return runs' mean errors over the mean colour's: (splits, seeds)."""
        return self.means(cell, part) / self.means(cell, part, MEAN_COLOUR)

    def log_relative(self, cell: Cell, baseline: str = MEAN_COLOUR) -> stats.Estimate:
        """Estimate log(test error / a baseline's): below 0 if the model is better.

        A failed run counts as one that just failed: how far it went astray says nothing.
        """
        stats.check_paintings(self.errors(cell))
        just_failed = FAILED * self.means(cell, baseline=MEAN_COLOUR)
        runs = np.minimum(self.means(cell), just_failed)
        values = np.log(runs / self.means(cell, baseline=baseline))
        return self.estimate(cell, values, self.by_chance(cell, baseline=baseline))

    def by_chance(self, cell: Cell, part: str = "test", baseline: str = MEAN_COLOUR) -> float:
        """Return the standard error that the first split's paintings give `log_relative`."""
        runs, known = self.errors(cell, part)[0], self.errors(cell, part, baseline)[0]
        return stats.log_ratio_error(runs.mean(0), known[0])

    def estimate(
        self, cell: Cell, values: np.ndarray, paintings: float = 0.0, noise: str = "runs"
    ) -> stats.Estimate:
        """Estimate the mean of runs' values (splits, seeds).

        For a single split: paintings is the standard error that its paintings give, noise names
        the protocol's standard deviation of one run.
        """
        if len(values) == 1:
            runs = self.archive.protocol.analysis.noise[noise]
            return stats.of_one_split(values[0], paintings, runs)
        study = self.archive.study(self.studies[cell])
        crossed = not study.own_seeds  # every split was trained with the same seeds
        return stats.over_splits(values, self.archive.tested(study.name), crossed)

    def difference(self, key: Key, estimate: stats.Estimate, note: str = "") -> Finding:
        """Make a finding of an estimated difference."""
        numbers = estimate.value, *estimate.interval(self.confidence)
        return Finding(key, *numbers, note=note, estimate=estimate)

    def ratio(self, key: Key, estimate: stats.Estimate, *paper: float, note: str = "") -> Finding:
        """Make a finding of the estimated logarithm of a ratio; paper: the paper's, if any."""
        numbers = estimate.ratio(self.confidence)
        return Finding(key, *numbers, *paper, note=note, estimate=estimate)

    def not_better_than_colour(self, models: list[str]) -> str:
        """Say how many models do not surely beat the mean colour; nothing if all do."""
        wanted = [(table, model) for table in self.tables for model in models]
        beats = [self.log_relative(cell).p_below(0.0) < self.alpha for cell in wanted]
        if all(beats):
            return ""
        return f"{sum(beats)} of {len(beats)} surely beat one constant colour, which comes first"

    def equal(self, findings: list[Finding], margin: float, told: str, doubt: str = "") -> Judged:
        """All surely within the margin: replicated. One (Holm) surely beyond it: not replicated.

        What is doubtful is not replicated either.
        """
        if min(stats.holm([f.estimate.p_beyond(margin) for f in findings])) < self.alpha:
            return Judged(NOT, told, findings)
        if doubt:
            return Judged(INCONCLUSIVE, f"{doubt}; {told}", findings)
        within = [f.estimate.p_within(margin) < self.alpha for f in findings]
        return Judged(REPLICATED if all(within) else INCONCLUSIVE, told, findings)

    def any_above(self, findings: Sequence[Finding], margin: float) -> bool:
        """Tell whether one of a family (Holm) is surely more than the margin."""
        estimates = [f.estimate for f in findings]
        p_values = [e.p_beyond(margin) if e.value > 0 else 1.0 for e in estimates]
        return min(stats.holm(p_values)) < self.alpha

    def all_below(self, findings: Sequence[Finding], margin: float) -> bool:
        """Tell whether each is surely less than the margin."""
        return all(f.estimate.p_below(margin) < self.alpha for f in findings)

    @property
    def alpha(self) -> float:
        """Return the protocol's rate of false alarms."""
        return self.archive.protocol.analysis.alpha

    @property
    def confidence(self) -> float:
        """Return the confidence of intervals: both one-sided tests at alpha."""
        return 1 - 2 * self.alpha


def main_evidence(archive: Archive, metric: str = "") -> Evidence:
    """Take the main study's runs: what is shown where nothing is decided."""
    study = archive.protocol.main
    cells = itertools.product(study.tables, study.models)
    return Evidence(archive, dict.fromkeys(cells, study.name), metric)


def by_intervals(findings: Sequence[Finding], border: float, sign: int = 1) -> str:
    """All above a border (sign -1: below it): replicated. One on the other side: not."""
    ends = [(sign * (f.low - border), sign * (f.high - border)) for f in findings]
    if min(map(min, ends)) > 0:
        return REPLICATED
    return NOT if min(map(max, ends)) < 0 else INCONCLUSIVE
