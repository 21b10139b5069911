"""Archives invented from a known truth: what a protocol's runs would give if it held."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..experiment import MODELS, Experiment
from ..metrics import BASELINES
from ..replication.paper import PAPER_PARTS, paper_cell
from .archive import DISTANCES, KEYS, PAINTING_COLUMNS, SCORES, VOTES, Archive, RunKey
from .protocol import Noise, Protocol, Study

LEVELS = {"grey": 0.0196, "mean_ab": 0.0149, "L_table": 0.0138}  # of a quartet of 519
OWN = 0.35  # of a painting's error, what is one model's own: standard deviation on the log scale
Truth = dict[tuple[int, str, str], float]  # (table, model, part): the mean error
Sizes = dict[str, int]  # paintings in each part
Apart = tuple[float, float, float]  # CIEDE2000 of a pair, to scratch, of two seeds


def invent(
    protocol: Protocol,
    random: np.random.Generator,
    truth: Truth | None = None,
    sizes: Sizes | None = None,
    apart: Apart = (6.0, 9.0, 6.0),
    studies: tuple[str, ...] = (),
) -> Archive:
    """Invent what a protocol's runs would give if `truth` were true (the paper's if None).

    A painting is as hard for every model; runs, splits and paintings scatter as the protocol's
    noise says. sizes: paintings in each part; apart: CIEDE2000 of the pair, to scratch, and of two
    seeds. Only the named studies are made, all if none is named; variants never are.
    """
    papers = {(t, m, p): paper_cell(t, p, m) for t in (1, 2) for m in MODELS for p in PAPER_PARTS}
    truth, scores, paintings, distances, runs = papers | (truth or {}), [], [], [], {}
    sizes, noise = sizes or {"train": 363, "valid": 104, "test": 52}, protocol.analysis.noise
    for (name, split), grid in protocol.grids(Path()).items():
        if studies and name not in studies:
            continue
        study, where = protocol.studies[name], {"study": name, "split": split}
        keys = [RunKey(name, split, 0, baseline, 0) for baseline in BASELINES]
        for e in grid.experiments():
            if not e.variant and e.model in study.models:  # a first stage may be of no table
                keys.append(RunKey(name, split, e.table, e.model, e.seed))
                runs[keys[-1]] = _record(e)
        made = _made_paintings(10_000 * study.splits.index(split), sizes)
        paintings += [table.assign(**where) for table in made]
        scores += _made_scores(random, noise, truth, sizes, keys)
        if set(study.models) == set(MODELS):
            made = _made_distances(random, study, apart, sizes["test"])
            distances += [table.assign(**where) for table in made]
    return Archive(
        protocol,
        [],
        pd.concat(scores, ignore_index=True)[[*KEYS, *SCORES]],
        pd.concat(paintings, ignore_index=True)[PAINTING_COLUMNS],
        pd.concat([pd.DataFrame(columns=DISTANCES), *distances])[DISTANCES],
        pd.DataFrame(columns=VOTES),
        runs,
    )


def _made_scores(
    random: np.random.Generator, noise: Noise, truth: Truth, sizes: Sizes, keys: list[RunKey]
) -> Iterator[pd.DataFrame]:
    """Draw the scores of a split's runs: a painting's difficulty, a split's and a run's luck."""
    hard = {part: _centred(random, size, noise["paintings"]) for part, size in sizes.items()}
    shift = random.normal(0, noise["runs"] / 4)
    for key in keys:
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
            yield pd.DataFrame(columns | facts)


def _centred(random: np.random.Generator, size: int, spread: float) -> np.ndarray:
    """Draw lognormal factors (size,) with mean 1."""
    return np.exp(random.normal(-(spread**2) / 2, spread, size))


def _made_paintings(first: int, sizes: Sizes) -> Iterator[pd.DataFrame]:
    for order, (part, size) in enumerate(sizes.items()):
        ids = np.arange(size) + first + 1_000 * order
        facts = {"part": part, "mirrored": 0, "group": ids, "painting": np.arange(size)}
        facts |= {"path": [f"{part}/{n}.jpg" for n in ids]}
        yield pd.DataFrame(facts | {"painter": [f"Painter {'AB'[n % 2]}" for n in ids]})


def _record(experiment: Experiment) -> dict[str, Any]:
    """Make the record of a run whose loss falls as it does, a little sooner in Table 2."""
    epochs = range(1, experiment.epochs + 1)
    losses = [{"epoch": n, "train_l1": 0.1 / (n - 1 + experiment.table)} for n in epochs]
    facts = {"config": experiment.config() | {"precision": "fp32"}, "history": losses}
    facts |= {"device": "cpu", "seconds": 60.0, "manifest_sha256": "0" * 64}
    return facts | {"versions": {"colorkit": "0"}}


def _made_distances(
    random: np.random.Generator, study: Study, apart: Apart, size: int
) -> Iterator[pd.DataFrame]:
    """Draw the distances of a split's runs: a pair for each seed, two of the next two seeds."""
    pair, scratch, seeds = apart
    count = len(study.seeds)
    asked = [("pair", pair)] * count + [("scratch", scratch)] * 2 * count
    asked += [("unets", seeds)] * (count - 1) + [("pretrained", seeds)] * (count - 1)
    for table, (kind, mean) in itertools.product(study.tables, asked):
        values = mean + random.normal(0, 0.3) + random.normal(0, 1, size)
        paths = [f"test/{n}.jpg" for n in range(size)]
        yield pd.DataFrame({"table": table, "kind": kind, "path": paths, "ciede2000": values})
