"""The scores of a protocol's runs: gathered from its folders, published as small files, read back.

Published are every painting's scores (scores.csv, paintings.csv), each run's facts without them
(runs/<study>/<split>/<id>.json) and how far models are apart (distances.csv): enough to recompute
every verdict, and no pictures. How they come together is gathering.py's.
"""

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import KitError
from .metrics import BASELINES
from .paths import write_atomic
from .protocol import Protocol, Study, folder, read_protocol

KEYS = ["study", "split", "run", "table", "model", "variant", "seed", "part", "painting"]
SCORES = ["mse_ab", "mse_rgb", "ciede2000", "chroma", "chroma_true", "clipped"]
PAINTINGS = ["study", "split", "painting", "part", "mirrored", "path", "painter", "group"]
DISTANCES = ["study", "split", "a", "b", "path", "ciede2000"]
COLOURS = ["study", "split", "painter", "model", "a", "b", "pixels"]
VOTES = ["rater", "model", "path", "fooled"]
TEXT = {"variant": str, "run": str, "path": str}  # columns that are never numbers
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
        study: str = "tables",
        variant: str = "",
    ) -> list[np.ndarray]:
        """Return a model's scores for each split: (seeds, paintings), near-duplicates averaged.

        Baselines have one seed. Raises KitError if a run is missing.
        """
        wanted = self._cell(table, model, part, study, variant)
        grouped = wanted.groupby(["split", "seed", "group"])[metric].mean().unstack("group")
        return [part.dropna(axis=1, how="all").to_numpy() for _, part in grouped.groupby("split")]

    def run_means(
        self, table: int, model: str, part: str = "test", metric: str = "mse_ab"
    ) -> list[np.ndarray]:
        """Return the mean score of each main run, for each split: (seeds,). KitError as `cell`."""
        wanted = self._cell(table, model, part, "tables", "")
        means = wanted.groupby(["split", "seed"])[metric].mean()
        return [part.to_numpy() for _, part in means.groupby("split")]

    def _cell(self, table: int, model: str, part: str, study: str, variant: str) -> pd.DataFrame:
        s, baseline = self.scores, model in BASELINES
        rows = s[(s["study"] == study) & (s["model"] == model) & (s["part"] == part)]
        rows = rows[(rows["table"] == (0 if baseline else table)) & (rows["variant"] == variant)]
        wanted = self.study(study)
        rows = rows[rows["split"].isin(wanted.splits)]
        for split in wanted.splits:
            for seed in (0,) if baseline else wanted.seeds:
                if not ((rows["split"] == split) & (rows["seed"] == seed)).any():
                    end = f"-{variant}" if variant else ""
                    run = "baselines" if baseline else f"t{table}-{model}-s{seed}{end}"
                    raise KitError(self.missing(f"{study}/{split}/{run}"))
        return rows.merge(self.paintings, on=["study", "split", "painting", "part"])

    def study(self, name: str) -> Study:
        """Return a study of the protocol. Raises KitError if it has none of that name."""
        for study in self.protocol.studies:
            if study.name == name:
                return study
        raise KitError(f"{name}: no such study in this protocol")

    def missing(self, key: str) -> str:
        """Say that a run has no result, and why: a hole is never dropped in silence."""
        return f"{key} has no result ({self.holes.get(key, 'not in the protocol')})"


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


def newest(results: Path) -> Path:
    """Find the newest published protocol, by its folder's date. Raises KitError if none is."""
    found = sorted(results.glob("*/archive.json"), key=lambda path: path.parent.name[-10:])
    if not found:
        raise KitError(f"{results}: no published protocol; run `colorkit reproduce --protocol`")
    return found[-1].parent


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
