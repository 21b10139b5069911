"""The ledger: every claim's verdict, and the tables that stand behind it, from an archive.

Everything here is a re-read of painting-by-painting scores; nothing trains. The same functions
serve `colorkit ledger`, report.html, README and notebook 08.
"""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from . import stats
from .archive import Archive
from .claims import NOISE, SHORT, tables
from .color import AB_SCALE
from .errors import KitError
from .metrics import BASELINES
from .recipes import MODELS, VARIANTS

# What the paper's rows look like: validation over training 1.00 to 1.07, test over validation
# 2.1 to 2.8. A cause is said to give that pattern if it comes as near as this.
ALIKE, TWICE = 1.15, 1.9


def scope(archive: Archive) -> list[str]:
    """Say what the verdicts are about, in words: they hold for nothing else."""
    runs = [run for key, run in archive.runs.items() if key.startswith("tables/")]
    configs = [run["config"] for run in runs if "model" in run["config"]]
    if not configs:
        return ["no run has a result yet"]

    def several(name: str) -> str:
        return ", ".join(sorted({str(config[name]) for config in configs}))

    devices = ", ".join(sorted({run["device"] for run in runs}))
    backbone = "random" if "random" in several("weights") else "ImageNet's"
    lines = [
        f"paintings: {archive.protocol.paintings}; not the paper's 519, which are not named",
        f"size: {several('size')} px; the paper's is 256",
        f"training: {several('epochs')} epochs of batches of {several('batch_size')}; 50 of 16",
        f"ResNet-18 begins with {backbone} weights; the paper's with ImageNet's",
        f"computed in {several('precision')} on {devices}",
    ]
    if archive.history and len(archive.history) > 1:
        first = archive.history[0]
        lines.append(
            f"THE PROTOCOL WAS EDITED after results existed: first {first['sha256'][:12]} "
            f"(fixed {first['fixed']}), now {archive.protocol.sha256[:12]} "
            f"(fixed {archive.protocol.fixed}, in use since {archive.history[-1]['used_from']})"
        )
    if archive.holes:
        lines.append(f"HOLES: {len(archive.holes)} runs have no result: {_some(archive.holes)}")
    return lines


def model_table(archive: Archive) -> pd.DataFrame:
    """Put models and baselines side by side on the test paintings of all splits.

    Columns: mse_ab, skill (1 - mse_ab / that of the mean colour), and, against the mean colour,
    the difference with its interval.
    """
    confidence = archive.protocol.analysis.confidence
    mean_colour, rows = archive.cell(0, "mean_ab"), {}
    for table, model in [*itertools.product(tables(archive), MODELS), *((0, b) for b in BASELINES)]:
        cell = archive.cell(table, model)
        differences = [a.mean(0) - b.mean(0) for a, b in zip(cell, mean_colour, strict=True)]
        estimate, low, high, _ = stats.over_splits([d[None] for d in differences], confidence)
        mse, reference = _mean(cell), _mean(mean_colour)
        label = f"Table {table}: {MODELS[model]}" if table else BASELINES[model]
        rows[label] = [mse, 1 - mse / reference, estimate, low, high]
    columns = ["mse_ab", "skill", "against the mean colour", "low", "high"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def change_table(archive: Archive, study: str = "ablations") -> pd.DataFrame:
    """Tell what each variant does to the test error of the same model, split and seed.

    One split and one seed: the interval (BCa) is over paintings alone, for these very runs.
    """
    analysis, rows = archive.protocol.analysis, []
    variants = next((s.variants for s in archive.protocol.studies if s.name == study), ())
    for variant, model in [(v, m) for v in variants for m in VARIANTS[v].models]:
        try:
            plain, changed = (archive.cell(1, model, study=study, variant=v) for v in ("", variant))
        except KitError as error:
            rows.append([VARIANTS[variant].question, SHORT[model], *[math.nan] * 5, str(error)])
            continue
        each = np.concatenate([(b - a).mean(0) for a, b in zip(plain, changed, strict=True)])
        low, high = stats.over_paintings(each, analysis.confidence, analysis.draws)
        told = NOISE if low <= 0 <= high else "better" if high < 0 else "worse"
        numbers = [_mean(plain), _mean(changed), float(each.mean()), low, high]
        rows.append([VARIANTS[variant].question, SHORT[model], *numbers, told])
    columns = ["changed", "model", "as in the paper", "changed to", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "for these runs"])


def leak_table(archive: Archive) -> pd.DataFrame:
    """The leak laboratory: which cause gives the paper's pattern?

    The pattern: validation like training, test twice as high. Columns: what is tried, the
    hypothesis, train, valid and test errors, their ratios, and whether the pattern is there.
    """
    tried = [
        ("a clean split", "none", "paper", "", "", "mse_ab"),
        ("validation in RGB, test in ab/110", "H1", "paper", "", "", "mse_rgb"),
        ("mirrored copies made before the split", "H2", "flips", "", "", "mse_ab"),
        ("validation drawn from training", "H2", "inside", "", "", "mse_ab"),
        ("near-duplicates as they fall", "H2", "plain", "", "", "mse_ab"),
        ("sorted by file: other painters tested", "H3", "sorted", "", "", "mse_ab"),
        ("tested in training mode", "H4", "paper", "", "train_mode", "mse_ab"),
        ("tested on a grey file's 2v - 1", "H5", "paper", "", "file_grey", "mse_ab"),
    ]
    rows = []
    for what, hypothesis, split, variant, tested_as, metric in tried:
        try:
            train, valid = (
                _one(archive, split, variant, part, metric) for part in ("train", "valid")
            )
            test = _one(archive, split, tested_as, "test", "mse_ab")
        except KitError:
            rows.append([what, hypothesis, *[math.nan] * 5, "no result"])
            continue
        ratios = valid / train, test / valid
        pattern = "yes" if ratios[0] <= ALIKE and ratios[1] >= TWICE else "no"
        rows.append([what, hypothesis, train, valid, test, *ratios, pattern])
    columns = ["tried", "hypothesis", "train", "valid", "test", "valid / train", "test / valid"]
    return pd.DataFrame(rows, columns=[*columns, "the paper's pattern"])


def painter_table(archive: Archive) -> pd.DataFrame:
    """Hold other painters beside each other: test errors differ, the skill can be compared."""
    rows, wanted = [], ("tables", "usual", "unseen-painter", "quartet")
    for study in archive.protocol.studies:
        if not study.name.startswith(wanted):
            continue
        for split in study.splits:
            try:
                model = _one(archive, split, "", "test", "mse_ab", study.name)
                colour, grey = (
                    _one(archive, split, "", "test", "mse_ab", study.name, baseline)
                    for baseline in ("mean_ab", "grey")
                )
            except KitError:
                rows.append([study.name, split, *[math.nan] * 4])
                continue
            rows.append([study.name, split, grey, colour, model, 1 - model / colour])
    columns = ["study", "split", "grey", "mean colour", "scratch pix2pix", "skill"]
    return pd.DataFrame(rows, columns=columns)


def colour_table(archive: Archive) -> pd.DataFrame:
    """Tell how vivid predictions are, painter by painter: chroma ratio and clipped pixels."""
    s = archive.scores[(archive.scores["study"] == "tables") & (archive.scores["part"] == "test")]
    s = s[s["table"].isin([0, tables(archive)[0]]) & (s["variant"] == "")]
    s = s.merge(archive.paintings, on=["study", "split", "painting", "part"])
    means = s.groupby(["painter", "model"])[["chroma", "chroma_true", "clipped"]].mean()
    means["chroma_ratio"] = means["chroma"] / means["chroma_true"]
    order = [name for name in (*MODELS, *BASELINES) if name != "grey"]
    wide = means[["chroma_ratio", "clipped"]].unstack("model")
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["chroma_ratio", "clipped"], order]))
    return wide.rename(columns=SHORT | {"mean_ab": "mean colour", "L_table": "L table"})


def palette_table(archive: Archive) -> pd.DataFrame:
    """How far is each model's palette from the painter's? Jensen-Shannon distance, 0 to 1.

    Of the pixels' counts by a* and b*, in bins ten units wide; base 2.
    """
    here = archive.colours[archive.colours["study"] == "tables"]
    counts = here.pivot_table(
        index=["painter", "a", "b"], columns="model", values="pixels", fill_value=0
    )
    rows = {
        painter: {
            SHORT[model]: jensenshannon(part[model], part["painting"], base=2) for model in MODELS
        }
        for painter, part in counts.groupby("painter")
        if set(MODELS) < set(part)
    }
    return pd.DataFrame.from_dict(rows, "index", columns=list(SHORT.values()))


def space_table(archive: Archive) -> pd.DataFrame:
    """Read the same test errors in other spaces: the paper does not say in which it counts."""
    rows = {}
    for table, model in [*itertools.product(tables(archive), MODELS), *((0, b) for b in BASELINES)]:
        mse = _mean(archive.cell(table, model))
        rgb = _mean(archive.cell(table, model, metric="mse_rgb"))
        label = f"Table {table}: {MODELS[model]}" if table else BASELINES[model]
        rows[label] = [mse, mse * (AB_SCALE / 128) ** 2, mse * 2 / 3, rgb, mse * AB_SCALE**2]
    columns = ["ab/110", "ab/128", "L and ab, exact L", "sRGB in [0, 1]", "Lab units"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def _one(
    archive: Archive,
    split: str,
    variant: str,
    part: str,
    metric: str,
    study: str = "leaks",
    model: str = "pix2pix_scratch",
) -> float:
    """Average one split's runs of a model, Table 1 (or of a baseline)."""
    archive.check_complete(study, 1, model, variant)
    s = archive.scores
    rows = s[(s["study"] == study) & (s["split"] == split) & (s["model"] == model)]
    rows = rows[(rows["part"] == part) & (rows["variant"] == variant) & (rows["table"] <= 1)]
    if rows.empty:
        raise KitError(f"{study}/{split}: no runs of {model}")
    return float(rows.groupby("seed")[metric].mean().mean())


def _mean(cell: list[np.ndarray]) -> float:
    return float(np.mean([split.mean() for split in cell]))


def _some(holes: dict[str, str]) -> str:
    told = [f"{key} ({reason})" for key, reason in holes.items()]
    return "; ".join(told[:3]) + ("; …" if len(told) > 3 else "")
