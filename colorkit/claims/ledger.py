"""The tables that stand behind the verdicts, from an archive.

Everything here is a re-read of painting-by-painting scores; nothing trains. The same functions
serve report.html and notebooks 8a and 8b.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..experiment import MODELS, SHORT, VARIANTS
from ..metrics import BASELINES
from ..splits import SPARE
from . import stats
from .archive import NOT_THERE, Archive
from .evidence import MEAN_COLOUR, Cell, main_evidence
from .protocol import Study
from .verdicts import deciding, untrusted


def scope(archives: Sequence[Archive]) -> list[str]:
    """Say what the runs are that are shown or decide, what speaks against them, what is not run.

    A run of a protocol is missing if none of the archives that were made under it has its result.
    """
    told = [line for archive in archives for line in _shown(archive)]
    told = told or ["no run has a result yet"]
    by_protocol = itertools.groupby(sorted(archives, key=_whose), key=_whose)
    for (fixed, _), ones in by_protocol:
        missing = Counter(k.study for k in set.intersection(*(set(one.holes) for one in ones)))
        if missing:
            named = ", ".join(f"{count} of {study}" for study, count in sorted(missing.items()))
            runs = f"{missing.total()} runs of the protocol fixed {fixed}"
            told.append(f"not run, or failed: {runs}: {named}")
    failed = [(key, why) for archive in archives for key, why in archive.holes.items()]
    return told + [f"FAILED: {key}: {why}" for key, why in failed if why != NOT_THERE]


def _whose(archive: Archive) -> tuple[str, str]:
    return str(archive.protocol.fixed), archive.protocol.sha256


def _shown(archive: Archive) -> list[str]:
    protocol, named = archive.protocol, {archive.protocol.main.name}
    for terms in protocol.claims.values() if protocol.version > 1 else ():
        named |= set(deciding(archive, terms).studies.values())
    runs = {study.name: about(archive, study) for study in protocol.studies.values()}
    told = [line for name, line in runs.items() if line and name in named]
    told = told or [line for line in runs.values() if line]
    doubt = untrusted(archive)
    return [*told, f"EDITED: {doubt}"] if doubt else told


def about(archive: Archive, study: Study) -> str:
    """Say in one line what a study's runs are; nothing if it has none yet."""
    cells = itertools.product(study.tables, study.models)
    runs = archive.runs_of(dict.fromkeys(cells, study.name))
    if not runs:
        return ""

    def several(name: str) -> str:
        return ", ".join(sorted({str(run["config"][name]) for run in runs}))

    here = archive.paintings[archive.paintings["study"] == study.name]
    seen = here[here["part"] == "train"].groupby("split").size().min()  # with mirrored copies
    here = here[here["part"] != SPARE].drop_duplicates("path")
    painters, trained = sorted(set(here["painter"])), archive.training_paintings(study.name)
    named = ", ".join(painters) if len(painters) <= 6 else f"{len(painters)} painters"
    counts = sorted({steps(run, seen) for run in runs})
    weights = sorted({run["config"]["weights"] for run in runs} - {"none"})
    begins = f", a ResNet-18 that begins with {' or '.join(weights)} weights" if weights else ""
    versions = ", ".join(sorted({run["versions"]["colorkit"] for run in runs}))
    models = ", ".join(SHORT[model] for model in study.models)
    device = ", ".join(sorted({run["device"] for run in runs}))
    return (
        f"{study.name}: {len(runs)} run{'s' * (len(runs) > 1)} ({models}), {several('size')} px, "
        f"{several('epochs')} epochs of batches of {several('batch_size')} "
        f"({', '.join(map(str, counts))} steps), {trained} training paintings of {len(here)} "
        f"by {named}{begins}; {several('precision')} on {device}, colorkit {versions}"
    )


def steps(run: dict[str, Any], paintings: int) -> int:
    """Count the steps of a run's training."""
    return run["config"]["epochs"] * math.ceil(paintings / run["config"]["batch_size"])


def model_table(archive: Archive) -> pd.DataFrame:
    """Put models and baselines of the main study side by side on the test paintings.

    Columns: mse_ab, skill (1 - mse_ab / that of the mean colour), and how many times the mean
    colour's error it is, with a 90 % interval.
    """
    evidence = main_evidence(archive)
    models = {f"Table {table}: {MODELS[model]}": (table, model) for table, model in evidence.cells}
    baselines = {label: (0, name) for name, label in BASELINES.items()}
    table = pd.DataFrame(index=[*models, *baselines])
    # Every painting counts once here; what is tested averages near-duplicates first.
    errors = [archive.cell(*cell, grouped=False) for cell in (models | baselines).values()]
    table["mse_ab"] = [np.mean([split.mean() for split in cell]) for cell in errors]
    table["skill"] = 1 - table["mse_ab"] / table.loc[BASELINES[MEAN_COLOUR], "mse_ab"]
    times = [evidence.log_relative(cell).ratio(evidence.confidence) for cell in models.values()]
    columns = ["times the mean colour's", "low", "high"]
    return table.join(pd.DataFrame(times, index=[*models], columns=columns))


def change_table(archive: Archive) -> pd.DataFrame:
    """Tell what each variant of a clean study does to the test error of the same runs without it.

    Interval (BCa) and p (Wilcoxon, Holm over all rows) are over paintings alone, for these very
    runs.
    """
    rows = []
    for study in archive.protocol.studies.values():
        cells = itertools.product(study.variants, study.tables, study.models)
        for variant, table, model in cells if study.clean else ():
            if model in VARIANTS[variant].models:
                with suppress(KitError):  # no run to hold it against
                    rows.append(_change(archive, study.name, variant, (table, model)))
    columns = ["study", "changed", "table", "model", "as in the paper", "changed to", "difference"]
    table = pd.DataFrame(rows, columns=[*columns, "low", "high", "p", "for these runs"])
    there = table["p"].notna()
    table.loc[there, "p"] = stats.holm(table.loc[there, "p"])
    told = np.where(table["difference"] < 0, "better", "worse")
    told = np.where(table["p"] < archive.protocol.analysis.alpha, told, "cannot be told")
    table.loc[there, "for these runs"] = told[there]
    return table


def _change(archive: Archive, study: str, variant: str, cell: Cell) -> dict[str, Any]:
    """Compare a variant with the runs without it. KitError if one of those is missing."""
    plain, (table, model) = archive.cell(*cell, study=study), cell
    row = {"study": study, "changed": VARIANTS[variant].question, "table": table}
    row |= {"model": SHORT[model], "as in the paper": np.mean([a.mean() for a in plain])}
    row |= {"for these runs": ""}
    try:
        changed = archive.cell(*cell, study=study, variant=variant)
        stats.check_paintings(plain)
    except KitError as error:
        return row | {"for these runs": str(error)}
    each = np.concatenate([(b - a).mean(0) for a, b in zip(plain, changed, strict=True)])
    row |= {"changed to": np.mean([b.mean() for b in changed]), "difference": each.mean()}
    return row | _interval(archive, each) | {"p": stats.signed_ranks(each)}


def painter_table(archive: Archive) -> pd.DataFrame:
    """Hold other painters beside each other: test errors differ, the skill can be compared.

    Table 1 of studies that leave a painter out, or have painters of their own, and have begun;
    `low` and `high`: the difference to the mean colour (BCa over paintings, these runs).
    """
    rows = []
    for study in archive.protocol.studies.values():
        left_out = all(split.startswith("without-") for split in study.splits)
        if 1 in study.tables and (left_out or (study.clean and study.painters)):
            for split, model in itertools.product(study.splits, study.models):
                row = {"study": study.name, "split": split, "model": SHORT[model]}
                rows.append(row | _skill(archive, study.name, split, model))
    columns = ["study", "split", "model", "grey", "mean colour", "mse_ab", "skill", "low", "high"]
    table = pd.DataFrame(rows, columns=columns)
    begun = table.groupby("study")["skill"].transform("count") > 0
    return table[begun].reset_index(drop=True)


def _skill(archive: Archive, study: str, split: str, model: str) -> dict[str, float]:
    """Say how a split's runs do against baselines; nothing if one is missing."""
    asked, errors = {"study": study, "splits": (split,), "grouped": False}, []
    try:
        for table, name in ((1, model), (0, MEAN_COLOUR), (0, "grey")):
            errors.append(archive.cell(table, name, **asked)[0].mean(0))
    except KitError:
        return {}
    mse, colour, grey = (each.mean() for each in errors)
    numbers = {"grey": grey, "mean colour": colour, "mse_ab": mse, "skill": 1 - mse / colour}
    if len(errors[0]) >= stats.LEAST_PAINTINGS:
        numbers |= _interval(archive, errors[0] - errors[1])
    return numbers


def _interval(archive: Archive, each: np.ndarray) -> dict[str, float]:
    """Bootstrap the mean of paintings' differences (n,)."""
    analysis = archive.protocol.analysis
    low, high = stats.over_paintings(each, 1 - analysis.alpha, analysis.draws)
    return {"low": low, "high": high}
