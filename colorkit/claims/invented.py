"""Archives invented from a known truth: what a protocol's runs would give if it held."""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from ..experiment import MODELS, PROFILES
from ..metrics import BASELINES
from ..replication.paper import PARTS, paper_cell
from .archive import COLOURS, DISTANCES, KEYS, PAINTINGS, SCORES, VOTES, Archive
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
    truth, noise = papers_truth() | (truth or {}), protocol.analysis.noise
    sizes = sizes or {"train": 363, "valid": 104, "test": 52}
    scores, paintings, distances, runs = [], [], [], {}
    for study in protocol.studies:
        if studies and study.name not in studies:
            continue
        for number, split in enumerate(study.splits):
            where = {"study": study.name, "split": split}
            hard = {p: _centred(random, size, noise["paintings"]) for p, size in sizes.items()}
            for part, size in sizes.items():
                ids = np.arange(size) + 10_000 * number + 1_000 * list(sizes).index(part)
                paintings.append(_paintings(where | {"part": part}, ids))
            shift = random.normal(0, noise["runs"] / 4)
            for table, model, seed in _named(study, split):
                run = "baselines" if table == 0 else f"t{table}-{model}-s{seed}"
                luck = 0 if table == 0 else random.normal(shift, noise["runs"])
                for part, size in sizes.items():
                    level = LEVELS[model] if table == 0 else truth[table, model, part]
                    own = _centred(random, size, OWN)
                    keys = where | {"run": run, "table": table, "model": model, "variant": ""}
                    if table:
                        level *= np.exp(luck + random.normal(0, noise["ratios"] / 2**0.5))
                    errors = level * hard[part] * own
                    scores.append(_scores(keys | {"seed": seed, "part": part}, errors))
                if table:
                    runs[f"{study.name}/{split}/{run}"] = _record(
                        protocol, study, table, model, seed
                    )
            if set(study.models) == set(MODELS):
                distances.append(_distances(random, study, split, where, apart, sizes["test"]))
    return Archive(
        protocol,
        [],
        pd.concat(scores, ignore_index=True)[[*KEYS, *SCORES]],
        pd.concat(paintings, ignore_index=True)[PAINTINGS],
        pd.concat(distances, ignore_index=True)[DISTANCES]
        if distances
        else pd.DataFrame(columns=DISTANCES),
        pd.DataFrame(columns=COLOURS),
        pd.DataFrame(columns=VOTES),
        runs,
    )


def _named(study: Study, split: str) -> list[tuple[int, str, int]]:
    seeds = study.seeds_of(split)
    runs = [(t, m, s) for t in study.tables for s in seeds for m in study.models]
    return [(0, baseline, 0) for baseline in BASELINES] + runs


def _centred(random: np.random.Generator, size: int, spread: float) -> np.ndarray:
    """Draw lognormal factors (size,) with mean 1."""
    return np.exp(random.normal(-(spread**2) / 2, spread, size))


def _scores(keys: dict[str, Any], errors: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(dict.fromkeys(SCORES, errors))
    return frame.assign(**keys, painting=np.arange(len(errors)))


def _paintings(where: dict[str, str], ids: np.ndarray) -> pd.DataFrame:
    facts = {"painting": np.arange(len(ids)), "mirrored": 0, "group": ids}
    facts |= {"path": [f"{where['part']}/{n}.jpg" for n in ids]}
    return pd.DataFrame(facts).assign(painter=[f"Painter {'AB'[n % 2]}" for n in ids], **where)


def _record(protocol: Protocol, study: Study, table: int, model: str, seed: int) -> dict[str, Any]:
    profile = PROFILES[study.profile or protocol.profile]
    epochs = study.epochs or profile.epochs
    weights = "none" if model == "pix2pix_scratch" else profile.weights
    config = {"profile": study.profile or protocol.profile, "model": model, "table": table}
    config |= {"size": profile.size, "epochs": epochs, "batch_size": 16, "weights": weights}
    config |= {"data": "invented", "precision": "fp32", "variant": "", "seed": seed}
    losses = [{"epoch": n + 1, "train_l1": 0.1 / (n + table)} for n in range(epochs)]
    facts = {"config": config, "device": "cpu", "seconds": 60.0, "history": losses}
    return facts | {"versions": {"colorkit": "0"}, "manifest_sha256": "0" * 64}


def _distances(
    random: np.random.Generator,
    study: Study,
    split: str,
    where: dict[str, str],
    apart: tuple[float, float, float],
    size: int,
) -> pd.DataFrame:
    pair, scratch, seeds = apart
    unet, pretrained = "unet_resnet18", "pix2pix_resnet18"
    rows = []
    for table in study.tables:
        own = study.seeds_of(split)
        named = [((unet, s), (pretrained, s), pair) for s in own]
        named += [
            ((m, s), ("pix2pix_scratch", s), scratch) for m in (unet, pretrained) for s in own
        ]
        named += [
            ((m, one), (m, other), seeds)
            for m in (unet, pretrained)
            for one, other in itertools.pairwise(own)
        ]
        for (a, s), (b, t), mean in named:
            values = mean + random.normal(0, 0.3) + random.normal(0, 1, size)
            names = {"a": f"t{table}-{a}-s{s}", "b": f"t{table}-{b}-s{t}"}
            paths = [f"test/{n}.jpg" for n in range(size)]
            rows.append(pd.DataFrame({"path": paths, "ciede2000": values}).assign(**names))
    return pd.concat(rows).assign(**where)
