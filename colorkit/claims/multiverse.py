"""Asking the same archive the same questions in other ways: which answers move?"""

import itertools
import math
from contextlib import suppress

import numpy as np
import pandas as pd

from ..base.errors import KitError
from ..replication.paper import PARTS, paper_cell
from . import stats
from .archive import Archive
from .evidence import Evidence
from .verdicts import main_evidence

YARDSTICKS = {"unets": "two U-Nets", "pretrained": "two pretrained pix2pix"}
YARDSTICKS |= {"seeds": "two seeds of either", "scratch": "either and scratch"}
Way = tuple[str, str, str, str, str]


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
    cells = list(itertools.product(evidence.cells, PARTS))
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
        apart, tested = (
            evidence.archive.distances_by_kind(study, table),
            evidence.archive.tested(study),
        )
        for yardstick, named in YARDSTICKS.items():
            e = stats.over_splits(list(apart["pair"] - apart[yardstick]), tested)
            low, high = e.interval(evidence.confidence)
            says = "further apart" if low > 0 else "nearer" if high < 0 else "cannot be told"
            number = f"{e.value:+.1f} [{low:+.1f}, {high:+.1f}]"
            what = f"U-Net and pretrained alike, Table {table}"
            rows.append((what, "CIEDE2000", named, number, says))
    return rows
