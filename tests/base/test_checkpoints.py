import errno
import os
import random
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import equal, nowhere

from colorkit.base import checkpoints
from colorkit.base.errors import KitError
from colorkit.experiment import Experiment
from colorkit.learner import make_learner

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture
def experiment() -> Experiment:
    return nowhere("pix2pix_scratch")


def keeper_of(experiment: Experiment, learn, out: Path, **identity):
    """Give a Learner its checkpoints, as `run` does; `identity` is what else they are made with."""
    whose = {"id": experiment.id, "config": experiment.config(), "manifest_sha256": "m"}
    keeper = checkpoints.Checkpoints(out, whose | identity, 4)
    learn.add_cb(keeper)
    return keeper


def fit(experiment, pixels, out: Path, until: int, **identity):
    """Train as `run` does, but end after `until` epochs."""
    learn = make_learner(experiment, pixels)
    with keeper_of(experiment, learn, out, **identity) as keeper:
        learn.fit(until - keeper.resume())
    return learn


def kept(out: Path, experiment: Experiment) -> list[Path]:
    return checkpoints.files(checkpoints.folder_of(out, experiment.id))


def names(out: Path, experiment: Experiment) -> list[str]:
    return [path.name[:11] for path in kept(out, experiment)]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("model", ["unet_resnet18", "pix2pix_scratch"])
def test_taken_up_again_it_ends_with_the_same_bits(pixels, tmp_path, model, precision):
    experiment = nowhere(model, precision=precision)
    whole = fit(experiment, pixels, tmp_path / "whole", 3)
    random.seed(99)
    np.random.seed(99)
    fit(experiment, pixels, tmp_path / "parts", 2)
    python, numpy = random.random(), np.random.rand()
    parts = fit(experiment, pixels, tmp_path / "parts", 3)
    assert equal(parts.model, whole.model)
    assert parts.history.rows == whole.history.rows
    assert parts.history.data_order == whole.history.data_order
    assert (random.random(), np.random.rand()) == (python, numpy)
    if experiment.recipe.critic:
        assert equal(parts.adversarial.critic, whole.adversarial.critic)
    for one, other in zip(checkpoints._moments(parts), checkpoints._moments(whole), strict=True):
        assert all(torch.equal(one[2][name], other[2][name]) for name in other[2])
    assert parts.scaler.state_dict() == whole.scaler.state_dict()


def test_only_the_last_two_are_kept_and_none_after_the_last_epoch(experiment, pixels, tmp_path):
    fit(experiment, pixels, tmp_path, until=4)
    assert names(tmp_path, experiment) == ["epoch-00003", "epoch-00002"]
    assert checkpoints.epochs_kept(tmp_path, experiment.id) == 3


def test_every_so_many_epochs(experiment, pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("COLORKIT_CHECKPOINT_EVERY", "2")
    fit(experiment, pixels, tmp_path, until=3)
    assert names(tmp_path, experiment) == ["epoch-00002"]
    monkeypatch.setenv("COLORKIT_CHECKPOINT_EVERY", "often")
    with pytest.raises(KitError, match="EVERY=often: must be a number of epochs"):
        fit(experiment, pixels, tmp_path, until=3)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("damage", "files"), [(cut_short, 1), (flip_a_bit, 1), (cut_short, 2)])
def test_damaged_ones_are_named_and_the_one_before_is_used_or_it_begins_anew(
    experiment, pixels, tmp_path, capsys, damage, files
):
    whole = fit(experiment, pixels, tmp_path / "whole", 4)
    fit(experiment, pixels, tmp_path / "out", 3)
    damaged = kept(tmp_path / "out", experiment)[:files]
    for path in damaged:
        damage(path)
    again = fit(experiment, pixels, tmp_path / "out", 4)
    said = capsys.readouterr().out
    for path in damaged:
        assert f"{path}: damaged" in said
    assert ("goes on after epoch 2\n" in said) == (files == 1)
    assert equal(again.model, whole.model)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"manifest_sha256": "other"}, "made with manifest_sha256 other, not m"),
        ({"version": "0.0.1"}, "made with version 0.0.1, not 1"),
        ({"config": {"batch_size": 8}}, "made with batch_size 8, not 16; choose another --out"),
    ],
)
def test_checkpoints_of_something_else_are_refused(experiment, pixels, tmp_path, other, says):
    fit(experiment, pixels, tmp_path, 1, **{"version": "1"} | other)
    with pytest.raises(KitError, match=says):
        fit(experiment, pixels, tmp_path, 2, version="1", config={"batch_size": 16})


def test_a_full_disk_stops_the_run_and_keeps_the_one_before(
    experiment, pixels, tmp_path, monkeypatch
):
    fsync, calls = os.fsync, []

    def full_at_the_second(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(KitError, match="the disk is full.*what was finished is kept"):
        fit(experiment, pixels, tmp_path / "out", until=4)
    assert names(tmp_path / "out", experiment) == ["epoch-00001"]
    assert not list((tmp_path / "out").rglob(".part-*"))
    whole = fit(experiment, pixels, tmp_path / "whole", until=4)
    assert equal(fit(experiment, pixels, tmp_path / "out", until=4).model, whole.model)


def test_what_a_kill_left_half_written_is_removed(experiment, pixels, tmp_path):
    folder = checkpoints.folder_of(tmp_path, experiment.id)
    folder.mkdir(parents=True)
    (folder / ".part-x").write_bytes(b"half")
    fit(experiment, pixels, tmp_path, until=1)
    assert names(tmp_path, experiment) == ["epoch-00001"]
    assert len(list(folder.iterdir())) == 1


def test_a_checkpoint_does_not_change_while_training_goes_on(
    experiment, pixels, tmp_path, monkeypatch
):
    """The write of epoch 1 waits until epoch 2 has trained, and still holds epoch 1."""
    trained, write = threading.Event(), checkpoints.Checkpoints._write
    whole = fit(experiment, pixels, tmp_path / "whole", until=1)

    def late(self, done, tensors, facts):
        assert trained.wait(60)
        write(self, done, tensors, facts)

    monkeypatch.setattr(checkpoints.Checkpoints, "_write", late)
    learn = make_learner(experiment, pixels)
    with keeper_of(experiment, learn, tmp_path / "out") as keeper:
        learn.fit(1)
        keeper.every = 99
        learn.fit(1)
        trained.set()
    again = fit(experiment, pixels, tmp_path / "out", until=1)
    assert equal(again.model, whole.model)
    assert not equal(again.model, learn.model)
