"""Train one experiment and keep its result: weights and one JSON.

The order of things: manifest -> pixels -> splits -> Learner -> scores of each painting -> files.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch
from fastai.callback.core import Callback, CancelStepException, TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from . import backup, checkpoints
from .adversarial import AdversarialCallback
from .color import decode, grey_input
from .curation import manifest_for, manifest_hash
from .data import Batches, split_pixels
from .device import (
    adam,
    best_precision,
    compute_in,
    default_device,
    device_name,
    free_memory,
    loss_scaler,
    prepare,
)
from .errors import DivergedError, KitError, sigterm_as_interrupt
from .experiment import (
    BATCH_SIZE,
    L1_WEIGHT,
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
from .metrics import METRICS, evaluate, fit_baselines
from .models import PatchCritic, build_generator, init_normal
from .paths import file_sha256, only_one, write_atomic
from .sources import open_source

EXPLODED = 10.0  # mean L1 of ab/110; no two colours are further apart than 2


class History(Callback):
    """Gather the mean losses of each epoch on the device and read them once an epoch.

    `rows` holds, for each epoch, train_l1 and valid_l1 and, with a critic, its loss and the
    generator's fooling loss; `data_order` a checksum of each epoch's batches; `seconds` all
    epochs' time. `report(row)` is called after each epoch.
    """

    order = AdversarialCallback.order - 1  # sees the L1 loss before the critic's part is added

    def __init__(self, report: Callable[[dict[str, float]], None]):
        self.report, self.rows, self.data_order, self.seconds = report, [], [], 0.0

    def before_epoch(self):
        self.sums, self.counts, self.began = {}, {}, time.perf_counter()

    def after_loss(self):
        self._add("train_l1" if self.training else "valid_l1", self.learn.loss_grad)

    def after_batch(self):
        if self.training and hasattr(self.learn, "adversarial"):
            self._add("critic", self.learn.adversarial.critic_loss)
            self._add("fooling", self.learn.adversarial.fooling_loss)

    def after_epoch(self):
        totals = torch.stack(list(self.sums.values())).tolist()  # the epoch's one read
        means = {name: total / self.counts[name] for name, total in zip(self.sums, totals)}  # noqa: B905
        epoch = len(self.rows) + 1
        if not all(map(math.isfinite, totals)) or means["train_l1"] > EXPLODED:
            raise DivergedError(f"epoch {epoch}: the training diverged ({means}); it has no result")
        self.rows.append({"epoch": epoch} | means)
        self.data_order.append(self.dls.train.order_sha256)
        self.seconds += time.perf_counter() - self.began
        self.report(self.rows[-1])

    def _add(self, name: str, loss: Tensor) -> None:
        paintings = len(self.learn.xb[0])
        self.sums[name] = self.sums.get(name, 0) + loss.detach() * paintings
        self.counts[name] = self.counts.get(name, 0) + paintings


class LossScaling(Callback):
    """Let a scaler take the generator's step; needed for fp16 only.

    fastai's own MixedPrecision reads the scale from the device in every step, and knows neither
    a second network nor the CPU.
    """

    def before_backward(self):
        self.learn.loss_grad = self.learn.scaler.scale(self.learn.loss_grad)

    def before_step(self):
        """Take the step here instead; a critic's came before, so the scale is updated last."""
        self.learn.scaler.step(self.learn.opt.opt)
        self.learn.scaler.update()
        raise CancelStepException


def make_learner(
    experiment: Experiment,
    splits: dict[str, Tensor],
    start: dict[str, Tensor] | None = None,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    device: torch.device | None = None,
) -> Learner:
    """Put together what an experiment trains: a plain Learner, with a critic if it is a GAN.

    splits: {"train": (n, 3, S, S) uint8, …}; start: a generator's state to begin with instead
    of new weights; device: the GPU if there is one. Call `fit(epochs)` on it;
    `learn.history.rows` has the losses. Paper: section 3.3.
    """
    device = device or default_device()
    prepare(experiment.seed, experiment.deterministic)
    weights = "random" if start else experiment.weights
    generator = build_generator(experiment.model, splits["train"].shape[-1], weights)
    if start:
        generator.load_state_dict(start)
    precision = precision_on(experiment, device)
    scaler = loss_scaler(precision, device)
    callbacks: list[Callback] = [TrainEvalCallback(), History(report)]
    networks = [generator.to(device)]
    if experiment.adversarial:
        critic = init_normal(PatchCritic()).to(device)
        networks.append(critic)
        settings = experiment.lr, experiment.betas, L1_WEIGHT, scaler
        callbacks.append(AdversarialCallback(critic, *settings))
    if scaler.is_enabled():
        callbacks.append(LossScaling())
    for network in networks:
        compute_in(precision, network, device)
    train = Batches(splits["train"], experiment.seed, device, experiment.batch_size)
    valid = Batches(splits["valid"], None, device, experiment.batch_size)
    optimizer = partial(OptimWrapper, opt=partial(adam, betas=experiment.betas))
    loaders = DataLoaders(train, valid, device=device)
    # No default callbacks: the Recorder reads every loss from the device, History does not.
    learn = Learner(
        loaders,
        generator,
        nn.L1Loss(),
        opt_func=optimizer,
        lr=experiment.lr,
        cbs=callbacks,
        default_cbs=False,
    )
    learn.scaler = scaler
    learn.create_opt()
    return learn


def precision_on(experiment: Experiment, device: torch.device) -> str:
    """Return the precision an experiment computes in on a device."""
    return best_precision(device) if experiment.precision == "auto" else experiment.precision


def run_experiment(experiment: Experiment, out: Path) -> dict[str, Any]:
    """Train and score one experiment, or read its result if `out` has it already.

    Goes on from the newest checkpoint if it was begun before. Writes
    <out>/runs/<id>.safetensors, then <id>.json, each whole or not at all: the JSON's presence
    says that the run is finished. pix2pix_resnet18 begins with the U-Net of the same table and
    seed, which is run first if need be.
    Raises KitError if the loss diverges (and leaves <id>.failed.json), if memory is too small,
    or if another process trains the same run; KeyboardInterrupt on Ctrl-C or SIGTERM, after
    the checkpoint under way is written.
    """
    manifest = manifest_for(out, experiment.data, experiment.painters, experiment.split_seed)
    backup.fetch(out, f"runs/{experiment.id}.safetensors", f"runs/{experiment.id}.json")
    if result := _finished(experiment, out, manifest):
        print(f"{experiment.id}: finished before, read from {out.name}/runs")
        return result
    start = None
    if experiment.model == "pix2pix_resnet18":
        unet = run_experiment(replace(experiment, model="unet_resnet18"), out)
        start = load_weights(out, unet)
    busy = f"{experiment.id}: another process is training it; wait for it, or choose another --out"
    with only_one(out / ".locks" / f"{experiment.id}.lock", busy), sigterm_as_interrupt():
        # A process that had the lock until now may have finished it.
        return _finished(experiment, out, manifest) or _train_and_score(
            experiment, out, manifest, start
        )


def _finished(experiment: Experiment, out: Path, manifest: pd.DataFrame) -> dict[str, Any] | None:
    return read_result(out, experiment.id, manifest_hash(manifest), experiment.config())


def _train_and_score(
    experiment: Experiment, out: Path, manifest: pd.DataFrame, start: dict[str, Tensor] | None
) -> dict[str, Any]:
    splits = load_splits(out, experiment.profile, experiment.data, manifest)
    learn = make_learner(experiment, splits, start, report_to(out, experiment))
    device = learn.dls.device
    result = describe(experiment.id, manifest, device)
    result["config"] = experiment.config() | {"precision": precision_on(experiment, device)}
    resumed_after = _train(learn, experiment, out, result)
    tensors = {name: t.contiguous().cpu() for name, t in learn.model.state_dict().items()}
    path = weights_path(out, experiment.id)
    metadata = {"config": json.dumps(result["config"])}
    write_atomic(path, safetensors.torch.save(tensors, metadata))
    result["weights_sha256"] = file_sha256(path)
    began = time.perf_counter()
    generator = load_generator(out, result).to(device)  # the stored weights, in 32 bits
    scores = {name: evaluate(generator, pixels, device) for name, pixels in splits.items()}
    result |= {
        "loss": f"{L1_WEIGHT:g} * L1 + binary cross entropy" if experiment.adversarial else "L1",
        "optimizer": _settings(learn.opt.opt),
        "metrics": METRICS,
        "seconds": learn.history.seconds + time.perf_counter() - began,
        "resumed_after": resumed_after,
        "history": learn.history.rows,
        "data_order": learn.history.data_order,
        "scores": name_paintings(scores, manifest),
    }
    write_result(out, result)
    backup.keep(out, path, result_path(out, experiment.id))
    checkpoints.remove(out, experiment.id)
    progress_path(out, experiment.id).unlink(missing_ok=True)
    return result


def _train(learn: Learner, experiment: Experiment, out: Path, facts: dict[str, Any]) -> list[int]:
    """Fit a Learner to its last epoch; return after which epochs it was taken up again."""
    epochs, device = experiment.settings.epochs, learn.dls.device
    identity = {name: facts[name] for name in ("id", "config", "manifest_sha256")}
    identity["version"] = facts["versions"]["colorkit"]
    keeper = checkpoints.Checkpoints(out, identity, epochs)
    learn.add_cb(keeper)
    failure_path(out, experiment.id).unlink(missing_ok=True)
    backup.fetch(out, f"checkpoints/{experiment.id}/*")
    free = free_memory(device)
    try:
        with keeper:
            learn.fit(epochs - keeper.resume())
    except DivergedError as error:
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


def run_baselines(out: Path, profile: str, data: str, painters: str = "") -> dict[str, Any]:
    """Fit and score the predictors without a network; writes <out>/runs/baselines.json."""
    manifest = manifest_for(out, data, painters)
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
    result = describe("baselines", manifest, torch.device("cpu"))
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
    path = weights_path(out, result["id"])
    if not path.exists() or file_sha256(path) != result["weights_sha256"]:
        raise KitError(
            f"{path}: missing or damaged; delete {result['id']}.json beside it and run it again"
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


def report_to(out: Path, experiment: Experiment) -> Callable[[dict[str, float]], None]:
    """Make a reporter: prints each epoch's losses, leaves a note for `colorkit reproduce`."""
    epochs, path = experiment.settings.epochs, progress_path(out, experiment.id)
    began, first = time.perf_counter(), []
    write_atomic(path, json.dumps({"epoch": 0, "process": os.getpid()}))

    def report(row: dict[str, float]) -> None:
        first.append(row["epoch"])
        left = (time.perf_counter() - began) / len(first) * (epochs - row["epoch"])
        losses = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        print(f"epoch {row['epoch']}/{epochs}  {losses}  {left:.0f} s left", flush=True)
        note = {"epoch": row["epoch"], "epochs": epochs, "process": os.getpid()}
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
