"""The ledger: every claim's verdict, and the tables that stand behind it, from an archive.

Everything here is a re-read of painting-by-painting scores; nothing trains. The same functions
serve `colorkit ledger`, report.html, README and notebook 08.
"""

import itertools
import math
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

from ..base.errors import KitError
from ..color import AB_SCALE
from ..experiment import MODELS, SHORT, VARIANTS
from ..metrics import BASELINES
from ..replication.paper import PARTS, paper_cell
from ..splits import SPARE
from . import stats
from .archive import Archive
from .protocol import Study
from .rules import MEAN_COLOUR, Evidence
from .verdicts import deciding, main_evidence, untrusted

BASELINE_SHORT = {"grey": "grey", "mean_ab": "mean colour", "L_table": "L table"}
CHANGES = ["changed", "model", "as in the paper", "changed to", "difference", "low", "high", "p"]
CHANGES += ["for these runs"]


def scope(archive: Archive) -> list[str]:
    """Say what the runs are that are shown or decide, and what speaks against them."""
    protocol, deciders = archive.protocol, set()
    for terms in protocol.claims.values():
        if protocol.version > 1:
            deciders |= set(deciding(archive, terms).studies.values())
    shown = [study for study in protocol.studies if study.name in {protocol.main.name, *deciders}]
    told = [line for study in shown if (line := about(archive, study))]
    return [*(told or ["no run has a result yet"]), *_doubts(archive)]


def about(archive: Archive, study: Study) -> str:
    """Say in one line what a study's runs are; nothing if it has none yet."""
    cells = dict.fromkeys(itertools.product(study.tables, study.models), study.name)
    runs = archive.runs_of(cells)
    if not runs:
        return ""

    def several(name: str) -> str:
        return ", ".join(sorted({str(run["config"][name]) for run in runs}))

    here = archive.paintings[archive.paintings["study"] == study.name]
    here = here[here["part"] != SPARE].drop_duplicates("path")
    painters = sorted(set(here["painter"]))
    named = ", ".join(painters) if len(painters) <= 6 else f"{len(painters)} painters"
    trained = archive.training_paintings(study.name)
    steps = {
        run["config"]["epochs"] * math.ceil(trained / run["config"]["batch_size"]) for run in runs
    }
    weights = sorted({run["config"]["weights"] for run in runs} - {"none"})
    begins = f", a ResNet-18 that begins with {' or '.join(weights)} weights" if weights else ""
    versions = ", ".join(sorted({run["versions"]["colorkit"] for run in runs}))
    models = ", ".join(SHORT[model] for model in study.models)
    device = ", ".join(sorted({run["device"] for run in runs}))
    size, epochs, batch = (several(name) for name in ("size", "epochs", "batch_size"))
    count = ", ".join(map(str, sorted(steps)))
    return (
        f"{study.name}: {len(runs)} runs ({models}), {size} px, {epochs} epochs of batches of "
        f"{batch} ({count} steps), {trained} training paintings of {len(here)} by {named}{begins}; "
        f"{several('precision')} on {device}, colorkit {versions}"
    )


def _doubts(archive: Archive) -> list[str]:
    """Say what speaks against trusting an archive: an edited protocol, holes."""
    told = [f"EDITED: {doubt}"] if (doubt := untrusted(archive)) else []
    if archive.holes:
        told.append(f"HOLES: {len(archive.holes)} runs have no result: {_some(archive.holes)}")
    return told


def model_table(archive: Archive) -> pd.DataFrame:
    """Put models and baselines of the main study side by side on the test paintings.

    Columns: mse_ab, skill (1 - mse_ab / that of the mean colour), and how many times the mean
    colour's error it is, with a 90 % interval.
    """
    evidence, rows = main_evidence(archive), {}
    colour = _mean(archive.run_means(0, MEAN_COLOUR))
    for table, model, label in _labelled(archive):
        mse = _mean(archive.run_means(table, model))
        rows[label] = [mse, 1 - mse / colour, *_times(evidence, table, model)]
    columns = ["mse_ab", "skill", "times the mean colour's", "low", "high"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def _times(evidence: Evidence, table: int, model: str) -> list[float]:
    if table == 0:
        return [math.nan] * 3
    found = evidence.log_relative(table, model)
    return [math.exp(n) for n in (found.value, *found.interval(evidence.confidence))]


def baseline_table(archive: Archive) -> pd.DataFrame:
    """Hold every model against every baseline: how many times its error, beyond noise?

    One family (Holm) for each baseline; 90 % intervals over splits.
    """
    evidence, rows = main_evidence(archive), []
    for baseline in BASELINES:
        found = {
            cell: evidence.log_relative(*cell, name=baseline) for cell in sorted(evidence.studies)
        }
        adjusted = stats.holm([estimate.p_zero() for estimate in found.values()])
        for ((table, model), e), p in zip(found.items(), adjusted, strict=True):
            told = "cannot be told" if p >= evidence.alpha else "better" if e.value < 0 else "worse"
            times = [math.exp(n) for n in (e.value, *e.interval(evidence.confidence))]
            rows.append([f"Table {table}: {SHORT[model]}", BASELINE_SHORT[baseline], *times, told])
    columns = ["model", "baseline", "times its error", "low", "high", "beyond noise"]
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
            stats.check_enough(plain)
        except KitError as error:
            rows.append(row | {"for these runs": str(error)})
            continue
        each = np.concatenate([(b - a).mean(0) for a, b in zip(plain, changed, strict=True)])
        low, high = stats.over_paintings(each, 1 - analysis.alpha, analysis.draws)
        row |= {"as in the paper": _mean(plain), "changed to": _mean(changed)}
        rows.append(
            row
            | {"difference": each.mean(), "low": low, "high": high, "p": stats.signed_ranks(each)}
        )
    table = pd.DataFrame(rows, columns=CHANGES)
    there = table["p"].notna()
    table.loc[there, "p"] = stats.holm(table.loc[there, "p"])
    told = np.where(table["difference"] < 0, "better", "worse")
    clear = table["p"] < analysis.alpha
    table.loc[there, "for these runs"] = np.where(clear, told, "cannot be told")[there]
    return table


def leak_table(archive: Archive) -> pd.DataFrame:
    """The leak laboratory: which cause gives the paper's pattern?

    The pattern: validation like training, test twice as high. Every part's error is relative to
    one constant colour's on the same paintings, so that a part that is easy by chance does not
    count. Columns: what is tried, the kind of cause, runs, steps, both ratios with 90 % intervals,
    and whether the pattern is there.
    """
    analysis, rows = archive.protocol.analysis, []
    for what, cause, *source in _tried(archive):
        try:
            runs, steps, found = _leak(archive, *source)
        except KitError:
            rows.append([what, cause, 0, 0, *[math.nan] * 6, "no result"])
            continue
        fits = found[0] <= analysis.like_training and found[3] >= analysis.twice
        rows.append([what, cause, runs, steps, *found, "yes" if fits else "no"])
    columns = ["tried", "cause", "runs", "steps", "valid / train", "low", "high"]
    columns += ["test / valid", "low ", "high "]
    return pd.DataFrame(rows, columns=[*columns, "the paper's pattern"])


def _tried(archive: Archive) -> list[tuple[str, str, str, tuple[str, ...], str, str]]:
    """List the laboratory's rows: words, cause, study, splits, how it is tested, in which space."""
    studies, main = {study.name: study for study in archive.protocol.studies}, archive.protocol.main

    def of(scheme: str) -> tuple[str, tuple[str, ...]]:
        """Name the study and the splits that show a scheme; no splits if none does."""
        if "leaks" in studies:  # one split of each, in one study
            return "leaks", tuple({scheme} & set(studies["leaks"].splits))
        if f"leak-{scheme}" in studies:
            return f"leak-{scheme}", studies[f"leak-{scheme}"].splits
        return main.name, main.splits if scheme == "paper" else ()

    torn = _torn(archive, "leaks", "plain")
    return [
        ("a clean split", "none", *of("paper"), "", "mse_ab"),
        ("validation in RGB, test in ab/110", "spaces", *of("paper"), "", "mse_rgb"),
        ("mirrored copies made before the split", "leak", *of("flips"), "", "mse_ab"),
        ("validation drawn from training", "leak", *of("inside"), "", "mse_ab"),
        (f"near-duplicates as they fall ({torn} across)", "leak", *of("plain"), "", "mse_ab"),
        ("sorted by file: other painters tested", "painters", *of("sorted"), "", "mse_ab"),
        ("tested in training mode", "mode", *of("paper"), "train_mode", "mse_ab"),
        ("tested on a grey file's 2v - 1", "input", *of("paper"), "file_grey", "mse_ab"),
    ]


def _leak(
    archive: Archive, name: str, splits: tuple[str, ...], tested_as: str, space: str
) -> tuple[int, int, list[float]]:
    """Return runs, steps, and both ratios with their intervals, of Table 1's scratch."""
    model, study = "pix2pix_scratch", archive.study(name)
    if not splits or tested_as not in ("", *study.variants):
        raise KitError(f"{name}: no such runs")
    ways = {"train": ("", space), "valid": ("", space), "test": (tested_as, "mse_ab")}
    logs, errors, count = {}, {}, 0
    for part, (variant, metric) in ways.items():
        cells = archive.cell(1, model, part, metric, name, variant, splits)
        colours = [c[0] for c in archive.cell(0, MEAN_COLOUR, part, metric, name, "", splits)]
        level = _level(archive, name, splits, metric)  # in ab and in RGB errors differ by a factor
        pairs = list(zip(cells, colours, strict=True))
        logs[part] = [np.log(e.mean(1) / c.mean() * level) for e, c in pairs]
        errors[part] = [stats.log_ratio_error(e.mean(0), c) for e, c in pairs]
        count = sum(map(len, cells))
    found = []
    for over, under in (("valid", "train"), ("test", "valid")):
        values = [o - u for o, u in zip(logs[over], logs[under], strict=True)]
        noise = [math.hypot(o, u) for o, u in zip(errors[over], errors[under], strict=True)]
        if len(values) == 1:
            e = stats.of_one_split(values[0], noise[0], archive.protocol.analysis.noise["ratios"])
        else:
            e = stats.over_splits(values, archive.tested(name))
        low, high = e.interval(1 - 2 * archive.protocol.analysis.alpha)
        found += [math.exp(e.value), math.exp(low), math.exp(high)]
    run = archive.runs_of({(1, model): name})
    epochs = run[0]["config"]["epochs"] if run else 0
    trained = archive.paintings.query("study == @name and split == @splits[0] and part == 'train'")
    return count, epochs * math.ceil(len(trained) / 16), found


def _level(archive: Archive, name: str, splits: tuple[str, ...], metric: str) -> float:
    """Return the mean colour's error over all parts: what an error is in another space."""
    parts = [archive.cell(0, MEAN_COLOUR, p, metric, name, "", splits) for p in PARTS]
    return float(np.mean(np.concatenate([split[0] for part in parts for split in part])))


def _torn(archive: Archive, study: str, split: str) -> int:
    """Count the groups of near-duplicates that are in training and in validation."""
    here = archive.paintings
    here = here[(here["study"] == study) & (here["split"] == split) & (here["part"] != "test")]
    return int((here.groupby("group")["part"].nunique() > 1).sum())


def multiverse(archive: Archive) -> pd.DataFrame:
    """Ask the same archive the same questions in other ways: which answers move?

    One row a way: the scale, the test or the yardstick, the number and what it would say.
    """
    rows = []
    evidence = main_evidence(archive)
    if (1, "unet_resnet18") in evidence.studies and (1, "pix2pix_scratch") in evidence.studies:
        rows += _ways_to_compare(evidence)
    rows += _ways_to_hold_cells(evidence)
    with suppress(KitError):  # distances need all three models
        rows += _ways_to_be_alike(evidence)
    return pd.DataFrame(rows, columns=["question", "scale", "test or yardstick", "number", "says"])


def _ways_to_compare(evidence: Evidence) -> list[list[Any]]:
    a, b = (evidence.errors(1, model) for model in ("unet_resnet18", "pix2pix_scratch"))
    values = {
        "difference": [x.mean(1) - y.mean(1) for x, y in zip(a, b, strict=True)],
        "log ratio": [np.log(x.mean(1) / y.mean(1)) for x, y in zip(a, b, strict=True)],
    }
    tested = evidence.archive.tested(evidence.studies[1, "unet_resnet18"])
    tests = {
        "folds independent": {},
        "folds correlated": {"tested": tested},
        "folds correlated, seeds crossed": {"tested": tested, "crossed": True},
    }
    rows = []
    for (scale, some), (test, how) in itertools.product(values.items(), tests.items()):
        p = stats.over_splits(some, **how).p_zero()
        says = "U-Net and scratch differ" if p < evidence.alpha else "cannot be told"
        rows.append(["U-Net against scratch, Table 1", scale, test, f"p {p:.3f}", says])
    return rows


def _ways_to_hold_cells(evidence: Evidence) -> list[list[Any]]:
    rows, noise = [], evidence.archive.protocol.analysis.noise["painters"]
    cells = [(t, p, m) for t, m in sorted(evidence.studies) for p in PARTS]
    for scale, painters in (("raw", 0.0), ("log", 0.0), ("log", noise)):
        outside = 0
        for table, part, model in cells:
            means = [split.mean(1) for split in evidence.errors(table, model, part)]
            if len(means) < 2:
                return []
            theirs, confidence = paper_cell(table, part, model), 1 - evidence.alpha / len(cells)
            if scale == "log":
                _, low, high = stats.prediction_interval(
                    [np.log(split) for split in means], confidence, painters
                )
            else:
                _, low, high = (math.log(n) for n in stats.prediction_interval(means, confidence))
            outside += not low <= theirs <= high
        with_painters = "with other painters" if painters else "the same painters"
        told = f"{outside} of {len(cells)} outside"
        says = "not the paper's" if outside else "consistent"
        rows.append(["the paper's cells in a new run's interval", scale, with_painters, told, says])
    return rows


def _ways_to_be_alike(evidence: Evidence) -> list[list[Any]]:
    evidence.need_all()
    rows = []
    for table in evidence.tables:
        study = evidence.studies[table, "unet_resnet18"]
        apart = evidence.archive.distances_by_kind(study, table)
        for yardstick in ("unets", "pretrained", "seeds", "scratch"):
            e = stats.over_splits(
                list(apart["pair"] - apart[yardstick]), evidence.archive.tested(study)
            )
            low, high = e.interval(evidence.confidence)
            says = "further apart" if low > 0 else "nearer" if high < 0 else "cannot be told"
            named = {"unets": "two U-Nets", "pretrained": "two pretrained pix2pix"}
            named |= {"seeds": "two seeds of either", "scratch": "either and scratch"}
            number = f"{e.value:+.1f} [{low:+.1f}, {high:+.1f}]"
            what = f"U-Net and pretrained alike, Table {table}"
            rows.append([what, "CIEDE2000", named[yardstick], number, says])
    return rows


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
        low, high = stats.over_paintings(each, 1 - analysis.alpha, analysis.draws)
    numbers = {"grey": grey, "mean colour": colour, "mse_ab": mse, "skill": 1 - mse / colour}
    return numbers | {"low": low, "high": high}


def colour_table(archive: Archive) -> pd.DataFrame:
    """Tell how vivid predictions are, painter by painter: chroma ratio and clipped pixels."""
    main = archive.protocol.main
    for model in (*main.models, *BASELINES):
        archive.cell(main.tables[0], model)  # KitError for a hole
    s = archive.scores[(archive.scores["study"] == main.name) & (archive.scores["part"] == "test")]
    s = s[s["table"].isin([0, main.tables[0]]) & (s["variant"] == "")]
    s = s.merge(archive.paintings, on=["study", "split", "painting", "part"])
    means = s.groupby(["painter", "model"])[["chroma", "chroma_true", "clipped"]].mean()
    means["chroma_ratio"] = means["chroma"] / means["chroma_true"]
    order = [name for name in (*main.models, *BASELINES) if name != "grey"]
    wide = means[["chroma_ratio", "clipped"]].unstack("model")
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["chroma_ratio", "clipped"], order]))
    return wide.rename(columns=SHORT | BASELINE_SHORT)


def palette_table(archive: Archive) -> pd.DataFrame:
    """How far is each model's palette from the painter's? Jensen-Shannon distance, 0 to 1.

    Of the pixels' counts by a* and b*, in bins ten units wide; base 2.
    """
    here = archive.colours[archive.colours["study"] == archive.protocol.main.name]
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
    models = itertools.product(archive.protocol.main.tables, archive.protocol.main.models)
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
    seeds = (0,) if model in BASELINES else archive.study(study).seeds_of(split)
    if set(seeds) != set(rows["seed"]):
        raise KitError(f"{study}/{split}: runs of {model} are missing")
    return float(rows.groupby("seed")[metric].mean().mean())


def _mean(cell: list[np.ndarray]) -> float:
    return float(np.mean([split.mean() for split in cell]))


def _some(holes: dict[str, str]) -> str:
    told = [f"{key} ({reason})" for key, reason in holes.items()]
    return "; ".join(told[:3]) + ("; …" if len(told) > 3 else "")
