"""The ledger: every claim's verdict, and the tables that stand behind it, from an archive.

Everything here is a re-read of painting-by-painting scores; nothing trains. The same functions
serve `colorkit ledger`, report.html, README and notebook 08.
"""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from . import __version__, stats
from .archive import Archive
from .color import AB_SCALE
from .comparisons import BASELINE_SHORT, NOISE, compare_with, tables
from .errors import KitError
from .metrics import BASELINES
from .protocol import edited_after_results
from .recipes import MODELS, SHORT, VARIANTS

CHANGES = ["changed", "model", "as in the paper", "changed to", "difference", "low", "high", "p"]
CHANGES += ["for these runs"]


def scope(archive: Archive) -> list[str]:
    """Say what the verdicts are about, in words: they hold for nothing else."""
    trained = [
        run
        for key, run in archive.runs.items()
        if key.startswith("tables/") and "model" in run["config"]
    ]
    return [
        *(_about(archive, trained) if trained else ["no run has a result yet"]),
        *_doubts(archive),
    ]


def _about(archive: Archive, trained: list[dict[str, Any]]) -> list[str]:
    def several(name: str) -> str:
        return ", ".join(sorted({str(run["config"][name]) for run in trained}))

    here = archive.paintings[archive.paintings["study"] == "tables"].drop_duplicates("path")
    painters = sorted(set(here["painter"]))
    named = ", ".join(painters) if len(painters) <= 6 else f"{len(painters)} painters"
    versions = sorted({run["versions"]["colorkit"] for run in trained})
    devices = sorted({run["device"] for run in trained})
    weights = {run["config"]["weights"] for run in trained} - {"none"}
    begins = f"begins with {' or '.join(sorted(weights))} weights" if weights else "is not trained"
    return [
        f"paintings: {len(here)} by {named} (data: {several('data')}); the paper's 519 by four "
        "painters are not named",
        f"size: {several('size')} px; the paper's is 256",
        f"training: {several('epochs')} epochs of batches of {several('batch_size')}; 50 of 16",
        f"ResNet-18 {begins}; the paper's begins with ImageNet's",
        f"computed in {several('precision')} on {', '.join(devices)}",
        f"trained by colorkit {', '.join(versions)}, judged by {__version__}",
    ]


def _doubts(archive: Archive) -> list[str]:
    """Say what speaks against trusting an archive: an edited protocol, holes."""
    told = []
    if edited_after_results(archive.protocol, archive.history):
        first = archive.history[0]
        told.append(
            f"THE PROTOCOL WAS EDITED after results existed: first {first['sha256'][:12]} "
            f"(fixed {first['fixed']}), now {archive.protocol.sha256[:12]} "
            f"(fixed {archive.protocol.fixed})"
        )
    if archive.holes:
        told.append(f"HOLES: {len(archive.holes)} runs have no result: {_some(archive.holes)}")
    return told


def model_table(archive: Archive) -> pd.DataFrame:
    """Put models and baselines side by side on the test paintings of all splits.

    Columns: mse_ab, skill (1 - mse_ab / that of the mean colour), and, against the mean colour,
    the difference with its interval.
    """
    confidence = archive.protocol.analysis.confidence
    mean_colour, rows = archive.cell(0, "mean_ab"), {}
    for table, model, label in _labelled(archive):
        cell = archive.cell(table, model)
        differences = [a.mean(0) - b.mean(0) for a, b in zip(cell, mean_colour, strict=True)]
        estimate, low, high, _ = stats.over_splits([d[None] for d in differences], confidence)
        mse, reference = (
            _mean(archive.run_means(*named)) for named in ((table, model), (0, "mean_ab"))
        )
        rows[label] = [mse, 1 - mse / reference, estimate, low, high]
    columns = ["mse_ab", "skill", "against the mean colour", "low", "high"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def baseline_table(archive: Archive) -> pd.DataFrame:
    """Hold every model against every baseline: does it beat it, beyond noise?

    One family (Holm) for each baseline; the interval is Student's over splits.
    """
    rows = []
    for baseline in BASELINES:
        for found in compare_with(archive, baseline):
            model, _, other = found.what.partition(" - ")
            wins = {f"{other} is better": "is worse", NOISE: "does not beat it"}
            told = wins.get(found.verdict, "beats it")
            rows.append([model, other, found.ours, found.low, found.high, told, found.note])
    columns = ["model", "baseline", "difference", "low", "high", "says", "also"]
    return pd.DataFrame(rows, columns=columns)


def change_table(archive: Archive, study: str = "ablations") -> pd.DataFrame:
    """Tell what each variant does to the test error of the same model, split and seed.

    One split and one seed: interval (BCa) and p (Wilcoxon, Holm over all rows) are over paintings
    alone, for these very runs.
    """
    analysis, rows = archive.protocol.analysis, []
    variants = next((s.variants for s in archive.protocol.studies if s.name == study), ())
    for variant, model in [(v, m) for v in variants for m in VARIANTS[v].models]:
        row = {"changed": VARIANTS[variant].question, "model": SHORT[model], "for these runs": ""}
        try:
            plain, changed = (archive.cell(1, model, study=study, variant=v) for v in ("", variant))
            stats.check_enough(plain, splits=1)
        except KitError as error:
            rows.append(row | {"for these runs": str(error)})
            continue
        each = np.concatenate([(b - a).mean(0) for a, b in zip(plain, changed, strict=True)])
        low, high = stats.over_paintings(each, analysis.confidence, analysis.draws)
        row |= {"as in the paper": _mean(plain), "changed to": _mean(changed)}
        rows.append(
            row
            | {"difference": each.mean(), "low": low, "high": high, "p": stats.signed_ranks(each)}
        )
    table = pd.DataFrame(rows, columns=CHANGES)
    there = table["p"].notna()
    table.loc[there, "p"] = stats.holm(table.loc[there, "p"])
    told = np.where(table["difference"] < 0, "better", "worse")
    clear = table["p"] < 1 - analysis.confidence
    table.loc[there, "for these runs"] = np.where(clear, told, NOISE)[there]
    return table


def leak_table(archive: Archive) -> pd.DataFrame:
    """The leak laboratory: which cause gives the paper's pattern?

    The pattern: validation like training, test twice as high. Columns: what is tried, the
    kind of cause, train, valid and test errors, their ratios, and whether the pattern is there.
    """
    analysis, torn = archive.protocol.analysis, _torn(archive, "leaks", "plain")
    tried = [
        ("a clean split", "none", "paper", "", "", "mse_ab"),
        ("validation in RGB, test in ab/110", "spaces", "paper", "", "", "mse_rgb"),
        ("mirrored copies made before the split", "leak", "flips", "", "", "mse_ab"),
        ("validation drawn from training", "leak", "inside", "", "", "mse_ab"),
        (f"near-duplicates as they fall ({torn} across)", "leak", "plain", "", "", "mse_ab"),
        ("sorted by file: other painters tested", "painters", "sorted", "", "", "mse_ab"),
        ("tested in training mode", "mode", "paper", "", "train_mode", "mse_ab"),
        ("tested on a grey file's 2v - 1", "input", "paper", "", "file_grey", "mse_ab"),
    ]
    rows = []
    for what, cause, split, variant, tested_as, metric in tried:
        try:
            train, valid = (
                _one(archive, split, variant, part, metric) for part in ("train", "valid")
            )
            test = _one(archive, split, tested_as, "test", "mse_ab")
        except KitError:
            rows.append([what, cause, *[math.nan] * 5, "no result"])
            continue
        ratios = valid / train, test / valid
        fits = ratios[0] <= analysis.like_training and ratios[1] >= analysis.twice
        pattern = "yes" if fits else "no"
        rows.append([what, cause, train, valid, test, *ratios, pattern])
    columns = ["tried", "cause", "train", "valid", "test", "valid / train", "test / valid"]
    return pd.DataFrame(rows, columns=[*columns, "the paper's pattern"])


def _torn(archive: Archive, study: str, split: str) -> int:
    """Count the groups of near-duplicates that are in training and in validation."""
    here = archive.paintings
    here = here[(here["study"] == study) & (here["split"] == split) & (here["part"] != "test")]
    return int((here.groupby("group")["part"].nunique() > 1).sum())


def painter_table(archive: Archive) -> pd.DataFrame:
    """Hold other painters beside each other: test errors differ, the skill can be compared.

    Table 1; `low` and `high`: the difference to the mean colour (BCa over paintings, these runs).
    """
    rows, apart = [], ("ablations", "leaks")
    for study in archive.protocol.studies:
        for split, model in itertools.product(study.splits, study.models):
            if study.name in apart or 1 not in study.tables:
                continue
            row = {"study": study.name, "split": split, "model": SHORT[model]}
            rows.append(row | _skill(archive, study.name, split, model))
    columns = ["study", "split", "model", "grey", "mean colour", "mse_ab", "skill", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _skill(archive: Archive, study: str, split: str, model: str) -> dict[str, float]:
    analysis = archive.protocol.analysis
    try:
        mse, colour, grey = (
            _one(archive, split, "", "test", "mse_ab", study, name)
            for name in (model, "mean_ab", "grey")
        )
    except KitError:
        return {}
    s = archive.scores
    s = s[(s["study"] == study) & (s["split"] == split) & (s["part"] == "test")]
    s = s[(s["table"] <= 1) & (s["variant"] == "")]
    wide = s.groupby(["model", "painting"])["mse_ab"].mean().unstack("model")
    each = (wide[model] - wide["mean_ab"]).to_numpy()
    low, high = math.nan, math.nan
    if len(each) >= stats.LEAST_PAINTINGS:
        low, high = stats.over_paintings(each, analysis.confidence, analysis.draws)
    numbers = {"grey": grey, "mean colour": colour, "mse_ab": mse, "skill": 1 - mse / colour}
    return numbers | {"low": low, "high": high}


def colour_table(archive: Archive) -> pd.DataFrame:
    """Tell how vivid predictions are, painter by painter: chroma ratio and clipped pixels."""
    for model in (*MODELS, *BASELINES):
        archive.cell(tables(archive)[0], model)  # KitError for a hole
    s = archive.scores[(archive.scores["study"] == "tables") & (archive.scores["part"] == "test")]
    s = s[s["table"].isin([0, tables(archive)[0]]) & (s["variant"] == "")]
    s = s.merge(archive.paintings, on=["study", "split", "painting", "part"])
    means = s.groupby(["painter", "model"])[["chroma", "chroma_true", "clipped"]].mean()
    means["chroma_ratio"] = means["chroma"] / means["chroma_true"]
    order = [name for name in (*MODELS, *BASELINES) if name != "grey"]
    wide = means[["chroma_ratio", "clipped"]].unstack("model")
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["chroma_ratio", "clipped"], order]))
    return wide.rename(columns=SHORT | BASELINE_SHORT)


def palette_table(archive: Archive) -> pd.DataFrame:
    """How far is each model's palette from the painter's? Jensen-Shannon distance, 0 to 1.

    Of the pixels' counts by a* and b*, in bins ten units wide; base 2.
    """
    here = archive.colours[archive.colours["study"] == "tables"]
    counts = here.pivot_table(
        index=["painter", "a", "b"],
        columns="model",
        values="pixels",
        aggfunc="sum",
        fill_value=0,
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
    for table, model, label in _labelled(archive):
        mse = _mean(archive.run_means(table, model))
        rgb = _mean(archive.run_means(table, model, metric="mse_rgb"))
        rows[label] = [mse, mse * (AB_SCALE / 128) ** 2, mse * 2 / 3, rgb, mse * AB_SCALE**2]
    columns = ["ab/110", "ab/128", "L and ab, exact L", "sRGB in [0, 1]", "Lab units"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def _labelled(archive: Archive) -> list[tuple[int, str, str]]:
    """List models (table, name, label) and then baselines, whose table is 0."""
    models = itertools.product(tables(archive), MODELS)
    named = [(table, model, f"Table {table}: {MODELS[model]}") for table, model in models]
    return named + [(0, baseline, label) for baseline, label in BASELINES.items()]


def _one(
    archive: Archive,
    split: str,
    variant: str,
    part: str,
    metric: str,
    study: str = "leaks",
    model: str = "pix2pix_scratch",
) -> float:
    """Average one split's runs of a model, Table 1 (or of a baseline). KitError for a hole."""
    s = archive.scores
    rows = s[(s["study"] == study) & (s["split"] == split) & (s["model"] == model)]
    rows = rows[(rows["part"] == part) & (rows["variant"] == variant) & (rows["table"] <= 1)]
    seeds = (0,) if model in BASELINES else archive.study(study).seeds
    if set(seeds) != set(rows["seed"]):
        raise KitError(f"{study}/{split}: runs of {model} are missing")
    return float(rows.groupby("seed")[metric].mean().mean())


def _mean(cell: list[np.ndarray]) -> float:
    return float(np.mean([split.mean() for split in cell]))


def _some(holes: dict[str, str]) -> str:
    told = [f"{key} ({reason})" for key, reason in holes.items()]
    return "; ".join(told[:3]) + ("; …" if len(told) > 3 else "")
