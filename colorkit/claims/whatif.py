"""Two tables of what-ifs. The leak laboratory: which cause gives the paper's pattern, validation
like training and test twice as high? The multiverse: which answers move if the same questions are
asked of the same archive in other ways?
"""

import itertools
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..replication.paper import PAPER_PARTS, paper_cell
from . import stats
from .archive import Archive
from .evidence import MEAN_COLOUR, SCRATCH, Evidence, main_evidence
from .ledger import steps

CELL = (1, SCRATCH)  # whose runs the leak laboratory looks at
YARDSTICKS = {"unets": "two U-Nets", "pretrained": "two pretrained pix2pix"}
YARDSTICKS |= {"seeds": "two seeds of either", "scratch": "either and scratch"}
Way = tuple[str, str, str, str, str]
RATIOS = "valid / train", "low", "high", "test / valid", "low ", "high "


def leak_table(archive: Archive) -> pd.DataFrame:
    """Hold the paper's pattern against what each cause gives.

    Every part's error is relative to one constant colour's on the same paintings, so that a part
    that is easy by chance does not count. Columns: what is tried, the kind of cause, runs, steps,
    both ratios with 90 % intervals, and whether the pattern is there. Empty if nothing has run.
    """
    rows = []
    for what, cause, scheme, tested_as, space in _tried(archive):
        row = {"tried": what, "cause": cause, "runs": 0, "steps": 0}
        row |= dict.fromkeys(RATIOS, math.nan) | {"the paper's pattern": "no result"}
        with suppress(KitError):
            row |= _both_ratios(archive, scheme, tested_as, space)
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if table["runs"].any() else table[:0]


def _tried(archive: Archive) -> list[tuple[str, str, str, str, str]]:
    """List the rows: words, cause, scheme, how it is tested, in which space it is validated."""
    torn = _torn(archive)
    return [
        ("a clean split", "none", "paper", "", "mse_ab"),
        ("validation in RGB, test in ab/110", "spaces", "paper", "", "mse_rgb"),
        ("mirrored copies made before the split", "leak", "flips", "", "mse_ab"),
        ("validation drawn from training", "leak", "inside", "", "mse_ab"),
        (f"near-duplicates as they fall ({torn} across)", "leak", "plain", "", "mse_ab"),
        ("sorted by file: other painters tested", "painters", "sorted", "", "mse_ab"),
        ("tested in training mode", "mode", "paper", "train_mode", "mse_ab"),
        ("tested on a grey file's 2v - 1", "input", "paper", "file_grey", "mse_ab"),
    ]


def _source(archive: Archive, scheme: str, tested_as: str) -> tuple[str, tuple[str, ...]]:
    """Name the study that shows a scheme, tested so, and its splits with runs. KitError if none.

    A clean split: of the clean studies the one with most runs.
    """
    studies = archive.protocol.studies
    if "leaks" in studies:  # one split of each, in one study
        fits = {"leaks": tuple({scheme} & set(studies["leaks"].splits))}
    elif scheme == "paper":
        fits = {name: study.splits for name, study in studies.items() if study.clean}
    else:
        fits = {n: study.splits for n, study in studies.items() if n == f"leak-{scheme}"}
    fits = {n: s for n, s in fits.items() if s and tested_as in ("", *studies[n].variants)}
    if not fits:
        raise KitError(f"no runs of split {scheme} {tested_as}")
    name = max(fits, key=lambda fit: len(archive.runs_of({CELL: fit})))
    done = {key.split for key in archive.runs if key.study == name and key.model == SCRATCH}
    return name, tuple(split for split in fits[name] if split in done) or fits[name]


def _both_ratios(archive: Archive, scheme: str, tested_as: str, space: str) -> dict[str, Any]:
    """Return runs, steps, and both ratios with their intervals, of Table 1's scratch."""
    name, splits = _source(archive, scheme, tested_as)
    watched = Evidence(archive, {CELL: name}, space, "", splits)
    tested = Evidence(archive, {CELL: name}, "mse_ab", tested_as, splits)
    seen = {"train": watched, "valid": watched, "test": tested}
    logs = {part: np.log(one.relative(CELL, part) * _level(one)) for part, one in seen.items()}
    chance = {part: one.by_chance(CELL, part) for part, one in seen.items()}
    numbers, analysis = [], archive.protocol.analysis
    for over, under in (("valid", "train"), ("test", "valid")):
        paintings = math.hypot(chance[over], chance[under])
        e = watched.estimate(CELL, logs[over] - logs[under], paintings, "ratios")
        numbers += e.ratio(watched.confidence)
    fits = numbers[0] <= analysis.like_training and numbers[3] >= analysis.twice
    found = {"runs": logs["test"].size, "the paper's pattern": "yes" if fits else "no"}
    if run := archive.runs_of(watched.studies):
        trained = archive.cell(0, MEAN_COLOUR, "train", "mse_ab", name, "", splits[:1], False)
        found["steps"] = steps(run[0], trained[0].size)
    return found | dict(zip(RATIOS, numbers, strict=True))


def _level(evidence: Evidence) -> float:
    """Return the mean colour's error over all parts: in ab and in RGB errors differ by a factor."""
    found = [evidence.errors(CELL, part, MEAN_COLOUR) for part in PAPER_PARTS]
    return float(np.concatenate([split[0] for cell in found for split in cell]).mean())


def _torn(archive: Archive) -> int:
    """Count the groups of near-duplicates that "plain" puts into training and validation both."""
    rows = archive.paintings
    rows = rows[(rows["study"] == "leaks") & (rows["split"] == "plain") & (rows["part"] != "test")]
    return int((rows.groupby("group")["part"].nunique() > 1).sum())


def multiverse(archive: Archive) -> pd.DataFrame:
    """Make one row a way: the scale, the test or the yardstick, the number, what it would say."""
    evidence, rows = main_evidence(archive), []
    if {(1, "unet_resnet18"), (1, "pix2pix_scratch")} <= set(evidence.studies):
        rows += _ways_to_compare(evidence)
    rows += _ways_to_hold_cells(evidence)
    with suppress(KitError):  # distances need all three models
        rows += _ways_to_be_alike(evidence)
    return pd.DataFrame(rows, columns=["question", "scale", "test or yardstick", "number", "says"])


def _ways_to_compare(evidence: Evidence) -> list[Way]:
    unet, scratch = (evidence.means((1, model)) for model in ("unet_resnet18", "pix2pix_scratch"))
    scales, rows = {"difference": unet - scratch, "log ratio": np.log(unet / scratch)}, []
    tested = evidence.archive.tested(evidence.studies[1, "unet_resnet18"])
    tests = {
        "folds independent": {},
        "folds correlated": {"tested": tested},
        "folds correlated, seeds crossed": {"tested": tested, "crossed": True},
    }
    for (scale, values), (test, how) in itertools.product(scales.items(), tests.items()):
        p = stats.over_splits(values, **how).p_zero()
        says = "U-Net and scratch differ" if p < evidence.alpha else "cannot be told"
        rows.append(("U-Net against scratch, Table 1", scale, test, f"p {p:.3f}", says))
    return rows


def _ways_to_hold_cells(evidence: Evidence) -> list[Way]:
    rows, noise = [], evidence.archive.protocol.analysis.noise["painters"]
    cells = list(itertools.product(evidence.cells, PAPER_PARTS))
    confidence = 1 - evidence.alpha / len(cells)
    for scale, painters in (("raw", 0.0), ("log", 0.0), ("log", noise)):
        outside = 0
        for cell, part in cells:
            means = evidence.means(cell, part)
            if len(means) < 2:
                return []
            means = np.log(means) if scale == "log" else means
            _, low, high = stats.prediction_interval(means, confidence, painters)
            theirs = paper_cell(cell[0], part, cell[1])
            theirs = theirs if scale == "log" else math.exp(theirs)
            outside += not low <= theirs <= high
        with_painters = "with other painters" if painters else "the same painters"
        says = "not the paper's" if outside else "consistent"
        told = f"{outside} of {len(cells)} outside"
        rows.append(("the paper's cells in a new run's interval", scale, with_painters, told, says))
    return rows


def _ways_to_be_alike(evidence: Evidence) -> list[Way]:
    evidence.need_all()
    rows = []
    for table in evidence.tables:
        study = evidence.studies[table, "unet_resnet18"]
        apart = evidence.archive.distances_by_kind(study, table)
        tested = evidence.archive.tested(study)
        for yardstick, named in YARDSTICKS.items():
            e = stats.over_splits(list(apart["pair"] - apart[yardstick]), tested)
            low, high = e.interval(evidence.confidence)
            says = "further apart" if low > 0 else "nearer" if high < 0 else "cannot be told"
            number = f"{e.value:+.1f} [{low:+.1f}, {high:+.1f}]"
            what = f"U-Net and pretrained alike, Table {table}"
            rows.append((what, "CIEDE2000", named, number, says))
    return rows
