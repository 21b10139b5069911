"""What a protocol's runs gave, painting by painting, and what can be asked of it.

Everything later is a re-read of these tables: nothing trains, and nothing needs weights or
pictures. How they come together is claims/gathering.py's.
"""

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..experiment import SHORT
from ..metrics import BASELINES
from .protocol import Protocol, Study

KEYS = ["study", "split", "table", "model", "variant", "seed", "part", "painting"]
SCORES = ["mse_ab", "mse_rgb", "ciede2000", "chroma", "chroma_true", "clipped"]
PAINTING_COLUMNS = ["study", "split", "painting", "part", "mirrored", "path", "painter", "group"]
DISTANCES = ["study", "split", "table", "kind", "path", "ciede2000"]
KINDS = ("pair", "scratch", "unets", "pretrained")  # of distances; see Archive
NOT_THERE = "not run yet, or stopped by an error: see its logs"  # why a run has no result
VOTES = ["study", "table", "rater", "model", "path", "fooled"]


class RunKey(NamedTuple):
    """Which run: its study, its split (the scheme, such as fold-1), and its experiment.

    Baselines have table 0, seed 0 and their name as the model.
    """

    study: str
    split: str
    table: int
    model: str
    seed: int
    variant: str = ""

    def __str__(self) -> str:
        run = "baselines"
        if self.table:
            run = f"Table {self.table}, {SHORT[self.model]}, seed {self.seed}"
        return f"{self.study}, {self.split}: {run}" + (self.variant and f", {self.variant}")


@dataclass(frozen=True, eq=False)
class Archive:
    """What a protocol's runs gave. `holes` says which runs have no result, and why.

    scores: KEYS and SCORES, a row a run and painting. paintings: PAINTING_COLUMNS, numbered within
    each part. Both are in the paintings' order. distances: DISTANCES, between the pictures of pairs
    of runs; kind: "pair", a U-Net and the pix2pix that begins with it; "scratch", either of them
    and scratch; "unets", "pretrained", two seeds of the one, the other. votes: VOTES, of the forced
    choice. runs: their records without scores.
    """

    protocol: Protocol
    history: list[dict[str, Any]]
    scores: pd.DataFrame
    paintings: pd.DataFrame
    distances: pd.DataFrame
    votes: pd.DataFrame
    runs: dict[RunKey, dict[str, Any]]
    holes: dict[RunKey, str] = field(default_factory=dict)

    def study(self, name: str = "") -> Study:
        """Return a study of the protocol, the main one if unnamed. KitError if there is none."""
        if not name:
            return self.protocol.main
        if name not in self.protocol.studies:
            raise KitError(f"{name}: no such study in this protocol")
        return self.protocol.studies[name]

    def cell(
        self,
        table: int,
        model: str,
        part: str = "test",
        metric: str = "mse_ab",
        study: str = "",
        variant: str = "",
        splits: tuple[str, ...] = (),
        grouped: bool = True,
    ) -> list[np.ndarray]:
        """Return a model's scores for each split: (seeds, paintings).

        grouped: near-duplicates are averaged, as whatever tests something needs it.

        study: the protocol's main one if empty; splits: all of the study's if empty. Baselines
        have table 0 and one seed. Raises KitError if a run, or a painting's score, is missing or
        is no number.
        """
        found = []
        for split in splits or self.study(study).splits:
            wanted = self._wanted(study, split, table, model, variant)
            found.append(np.array([self._scores(key, part, metric, grouped) for key in wanted]))
        return found

    def runs_of(self, studies: dict[tuple[int, str], str]) -> list[dict[str, Any]]:
        """List the records of the runs, without variants, of some (table, model): study."""
        return [
            self.runs[key]
            for (table, model), name in studies.items()
            for split in self.study(name).splits
            for key in self._wanted(name, split, table, model)
            if key in self.runs
        ]

    def tested(self, study: str) -> float:
        """Return the share of a split's trained and tested paintings that are tested."""
        shares = []
        begun = {split for name, split, _ in self._groups if name == study}
        for split in (split for split in self.study(study).splits if split in begun):
            test, train = (len(self._groups[study, split, part]) for part in ("test", "train"))
            shares.append(test / (test + train))
        return float(np.mean(shares))

    def training_paintings(self, study: str) -> int:
        """Return how many paintings the smallest training part of a study has."""
        trained = self.paintings.query("study == @study and part == 'train'")
        counts = trained.groupby("split")["path"].nunique()
        return int(counts.min()) if len(counts) else 0

    def distances_by_kind(self, study: str, table: int) -> dict[str, np.ndarray]:
        """Average a table's distances by kind: (splits, 1) each. KitError if a split lacks one.

        "seeds" is the mean of the two kinds that are of two seeds.
        """
        here = self.distances.query("study == @study and table == @table")
        means = here.groupby(["kind", "split"])["ciede2000"].mean()
        means = means.reindex(itertools.product(KINDS, self.study(study).splits))
        if means.isna().any():
            kind, split = means.index[means.isna()][0]
            raise KitError(f"Table {table}, {split}: distances ({kind}) are missing")
        found = {kind: means[kind].to_numpy(float)[:, None] for kind in KINDS}
        return found | {"seeds": (found["unets"] + found["pretrained"]) / 2}

    def _wanted(
        self, study: str, split: str, table: int, model: str, variant: str = ""
    ) -> list[RunKey]:
        wanted = self.study(study)
        seeds = (0,) if model in BASELINES else wanted.seeds_of(split)
        return [RunKey(wanted.name, split, table, model, seed, variant) for seed in seeds]

    def _scores(self, key: RunKey, part: str, metric: str, grouped: bool) -> np.ndarray:
        """Return a run's scores on a part, (paintings,), or the mean of each group, (groups,)."""
        if (*key, part) not in self._rows:  # a hole is never dropped in silence
            unknown = "not in the protocol" if key.table else NOT_THERE  # baselines are in each
            raise KitError(f"{key} has no result ({self.holes.get(key, unknown)})")
        scores = self.scores[metric].to_numpy(float)[self._rows[(*key, part)]]
        groups, fine = self._groups[(*key[:2], part)], int(np.isfinite(scores).sum())
        if not fine == len(scores) == len(groups):
            raise KitError(
                f"{key}: {fine} of {len(groups)} {part} paintings have a score; run it again"
            )
        return np.bincount(groups, scores) / np.bincount(groups) if grouped else scores

    @cached_property
    def _rows(self) -> dict[tuple[Any, ...], np.ndarray]:
        """Find the rows of each run and part."""
        return dict(self.scores.groupby([*RunKey._fields, "part"]).indices)

    @cached_property
    def _groups(self) -> dict[tuple[str, str, str], np.ndarray]:
        """Number the groups of near-duplicates of each part's paintings."""
        parts = self.paintings.groupby(["study", "split", "part"])["group"]
        return {key: np.unique(part, return_inverse=True)[1] for key, part in parts}
