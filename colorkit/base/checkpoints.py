"""A run's whole state on disk, so that one that was killed ends as if it had not been.

A checkpoint is one safetensors file whose name ends with its checksum; what is no tensor is
JSON in its header. Nothing is pickled.
"""

import json
import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from fastai.callback.core import Callback
from fastai.learner import Learner
from torch import Tensor, nn

from .backup import keep_checkpoint, target
from .errors import KitError, differing
from .files import is_whole, remove_parts, write_checked

KEPT_CHECKPOINTS = 2  # the newest, and one in case it is damaged


class Checkpoints(Callback):
    """Keep a run's state every few epochs; `with` it, `resume`, then `fit` what is left.

    identity: what must be the same for a checkpoint to be used ("id", "config",
    "manifest_sha256", "version").
    Every COLORKIT_CHECKPOINT_EVERY epochs (1) a copy of the state is taken on the device and
    written by a thread of its own, while training goes on; another one copies it to the backup,
    unless it is still at the one before. No checkpoint follows the last epoch: the result does.
    """

    order = 10  # after History: an epoch that diverged is not kept

    def __init__(self, out: Path, identity: dict[str, Any], epochs: int):
        target(out)  # a backup that cannot be is refused now, not in the thread that copies
        self.out, self.identity, self.epochs = out, identity, epochs
        self.folder, self.every, self.resumed_after = folder_of(out, identity["id"]), _every(), []
        self.writer, self.copier = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self.writing = self.copying = Future()
        self.writing.set_result(None)
        self.stream = torch.cuda.Stream() if torch.cuda.is_available() else None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        """Finish the write and the copy that are under way, whatever ended the training."""
        self.writer.shutdown(wait=True)
        self.copier.shutdown(wait=True)
        if error is None:
            self.writing.result()

    def resume(self) -> int:
        """Bring the Learner to its newest whole checkpoint; return how many epochs are done.

        Damaged files are named and removed. Raises KitError for a checkpoint of another
        configuration, other paintings or another version.
        """
        remove_parts(self.folder)
        for path in files(self.folder):
            if not is_whole(path):
                print(f"{path}: damaged (its checksum differs), removed; the one before is used")
                path.unlink()
                continue
            tensors, facts = _read_state(path)
            self._refuse_foreign(path, facts["identity"])
            restore(self.learn, tensors, facts)
            done = len(facts["history"])
            self.resumed_after = [*facts["resumed_after"], done]
            print(f"{self.identity['id']}: goes on after epoch {done}")
            return done
        return 0

    def after_epoch(self):
        done = len(self.learn.history.rows)
        if done % self.every == 0 and done < self.epochs:
            self.writing.result()  # waits for the one before, and raises what went wrong there
            tensors, facts = state(self.learn)
            facts |= {"identity": self.identity, "resumed_after": self.resumed_after}
            tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            if self.stream:  # copy to the CPU beside the training, once the clones are made
                self.stream.wait_stream(torch.cuda.current_stream())
            self.writing = self.writer.submit(self._write, done, tensors, json.dumps(facts))

    def _write(self, done: int, tensors: dict[str, Tensor], facts: str) -> None:
        with torch.cuda.stream(self.stream):
            tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        content = safetensors.torch.save(tensors, {"state": facts})
        path = write_checked(self.folder, f"epoch-{done:05d}", ".safetensors", [content])
        if self.copying.done():  # else a later one follows
            self.copying = self.copier.submit(keep_checkpoint, self.out, path)
        for old in files(self.folder)[KEPT_CHECKPOINTS:]:
            old.unlink()

    def _refuse_foreign(self, path: Path, made_with: dict[str, Any]) -> None:
        mine, its = ({**i, **i["config"]} for i in (self.identity, made_with))
        if names := [name for name in differing(its, mine) if name != "config"]:
            value = its.get(names[0])
            again = f"ask for --precision {value}, " if names[0] == "precision" else ""
            raise KitError(
                f"{path}: a checkpoint made with {names[0]} {value}, not {mine[names[0]]}; {again}"
                f"choose another --out, or delete {self.folder}"
            )


def folder_of(out: Path, run_id: str) -> Path:
    """Return where a run's checkpoints are."""
    return out / "checkpoints" / run_id


def files(folder: Path) -> list[Path]:
    """List a run's checkpoints, newest first."""
    return sorted(folder.glob("epoch-*.safetensors"), reverse=True)


def epochs_kept(out: Path, run_id: str) -> int:
    """Tell how many epochs of a run are safe in its newest checkpoint."""
    newest = files(folder_of(out, run_id))[:1]
    return int(newest[0].name.split("-")[1]) if newest else 0


def remove(out: Path, run_id: str) -> None:
    """Delete a finished run's checkpoints, and their copies."""
    for folder in filter(None, (out, target(out))):
        shutil.rmtree(folder_of(folder, run_id), ignore_errors=True)


def state(learn: Learner) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Describe a Learner between two epochs: its tensors, and what JSON can hold."""
    tensors = {
        f"{role}.{name}": tensor
        for role, network in _networks(learn).items()
        for name, tensor in network.state_dict().items()
    }
    for start, _, moments in _moments(learn):
        tensors |= {f"{start}.{name}": tensor for name, tensor in moments.items()}
    # Whatever the rest of the training draws: dropout, orders, mirrorings, and what callbacks draw.
    tensors["chance.torch"] = torch.get_rng_state()
    tensors["chance.batches"] = learn.dls.train.generator.get_state()
    if torch.cuda.is_available():
        tensors["chance.cuda"] = torch.cuda.get_rng_state()
    kind, keys, *rest = np.random.get_state()
    facts = {
        "history": learn.history.rows,
        "data_order": learn.history.data_order,
        "seconds": learn.history.seconds,
        "python": random.getstate(),
        "numpy": [kind, keys.tolist(), *rest],
        "scaler": learn.scaler.state_dict(),
    }
    return tensors, facts


def restore(learn: Learner, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Bring a Learner to a state that `state` described."""
    for role, network in _networks(learn).items():
        network.load_state_dict(_under(role, tensors))
    for start, parameter, moments in _moments(learn):
        for name, saved in _under(start, tensors).items():
            if saved.ndim:  # as the parameter lies in memory: fused Adam relies on it
                saved = torch.empty_like(parameter).copy_(saved)
            moments[name] = saved.to(parameter.device).detach()  # fused Adam counts steps there
    learn.history.rows, learn.history.data_order = facts["history"], facts["data_order"]
    learn.history.seconds = facts["seconds"]
    if facts["scaler"]:
        learn.scaler.load_state_dict(facts["scaler"])
    version, words, gauss = facts["python"]
    random.setstate((version, tuple(words), gauss))
    kind, keys, *rest = facts["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(tensors["chance.torch"])
    learn.dls.train.generator.set_state(tensors["chance.batches"])
    if torch.cuda.is_available() and "chance.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["chance.cuda"])


def _every() -> int:
    text = os.environ.get("COLORKIT_CHECKPOINT_EVERY", "1")
    if not text.isdecimal() or int(text) < 1:
        raise KitError(f"COLORKIT_CHECKPOINT_EVERY={text}: must be a number of epochs, 1 or more")
    return int(text)


def _read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safetensors.safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(  # noqa: SIM118
            file.metadata()["state"]
        )


def _networks(learn: Learner) -> dict[str, nn.Module]:
    critic = {"critic": learn.adversarial.critic} if hasattr(learn, "adversarial") else {}
    return {"generator": learn.model} | critic


def _optimizers(learn: Learner) -> dict[str, torch.optim.Adam]:
    critic = {"critic_adam": learn.adversarial.critic_opt} if hasattr(learn, "adversarial") else {}
    return {"generator_adam": learn.opt.opt} | critic


def _moments(learn: Learner) -> Iterator[tuple[str, nn.Parameter, dict[str, Tensor]]]:
    """Give Adam's memory of each parameter: step count and two running means; and its name here."""
    for role, optimizer in _optimizers(learn).items():
        for index, parameter in enumerate(optimizer.param_groups[0]["params"]):
            yield f"{role}.{index}", parameter, optimizer.state[parameter]


def _under(start: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the tensors whose names begin with a role, by the rest of their names."""
    start = f"{start}."
    return {n.removeprefix(start): tensor for n, tensor in tensors.items() if n.startswith(start)}
