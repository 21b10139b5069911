"""An archive of invented scores whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd

from colorkit.archive import COLOURS, DISTANCES, KEYS, PAINTINGS, SCORES, VOTES, Archive
from colorkit.metrics import BASELINES
from colorkit.paths import kit_file
from colorkit.protocol import read_protocol
from colorkit.recipes import MODELS

SPLITS, SEEDS, TABLES = [f"fold-{n}" for n in range(1, 6)], (0, 1), (1, 2)
PARTS = {"train": 21, "valid": 10, "test": 20}


def invented_archive(
    errors: dict[tuple[int, str], float] | None = None,
    parts: dict[str, float] | None = None,
    apart: float = 5.0,
    spread: float = 0.004,
    seed: int = 0,
) -> Archive:
    """Make an archive of the study "tables".

    errors: mean mse_ab by (table, model), else 0.0130; baselines have table 0. parts: factor on
    a part's errors, else 1. apart: CIEDE2000 between U-Net and pretrained pix2pix (7 if of another
    seed, 6 between two U-Nets). spread: how much paintings differ; splits differ a tenth of it.
    """
    random, protocol = (
        np.random.default_rng(seed),
        read_protocol(str(kit_file("results", "protocol-cpu.yaml"))),
    )
    protocol = replace(protocol, analysis=replace(protocol.analysis, draws=500))
    scores, paintings, distances = [], [], []
    named = [(t, m, s) for t in TABLES for m in MODELS for s in SEEDS]
    named += [(0, baseline, 0) for baseline in BASELINES]
    for number, split in enumerate(SPLITS):
        where = {"study": "tables", "split": split}
        shift = random.normal(0, spread / 10)
        for part, count in PARTS.items():
            ids = range(1000 * number, 1000 * number + count)
            paintings += _paintings(where | {"part": part}, ids)
            hard = shift + spread * (random.exponential(1, count) - 1)
            for table, model, run_seed in named:
                mean = (errors or {}).get((table, model), 0.0130) * (parts or {}).get(part, 1)
                noise = random.normal(0, 0.0003) + random.normal(0, 0.001, count)
                run = "baselines" if table == 0 else f"t{table}-{model}-s{run_seed}"
                keys = {"run": run, "table": table, "model": model, "variant": ""}
                keys |= where | {"seed": run_seed, "part": part}
                scores += [
                    keys | {"painting": n} | dict.fromkeys(SCORES, value)
                    for n, value in enumerate(mean + hard + noise)
                ]
        distances += _distances(random, where, apart)
    return Archive(
        protocol,
        [],
        pd.DataFrame(scores)[[*KEYS, *SCORES]],
        pd.DataFrame(paintings)[PAINTINGS],
        pd.DataFrame(distances)[DISTANCES],
        pd.DataFrame(_colours(), columns=COLOURS),
        pd.DataFrame(columns=VOTES),
        {},
    )


def _paintings(where: dict, ids: range) -> list[dict]:
    return [
        where
        | {"painting": n, "mirrored": 0, "path": f"{where['part']}/{group}.jpg"}
        | {"painter": "AB"[n % 2], "group": group}
        for n, group in enumerate(ids)
    ]


def _colours() -> list[list]:
    """The U-Net has the painter's palette, the others one brown."""
    palette = {(5.0, 15.0): 60, (-15.0, 5.0): 30, (25.0, -5.0): 10}
    used = {"painting": palette, "unet_resnet18": palette}
    used |= {"pix2pix_scratch": {(5.0, 15.0): 100}, "pix2pix_resnet18": {(5.0, 15.0): 100}}
    return [
        ["tables", split, painter, model, a, b, pixels]
        for split in SPLITS
        for painter in "AB"
        for model, colours in used.items()
        for (a, b), pixels in colours.items()
    ]


def _distances(random: np.random.Generator, where: dict, apart: float) -> list[dict]:
    pairs = [
        (f"t{t}-unet_resnet18-s{s}", f"t{t}-pix2pix_resnet18-s{s}", apart)
        for t in TABLES
        for s in SEEDS
    ]
    pairs += [(f"t{t}-unet_resnet18-s0", f"t{t}-unet_resnet18-s1", 6.0) for t in TABLES]
    pairs += [(f"t{t}-pix2pix_resnet18-s0", f"t{t}-unet_resnet18-s1", 7.0) for t in TABLES]
    return [
        where | {"a": a, "b": b, "path": f"test/{n}.jpg", "ciede2000": mean + random.normal(0, 0.5)}
        for a, b, mean in pairs
        for n in range(PARTS["test"])
    ]
