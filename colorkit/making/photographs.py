"""What training on plates is worth: held-out paintings, photographed and coloured."""

from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch

from ..base.errors import KitError
from ..batches import CPU
from ..folder import Folder
from ..metrics import evaluate
from ..pictures.lite import LiteUnet
from ..pixels import part_pixels
from ..saving import WEIGHTS
from .paintings import LINKS
from .publish import interval
from .train import SCORED_SIZE, Seen

EMULSIONS = ("unsensitised", "ortho", "pan")
SIX_PLATES = [f"plate:{emulsion}{light}" for emulsion in EMULSIONS for light in ("", ",tungsten")]
GREYS = ["L", *SIX_PLATES, "mixture"]
RUNS = ("cautious-s0", "photographs-s0")
BY_CAUTIOUS, COLOURS, ALL = "cautious: a, b", "photographs: a, b", "photographs: L, a, b"


def score_plates(folder: Folder) -> dict[str, Any]:
    """Score both models on every grey, or read the result if the folder has it.

    Its "ciede2000" is {grey: {way: a number for each held-out painting}}: the difference from
    the painting at 256 px. "a, b" stand on the grey as it is. KitError unless both are made.
    """
    runs = [folder.result(name) for name in RUNS]
    if None in runs:
        remedy = "run `colorkit make --only photographs` first"
        raise KitError(f"{folder.path}: {RUNS[runs.index(None)]} is not made yet; {remedy}")
    config = {"name": "plates", "weights": [run["weights_sha256"] for run in runs]}
    if result := folder.result("plates", config):
        return result
    cautious, photographs = (_network(folder, run) for run in runs)
    ways = {BY_CAUTIOUS: cautious, COLOURS: lambda L: photographs(L)[:, 1:], ALL: photographs}
    place, listed = folder.path / LINKS, folder.listed
    pixels = part_pixels(folder.path, place, listed, SCORED_SIZE)["test"]
    result = folder.describe("plates", CPU) | {"config": config, "ciede2000": {}}
    result["paintings"] = listed.query("part == 'test'")["path"].tolist()
    for grey in GREYS:
        scores = result["ciede2000"][grey] = {}
        for way, predict in ways.items():
            torch.manual_seed(0)  # a mixture is the same for all
            scores[way] = [row["ciede2000"] for row in evaluate(predict, pixels, grey=grey)]
    return folder.keep(result)


def _network(folder: Folder, run: dict[str, Any]) -> Seen:
    state = safetensors.torch.load_file(folder.model_path(run["id"]) / WEIGHTS)
    network = LiteUnet(outputs=len(state["last.weight"]))
    network.load_state_dict(state)
    return Seen(network.eval(), run["config"]["size"])


def compare_plates(result: dict[str, Any]) -> pd.DataFrame:
    """Compare the ways of colouring each grey: a row for each grey and way.

    Mean CIEDE2000, and its ratio to that of *cautious* with the 95 % interval over paintings
    (paired bootstrap), least to most.
    """
    rows = []
    for grey, ways in result["ciede2000"].items():
        reference = np.array(ways[BY_CAUTIOUS])
        for way, numbers in ways.items():
            errors = np.array(numbers)
            row = {"grey": grey, "way": way, "ciede2000": errors.mean()}
            if way != BY_CAUTIOUS:
                row["ratio"] = errors.mean() / reference.mean()
                row["least"], row["most"] = interval(errors, reference)
            rows.append(row)
    return pd.DataFrame(rows).set_index(["grey", "way"])
