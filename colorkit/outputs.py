"""How far apart are two models' colourings of the same test paintings?

The yardstick for "they look alike": two trainings of one model that differ in their seed only.
"""

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from skimage.color import deltaE_ciede2000
from torch import Tensor

from .color import rgb_to_lab
from .curation import manifest_hash, read_manifest
from .errors import KitError
from .experiment import read_result, write_result
from .training import describe, load_generator, load_splits, predict_rgb

if TYPE_CHECKING:
    from .reproduce import Grid


def compare_outputs(grid: "Grid") -> dict[str, Any] | None:
    """Measure how far each pair of a table's finished runs is apart, painting by painting.

    Writes <out>/runs/distances.json: {"pairs": [{"a": run, "b": run, "ciede2000": {path: …}}]},
    unless there are no two runs to be compared.
    """
    manifest = read_manifest(grid.out / "manifest.csv")
    runs = [
        run for e in grid.experiments() if not e.variant and (run := read_result(grid.out, e.id))
    ]
    if len(runs) < 2:
        return None
    names, paintings = [run["id"] for run in runs], manifest_hash(manifest)
    with suppress(KitError):  # of other runs: measured anew
        if found := read_result(grid.out, "distances", paintings, {"runs": names}):
            return found
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
    result |= {"config": {"runs": names}, "pairs": pairs}
    write_result(grid.out, result)
    return result


def _lab(rgb: Tensor) -> Any:
    return rgb_to_lab(rgb).movedim(1, -1).numpy()


def _apart(shown: dict[str, Any], a: dict[str, Any], b: dict[str, Any]) -> list[float]:
    pairs = zip(shown[a["id"]], shown[b["id"]], strict=True)
    return [float(deltaE_ciede2000(one, other).mean()) for one, other in pairs]
