"""What can be said of models' pictures only while their weights are at hand.

How far two models' colourings of the same paintings are apart (the yardstick for "they look
alike" is two trainings that differ in their seed only), and which colours they use.
"""

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from skimage.color import deltaE_ciede2000
from torch import Tensor

from ..base.errors import KitError
from ..color import AB_SCALE, rgb_to_lab
from ..curation import manifest_hash, read_manifest
from ..experiment import read_result, write_result
from ..training import describe, load_generator, load_splits, predict_rgb

if TYPE_CHECKING:
    import pandas as pd

    from ..replication.grid import Grid

COLOUR_BINS = np.arange(-AB_SCALE, AB_SCALE + 1, 10)
Record = dict[str, Any]  # a run's JSON


def compare_outputs(grid: "Grid") -> Record | None:
    """Measure how far each pair of a table's finished runs is apart, painting by painting.

    Writes <out>/runs/distances.json: {"pairs": [{"a": run, "b": run, "ciede2000": {path: …}}]},
    unless there are no two runs to be compared.
    """
    runs, manifest = grid.finished(), read_manifest(grid.out / "manifest.csv")
    if len(runs) < 2:
        return None
    if known := _known(grid, "distances", runs, manifest):
        return known
    paths = manifest.loc[manifest["split"] == "test", "path"].tolist()
    pixels = load_splits(grid.out, grid.profile, grid.data, manifest)["test"]
    shown = {run["id"]: _lab(predict_rgb(load_generator(grid.out, run), pixels)) for run in runs}
    pairs = []
    for a, b in itertools.combinations(runs, 2):
        if a["config"]["table"] == b["config"]["table"]:
            apart = _ciede2000_between(shown[a["id"]], shown[b["id"]])
            pair = {"a": a["id"], "b": b["id"], "ciede2000": dict(zip(paths, apart, strict=True))}
            pairs.append(pair)
    return _keep(grid, "distances", runs, manifest, {"pairs": pairs})


def count_colours(grid: "Grid") -> Record:
    """Count the colours of the test paintings and of each model's colouring, painter by painter.

    Writes <out>/runs/colours.json: {"counts": {painter: {"painting" or model: 22 x 22 counts of
    pixels by a* and b*, ten units wide}}}, for the first table and seed.
    """
    runs, manifest = grid.finished(), read_manifest(grid.out / "manifest.csv")
    if known := _known(grid, "colours", runs, manifest):
        return known
    painters = manifest.loc[manifest["split"] == "test", "painter"].to_numpy()
    pixels = load_splits(grid.out, grid.profile, grid.data, manifest)["test"]
    lab = {"painting": _lab(pixels.float() / 255)}
    for run in grid.finished(grid.tables[0]):
        lab[run["config"]["model"]] = _lab(predict_rgb(load_generator(grid.out, run), pixels))
    counts = {}
    for painter in sorted(set(painters)):
        mine = painters == painter
        counts[painter] = {name: _histogram(some[mine]) for name, some in lab.items()}
    return _keep(grid, "colours", runs, manifest, {"counts": counts})


def made_of(runs: list[Record]) -> Record:
    """Say of which weights something was measured: other weights, and it is measured anew."""
    return {"weights": {run["id"]: run["weights_sha256"] for run in runs}}


def _known(grid: "Grid", name: str, runs: list[Record], manifest: "pd.DataFrame") -> Record | None:
    with suppress(KitError):  # of other runs than there are now
        return read_result(grid.out, name, manifest_hash(manifest), made_of(runs))
    return None


def _keep(
    grid: "Grid", name: str, runs: list[Record], manifest: "pd.DataFrame", found: Record
) -> Record:
    result = describe(name, manifest, torch.device("cpu")) | {"config": made_of(runs)} | found
    write_result(grid.out, result)
    return result


def _histogram(lab: np.ndarray) -> list[list[int]]:
    a, b = lab[..., 1].ravel(), lab[..., 2].ravel()
    return np.histogram2d(a, b, bins=[COLOUR_BINS, COLOUR_BINS])[0].astype(int).tolist()


def _lab(rgb: Tensor) -> np.ndarray:
    return rgb_to_lab(rgb).movedim(1, -1).numpy()


def _ciede2000_between(ones: np.ndarray, others: np.ndarray) -> list[float]:
    pairs = zip(ones, others, strict=True)
    return [float(deltaE_ciede2000(one, other).mean()) for one, other in pairs]
