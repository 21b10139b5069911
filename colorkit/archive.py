"""The scores of a protocol's runs: gathered from its folders, published as small files, read back.

Published are every painting's scores (scores.csv, paintings.csv), each run's facts without them
(runs/<study>/<split>/<id>.json) and how far models are apart (distances.csv): enough to recompute
every verdict, and no pictures. A protocol too long for one machine's time is made in pieces: what
another machine published lies in <out>/joined/, and counts as if it had been run here.
"""

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import __version__
from .curation import manifest_hash, read_manifest
from .errors import KitError
from .experiment import failure_path, read_result
from .forced_choice import read_votes
from .grid import Grid
from .metrics import BASELINES
from .outputs import COLOUR_BINS, if_of_these_runs
from .paths import write_atomic
from .protocol import HISTORY, Protocol, Study, folder, read_history, read_protocol

KEYS = ["study", "split", "run", "table", "model", "variant", "seed", "part", "painting"]
SCORES = ["mse_ab", "mse_rgb", "ciede2000", "chroma", "chroma_true", "clipped"]
PAINTINGS = ["study", "split", "painting", "part", "mirrored", "path", "painter", "group"]
DISTANCES = ["study", "split", "a", "b", "path", "ciede2000"]
COLOURS = ["study", "split", "painter", "model", "a", "b", "pixels"]
VOTES = ["rater", "model", "path", "fooled"]
NOT_THERE = "not run yet, or stopped by an error: see its logs"
TEXT = {"variant": str, "run": str, "path": str}  # columns that are never numbers
JOINED = "joined"  # folder of what another machine published
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


def gather(protocol: Protocol, out: Path) -> Archive:
    """Read what there is of a protocol's runs. Raises KitError for foreign or damaged results."""
    joined = read_joined(protocol, out / JOINED) if (out / JOINED).exists() else None
    elsewhere = whole_splits(joined) if joined else set()
    scores, paintings, distances, colours, runs, holes = [], [], [], [], {}, {}
    for (study, split), grid in protocol.grids(out).items():
        if (study, split) in elsewhere:
            continue
        where = {"study": study, "split": split}
        if not (grid.out / "manifest.csv").exists():
            holes |= {f"{study}/{split}/{e.id}": NOT_THERE for e in grid.experiments()}
            holes[f"{study}/{split}/baselines"] = NOT_THERE
            continue
        manifest = read_manifest(grid.out / "manifest.csv")
        paintings.append(_paintings(manifest).assign(**where))
        for run, result in _results(grid, manifest_hash(manifest)):
            key = f"{study}/{split}/{run}"
            if isinstance(result, str):
                holes[key] = result
                continue
            runs[key] = {name: value for name, value in result.items() if name != "scores"}
            scores += [frame.assign(**where, run=run) for frame in _scores(result, manifest)]
        if found := _distances(grid):
            distances.append(pd.DataFrame(found).assign(**where))
        colours += [row | where for row in _colours(grid)]
    archive = Archive(
        protocol,
        read_history(out),
        _joined(scores, [*KEYS, *SCORES]),
        _joined(paintings, PAINTINGS),
        _joined(distances, DISTANCES),
        pd.DataFrame(colours, columns=COLOURS),
        pd.DataFrame(_votes(out), columns=VOTES),
        runs,
        holes,
    )
    return _join(archive, joined) if joined else archive


def read_joined(protocol: Protocol, published: Path) -> Archive:
    """Read an archive that is to count as if it had been run here.

    Raises KitError if it was made under another protocol, or by another version of the kit.
    """
    archive = load(published)
    if archive.protocol.sha256 != protocol.sha256:
        raise KitError(f"{published}: made under another protocol; use {published}/protocol.yaml")
    for version in {run["versions"]["colorkit"] for run in archive.runs.values()} - {__version__}:
        raise KitError(f"{published}: runs by colorkit {version}, this is {__version__}; run anew")
    return archive


def join(archive: Archive, out: Path) -> None:
    """Keep what another machine published in a results folder, where `gather` finds it.

    Raises KitError if something else was joined that this does not have.
    """
    kept = out / JOINED
    if kept.exists() and (lost := whole_splits(load(kept)) - whole_splits(archive)):
        where = "/".join(min(lost))
        raise KitError(f"{kept}: has {where}, this has not; publish that --out, then join again")
    publish(archive, kept)
    if not (out / HISTORY).exists():
        write_atomic(out / HISTORY, json.dumps(archive.history, indent=1) + "\n")


def whole_splits(archive: Archive) -> set[tuple[str, str]]:
    """Tell of which splits of which studies an archive has every run."""
    return set(archive.protocol.grids(Path("/"))) - {
        (study, split) for study, split, _ in (key.split("/") for key in archive.holes)
    }


def _join(archive: Archive, joined: Archive) -> Archive:
    """Put the whole splits of `joined` to an archive that lacks them."""
    kept = whole_splits(joined)

    def both(name: str) -> pd.DataFrame:
        old, new = getattr(joined, name), getattr(archive, name)
        old = old[[key in kept for key in zip(old["study"], old["split"], strict=True)]]
        return pd.concat([part for part in (old, new) if len(part)] or [new], ignore_index=True)

    frames = {name: both(name) for name in ("scores", "paintings", "distances", "colours")}
    runs = {key: run for key, run in joined.runs.items() if tuple(key.split("/")[:2]) in kept}
    votes = pd.concat([joined.votes, archive.votes], ignore_index=True)
    votes = votes.drop_duplicates(["rater", "model", "path"], ignore_index=True)
    history = [entry for entry in joined.history if entry not in archive.history]
    whole = replace(
        archive,
        **frames,
        votes=votes,
        runs=runs | archive.runs,
        history=history + archive.history,
    )
    _check_same_paintings(whole)
    return whole


def _check_same_paintings(archive: Archive) -> None:
    """Raise KitError if splits that should hold the same paintings do not."""
    painters = {study.name: study.painters for study in archive.protocol.studies}
    paths = archive.paintings.groupby(["study", "split"])["path"].agg(frozenset)
    for _, some in paths.groupby(lambda key: painters[key[0]]):
        if some.nunique() > 1:
            where = " and ".join("/".join(key) for key in some.drop_duplicates().index[:2])
            raise KitError(f"{where}: of other paintings; they are never mixed, choose one --data")


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


def _votes(out: Path) -> list[dict[str, Any]]:
    """Read the votes that lie beside the pages of the studies' folders."""
    rows, remarks = read_votes(sorted(out.glob("*/*/choice/*.votes.json")))
    for remark in remarks:
        print(remark)
    return rows


def _results(grid: Grid, paintings: str) -> Iterable[tuple[str, dict[str, Any] | str]]:
    baselines = read_result(grid.out, "baselines", paintings)
    yield "baselines", baselines or NOT_THERE
    for experiment in grid.experiments():
        result = read_result(grid.out, experiment.id, paintings, experiment.config())
        failed = failure_path(grid.out, experiment.id)
        if not result and failed.exists():
            result = json.loads(failed.read_text(encoding="utf-8"))["reason"]
        yield experiment.id, result or NOT_THERE


def _paintings(manifest: pd.DataFrame) -> pd.DataFrame:
    number = manifest.groupby("split").cumcount()
    named = manifest.assign(painting=number, part=manifest["split"]).drop(columns="split")
    return named[["painting", "part", "mirrored", "path", "painter", "group"]]


def _scores(result: dict[str, Any], manifest: pd.DataFrame) -> Iterable[pd.DataFrame]:
    config = result["config"]
    if result["id"] == "baselines":
        named = {(0, model, "", 0): scores for model, scores in result["scores"].items()}
    else:
        key = (config["table"], config["model"], config["variant"], config["seed"])
        named = {key: result["scores"]}
    for (table, model, variant, seed), scores in named.items():
        for part, rows in scores.items():
            frame = pd.DataFrame(rows)[SCORES]
            keys = {"table": table, "model": model, "variant": variant, "seed": seed, "part": part}
            yield frame.assign(**keys, painting=range(len(frame)))


def _distances(grid: Grid) -> list[dict[str, Any]]:
    found = if_of_these_runs(grid, "distances")
    return [
        {"a": pair["a"], "b": pair["b"], "path": path, "ciede2000": value}
        for pair in (found["pairs"] if found else ())
        for path, value in pair["ciede2000"].items()
    ]


def _colours(grid: Grid) -> Iterable[dict[str, Any]]:
    found, middles = if_of_these_runs(grid, "colours"), (COLOUR_BINS[:-1] + COLOUR_BINS[1:]) / 2
    for painter, models in (found["counts"] if found else {}).items():
        for model, counts in models.items():
            for i, j in zip(*np.nonzero(counts), strict=True):
                named = {"painter": painter, "model": model, "a": middles[i], "b": middles[j]}
                yield named | {"pixels": counts[i][j]}


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=columns)
    # As they will be read back, so that a verdict is the same before and after publishing.
    return _read_csv(_csv(pd.concat(frames)[columns]))


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")


def _read_csv(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=TEXT)


def fingerprint(archive: Archive) -> str:
    """Identify an archive's scores: the first 12 digits of a sha256."""
    return hashlib.sha256(_csv(archive.scores).encode()).hexdigest()[:12]
