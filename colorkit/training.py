"""Train one experiment and keep its result: weights and one JSON.

The order of things: manifest -> pixels -> splits -> Learner -> scores of each painting -> files.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch
from fastai.learner import Learner
from torch import Tensor, nn

from .base import backup, checkpoints
from .base.device import device_name, free_memory
from .base.errors import DivergedError, KitError, sigterm_as_interrupt
from .base.files import file_sha256, only_one, write_atomic
from .batches import CPU, split_pixels
from .color import decode, grey_input
from .curation import manifest_for, manifest_hash
from .experiment import (
    BATCH_SIZE,
    PROFILES,
    Experiment,
    baselines_config,
    check_choice,
    failure_path,
    read_result,
    result_path,
    weights_path,
    write_result,
)
from .learner import make_learner, precision_on
from .metrics import METRICS, evaluate, fit_baselines
from .model_card import model_card
from .models import build_generator
from .pretrained import describe_model, write_description, write_weights
from .recipes import Recipe
from .snapshots import LONG, Snapshots, read_snapshots
from .sources import open_source


def run_experiment(experiment: Experiment, out: Path) -> dict[str, Any]:
    """Train and score one experiment, or read its result if `out` has it already.

    Goes on from the newest checkpoint if it was begun before. Writes
    <out>/models/<id>/ (see pretrained.py), then <out>/runs/<id>.json, each file whole or not at
    all: the JSON's presence says that the run is finished. What it begins with
    (`Experiment.first_stage`), such as the U-Net of the same table and seed, is run first if
    need be.
    Raises KitError if the loss diverges (and leaves <id>.failed.json), if memory is too small,
    or if another process trains the same run; KeyboardInterrupt on Ctrl-C or SIGTERM, after
    the checkpoint under way is written.
    """
    manifest = manifest_for(out, experiment.data, experiment.painters, experiment.split)
    backup.fetch(out)
    if result := _finished(experiment, out, manifest):
        print(f"{experiment.id}: finished before, read from {out.name}/runs")
        return result
    first = experiment.first_stage and run_experiment(experiment.first_stage, out)
    busy = f"{experiment.id}: another process is training it; wait for it, or choose another --out"
    with only_one(out / ".locks" / f"{experiment.id}.lock", busy), sigterm_as_interrupt():
        # A process that had the lock until now may have finished it.
        if result := _finished(experiment, out, manifest):
            return result
        if first and first["config"]["model"] == experiment.model:
            return _score_otherwise(experiment, out, manifest, first)
        return _train_and_score(experiment, out, manifest, first)


def stages(experiment: Experiment) -> list[Experiment]:
    """List what has to be run for an experiment, itself last (section 3.2.2, model 2)."""
    first = experiment.first_stage
    return [*(stages(first) if first else []), experiment]


def _finished(experiment: Experiment, out: Path, manifest: pd.DataFrame) -> dict[str, Any] | None:
    return read_result(out, experiment.id, manifest_hash(manifest), experiment.config())


def _train_and_score(
    experiment: Experiment, out: Path, manifest: pd.DataFrame, first: dict[str, Any] | None
) -> dict[str, Any]:
    splits = load_splits(out, experiment.profile, experiment.data, manifest)
    start = load_weights(out, first) if first else None
    learn = make_learner(experiment, splits, start, report_to(out, experiment))
    device = learn.dls.device
    result = describe(experiment.id, manifest, device)
    result["config"] = experiment.config() | {"precision": precision_on(experiment, device)}
    result["loss"] = _loss(experiment.recipe)
    result |= {"optimizer": _settings(learn.opt.opt), "metrics": METRICS}
    if experiment.epochs >= LONG:
        learn.add_cb(Snapshots(snapshots_path(out, experiment.id), splits))
    result["resumed_after"] = _train(learn, experiment, out, result)
    history = learn.history
    folder = weights_path(out, experiment.id).parent
    result["weights_sha256"] = write_weights(folder, learn.model.state_dict())
    del learn  # and the paintings on the device
    began = time.perf_counter()
    scores = _scores(experiment, out, result, splits, device)
    baselines = run_baselines(
        out, experiment.profile, experiment.data, experiment.painters, experiment.split
    )
    result |= {
        "seconds": history.seconds + time.perf_counter() - began,
        "history": history.rows,
        "data_order": history.data_order,
        "snapshots": read_snapshots(snapshots_path(out, experiment.id)),
        "scores": name_paintings(scores, manifest),
    }
    write_description(folder, _model_config(result), model_card(result, baselines))
    write_result(out, result)
    backup.keep(out, *sorted(folder.iterdir()), result_path(out, experiment.id))
    checkpoints.remove(out, experiment.id)
    progress_path(out, experiment.id).unlink(missing_ok=True)
    return result


def _model_config(result: dict[str, Any]) -> dict[str, Any]:
    config = result["config"]
    facts = {name: config[name] for name in ("epochs", "data", "weights")}
    facts |= {"run": result["id"], "manifest_sha256": result["manifest_sha256"]}
    facts["weights_sha256"] = result["weights_sha256"]
    return describe_model(config["model"], config["size"], **facts)


def _score_otherwise(
    experiment: Experiment, out: Path, manifest: pd.DataFrame, first: dict[str, Any]
) -> dict[str, Any]:
    """Score a finished run's weights in another way; its weights stay where they are."""
    splits, device = load_splits(out, experiment.profile, experiment.data, manifest), CPU
    result = describe(experiment.id, manifest, device) | {"weights_of": first["id"]}
    result["config"] = experiment.config() | {"precision": first["config"]["precision"]}
    began = time.perf_counter()
    scores = _scores(experiment, out, first, splits, device)
    result["seconds"] = time.perf_counter() - began
    result |= {"weights_sha256": first["weights_sha256"], "history": first["history"]}
    result["scores"] = name_paintings(scores, manifest)
    write_result(out, result)
    backup.keep(out, result_path(out, experiment.id))
    return result


def _scores(
    experiment: Experiment,
    out: Path,
    result: dict[str, Any],
    splits: dict[str, Tensor],
    device: torch.device,
) -> dict[str, list[dict[str, float]]]:
    """Score the stored weights of a run, in 32 bits, as its recipe says."""
    generator, recipe = load_generator(out, result).to(device), experiment.recipe
    torch.manual_seed(experiment.seed)  # for the dropout of mode "train"
    generator.train(recipe.mode == "train")
    predict = generator
    if recipe.input == "2v-1":
        predict = partial(_from_file_grey, generator)
    return {n: evaluate(predict, pixels, device, recipe.mode) for n, pixels in splits.items()}


def _from_file_grey(generator: nn.Module, L: Tensor) -> Tensor:
    grey = decode(L, torch.zeros_like(L).expand(-1, 2, -1, -1))[:, :1]
    return generator(2 * grey - 1)


def _loss(recipe: Recipe) -> str:
    if not recipe.critic:
        return recipe.loss.upper()
    return f"{recipe.l1_weight:g} * {recipe.loss.upper()} + binary cross entropy"


def _train(learn: Learner, experiment: Experiment, out: Path, facts: dict[str, Any]) -> list[int]:
    """Fit a Learner to its last epoch; return after which epochs it was taken up again."""
    epochs, device = experiment.epochs, learn.dls.device
    identity = {name: facts[name] for name in ("id", "config", "manifest_sha256")}
    identity["version"] = facts["versions"]["colorkit"]
    made_on = {"torch": facts["versions"]["torch"], "device": facts["device"]}
    made_on["threads"] = facts["threads"]
    keeper = checkpoints.Checkpoints(out, identity, epochs, made_on)
    learn.add_cb(keeper)
    failure_path(out, experiment.id).unlink(missing_ok=True)
    free = free_memory(device)
    try:
        with keeper:
            learn.fit(epochs - keeper.resume())
    except KitError as error:
        error.args = (str(error).rpartition("\n\t")[2],)  # fastai puts the callback's name before
        if isinstance(error, DivergedError):
            told = {"id": experiment.id, "reason": str(error), "history": learn.history.rows}
            write_atomic(failure_path(out, experiment.id), json.dumps(told, indent=1) + "\n")
        raise
    except torch.OutOfMemoryError as error:
        raise KitError(
            f"{experiment.id}: out of GPU memory with batch size {experiment.batch_size} in "
            f"{facts['config']['precision']} ({free / 1e9:.1f} GB were free at the start); try "
            f"--batch-size {max(1, experiment.batch_size // 2)} (the paper has {BATCH_SIZE}) "
            "or a smaller --profile"
        ) from error
    except KeyboardInterrupt:
        kept = checkpoints.epochs_kept(out, experiment.id)
        print(
            f"{experiment.id}: stopped; epoch {kept} of {epochs} is kept, and the same call goes on"
        )
        raise
    return keeper.resumed_after


def _settings(optimizer: torch.optim.Adam) -> dict[str, Any]:
    group = optimizer.param_groups[0]
    names = ("lr", "eps", "weight_decay", "amsgrad", "fused")
    return {"name": "Adam", "betas": list(group["betas"])} | {name: group[name] for name in names}


def run_baselines(
    out: Path, profile: str, data: str, painters: str = "", split: str = "paper"
) -> dict[str, Any]:
    """Fit and score the predictors without a network; writes <out>/runs/baselines.json."""
    manifest = manifest_for(out, data, painters, split)
    config = baselines_config(profile)
    if result := read_result(out, "baselines", manifest_hash(manifest), config):
        return result
    splits = load_splits(out, profile, data, manifest)
    models = fit_baselines(splits["train"])  # on the CPU: they are the same on every machine
    scores = {
        name: name_paintings({s: evaluate(model, splits[s]) for s in splits}, manifest)
        for name, model in models.items()
    }
    tables = {name: model.table.tolist() for name, model in models.items()}
    result = describe("baselines", manifest, CPU)
    result |= {"config": config, "tables": tables, "scores": scores}
    write_result(out, result)
    return result


def load_splits(out: Path, profile: str, data: str, manifest: pd.DataFrame) -> dict[str, Tensor]:
    """Read the paintings of a manifest at a profile's size: {"train": (n, 3, S, S) uint8, …}.

    Decoded once for a results folder, and memory-mapped (see `data.split_pixels`).
    """
    check_choice("profile", profile, PROFILES)
    return split_pixels(out, open_source(data).root, manifest, PROFILES[profile].size)


def load_weights(out: Path, result: dict[str, Any]) -> dict[str, Tensor]:
    """Read a finished run's generator state; KitError if the file is not the run's own."""
    path = weights_path(out, result.get("weights_of", result["id"]))
    if not path.exists() or file_sha256(path) != result["weights_sha256"]:
        raise KitError(
            f"{path}: missing or damaged; delete {result_path(out, result['id'])} and run it again"
        )
    return safetensors.torch.load_file(path)


def load_generator(out: Path, result: dict[str, Any]) -> nn.Module:
    """Rebuild a finished run's generator, in evaluation mode, on the CPU."""
    config = result["config"]
    generator = build_generator(config["model"], config["size"], "random")
    generator.load_state_dict(load_weights(out, result))
    return generator.eval()


def predict_rgb(generator: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """Turn pictures grey and colour them again.

    pixels: (N, 3, S, S) uint8. Returns (N, 3, S, S), sRGB in [0, 1]; evaluation mode.
    """
    if isinstance(generator, nn.Module):
        generator.eval()
    with torch.inference_mode():
        L = grey_input(pixels.float() / 255)
        return decode(L, generator(L))


def progress_path(out: Path, run_id: str) -> Path:
    """Return where a run in training says how far it is."""
    return out / "progress" / f"{run_id}.json"


def snapshots_path(out: Path, run_id: str) -> Path:
    """Return where a long training's pictures and scores on the way are."""
    return out / "snapshots" / run_id


def report_to(out: Path, experiment: Experiment) -> Callable[[dict[str, float]], None]:
    """Make a reporter: prints each epoch's losses, leaves a note for `colorkit reproduce`."""
    epochs, path = experiment.epochs, progress_path(out, experiment.id)
    began, first = time.perf_counter(), []
    owner = {"process": os.getpid(), "parent": os.environ.get("COLORKIT_PARENT", "")}
    write_atomic(path, json.dumps(owner | {"epoch": 0}))

    def report(row: dict[str, float]) -> None:
        first.append(row["epoch"])
        left = (time.perf_counter() - began) / len(first) * (epochs - row["epoch"])
        losses = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        print(f"epoch {row['epoch']}/{epochs}  {losses}  {left:.0f} s left", flush=True)
        note = owner | {"epoch": row["epoch"], "epochs": epochs}
        write_atomic(path, json.dumps(note))

    return report


def describe(run_id: str, manifest: pd.DataFrame, device: torch.device) -> dict[str, Any]:
    """Say what made a result: the data's hash, versions, device."""
    packages = ("colorkit", "torch", "torchvision", "fastai", "numpy", "scikit-image", "pillow")
    return {
        "id": run_id,
        "manifest_sha256": manifest_hash(manifest),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
    }


def name_paintings(
    scores: dict[str, list[dict[str, float]]], manifest: pd.DataFrame
) -> dict[str, list[dict[str, Any]]]:
    """Write each painting's path and painter beside its scores."""
    named = {}
    for name, rows in scores.items():
        part = manifest.loc[manifest["split"] == name, ["path", "painter"]]
        named[name] = [
            {"path": path, "painter": painter} | row
            for (path, painter), row in zip(part.itertuples(index=False), rows, strict=True)
        ]
    return named
