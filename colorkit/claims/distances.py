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
    from ..replication.grid import Grid


COLOUR_BINS = np.arange(-AB_SCALE, AB_SCALE + 1, 10)


def compare_outputs(grid: "Grid") -> dict[str, Any] | None:
    """Measure how far each pair of a table's finished runs is apart, painting by painting.

    Writes <out>/runs/distances.json: {"pairs": [{"a": run, "b": run, "ciede2000": {path: …}}]},
    unless there are no two runs to be compared.
    """
    if found := if_of_these_runs(grid, "distances"):
        return found
    manifest, runs = read_manifest(grid.out / "manifest.csv"), grid.finished()
    if len(runs) < 2:
        return None
    pixels = load_splits(grid.out, grid.profile, grid.data, manifest)["test"]
    paths = manifest.loc[manifest["split"] == "test", "path"].tolist()
    shown = {run["id"]: _lab(predict_rgb(load_generator(grid.out, run), pixels)) for run in runs}
    pairs = [
        {
            "a": a["id"],
            "b": b["id"],
            "ciede2000": dict(zip(paths, _apart(shown, a, b), strict=True)),
        }
        for a, b in itertools.combinations(runs, 2)
        if a["config"]["table"] == b["config"]["table"]
    ]
    result = describe("distances", manifest, torch.device("cpu"))
    result |= {"config": _made_of(runs), "pairs": pairs}
    write_result(grid.out, result)
    return result


def count_colours(grid: "Grid") -> dict[str, Any]:
    """Count the colours of the test paintings and of each model's colouring, painter by painter.

    Writes <out>/runs/colours.json: {"counts": {painter: {"painting" or model: 22 x 22 counts of
    pixels by a* and b*, ten units wide}}}, for the first table and seed.
    """
    if found := if_of_these_runs(grid, "colours"):
        return found
    manifest, runs = read_manifest(grid.out / "manifest.csv"), grid.finished(grid.tables[0])
    pixels = load_splits(grid.out, grid.profile, grid.data, manifest)["test"]
    painters = manifest.loc[manifest["split"] == "test", "painter"].to_numpy()
    shown = {"painting": pixels.float() / 255} | {
        run["config"]["model"]: predict_rgb(load_generator(grid.out, run), pixels) for run in runs
    }
    lab = {name: _lab(rgb) for name, rgb in shown.items()}
    counts = {
        painter: {name: _histogram(some[painters == painter]) for name, some in lab.items()}
        for painter in sorted(set(painters))
    }
    result = describe("colours", manifest, torch.device("cpu"))
    result |= {"config": _made_of(grid.finished()), "counts": counts}
    write_result(grid.out, result)
    return result


def if_of_these_runs(grid: "Grid", name: str) -> dict[str, Any] | None:
    """Read "distances" or "colours", or None unless they are of the runs there are now."""
    paintings = manifest_hash(read_manifest(grid.out / "manifest.csv"))
    with suppress(KitError):
        return read_result(grid.out, name, paintings, _made_of(grid.finished()))
    return None


def _made_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"weights": {run["id"]: run["weights_sha256"] for run in runs}}


def _histogram(lab: np.ndarray) -> list[list[int]]:
    a, b = lab[..., 1].ravel(), lab[..., 2].ravel()
    return np.histogram2d(a, b, bins=[COLOUR_BINS, COLOUR_BINS])[0].astype(int).tolist()


def _lab(rgb: Tensor) -> np.ndarray:
    return rgb_to_lab(rgb).movedim(1, -1).numpy()


def _apart(shown: dict[str, Any], a: dict[str, Any], b: dict[str, Any]) -> list[float]:
    pairs = zip(shown[a["id"]], shown[b["id"]], strict=True)
    return [float(deltaE_ciede2000(one, other).mean()) for one, other in pairs]
