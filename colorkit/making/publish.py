"""What was tried, as one table, and the two models with their cards, where everybody finds them."""

import json
import shutil
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from ..base.errors import KitError
from ..base.files import kit_file, write_atomic
from ..base.templates import render
from ..folder import Folder, read_result
from ..metrics import BASELINES, summarize
from ..pictures.pretrained import BOXED
from ..saving import CONFIG, WEIGHTS, write_description
from .recipes import BOX_RECIPES, CANDIDATES

RESAMPLED = 9999


def compare_candidates(folder: Folder) -> pd.DataFrame:
    """Compare all there is on the held-out paintings: a row for each candidate and baseline.

    "to the table": mse_ab over that of the table of forty numbers, with its 95 % interval over
    paintings ("least", "most"), each painting's error averaged over seeds first, and with the
    seeds' own extremes ("luckiest", "unluckiest").
    """
    reference = read_result(folder.result_path("baselines"))["scores"]
    made = {BASELINES[name]: [{"scores": scores}] for name, scores in reference.items()}
    names = [*made, *CANDIDATES]
    made |= _runs(folder)
    rows = [_row(name, made[name], reference) for name in names if name in made]
    return pd.DataFrame(rows).set_index("candidate")


def _row(name: str, runs: list[dict[str, Any]], reference: dict[str, Any]) -> dict[str, Any]:
    by_seed, table = [_errors(run["scores"]) for run in runs], _errors(reference["L_table"])
    errors, ratios = np.mean(by_seed, axis=0), [e.mean() / table.mean() for e in by_seed]
    summary = pd.DataFrame([summarize(run["scores"], reference["mean_ab"]) for run in runs]).mean()
    row = {"candidate": name, "seeds": len(runs)}
    row |= {key: summary[key] for key in ("mse_ab", "skill_ab", "ciede2000", "chroma_ratio")}
    row["to the table"] = np.mean(ratios)
    if name in CANDIDATES:
        row["luckiest"], row["unluckiest"] = min(ratios), max(ratios)
        row["least"], row["most"] = interval(errors, table)
        row["parameters"] = runs[0]["parameters"]
        row["core minutes"] = np.mean([run["history"][-1]["core_minutes"] for run in runs])
        row["epochs"] = np.mean([len(run["history"]) for run in runs])
    return row


def interval(errors: np.ndarray, table: np.ndarray) -> tuple[float, float]:
    """Say how sure the ratio of two mean errors (n,) is: 95 % over paintings, paired bootstrap."""
    found = bootstrap(
        (errors, table),
        lambda one, other, axis: one.mean(axis) / other.mean(axis),
        n_resamples=RESAMPLED,
        paired=True,
        vectorized=True,
        method="percentile",
        random_state=0,
    )
    return found.confidence_interval


def _errors(scores: list[dict[str, float]]) -> np.ndarray:
    return np.array([row["mse_ab"] for row in scores])


def _runs(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    """Read all runs, by their candidates' names; the lowest seed is first."""
    made = defaultdict(list)
    for path in sorted(folder.path.glob("runs/*.json")):
        run = read_result(path)
        made[run["config"]["name"]].append(run)
    return made


def publish_models(folder: Folder, about: str = "") -> Path:
    """Write results/models-<date>/ and, with their cards, the two models in the package.

    about: what the cards say of the paintings beside their number. Raises KitError unless both
    are made.
    """
    made = _runs(folder)
    if missing := [name for name in BOX_RECIPES if name not in made]:
        raise KitError(f"{folder.path}: {missing[0]} is not made yet; run `colorkit make` first")
    runs = {name: made[name][0] for name in BOX_RECIPES}
    table = compare_candidates(folder)
    facts = {
        "table": table,
        "about": about,
        "box": list(BOX_RECIPES),
        "counts": folder.listed["part"].value_counts(),
        "painters": folder.listed.query("part == 'train'")["painter"].nunique(),
        "versions": runs["lively"]["versions"],
        "device": runs["lively"]["device"],
    }
    place = kit_file("results", f"models-{time.strftime('%Y-%m-%d')}")
    for path in [*folder.path.glob("runs/*.json"), folder.manifest_path]:
        write_atomic(place / path.relative_to(folder.path), path.read_bytes())
    write_atomic(place / "README.md", render("making/comparison.md", facts))
    for name, run in runs.items():
        model, boxed = folder.model_path(run["id"]), BOXED / name
        boxed.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model / WEIGHTS, boxed / WEIGHTS)
        card = render("making/card.md", facts | {"name": name, "run": run, "row": table.loc[name]})
        write_description(boxed, json.loads((model / CONFIG).read_text("utf-8")), card)
    return place
