"""Archives invented from a known truth: what a protocol's runs would give if it held."""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from ..experiment import MODELS, PROFILES
from ..metrics import BASELINES
from ..replication.paper import PARTS, paper_cell
from .archive import COLOURS, DISTANCES, KEYS, PAINTINGS, SCORES, VOTES, Archive, RunKey
from .protocol import Protocol, Study

LEVELS = {"grey": 0.0196, "mean_ab": 0.0149, "L_table": 0.0138}  # of a quartet of 519
OWN = 0.35  # of a painting's error, what is one model's own: standard deviation on the log scale
Truth = dict[tuple[int, str, str], float]  # (table, model, part): the mean error


def papers_truth() -> Truth:
    """Take the paper's numbers for the truth."""
    return {(t, m, p): paper_cell(t, p, m) for t in (1, 2) for m in MODELS for p in PARTS}


def invent(
    protocol: Protocol,
    random: np.random.Generator,
    truth: Truth | None = None,
    sizes: dict[str, int] | None = None,
    apart: tuple[float, float, float] = (6.0, 9.0, 6.0),
    studies: tuple[str, ...] = (),
) -> Archive:
    """Invent what a protocol's runs would give if `truth` were true (the paper's if None).

    A painting is as hard for every model; runs, splits and paintings scatter as the protocol's
    noise says. sizes: paintings in each part; apart: CIEDE2000 of the pair, to scratch, and of two
    seeds. Only the named studies are made, all if none is named; variants never are.
    """
    truth = papers_truth() | (truth or {})
    sizes = sizes or {"train": 363, "valid": 104, "test": 52}
    scores, paintings, distances, runs = [], [], [], {}
    for name, study in protocol.studies.items():
        if studies and name not in studies:
            continue
        for number, split in enumerate(study.splits):
            paintings += _invented_paintings(study.name, split, 10_000 * number, sizes)
            scores += _split_scores(protocol, random, truth, sizes, study, split)
            for key in _keys(study, split):
                if key.table:
                    runs[key] = _record(protocol, study, key)
            if set(study.models) == set(MODELS):
                distances += _invented_distances(random, study, split, apart, sizes["test"])
    return Archive(
        protocol,
        [],
        pd.concat(scores, ignore_index=True)[[*KEYS, *SCORES]],
        pd.concat(paintings, ignore_index=True)[PAINTINGS],
        pd.concat([pd.DataFrame(columns=DISTANCES), *distances])[DISTANCES],
        pd.DataFrame(columns=COLOURS),
        pd.DataFrame(columns=VOTES),
        runs,
    )


def _keys(study: Study, split: str) -> list[RunKey]:
    keys = [RunKey(study.name, split, 0, baseline, 0) for baseline in BASELINES]
    for run in itertools.product(study.tables, study.seeds_of(split), study.models):
        table, seed, model = run
        keys.append(RunKey(study.name, split, table, model, seed))
    return keys


def _split_scores(
    protocol: Protocol,
    random: np.random.Generator,
    truth: Truth,
    sizes: dict[str, int],
    study: Study,
    split: str,
) -> list[pd.DataFrame]:
    """Draw the scores of a split's runs: a painting's difficulty, a split's and a run's luck."""
    noise, tables = protocol.analysis.noise, []
    hard = {part: _centred(random, size, noise["paintings"]) for part, size in sizes.items()}
    shift = random.normal(0, noise["runs"] / 4)
    for key in _keys(study, split):
        luck = random.normal(shift, noise["runs"]) if key.table else 0.0
        for part, size in sizes.items():
            own = _centred(random, size, OWN)
            if key.table:
                ratio = random.normal(0, noise["ratios"] / 2**0.5)
                level = truth[key.table, key.model, part] * np.exp(luck + ratio)
            else:
                level = LEVELS[key.model]
            columns = dict.fromkeys(SCORES, level * hard[part] * own)
            facts = key._asdict() | {"part": part, "painting": np.arange(size)}
            tables.append(pd.DataFrame(columns | facts))
    return tables


def _centred(random: np.random.Generator, size: int, spread: float) -> np.ndarray:
    """Draw lognormal factors (size,) with mean 1."""
    return np.exp(random.normal(-(spread**2) / 2, spread, size))


def _invented_paintings(
    study: str, split: str, first: int, sizes: dict[str, int]
) -> list[pd.DataFrame]:
    tables = []
    for order, (part, size) in enumerate(sizes.items()):
        ids = np.arange(size) + first + 1_000 * order
        facts = {"study": study, "split": split, "part": part, "mirrored": 0, "group": ids}
        facts |= {"painting": np.arange(size), "path": [f"{part}/{n}.jpg" for n in ids]}
        tables.append(pd.DataFrame(facts | {"painter": [f"Painter {'AB'[n % 2]}" for n in ids]}))
    return tables


def _record(protocol: Protocol, study: Study, key: RunKey) -> dict[str, Any]:
    name = study.profile or protocol.profile
    profile, epochs = PROFILES[name], study.epochs or PROFILES[name].epochs
    weights = "none" if key.model == "pix2pix_scratch" else profile.weights
    config = {"profile": name, "model": key.model, "table": key.table, "seed": key.seed}
    config |= {"size": profile.size, "epochs": epochs, "batch_size": 16, "weights": weights}
    config |= {"data": "invented", "precision": "fp32", "variant": ""}
    losses = [{"epoch": n + 1, "train_l1": 0.1 / (n + key.table)} for n in range(epochs)]
    facts = {"config": config, "device": "cpu", "seconds": 60.0, "history": losses}
    return facts | {"versions": {"colorkit": "0"}, "manifest_sha256": "0" * 64}


def _invented_distances(
    random: np.random.Generator,
    study: Study,
    split: str,
    apart: tuple[float, float, float],
    size: int,
) -> list[pd.DataFrame]:
    """Draw distances between pictures: of the pair, to scratch, and of one model's two seeds."""
    pair, scratch, seeds = apart
    unet, pretrained, own = "unet_resnet18", "pix2pix_resnet18", study.seeds_of(split)
    asked = [(unet, pretrained, seed, seed, pair) for seed in own]
    for model, seed in itertools.product((unet, pretrained), own):
        asked.append((model, "pix2pix_scratch", seed, seed, scratch))
    for model in (unet, pretrained):
        asked += [(model, model, one, other, seeds) for one, other in itertools.pairwise(own)]
    tables = []
    for table, (a, b, a_seed, b_seed, mean) in itertools.product(study.tables, asked):
        values = mean + random.normal(0, 0.3) + random.normal(0, 1, size)
        facts = {"study": study.name, "split": split, "table": table, "ciede2000": values}
        facts |= {"a": a, "a_seed": a_seed, "b": b, "b_seed": b_seed}
        tables.append(pd.DataFrame(facts | {"path": [f"test/{n}.jpg" for n in range(size)]}))
    return tables
