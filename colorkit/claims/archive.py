"""The scores of a protocol's runs: gathered from its folders, published as small files, read back.

Published are every painting's scores (scores.csv, paintings.csv), each run's facts without them
(runs/<study>/<split>/<id>.json) and how far models are apart (distances.csv): enough to recompute
every verdict, and no pictures. How they come together is claims/gathering.py's.
"""

import hashlib
import io
import itertools
import json
import math
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..base.files import write_atomic
from ..metrics import BASELINES
from ..replication.paper import PARTS
from ..splits import SHARES
from .protocol import Protocol, Study, folder, read_protocol

KEYS = ["study", "split", "run", "table", "model", "variant", "seed", "part", "painting"]
SCORES = ["mse_ab", "mse_rgb", "ciede2000", "chroma", "chroma_true", "clipped"]
PAINTINGS = ["study", "split", "painting", "part", "mirrored", "path", "painter", "group"]
DISTANCES = ["study", "split", "a", "b", "path", "ciede2000"]
COLOURS = ["study", "split", "painter", "model", "a", "b", "pixels"]
VOTES = ["rater", "model", "path", "fooled"]
TEXT = {"variant": str, "run": str, "path": str}  # columns that are never numbers
RUN_NAME = r"^t(\d+)-(\w+)-s(\d+)$"
_SIDES = ["a_model", "b_model", "a_seed", "b_seed"]
DIGITS = 6  # significant ones; scores are published as text


@dataclass(frozen=True)
class Archive:
    """What a protocol's runs gave. `holes` says which runs have no result, and why.

    scores: KEYS and SCORES, a row a run and painting; baselines have table 0 and seed 0.
    paintings: PAINTINGS. distances: DISTANCES. votes: VOTES, of the forced choice. colours:
    COLOURS, how many pixels of the test paintings have which a* and b* (middle of a bin).
    runs: {"study/split/id": facts}.
    """

    protocol: Protocol
    history: list[dict[str, str]]
    scores: pd.DataFrame
    paintings: pd.DataFrame
    distances: pd.DataFrame
    colours: pd.DataFrame
    votes: pd.DataFrame
    runs: dict[str, dict[str, Any]]
    holes: dict[str, str] = field(default_factory=dict)

    def cell(
        self,
        table: int,
        model: str,
        part: str = "test",
        metric: str = "mse_ab",
        study: str = "",
        variant: str = "",
        splits: tuple[str, ...] = (),
    ) -> list[np.ndarray]:
        """Return a model's scores for each split: (seeds, paintings), near-duplicates averaged.

        study: the protocol's main one if empty; splits: all of the study's if empty. Baselines
        have table 0 and one seed. Raises KitError if a run, or a painting's score, is missing or
        is no number.
        """
        wanted = self.study(study) if study else self.protocol.main
        return [
            self._split(wanted, split, table, model, part, metric, variant, grouped=True)
            for split in splits or wanted.splits
        ]

    def run_means(
        self, table: int, model: str, part: str = "test", metric: str = "mse_ab", study: str = ""
    ) -> list[np.ndarray]:
        """Return the mean score of each run, for each split: (seeds,). KitError as `cell`."""
        wanted = self.study(study) if study else self.protocol.main
        return [
            self._split(wanted, split, table, model, part, metric, "", grouped=False).mean(1)
            for split in wanted.splits
        ]

    def _split(
        self,
        study: Study,
        split: str,
        table: int,
        model: str,
        part: str,
        metric: str,
        variant: str,
        grouped: bool,
    ) -> np.ndarray:
        """Return scores (seeds, paintings) of one split."""
        groups = self._groups.get((study.name, split, part), np.zeros(0, dtype=int))
        baseline, rows = model in BASELINES, []
        for seed in (0,) if baseline else study.seeds_of(split):
            end = f"-{variant}" if variant else ""
            run = "baselines" if baseline else f"t{table}-{model}-s{seed}{end}"
            key = f"{study.name}/{split}/{run}"
            found = self._by_run.get((study.name, split, run, model, part))
            if found is None:
                raise KitError(self.missing(key))
            scores = found[metric].to_numpy()
            if len(scores) != len(groups) or not np.isfinite(scores).all():
                fine = int(np.isfinite(scores).sum())
                raise KitError(
                    f"{key}: {fine} of {len(groups)} {part} paintings have a score; run it again"
                )
            rows.append(scores)
        if not grouped:
            return np.array(rows)
        counts = np.bincount(groups)
        return np.array([np.bincount(groups, row) / counts for row in rows])

    @cached_property
    def _by_run(self) -> dict[tuple[str, str, str, str, str], pd.DataFrame]:
        ordered = self.scores.sort_values("painting", kind="stable")
        return dict(tuple(ordered.groupby(["study", "split", "run", "model", "part"])))

    @cached_property
    def _groups(self) -> dict[tuple[str, str, str], np.ndarray]:
        """Number the groups of near-duplicates of each part, in the order of the paintings."""
        ordered = self.paintings.sort_values("painting", kind="stable")
        return {
            key: np.unique(part["group"], return_inverse=True)[1]
            for key, part in ordered.groupby(["study", "split", "part"])
        }

    def runs_of(self, studies: dict[tuple[int, str], str]) -> list[dict[str, Any]]:
        """List the records of the runs, without variants, of some (table, model): study."""
        return [
            self.runs[key]
            for (table, model), name in studies.items()
            for split in self.study(name).splits
            for seed in self.study(name).seeds_of(split)
            if (key := f"{name}/{split}/t{table}-{model}-s{seed}") in self.runs
        ]

    def tested(self, study: str) -> float:
        """Return the share of a split's trained and tested paintings that are tested."""
        sizes = [
            (len(self._groups[study, split, "test"]), len(self._groups[study, split, "train"]))
            for split in self.study(study).splits
        ]
        return float(np.mean([test / (test + train) for test, train in sizes]))

    def training_paintings(self, study: str) -> int:
        """Return how many paintings the smallest training part of a study has."""
        here = self.paintings[self.paintings["study"] == study]
        counts = here[here["part"] == "train"].groupby("split")["path"].nunique()
        return int(counts.min()) if len(counts) else 0

    def pools(self, failed: float) -> dict[str, np.ndarray]:
        """Return the errors of known predictors on paintings: {name: (n,)}.

        Each baseline on all paintings of the main study's first split, which needs no training,
        and each model on all its test paintings, without runs that are more than `failed` times
        worse than the mean colour.
        """
        main, found = self.protocol.main, {}
        first = main.splits[:1]
        for name in BASELINES:
            parts = [self.cell(0, name, part, splits=first)[0][0] for part in PARTS]
            found[name] = np.concatenate(parts)
        for table, model in itertools.product(main.tables, main.models):
            with suppress(KitError):
                pairs = zip(self.cell(table, model), self.cell(0, "mean_ab"), strict=True)
                fine = [e[e.mean(1) <= failed * c.mean()] for e, c in pairs]
                if means := [split.mean(0) for split in fine if len(split)]:
                    found[f"t{table}-{model}"] = np.concatenate(means)
        return found

    def losses(self, study: str, table: int, model: str) -> list[np.ndarray]:
        """Return runs' training losses after a fifth of the epochs: for each split (seeds,).

        After two at least: the first epoch is mostly the scale of new weights.
        """
        found = []
        for split in self.study(study).splits:
            row = []
            for seed in self.study(study).seeds_of(split):
                key = f"{study}/{split}/t{table}-{model}-s{seed}"
                history = self.runs.get(key, {}).get("history")
                if not history:
                    raise KitError(self.missing(key))
                epoch = history[min(len(history), max(2, len(history) // 5)) - 1]
                row.append(next(loss for name, loss in epoch.items() if name.startswith("train_")))
            found.append(np.array(row))
        return found

    def by_training_share(self) -> dict[tuple[int, str, str], list[np.ndarray]]:
        """Return log(test error with fewer training paintings / with all), fold by fold.

        {(table, model, "half" or "quarter"): for each fold (1,)}; the fold with all of its
        paintings is the main study's. KitError for a hole.
        """
        found, main = {}, self.protocol.main
        for study in self.protocol.studies:
            schemes = {split.partition("-")[0] for split in study.splits}
            if not (schemes <= set(SHARES) and len(schemes) == 1):
                continue
            folds = [f"fold-{split.partition('-')[2]}" for split in study.splits]
            if not set(folds) <= set(main.splits):
                raise KitError(f"{study.name}: the main study lacks {min(set(folds))}")
            for table, model in itertools.product(study.tables, study.models):
                less = self.cell(table, model, study=study.name)
                whole = dict(zip(main.splits, self.cell(table, model), strict=True))
                found[table, model, min(schemes)] = [
                    np.array([math.log(few.mean() / whole[fold].mean())])
                    for fold, few in zip(folds, less, strict=True)
                ]
        return found

    def distances_by_kind(self, study: str, table: int) -> dict[str, np.ndarray]:
        """Average CIEDE2000 between the pictures of pairs of runs, by kind: (splits, 1) each.

        "pair": a U-Net and the pix2pix that begins with it; "scratch": either of them and
        scratch; "unets", "pretrained", "seeds": two seeds of the one, the other, of either (their
        mean). KitError if a split lacks one.
        """
        d = self.distances[self.distances["study"] == study].copy()
        for side in ("a", "b"):
            d[[f"{side}_table", f"{side}_model", f"{side}_seed"]] = d[side].str.extract(RUN_NAME)
        d = d[(d["a_table"] == str(table)) & (d["b_table"] == str(table))]
        d["kind"] = [_kind(*row) for row in d[_SIDES].itertuples(index=False)]
        means = d.groupby(["kind", "split"])["ciede2000"].mean()
        splits = self.study(study).splits
        found = {}
        for kind in ("pair", "scratch", "unets", "pretrained"):
            here = [means.get((kind, split)) for split in splits]
            if lacking := [split for split, mean in zip(splits, here, strict=True) if mean is None]:
                raise KitError(f"Table {table}, {lacking[0]}: distances ({kind}) are missing")
            found[kind] = np.array(here)[:, None]
        return found | {"seeds": (found["unets"] + found["pretrained"]) / 2}

    def study(self, name: str) -> Study:
        """Return a study of the protocol. Raises KitError if it has none of that name."""
        for study in self.protocol.studies:
            if study.name == name:
                return study
        raise KitError(f"{name}: no such study in this protocol")

    def missing(self, key: str) -> str:
        """Say that a run has no result, and why: a hole is never dropped in silence."""
        return f"{key} has no result ({self.holes.get(key, 'not in the protocol')})"


def _kind(a: str, b: str, a_seed: str, b_seed: str) -> str:
    models = {a, b}
    if len(models) == 2:
        kind = "scratch" if "pix2pix_scratch" in models else "pair"
        return kind if a_seed == b_seed else "other"
    return {"unet_resnet18": "unets", "pix2pix_resnet18": "pretrained"}.get(a, "other")


def publish(archive: Archive, target: Path) -> None:
    """Write an archive's small files; `load` reads them back."""
    tables = {
        "scores.csv": archive.scores,
        "paintings.csv": archive.paintings,
        "distances.csv": archive.distances,
        "colours.csv": archive.colours,
        "votes.csv": archive.votes,
    }
    for name, frame in tables.items():
        write_atomic(target / name, _csv(frame))
    for path in (target / "runs").glob("*/*/*.json"):  # of an earlier try on the same day
        path.unlink()
    for key, facts in archive.runs.items():
        study, split, run = key.split("/")
        path = folder(target / "runs", study, split) / f"{run}.json"
        write_atomic(path, json.dumps(facts | {"key": key}, ensure_ascii=False) + "\n")
    write_atomic(target / "protocol.yaml", archive.protocol.text)
    told = {"history": archive.history, "holes": archive.holes}
    write_atomic(target / "archive.json", json.dumps(told, indent=1) + "\n")


def load(target: Path) -> Archive:
    """Read a published archive. Raises KitError if a file is missing or damaged."""
    try:
        names = ("scores", "paintings", "distances", "colours", "votes")
        frames = {name: _read_csv((target / f"{name}.csv").read_text("utf-8")) for name in names}
        told = json.loads((target / "archive.json").read_text(encoding="utf-8"))
        facts = [json.loads(p.read_text(encoding="utf-8")) for p in target.glob("runs/*/*/*.json")]
        scores, paintings = frames["scores"][[*KEYS, *SCORES]], frames["paintings"][PAINTINGS]
        distances, holes, history = frames["distances"][DISTANCES], told["holes"], told["history"]
        colours, votes = frames["colours"][COLOURS], frames["votes"][VOTES]
        runs = {run.pop("key"): run for run in facts}
    except (OSError, ValueError, KeyError) as error:
        raise KitError(f"{target}: not a published protocol ({error}); publish it anew") from error
    check_one_version(runs)
    protocol = read_protocol(str(target / "protocol.yaml"))
    return Archive(protocol, history, scores, paintings, distances, colours, votes, runs, holes)


def check_one_version(runs: dict[str, dict[str, Any]]) -> None:
    """Raise KitError if runs of several versions of the kit lie side by side."""
    made_by = sorted({run["versions"]["colorkit"] for run in runs.values()})
    if len(made_by) > 1:
        raise KitError(f"runs by colorkit {' and '.join(made_by)}: they are never mixed; run anew")


def as_published(frame: pd.DataFrame) -> pd.DataFrame:
    """Round a table as publishing does: a verdict is the same before and after it."""
    return _read_csv(_csv(frame))


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")


def _read_csv(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=TEXT)


def fingerprint(archive: Archive) -> str:
    """Identify an archive's scores: the first 12 digits of a sha256."""
    return hashlib.sha256(_csv(archive.scores).encode()).hexdigest()[:12]
