"""Train one experiment and keep its result: weights and one JSON.

The order of things: paintings -> Learner -> scores of each painting -> files.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from fastai.learner import Learner
from torch import Tensor, nn

from .base import backup, checkpoints
from .base.device import free_memory
from .base.errors import DivergedError, KitError, sigterm_as_interrupt
from .base.files import only_one, write_atomic
from .base.templates import render
from .batches import CPU
from .color import decode
from .experiment import BATCH_SIZE, MODELS, Experiment, Recipe
from .learner import make_learner, precision_on
from .metrics import BASELINES, METRICS, summarize
from .saving import describe_model, write_description, write_weights
from .snapshots import LONG, Snapshots, read_snapshots


def run(experiment: Experiment) -> dict[str, Any]:
    """Train and score one experiment, or read its result if its folder has it already.

    Goes on from the newest checkpoint if it was begun before. Writes <folder>/models/<id>/ (see
    saving.py), then <folder>/runs/<id>.json, each file whole or not at all: the JSON's
    presence says that the run is finished. What it begins with (`Experiment.first_stage`), such
    as the U-Net of the same table and seed, is run first if need be.
    Raises KitError if the loss diverges (and leaves <id>.failed.json), if memory is too small,
    or if another process trains the same run; KeyboardInterrupt on Ctrl-C or SIGTERM, after
    the checkpoint under way is written.
    """
    folder, name = experiment.folder, experiment.id
    folder.manifest  # noqa: B018  (made, or held against the paintings, before all else)
    if not folder.manifest_path.exists():
        raise KitError(f"{folder.path}: was deleted while it was in use; make its Folder again")
    backup.fetch(folder.path)
    if result := folder.result(name, experiment.config()):
        print(f"{name}: finished before, read from {folder.path.name}/runs")
        checkpoints.remove(folder.path, name)  # they are there if it was killed just after
        return result
    first = experiment.first_stage and run(experiment.first_stage)
    busy = f"{name}: another process is training it; wait for it, or choose another --out"
    with only_one(folder.path / ".locks" / f"{name}.lock", busy), sigterm_as_interrupt():
        # A process that had the lock until now may have finished it.
        if result := folder.result(name, experiment.config()):
            return result
        if first and first["config"]["model"] == experiment.model:
            result = _score_otherwise(experiment, first)
        else:
            result = _train_and_score(experiment, first)
        folder.keep(result)
        made = [*folder.snapshots_path(name).glob("*"), *folder.model_path(name).glob("*")]
        backup.keep(folder.path, *made, folder.result_path(name))
        checkpoints.remove(folder.path, name)
        folder.progress_path(name).unlink(missing_ok=True)
        return result


def _train_and_score(experiment: Experiment, first: dict[str, Any] | None) -> dict[str, Any]:
    folder, name = experiment.folder, experiment.id
    start = folder.generator(first).state_dict() if first else None
    learn = make_learner(experiment, folder.pixels, start, report_to(experiment))
    device, history = learn.dls.device, learn.history
    result = folder.describe(name, device)
    result["config"] = experiment.config() | {"precision": precision_on(experiment, device)}
    result |= {"loss": _loss(experiment.recipe), "metrics": METRICS}
    result["optimizer"] = _settings(learn.opt.opt)
    if experiment.epochs >= LONG:
        learn.add_cb(Snapshots(folder.snapshots_path(name), folder.pixels, experiment.grey))
    result["resumed_after"] = _train(learn, experiment, result)
    result["weights_sha256"] = write_weights(folder.model_path(name), learn.model.state_dict())
    del learn  # and the paintings on the device
    result |= {"history": history.rows, "data_order": history.data_order}
    result["snapshots"] = read_snapshots(folder.snapshots_path(name))
    result |= _scored(experiment, result, device)
    result["seconds"] += history.seconds
    card = model_card(result, folder.baselines)
    write_description(folder.model_path(name), _model_config(result), card)
    return result


def _score_otherwise(experiment: Experiment, first: dict[str, Any]) -> dict[str, Any]:
    """Score a finished run's weights in another way; its weights stay where they are."""
    result = experiment.folder.describe(experiment.id, CPU) | {"weights_of": first["id"]}
    result["config"] = experiment.config() | {"precision": first["config"]["precision"]}
    result |= {name: first[name] for name in ("weights_sha256", "history")}
    return result | _scored(experiment, first, CPU)


def _scored(experiment: Experiment, result: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Score the stored weights of a run, in 32 bits, as its recipe says."""
    began, recipe = time.perf_counter(), experiment.recipe
    generator = experiment.folder.generator(result).to(device)
    torch.manual_seed(experiment.seed)  # for the dropout of mode "train", and a grey that draws
    predict = partial(_from_file_grey, generator) if recipe.input == "2v-1" else generator
    scores = experiment.folder.scores(predict, device, recipe.mode, experiment.grey)
    return {"scores": scores, "seconds": time.perf_counter() - began}


def _from_file_grey(generator: nn.Module, L: Tensor) -> Tensor:
    grey = decode(L, torch.zeros_like(L).expand(-1, 2, -1, -1))[:, :1]
    return generator(2 * grey - 1)


def _model_config(result: dict[str, Any]) -> dict[str, Any]:
    config = result["config"]
    told = ("epochs", "data", "weights", "variant", "grey")
    facts = {name: config[name] for name in told if name in config}
    facts |= {name: result[name] for name in ("manifest_sha256", "weights_sha256")}
    return describe_model(config["model"], config["size"], run=result["id"], **facts)


def model_card(result: dict[str, Any], baselines: dict[str, Any]) -> str:
    """Write the card, Markdown with the Hub's header.

    result: a run's JSON with its scores; baselines: that of the same paintings.
    """
    scores, reference = result["scores"], baselines["scores"]
    label = MODELS[result["config"]["model"]]
    tested = {label: scores["test"]}
    tested |= {BASELINES[name]: reference[name]["test"] for name in BASELINES}
    mean_colour = reference["mean_ab"]["test"]
    painters = Counter(row["painter"] for row in scores["train"])
    facts = {
        "label": label,
        "counts": {part: len(rows) for part, rows in scores.items()},
        "painters": [f"{painter} ({count})" for painter, count in painters.most_common()],
        "rows": [(name, summarize(rows, mean_colour)) for name, rows in tested.items()],
    }
    return render("model_card.md", result | facts)


def _loss(recipe: Recipe) -> str:
    if not recipe.critic:
        return recipe.loss.upper()
    return f"{recipe.l1_weight:g} * {recipe.loss.upper()} + binary cross entropy"


def _train(learn: Learner, experiment: Experiment, facts: dict[str, Any]) -> list[int]:
    """Fit a Learner to its last epoch; return after which epochs it was taken up again."""
    out, name, epochs = experiment.folder.path, experiment.id, experiment.epochs
    identity = {key: facts[key] for key in ("id", "config", "manifest_sha256")}
    identity["version"] = facts["versions"]["colorkit"]
    keeper = checkpoints.Checkpoints(out, identity, epochs)
    learn.add_cb(keeper)
    failed = experiment.folder.failure_path(name)
    failed.unlink(missing_ok=True)
    free = free_memory(learn.dls.device)
    try:
        with keeper:
            learn.fit(epochs - keeper.resume())
    except KitError as error:
        error.args = (str(error).rpartition("\n\t")[2],)  # fastai puts the callback's name before
        if isinstance(error, DivergedError):
            told = {"id": name, "reason": str(error), "history": learn.history.rows}
            write_atomic(failed, json.dumps(told, indent=1) + "\n")
        raise
    except torch.OutOfMemoryError as error:
        raise KitError(
            f"{name}: out of GPU memory with batch size {experiment.batch_size} in "
            f"{facts['config']['precision']} ({free / 1e9:.1f} GB were free at the start); try "
            f"--batch-size {max(1, experiment.batch_size // 2)} (the paper has {BATCH_SIZE}) "
            "or a smaller --profile"
        ) from error
    except KeyboardInterrupt:
        kept = checkpoints.epochs_kept(out, name)
        print(f"{name}: stopped; epoch {kept} of {epochs} is kept, and the same call goes on")
        raise
    return keeper.resumed_after


def _settings(optimizer: torch.optim.Adam) -> dict[str, Any]:
    group = optimizer.param_groups[0]
    names = ("lr", "eps", "weight_decay", "amsgrad", "fused")
    return {"name": "Adam", "betas": list(group["betas"])} | {name: group[name] for name in names}


def report_to(experiment: Experiment) -> Callable[[dict[str, float]], None]:
    """Make a reporter: prints each epoch's losses, leaves a note for `colorkit reproduce`."""
    epochs, path = experiment.epochs, experiment.folder.progress_path(experiment.id)
    began, first = time.perf_counter(), []
    owner = {"process": os.getpid(), "parent": os.environ.get("COLORKIT_PARENT", "")}
    write_atomic(path, json.dumps(owner | {"epoch": 0}))

    def report(row: dict[str, float]) -> None:
        first.append(row["epoch"])
        left = (time.perf_counter() - began) / len(first) * (epochs - row["epoch"])
        losses = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
        print(f"epoch {row['epoch']}/{epochs}  {losses}  {left:.0f} s left", flush=True)
        write_atomic(path, json.dumps(owner | {"epoch": row["epoch"], "epochs": epochs}))

    return report
