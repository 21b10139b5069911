"""What a protocol's runs gave, painting by painting, and what can be asked of it.

Everything later is a re-read of these tables: nothing trains, and nothing needs weights or
pictures. How they come together is claims/gathering.py's.
"""

import hashlib
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
PAINTINGS = ["study", "split", "painting", "part", "mirrored", "path", "painter", "group"]
DISTANCES = ["study", "split", "table", "a", "a_seed", "b", "b_seed", "path", "ciede2000"]
COLOURS = ["study", "split", "painter", "model", "a", "b", "pixels"]
VOTES = ["rater", "model", "path", "fooled"]


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
        if not self.table:
            return f"{self.study}, {self.split}: baselines"
        named = f"Table {self.table}, {SHORT[self.model]}, seed {self.seed}"
        return f"{self.study}, {self.split}: {named}" + (
            f", {self.variant}" if self.variant else ""
        )


@dataclass(frozen=True, eq=False)
class Archive:
    """What a protocol's runs gave. `holes` says which runs have no result, and why.

    scores: KEYS and SCORES, a row a run and painting. paintings: PAINTINGS, numbered within each
    part. distances: DISTANCES, between the pictures of two runs of a table, models a and b.
    colours: COLOURS, how many pixels of the test paintings have which a* and b* (middle of a bin).
    votes: VOTES, of the forced choice. runs: the runs' records without scores.
    """

    protocol: Protocol
    history: list[dict[str, Any]]
    scores: pd.DataFrame
    paintings: pd.DataFrame
    distances: pd.DataFrame
    colours: pd.DataFrame
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
            scores = self._grouped if grouped else self._scores_of
            found.append(np.array([scores(key, part, metric) for key in wanted]))
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

    def records(self, study: str, split: str, table: int, model: str) -> list[dict[str, Any]]:
        """List the records of a split's runs, without variants. KitError if one is missing."""
        wanted = self._wanted(study, split, table, model)
        for key in wanted:
            if key not in self.runs:
                raise KitError(self.missing(key))
        return [self.runs[key] for key in wanted]

    def tested(self, study: str) -> float:
        """Return the share of a split's trained and tested paintings that are tested."""
        shares = []
        for split in self.study(study).splits:
            test, train = (len(self._groups[study, split, part]) for part in ("test", "train"))
            shares.append(test / (test + train))
        return float(np.mean(shares))

    def paintings_of(self, study: str, split: str, part: str) -> int:
        """Count the paintings of a part, near-duplicates one by one."""
        return len(self._groups[study, split, part])

    def training_paintings(self, study: str) -> int:
        """Return how many paintings the smallest training part of a study has."""
        here = self.paintings[self.paintings["study"] == study]
        counts = here[here["part"] == "train"].groupby("split")["path"].nunique()
        return int(counts.min()) if len(counts) else 0

    def distances_by_kind(self, study: str, table: int) -> dict[str, np.ndarray]:
        """Average CIEDE2000 between the pictures of pairs of runs, by kind: (splits, 1) each.

        "pair": a U-Net and the pix2pix that begins with it; "scratch": either of them and
        scratch; "unets", "pretrained", "seeds": two seeds of the one, the other, of either (their
        mean). KitError if a split lacks one.
        """
        here = self.distances[
            (self.distances["study"] == study) & (self.distances["table"] == table)
        ]
        sides = here[["a", "b", "a_seed", "b_seed"]].itertuples(index=False)
        here = here.assign(kind=[_kind(*side) for side in sides])
        means = here.groupby(["kind", "split"])["ciede2000"].mean().to_dict()
        found = {}
        for kind in ("pair", "scratch", "unets", "pretrained"):
            for split in self.study(study).splits:
                if (kind, split) not in means:
                    raise KitError(f"Table {table}, {split}: distances ({kind}) are missing")
            found[kind] = np.array([[means[kind, split]] for split in self.study(study).splits])
        return found | {"seeds": (found["unets"] + found["pretrained"]) / 2}

    def missing(self, key: RunKey) -> str:
        """Say that a run has no result, and why: a hole is never dropped in silence."""
        key = key if key.table else key._replace(model="baselines")  # they are made together
        return f"{key} has no result ({self.holes.get(key, 'not in the protocol')})"

    @cached_property
    def fingerprint(self) -> str:
        """Identify the scores: the first 12 digits of a sha256."""
        text = self.scores.to_csv(index=False, lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _wanted(
        self, study: str, split: str, table: int, model: str, variant: str = ""
    ) -> list[RunKey]:
        wanted = self.study(study)
        seeds = (0,) if model in BASELINES else wanted.seeds_of(split)
        return [RunKey(wanted.name, split, table, model, seed, variant) for seed in seeds]

    def _grouped(self, key: RunKey, part: str, metric: str) -> np.ndarray:
        """Return a run's scores, (groups of near-duplicates,): each the mean of its paintings."""
        if (key, part, metric) not in self._known:
            scores, groups = self._scores_of(key, part, metric), self._groups[(*key[:2], part)]
            means = np.bincount(groups, scores) / np.bincount(groups)
            self._known[key, part, metric] = means
        return self._known[key, part, metric]

    def _scores_of(self, key: RunKey, part: str, metric: str) -> np.ndarray:
        """Return a run's scores on a part, (paintings,). KitError if any is missing."""
        if (*key, part) not in self._rows:
            raise KitError(self.missing(key))
        scores = self._columns[metric][self._rows[(*key, part)]]
        paintings, fine = len(self._groups[(*key[:2], part)]), int(np.isfinite(scores).sum())
        if not fine == len(scores) == paintings:
            raise KitError(
                f"{key}: {fine} of {paintings} {part} paintings have a score; run it again"
            )
        return scores

    @cached_property
    def _known(self) -> dict[tuple[RunKey, str, str], np.ndarray]:
        """Remember what was asked for: every claim and table asks for the same few cells."""
        return {}

    @cached_property
    def _ordered(self) -> pd.DataFrame:
        return self.scores.sort_values("painting", kind="stable").reset_index(drop=True)

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return {name: self._ordered[name].to_numpy(float) for name in SCORES}

    @cached_property
    def _rows(self) -> dict[tuple[Any, ...], np.ndarray]:
        """Find the rows of each run and part, in the order of the paintings."""
        return dict(self._ordered.groupby([*RunKey._fields, "part"]).indices)

    @cached_property
    def _groups(self) -> dict[tuple[str, str, str], np.ndarray]:
        """Number the groups of near-duplicates of each part, in the order of the paintings."""
        ordered = self.paintings.sort_values("painting", kind="stable")
        return {
            key: np.unique(part["group"], return_inverse=True)[1]
            for key, part in ordered.groupby(["study", "split", "part"])
        }


def _kind(a: str, b: str, a_seed: int, b_seed: int) -> str:
    """Say what a distance between two runs' pictures is about; "other" if about nothing asked."""
    if a == b:
        return {"unet_resnet18": "unets", "pix2pix_resnet18": "pretrained"}.get(a, "other")
    if a_seed != b_seed:
        return "other"
    return "scratch" if "pix2pix_scratch" in (a, b) else "pair"
