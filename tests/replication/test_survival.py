"""Runs that are killed end as if they had not been. `make test-kill` does it at 20 moments."""

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from conftest import paint
from processes import begin, wait_for

from colorkit.experiment import MODELS, Experiment
from colorkit.folder import Folder

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("COLORKIT_KILLS", "2"))
KILLED = tuple(MODELS) if "COLORKIT_KILLS" in os.environ else ("pix2pix_scratch",)
# 32 px, four epochs of two batches: seconds on a CPU. The last batch has more than one picture.
CODE = """
import sys
from pathlib import Path
from colorkit.experiment import PROFILES, Experiment, Profile
from colorkit.folder import Folder
from colorkit.training import run
PROFILES["smoke"] = Profile(size=32, epochs=4, weights="random")
model, data, out = sys.argv[1:]
run(Experiment(Folder(Path(out), data=data), model))
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("gallery")
    for n in range(28):
        paint(root / f"Painter_{n % 2}" / f"{n}.jpg", seed=n)
    return root


@pytest.fixture(scope="module", params=KILLED)
def whole(request, gallery, tmp_path_factory) -> tuple[Experiment, Path, float]:
    """A run that nobody disturbed, and how many seconds it trained."""
    out = tmp_path_factory.mktemp("whole")
    process = start(request.param, gallery, out)
    experiment = Experiment(Folder(out, data=str(gallery)), request.param)
    wait_for_training(out, experiment, process)
    began = time.monotonic()
    text = process.communicate()[0]
    assert process.returncode == 0, text
    return experiment, out, time.monotonic() - began


def start(model: str, gallery: Path, out: Path) -> subprocess.Popen:
    return begin("-c", CODE, model, gallery, out)


def wait_for_training(out: Path, experiment: Experiment, process: subprocess.Popen) -> None:
    wait_for((out / "progress" / f"{experiment.id}.json").exists, process)


def wait_for_a_moment(number: int, out: Path, seconds: float, process: subprocess.Popen) -> None:
    """Wait for any moment of the training, or, for odd numbers, while a checkpoint is written."""
    chance = random.Random(26 + number)
    if number % 2:
        wanted = chance.randint(0, 2)  # checkpoints there before
        wait_for(lambda: len(list(out.glob("checkpoints/*/epoch-*"))) >= wanted, process)
        wait_for(lambda: list(out.glob("checkpoints/*/.part-*")), process)
        seconds = 0.1
    time.sleep(chance.uniform(0, seconds))


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_and_started_again_it_ends_with_the_same_bits(whole, gallery, tmp_path, number):
    experiment, undisturbed, seconds = whole
    killed = start(experiment.model, gallery, tmp_path)
    wait_for_training(tmp_path, experiment, killed)
    wait_for_a_moment(number, tmp_path, seconds, killed)
    killed.kill()
    killed.communicate()
    left = [path.name[:11] for path in tmp_path.glob("checkpoints/*/*")]
    again = start(experiment.model, gallery, tmp_path)
    text = again.communicate()[0]
    assert again.returncode == 0, text
    results, weights = [], []
    for out in (tmp_path, undisturbed):
        results.append(json.loads((out / "runs" / f"{experiment.id}.json").read_text()))
        weights.append((out / "models" / experiment.id / "model.safetensors").read_bytes())
    result, wanted = results
    print(f"{experiment.model}, kill {number}: {left}, resumed {result['resumed_after']}")
    for name in ("scores", "history", "data_order", "weights_sha256", "config"):
        assert result[name] == wanted[name], name
    assert weights[0] == weights[1]
    assert not list((tmp_path / "checkpoints").rglob("*.*"))
