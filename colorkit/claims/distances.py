"""How far two models' colourings of the same paintings are apart, while their weights are at hand.

The yardstick for "they look alike" is two trainings that differ in their seed only.
"""

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.color import deltaE_ciede2000
from torch import Tensor

from ..base.errors import KitError
from ..batches import CPU
from ..color import rgb_to_lab

if TYPE_CHECKING:
    from ..replication.grid import Grid

Record = dict[str, Any]  # a run's JSON


def look_at_pictures(grid: "Grid") -> None:
    """Measure how far a table's finished runs are apart, pair by pair.

    Writes <out>/runs/distances.json, painting by painting, unless there are no two runs to be
    compared: {"pairs": [{"a": run, "b": run, "ciede2000": {path: …}}]}.
    """
    runs, folder = grid.finished(), grid.folder
    config = made_of(runs)
    with suppress(KitError):  # of other runs than there are now
        if len(runs) < 2 or folder.result("distances", config):
            return
    tested, pixels = folder.listed.query("part == 'test'"), folder.pixels["test"]
    shown = {run["id"]: _lab_of(folder.coloured(run, pixels)) for run in runs}
    pairs = []
    for a, b in itertools.combinations(runs, 2):
        if a["config"]["table"] == b["config"]["table"]:
            apart = map(_apart, shown[a["id"]], shown[b["id"]])
            by_path = dict(zip(tested["path"], apart, strict=True))
            pairs.append({"a": a["id"], "b": b["id"], "ciede2000": by_path})
    folder.keep(folder.describe("distances", CPU) | {"config": config, "pairs": pairs})


def made_of(runs: list[Record]) -> Record:
    """Say of which weights something was measured: other weights, and it is measured anew."""
    return {"weights": {run["id"]: run["weights_sha256"] for run in runs}}


def _lab_of(rgb: Tensor) -> np.ndarray:
    return rgb_to_lab(rgb).movedim(1, -1).numpy()


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(deltaE_ciede2000(one, other).mean())
