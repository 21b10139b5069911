"""Train one experiment and keep its result: weights and one JSON.

The order of things: manifest -> pixels -> splits -> Learner -> scores of each painting -> files.
"""

import json
import math
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
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner, Recorder
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from .adversarial import AdversarialCallback
from .color import decode, grey_input
from .curation import manifest_for, manifest_hash
from .data import Batches, load_pixels, split_pixels
from .errors import KitError
from .experiment import (
    L1_WEIGHT,
    PROFILES,
    Experiment,
    baselines_config,
    check_choice,
    file_sha256,
    read_result,
    weights_path,
    write_result,
)
from .metrics import evaluate, fit_baselines
from .models import PatchCritic, build_generator, init_normal
from .paths import write_atomic
from .sources import open_source


class History(Callback):
    """Gather the mean losses of each epoch on the device and read them once an epoch.

    `rows` holds, for each epoch, train_l1 and valid_l1 and, with a critic, its loss and the
    generator's fooling loss. `report(row, epochs)` is called after each epoch.
    """

    order = AdversarialCallback.order - 1  # sees the L1 loss before the critic's part is added

    def __init__(self, report: Callable[[dict[str, float], int], None]):
        self.report, self.rows = report, []

    def before_epoch(self):
        self.sums, self.counts = {}, {}

    def after_loss(self):
        self._add("train_l1" if self.training else "valid_l1", self.learn.loss_grad)

    def after_batch(self):
        if self.training and hasattr(self.learn, "adversarial"):
            self._add("critic", self.learn.adversarial.critic_loss)
            self._add("fooling", self.learn.adversarial.fooling_loss)

    def after_epoch(self):
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.rows.append({"epoch": self.epoch + 1} | means)
        if not all(map(math.isfinite, means.values())):
            raise KitError(
                f"epoch {self.epoch + 1}: the loss is no longer a number ({means}); "
                "the training diverged, and the run has no result"
            )
        self.report(self.rows[-1], self.n_epoch)

    def _add(self, name: str, loss: Tensor) -> None:
        paintings = len(self.learn.xb[0])
        self.sums[name] = self.sums.get(name, 0) + loss.detach() * paintings
        self.counts[name] = self.counts.get(name, 0) + paintings


def make_learner(
    experiment: Experiment,
    splits: dict[str, Tensor],
    start: dict[str, Tensor] | None = None,
    report: Callable[[dict[str, float], int], None] = lambda row, epochs: None,
) -> Learner:
    """Put together what an experiment trains: a plain Learner, with a critic if it is a GAN.

    splits: {"train": (n, 3, S, S) uint8, …} on the device; start: a generator's state to begin
    with instead of new weights. Call `fit(epochs)` on it; `learn.history.rows` has the losses.
    Paper: section 3.3.
    """
    torch.manual_seed(experiment.seed)
    weights = "random" if start else experiment.weights
    generator = build_generator(experiment.model, experiment.settings.size, weights)
    if start:
        generator.load_state_dict(start)
    callbacks: list[Callback] = [History(report)]
    if experiment.adversarial:
        critic = init_normal(PatchCritic())
        callbacks.append(AdversarialCallback(critic, experiment.lr, experiment.betas, L1_WEIGHT))
    train, valid = Batches(splits["train"], experiment.seed), Batches(splits["valid"])
    adam = partial(OptimWrapper, opt=torch.optim.Adam, betas=experiment.betas)
    loaders = DataLoaders(train, valid, device=train.device)
    learn = Learner(loaders, generator, nn.L1Loss(), opt_func=adam, lr=experiment.lr, cbs=callbacks)
    return learn.remove_cbs([Recorder])  # it reads every loss from the device; History does not


def run_experiment(experiment: Experiment, out: Path) -> dict[str, Any]:
    """Train and score one experiment, or read its result if `out` has it already.

    Writes <out>/runs/<id>.safetensors, then <id>.json, each whole or not at all: the JSON's
    presence says that the run is finished. pix2pix_resnet18 begins with the U-Net of the same
    table and seed, which is run first if need be. Raises KitError if the loss diverges.
    """
    manifest = manifest_for(out, experiment.data, experiment.painters, experiment.split_seed)
    config = experiment.config()
    if result := read_result(out, experiment.id, manifest_hash(manifest), config):
        print(f"{experiment.id}: finished before, read from {out.name}/runs")
        return result
    start = None
    if experiment.model == "pix2pix_resnet18":
        unet = run_experiment(replace(experiment, model="unet_resnet18"), out)
        start = load_weights(out, unet)
    began = time.perf_counter()
    splits = load_splits(out, experiment.profile, experiment.data, manifest)
    learn = make_learner(experiment, splits, start, report_to(out, experiment.id))
    learn.fit(experiment.settings.epochs)
    tensors = {name: t.contiguous().cpu() for name, t in learn.model.state_dict().items()}
    path = weights_path(out, experiment.id)
    write_atomic(path, safetensors.torch.save(tensors, {"config": json.dumps(config)}))
    scores = {name: evaluate(learn.model, pixels) for name, pixels in splits.items()}
    result = describe(experiment.id, manifest) | {
        "config": config,
        "seconds": time.perf_counter() - began,
        "weights_sha256": file_sha256(path),
        "history": learn.history.rows,
        "scores": name_paintings(scores, manifest),
    }
    write_result(out, result)
    progress_path(out, experiment.id).unlink(missing_ok=True)
    return result


def run_baselines(out: Path, profile: str, data: str, painters: str = "") -> dict[str, Any]:
    """Fit and score the predictors without a network; writes <out>/runs/baselines.json."""
    manifest = manifest_for(out, data, painters)
    config = baselines_config(profile)
    if result := read_result(out, "baselines", manifest_hash(manifest), config):
        return result
    splits = load_splits(out, profile, data, manifest)
    models = fit_baselines(splits["train"])
    scores = {
        name: name_paintings({s: evaluate(model, splits[s]) for s in splits}, manifest)
        for name, model in models.items()
    }
    tables = {name: model.table.tolist() for name, model in models.items()}
    result = describe("baselines", manifest)
    result |= {"config": config, "tables": tables, "scores": scores}
    write_result(out, result)
    return result


def load_splits(out: Path, profile: str, data: str, manifest: pd.DataFrame) -> dict[str, Tensor]:
    """Load the paintings of a manifest at a profile's size, split by split, onto the device."""
    check_choice("profile", profile, PROFILES)
    pixels = load_pixels(open_source(data).root, manifest, PROFILES[profile].size)
    return split_pixels(pixels, manifest, default_device())


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


def default_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def progress_path(out: Path, run_id: str) -> Path:
    """Return where a run in training says how far it is."""
    return out / "progress" / f"{run_id}.json"


def report_to(out: Path, run_id: str) -> Callable[[dict[str, float], int], None]:
    """Make a reporter: prints each epoch's losses, leaves a note for `colorkit reproduce`."""
    began = time.perf_counter()
    path = progress_path(out, run_id)
    write_atomic(path, json.dumps({"epoch": 0}))

    def report(row: dict[str, float], epochs: int) -> None:
        left = (time.perf_counter() - began) / row["epoch"] * (epochs - row["epoch"])
        losses = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        print(f"epoch {row['epoch']}/{epochs}  {losses}  {left:.0f} s left", flush=True)
        note = {"epoch": row["epoch"], "epochs": epochs, "seconds_left": left}
        write_atomic(path, json.dumps(note))

    return report


def describe(run_id: str, manifest: pd.DataFrame) -> dict[str, Any]:
    """Say what made a result: the data's hash, versions, device."""
    device = default_device()
    packages = ("colorkit", "torch", "torchvision", "fastai", "numpy", "scikit-image", "pillow")
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    return {
        "id": run_id,
        "manifest_sha256": manifest_hash(manifest),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "device": f"{device.type}: {name}",
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
