"""From a protocol's results folders to one archive, what another machine published included.

A protocol too long for one machine's time is made in pieces: what was published elsewhere lies in
<out>/joined/, and its whole splits count as if they had been run here.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import __version__
from ..base.errors import KitError
from ..base.files import write_atomic
from ..curation import manifest_hash, read_manifest
from ..experiment import MODELS, differing, failure_path, read_result
from ..replication.grid import Grid
from ..training import snapshots_path
from .archive import (
    COLOURS,
    DIGITS,
    DISTANCES,
    KEYS,
    PAINTINGS,
    SCORES,
    VOTES,
    Archive,
    as_published,
    check_one_version,
    load,
    publish,
)
from .distances import COLOUR_BINS, if_of_these_runs
from .protocol import HISTORY, Protocol, folder, read_history, read_protocol
from .votes import read_votes

JOINED = "joined"  # folder of what another machine published
NOT_THERE = "not run yet, or stopped by an error: see its logs"


def gather(protocol: Protocol, out: Path, version: str = __version__) -> Archive:
    """Read what there is of a protocol's runs, by this version of the kit (by any if empty).

    Raises KitError for foreign or damaged results.
    """
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
        for run, result in _results(grid, manifest_hash(manifest), version):
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
        _table(scores, [*KEYS, *SCORES]),
        _table(paintings, PAINTINGS),
        _table(distances, DISTANCES),
        pd.DataFrame(colours, columns=COLOURS),
        pd.DataFrame(_votes(out), columns=VOTES),
        runs,
        holes,
    )
    check_one_version(runs)
    return _join(archive, joined) if joined else archive


def publish_runs(protocol: Protocol, out: Path, target: Path) -> None:
    """Copy a protocol's results without weights, pixels and notebooks: what `gather` reads.

    Scores lie in columns, with six digits; of the pictures on the way only those of each study's
    first run are kept. Nothing is left of an earlier try on the same day. Raises KitError if
    another protocol was published there.
    """
    there = target / "protocol.yaml"
    if there.exists() and there.read_text(encoding="utf-8") != protocol.text:
        raise KitError(f"{target}: another protocol is published there; choose another --publish")
    shutil.rmtree(target, ignore_errors=True)
    first = set()
    for (study, split), grid in protocol.grids(out).items():
        there = folder(target, study, split)
        for path in [grid.out / "manifest.csv", *sorted((grid.out / "runs").glob("*.json"))]:
            if path.exists():
                name = path.relative_to(grid.out)
                text = path.read_text(encoding="utf-8")
                write_atomic(there / name, _in_columns(text) if name.suffix == ".json" else text)
        for experiment in grid.experiments():
            shown = snapshots_path(grid.out, experiment.id)
            if (study, experiment.table) not in first and (shown / "paintings.jpg").exists():
                first.add((study, experiment.table))
                shutil.copytree(shown, snapshots_path(there, experiment.id))
    for name in ("protocol.yaml", HISTORY):
        write_atomic(target / name, (out / name).read_text(encoding="utf-8"))


def _in_columns(text: str) -> str:
    """Write a run's JSON small: scores as columns, numbers with six digits."""
    result = json.loads(text)
    parts = result.get("scores", {})
    if result["id"] == "baselines":
        result["scores"] = {name: _columns(scores) for name, scores in parts.items()}
    elif parts:
        result["scores"] = _columns(parts)
    return json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n"


def _columns(parts: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, list[Any]]]:
    return {
        part: {
            name: [float(f"{row[name]:.{DIGITS}g}") for row in rows]
            if name in SCORES
            else [row[name] for row in rows]
            for name in ("path", *SCORES)
        }
        for part, rows in parts.items()
    }


def newest(results: Path) -> Path:
    """Find the newest published protocol, by its folder's date. Raises KitError if none is."""
    if not (found := published_folders(results)):
        raise KitError(f"{results}: no published protocol; run `colorkit reproduce --protocol`")
    return found[0]


def published(results: Path) -> list[Archive]:
    """Read every published protocol, the newest first."""
    return [read_published(path) for path in published_folders(results)]


def read_published(path: Path) -> Archive:
    """Read a published protocol, as files of its own (until 0.3.0) or as its results."""
    if (path / "archive.json").exists():
        return load(path)
    return gather(read_protocol(str(path / "protocol.yaml")), path, version="")


def published_folders(results: Path) -> list[Path]:
    """List the folders of published protocols, the newest first."""
    found = {path.parent for path in results.glob("*/protocol.yaml")}
    return sorted(found, key=lambda folder: (folder.name[-10:], folder.name), reverse=True)


def read_joined(protocol: Protocol, published: Path) -> Archive:
    """Read an archive that is to count as if it had been run here.

    Raises KitError if it was made under another protocol, by another version of the kit, or with
    other settings than runs would have here, such as the backbone's weights.
    """
    archive = load(published)
    if archive.protocol.sha256 != protocol.sha256:
        raise KitError(f"{published}: made under another protocol; use {published}/protocol.yaml")
    for version in {run["versions"]["colorkit"] for run in archive.runs.values()} - {__version__}:
        raise KitError(f"{published}: runs by colorkit {version}, this is {__version__}; run anew")
    for (study, split), grid in protocol.grids(Path("/")).items():
        for experiment in grid.experiments():
            key, wanted = f"{study}/{split}/{experiment.id}", experiment.config()
            made_with = archive.runs.get(key, {"config": wanted})["config"]
            if names := differing(made_with, wanted):
                told = f"{names[0]} {made_with.get(names[0])}, not {wanted[names[0]]}"
                raise KitError(f"{published}: {key} was made with {told}; run anew")
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
    """Tell of which splits of which studies an archive has every run, and their colours."""
    holes = {tuple(key.split("/")[:2]) for key in archive.holes}
    counted = set(archive.colours["split"])  # the last thing that is done for the main study
    main = archive.protocol.main
    compared = main.name if set(main.models) == set(MODELS) else ""
    return {
        (study, split)
        for study, split in set(archive.protocol.grids(Path("/"))) - holes
        if study != compared or split in counted
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


def _votes(out: Path) -> list[dict[str, Any]]:
    """Read the votes that lie beside the pages of the studies' folders."""
    rows, remarks = read_votes(sorted(out.glob("*/*/choice/*.votes.json")))
    for remark in remarks:
        print(remark)
    return rows


def _results(
    grid: Grid, paintings: str, version: str
) -> Iterable[tuple[str, dict[str, Any] | str]]:
    baselines = read_result(grid.out, "baselines", paintings, version=version)
    yield "baselines", baselines or NOT_THERE
    for experiment in grid.experiments():
        wanted = experiment.config() if version else None  # what is published stays as it was
        result = read_result(grid.out, experiment.id, paintings, wanted, version)
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


def _table(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return as_published(pd.concat(frames)[columns]) if frames else pd.DataFrame(columns=columns)
