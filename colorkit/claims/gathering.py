"""A protocol's results folder, read as one archive, and published: the same without weights."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..base.errors import KitError
from ..base.files import write_atomic
from ..replication.grid import Grid
from .archive import DISTANCES, KEYS, NOT_THERE, PAINTING_COLUMNS, SCORES, VOTES, Archive, RunKey
from .board import newest_first
from .distances import made_of
from .protocol_file import HISTORY, read_history, read_protocol
from .votes import read_votes

DIGITS = 6  # significant ones, of scores
ASKED = ("table", "model", "seed", "variant", "split", "profile", "epochs")  # by a protocol


def read_archive(out: Path) -> Archive:
    """Read what there is of a protocol's runs in its results folder, or in a published one.

    Raises KitError for foreign or damaged results, and for runs by two versions of the kit.
    """
    protocol = read_protocol(str(out / "protocol.yaml"))
    runs, holes, paintings, scores, distances = {}, {}, [], [], []
    for (study, split), grid in protocol.grids(out).items():
        where, records = {"study": study, "split": split}, {}
        if begun := grid.folder.manifest_path.exists():
            listed = grid.folder.listed
            number = listed.groupby("part").cumcount()
            paintings.append(listed.assign(painting=number, **where))
        for key, (name, asked) in _wanted(grid, study, split).items():
            if begun and (record := grid.folder.result(name, asked, by="")):
                scores += _score_tables(key, record.pop("scores"))
                records[key] = record
            elif key.table:  # baselines are no runs
                holes[key] = _why_not(grid.folder.failure_path(name))
        plain = [record for key, record in records.items() if key.table and not key.variant]
        distances += [row | where for row in _distances(grid, plain)]
        runs |= records
    history = read_history(out)
    if runs and not history:
        raise KitError(f"{out / HISTORY}: missing; it says what was fixed first; restore it")
    made_by = sorted({run["versions"]["colorkit"] for run in runs.values()})
    if len(made_by) > 1:
        raise KitError(f"runs by colorkit {' and '.join(made_by)}: they are never mixed; run anew")
    return Archive(
        protocol,
        history,
        _table(scores, [*KEYS, *SCORES]),
        _table(paintings, PAINTING_COLUMNS),
        _table(distances, DISTANCES),
        _votes(out, protocol.studies),
        runs,
        holes,
    )


def publish_runs(out: Path, target: Path) -> None:
    """Copy a protocol's results without weights, pixels and notebooks: what `read_archive` reads.

    Scores lie in columns, with six digits; votes come with their keys; of the pictures on the way
    only those of each study's first run are kept, and splits without a run are not. Nothing is
    left of an earlier try on the same day. Raises KitError if another protocol was published there.
    """
    protocol, there = read_protocol(str(out / "protocol.yaml")), target / "protocol.yaml"
    if target.resolve() == out.resolve():
        raise KitError(f"{target}: is published already; choose another --publish")
    if there.exists() and there.read_text(encoding="utf-8") != protocol.text:
        raise KitError(f"{target}: another protocol is published there; choose another --publish")
    shutil.rmtree(target, ignore_errors=True)
    shown, targets = set(), protocol.grids(target)
    for (study, split), grid in protocol.grids(out).items():
        source = grid.folder.path
        if not any(source.glob("runs/t*.json")):
            continue
        kept = [*source.glob("manifest.csv"), *source.glob("runs/*.json")]
        kept += source.glob("choice/*.json")
        for e in grid.experiments():
            pictures = grid.folder.snapshots_path(e.id)
            if (study, e.table) not in shown and (pictures / "paintings.jpg").exists():
                shown.add((study, e.table))
                kept += pictures.iterdir()
        for path in kept:  # copytree asks for chmod
            content = path.read_bytes()
            content = _in_columns(content) if path.parent.name == "runs" else content
            write_atomic(targets[study, split].folder.path / path.relative_to(source), content)
    for name in ("protocol.yaml", HISTORY):
        write_atomic(target / name, (out / name).read_bytes())


def published(results: Path) -> dict[str, Archive]:
    """Read every published protocol by its folder's name, the newest first."""
    found = {path.parent.name: path.parent for path in results.glob("*/protocol.yaml")}
    return {name: read_archive(found[name]) for name in newest_first(found)}


def _wanted(grid: Grid, study: str, split: str) -> dict[RunKey, tuple[str, dict[str, Any]]]:
    """List what a split's folder may hold: its name there, and the settings it must have."""
    wanted = {RunKey(study, split, 0, "baselines", 0): ("baselines", {})}
    for e in grid.experiments():
        key = RunKey(study, split, e.table, e.model, e.seed, e.variant)
        wanted[key] = e.id, {name: e.config()[name] for name in ASKED}
    return wanted


def _why_not(failed: Path) -> str:
    """Say why a run has no result."""
    return json.loads(failed.read_bytes())["reason"] if failed.exists() else NOT_THERE


def _score_tables(key: RunKey, scores: dict[str, Any]) -> Iterable[pd.DataFrame]:
    """Make a table of each part of a run, or of each baseline."""
    for model, parts in ({key.model: scores} if key.table else scores).items():
        for part, rows in parts.items():
            table, facts = _columns(rows), key._replace(model=model)._asdict()
            yield table.assign(**facts, part=part, painting=table.index)


def _columns(rows: list[dict[str, Any]] | dict[str, list[Any]]) -> pd.DataFrame:
    """Make a part's scores a table with six digits; what is published has columns already."""
    table = pd.DataFrame(rows)[["path", *SCORES]]
    if not isinstance(rows, dict):
        table[SCORES] = table[SCORES].map(lambda score: float(f"{score:.{DIGITS}g}"))
    return table


def _in_columns(content: bytes) -> str:
    """Write a run's JSON small: its scores as columns."""
    result = json.loads(content)
    scores = result.get("scores", {})
    for parts in scores.values() if result["id"] == "baselines" else [scores]:
        parts |= {part: _columns(rows).to_dict("list") for part, rows in parts.items()}
    return json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n"


def _distances(grid: Grid, records: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Read how far runs' pictures are apart, where a rule asks for such pairs."""
    configs = {record["id"]: record["config"] for record in records}
    found = grid.folder.result("distances", by="")
    if not found or found["config"] != made_of(records):  # of other runs than there are now
        return
    for pair in found["pairs"]:
        a, b = configs[pair["a"]], configs[pair["b"]]
        kind = {"table": a["table"], "kind": _kind(a["model"], b["model"], a["seed"] == b["seed"])}
        for path, value in pair["ciede2000"].items() if kind["kind"] else ():
            yield kind | {"path": path, "ciede2000": value}


def _kind(a: str, b: str, same_seed: bool) -> str:
    """Say what a distance between two models' pictures is about; empty if about nothing asked."""
    if a == b:
        return {"unet_resnet18": "unets", "pix2pix_resnet18": "pretrained"}.get(a, "")
    if not same_seed:
        return ""
    return "scratch" if "pix2pix_scratch" in (a, b) else "pair"


def _votes(out: Path, studies: Iterable[str]) -> pd.DataFrame:
    """Read the votes that lie beside the pages of the studies' folders."""
    found = []
    for study in studies:
        rows, remarks = read_votes(sorted((out / study).glob("*/choice/*.votes.json")))
        found += [row | {"study": study} for row in rows]
        for remark in remarks:
            print(remark)
    return pd.DataFrame(found, columns=VOTES)


def _table(tables: list[Any], columns: list[str]) -> pd.DataFrame:
    """Put tables, or rows, together; with nothing in them the columns are there all the same."""
    if tables and isinstance(tables[0], pd.DataFrame):
        return pd.concat(tables, ignore_index=True)[columns]
    return pd.DataFrame(tables, columns=columns)
