import json

import pytest
from conftest import equal
from PIL import Image

from colorkit import snapshots, training
from colorkit.base.files import kit_file
from colorkit.experiment import Experiment
from colorkit.learner import make_learner
from colorkit.metrics import BASELINES


@pytest.fixture
def long(monkeypatch):
    """Take any training for a long one, and look at it after every epoch."""
    monkeypatch.setattr(training, "LONG", 1)
    monkeypatch.setattr(snapshots, "SCORED_EVERY", 1)


def test_a_long_training_shows_what_it_knew_on_the_way(folder, quick, long):
    experiment = Experiment(folder, "pix2pix_scratch", epochs=2)
    result = training.run(experiment)
    shown = folder.snapshots_path(experiment.id)
    assert [part["epoch"] for part in result["snapshots"]] == [1, 2]
    last = {(row["mode"], row["part"]): row for row in result["snapshots"][-1]["scores"]}
    assert len(last) == 2 * 3
    final = [row["mse_ab"] for row in result["scores"]["test"]]
    assert last["eval", "test"]["mse_ab"] == pytest.approx(sum(final) / len(final), rel=1e-5)
    assert last["eval", "test"] != last["train", "test"]
    # 24 paintings: 2 or 3 tested, 4 of those trained on
    sizes = {path.name: Image.open(path).size for path in shown.glob("*.jpg")}
    count = sum(min(n, len(result["scores"][part])) for part, n in snapshots.SHOWN.items())
    names = ("paintings.jpg", "epoch-001.jpg", "epoch-002.jpg")
    assert sizes == dict.fromkeys(names, (32 * count, 32))
    figure, alt = snapshots.show_snapshots(shown, epochs=(1, 2), count=2)
    assert len(figure.axes) == 3 * 2
    assert "painted, 1 epoch, 2 epochs" in alt
    figure, alt = snapshots.show_errors(result["snapshots"], {"one colour": 0.02})
    assert f"to {last['eval', 'test']['mse_ab']:.4f}" in alt
    assert "one colour 0.0200" in alt


def test_looking_changes_no_bit_of_the_training(folder, quick, long):
    experiment = Experiment(folder, "pix2pix_scratch", epochs=2)
    pixels = folder.pixels
    learners = [make_learner(experiment, pixels) for _ in range(2)]
    learners[1].add_cb(snapshots.Snapshots(folder.path / "seen", pixels))
    for learn in learners:
        training.make_learner(experiment, pixels)  # seeds chance anew
        learn.fit(2)
    assert equal(learners[0].model, learners[1].model)
    assert learners[0].history.rows == learners[1].history.rows
    assert json.loads((folder.path / "seen" / "epoch-002.json").read_text())["epoch"] == 2


def test_what_is_published_of_a_run_stands_beside_its_baselines():
    folder, run = kit_file("results", "unet-gpu-2026-11-26"), "t1-unet_resnet18-s1000"
    table = snapshots.published_errors(folder, {"ours": run})
    assert set(table.index) == {"ours", *BASELINES.values()}
    tested = json.loads((folder / "runs" / f"{run}.json").read_text())["scores"]["test"]
    assert table.loc["ours", "test"] == pytest.approx(sum(tested["mse_ab"]) / len(tested["mse_ab"]))
