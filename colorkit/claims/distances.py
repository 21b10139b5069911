"""What can be said of models' pictures only while their weights are at hand.

How far two models' colourings of the same paintings are apart (the yardstick for "they look
alike" is two trainings that differ in their seed only), and which colours they use.
"""

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from skimage.color import deltaE_ciede2000
from torch import Tensor

from ..base.errors import KitError
from ..color import AB_SCALE, rgb_to_lab
from ..metrics import predict_rgb

if TYPE_CHECKING:
    from ..replication.grid import Grid

COLOUR_BINS = np.arange(-AB_SCALE, AB_SCALE + 1, 10)
Record = dict[str, Any]  # a run's JSON


def compare_outputs(grid: "Grid") -> Record | None:
    """Measure how far each pair of a table's finished runs is apart, painting by painting.

    Writes <out>/runs/distances.json: {"pairs": [{"a": run, "b": run, "ciede2000": {path: …}}]},
    unless there are no two runs to be compared.
    """
    runs, folder = grid.finished(), grid.folder
    if len(runs) < 2:
        return None
    if known := _known(grid, "distances", runs):
        return known
    paths = _tested(grid)["path"].tolist()
    pixels = folder.pixels["test"]
    shown = {run["id"]: _lab(predict_rgb(folder.generator(run), pixels)) for run in runs}
    pairs = []
    for a, b in itertools.combinations(runs, 2):
        if a["config"]["table"] == b["config"]["table"]:
            apart = _ciede2000_between(shown[a["id"]], shown[b["id"]])
            pair = {"a": a["id"], "b": b["id"], "ciede2000": dict(zip(paths, apart, strict=True))}
            pairs.append(pair)
    return _keep(grid, "distances", runs, {"pairs": pairs})


def count_colours(grid: "Grid") -> Record:
    """Count the colours of the test paintings and of each model's colouring, painter by painter.

    Writes <out>/runs/colours.json: {"counts": {painter: {"painting" or model: 22 x 22 counts of
    pixels by a* and b*, ten units wide}}}, for the first table and seed.
    """
    runs, folder = grid.finished(), grid.folder
    if known := _known(grid, "colours", runs):
        return known
    painters, pixels = _tested(grid)["painter"].to_numpy(), folder.pixels["test"]
    lab = {"painting": _lab(pixels.float() / 255)}
    for run in grid.finished(grid.tables[0]):
        lab[run["config"]["model"]] = _lab(predict_rgb(folder.generator(run), pixels))
    counts = {}
    for painter in sorted(set(painters)):
        mine = painters == painter
        counts[painter] = {name: _histogram(some[mine]) for name, some in lab.items()}
    return _keep(grid, "colours", runs, {"counts": counts})


def made_of(runs: list[Record]) -> Record:
    """Say of which weights something was measured: other weights, and it is measured anew."""
    return {"weights": {run["id"]: run["weights_sha256"] for run in runs}}


def _tested(grid: "Grid") -> pd.DataFrame:
    return grid.folder.listed.query("part == 'test'")


def _known(grid: "Grid", name: str, runs: list[Record]) -> Record | None:
    with suppress(KitError):  # of other runs than there are now
        return grid.folder.result(name, made_of(runs))
    return None


def _keep(grid: "Grid", name: str, runs: list[Record], found: Record) -> Record:
    described = grid.folder.describe(name, torch.device("cpu"))
    return grid.folder.keep(described | {"config": made_of(runs)} | found)


def _histogram(lab: np.ndarray) -> list[list[int]]:
    a, b = lab[..., 1].ravel(), lab[..., 2].ravel()
    return np.histogram2d(a, b, bins=[COLOUR_BINS, COLOUR_BINS])[0].astype(int).tolist()


def _lab(rgb: Tensor) -> np.ndarray:
    return rgb_to_lab(rgb).movedim(1, -1).numpy()


def _ciede2000_between(ones: np.ndarray, others: np.ndarray) -> list[float]:
    pairs = zip(ones, others, strict=True)
    return [float(deltaE_ciede2000(one, other).mean()) for one, other in pairs]
