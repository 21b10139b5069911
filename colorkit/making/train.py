"""Train one candidate for some minutes of a processor core, score it, keep its weights."""

import json
import time
from dataclasses import asdict, replace
from typing import Any

import torch
import torch.nn.functional as F
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..base.checkpoints import Checkpoints, remove
from ..base.device import prepare
from ..base.errors import sigterm_as_interrupt
from ..base.files import only_one, slug
from ..batches import CPU, Batches
from ..experiment import BATCH_SIZE
from ..film import grey_encoder
from ..folder import Folder
from ..learner import put_together
from ..metrics import evaluate, fit_baselines
from ..models import PatchCritic, count_parameters
from ..pictures.pretrained import load_pretrained
from ..pixels import part_pixels
from ..saving import describe_model, write_description, write_weights
from .crops import Crops
from .paintings import LINKS
from .recipes import BOX_RECIPES, CANDIDATES, PHOTOGRAPHS, Candidate

SCORED_SIZE = 256  # px: all candidates are scored on the same squares, whatever they see
ENLARGED = 3 / 2  # paintings are kept larger than crops, which would be blurred otherwise
CRITIC_FILTERS = 32
ENDLESS = 100_000  # epochs: it is the minutes that end a training


class Averaged(nn.Module):
    """A network that trains, and the running average of its weights, which answers otherwise."""

    def __init__(self, network: nn.Module, decay: float):
        super().__init__()
        average = get_ema_multi_avg_fn(decay)
        self.network = network
        self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self.average.requires_grad_(False)

    def forward(self, L: Tensor) -> Tensor:
        return self.network(L) if self.training else self.average(L)


class Seen(nn.Module):
    """A network that is shown squares of its own size, whatever the size of the pictures."""

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.network, self.size = network, size

    def forward(self, L: Tensor) -> Tensor:
        small = F.interpolate(L, (self.size, self.size), mode="bicubic", antialias=True)
        return F.interpolate(self.network(small), L.shape[-2:], mode="bicubic")


class Averaging(Callback):
    """Average the weights after each step, and count the core's minutes after each epoch."""

    order = 5  # after History, before the checkpoint

    def before_epoch(self):
        self.began = time.process_time()

    def after_batch(self):
        if self.training:
            self.learn.model.average.update_parameters(self.learn.model.network)

    def after_epoch(self):
        rows = self.learn.history.rows
        before = rows[-2]["core_minutes"] if len(rows) > 1 else 0.0
        rows[-1]["core_minutes"] = before + (time.process_time() - self.began) / 60


def make(name: str, folder: Folder, seed: int, minutes: float = 0.0) -> dict[str, Any]:
    """Train a candidate, or read its result if the folder has it; what it starts from is first.

    Goes on from the newest checkpoint. minutes: of a core, so that two cores need half, and a
    pause costs nothing; the candidate's own if 0. Writes models/<id>/ (16 bits) unless it was
    only tried, and runs/<id>.json with the scores of the held-out paintings, of those weights.
    """
    candidate, run_id = CANDIDATES[name], f"{slug(name)}-s{seed}"
    candidate = replace(candidate, minutes=minutes or candidate.minutes)
    first = candidate.starts_from and make(candidate.starts_from, folder, seed, minutes)
    config = {"name": name, "seed": seed} | json.loads(json.dumps(asdict(candidate)))
    if result := folder.result(run_id, config):
        return result
    busy = f"{run_id}: another process is training it; wait for it, or choose another --out"
    with only_one(folder.path / ".locks" / f"{run_id}.lock", busy), sigterm_as_interrupt():
        result = folder.describe(run_id, CPU) | {"config": config}
        learn = _learner(candidate, folder, seed, first)
        _train_candidate(learn, folder, result)
        network = learn.model.average.module
        halved = {name: _half(tensor) for name, tensor in network.state_dict().items()}
        network.load_state_dict(halved)  # what is scored is what is kept
        result |= {"history": learn.history.rows, "parameters": count_parameters(learn.model)}
        result["scores"] = _score(Seen(network, candidate.size), folder)
        if name in BOX_RECIPES | PHOTOGRAPHS:
            _keep_model(halved, folder, result)
        remove(folder.path, run_id)
        return folder.keep(result)


def baselines(folder: Folder) -> dict[str, Any]:
    """Score the predictions that need no network on the same squares."""
    config = {"name": "baselines", "size": SCORED_SIZE}
    if result := folder.result("baselines", config):
        return result
    models = fit_baselines(_pixels(folder, SCORED_SIZE)["train"])
    result = folder.describe("baselines", CPU) | {"config": config}
    result["scores"] = {name: _score(model, folder) for name, model in models.items()}
    return folder.keep(result)


def _learner(
    candidate: Candidate, folder: Folder, seed: int, first: dict[str, Any] | None
) -> Learner:
    prepare(seed, deterministic=False)
    network = candidate.build()
    if first:
        start = load_pretrained(folder.model_path(first["id"])).generator
        network.load_state_dict(start.state_dict())
    large = _pixels(folder, int(ENLARGED * candidate.size))["train"]
    watched = _pixels(folder, candidate.size)["valid"]
    encode = grey_encoder(candidate.grey, correct=True)
    crops = Crops(large, candidate.size, seed, BATCH_SIZE, encode)
    loaders = DataLoaders(crops, Batches(watched, encode=encode), device=CPU)
    critic = PatchCritic(CRITIC_FILTERS) if candidate.recipe.critic else None
    model = Averaged(network, candidate.ema_decay).to(memory_format=torch.channels_last)
    learn = put_together(candidate.recipe, model, critic, loaders, report=_report)
    learn.add_cb(Averaging())
    return learn


def _train_candidate(learn: Learner, folder: Folder, result: dict[str, Any]) -> None:
    minutes = result["config"]["minutes"]
    identity = {key: result[key] for key in ("id", "config", "manifest_sha256")}
    identity["version"] = result["versions"]["colorkit"]
    keeper = Checkpoints(folder.path, identity, epochs=ENDLESS)
    learn.add_cb(keeper)
    with keeper:
        keeper.resume()
        while not learn.history.rows or learn.history.rows[-1]["core_minutes"] < minutes:
            learn.fit(1)


def _report(row: dict[str, float]) -> None:
    print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)


def _pixels(folder: Folder, size: int) -> dict[str, Tensor]:
    return part_pixels(folder.path, folder.path / LINKS, folder.listed, size)


def _score(network: nn.Module, folder: Folder) -> list[dict[str, Any]]:
    """Score the held-out paintings: a dictionary each, with the painting's path."""
    tested = folder.listed.query("part == 'test'")["path"]
    scores = evaluate(network, _pixels(folder, SCORED_SIZE)["test"])
    return [{"path": path} | row for path, row in zip(tested, scores, strict=True)]


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _keep_model(weights: dict[str, Tensor], folder: Folder, result: dict[str, Any]) -> None:
    """Write weights and, for the box, what `load_pretrained` needs but the card.

    A card tells of all runs, and is made later.
    """
    place, config = folder.model_path(result["id"]), result["config"]
    sha256 = result["weights_sha256"] = write_weights(place, weights)
    if config["name"] not in BOX_RECIPES:
        return
    facts = {"run": result["id"], "epochs": len(result["history"]), "boxed": config["name"]}
    described = describe_model("lite_unet", config["size"], weights_sha256=sha256, **facts)
    write_description(place, described, "")
