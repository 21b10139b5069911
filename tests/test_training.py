import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from colorkit import training
from colorkit.curation import manifest_for
from colorkit.errors import KitError
from colorkit.experiment import (
    LEARNING_RATES,
    PROFILES,
    Experiment,
    Profile,
    result_path,
    weights_path,
)
from colorkit.training import load_generator, load_weights, make_learner, run_experiment


@pytest.fixture
def splits(quick) -> dict[str, torch.Tensor]:
    pictures = torch.randint(0, 256, (20, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return {
        "train": pictures[:12].byte(),
        "test": pictures[12:15].byte(),
        "valid": pictures[15:].byte(),
    }


@pytest.fixture
def finished(quick, gallery, tmp_path) -> tuple[Path, Experiment, dict]:
    out = tmp_path / "out"
    experiment = Experiment(1, "pix2pix_scratch", data=str(gallery))
    return out, experiment, run_experiment(experiment, out)


def test_a_run_scores_every_painting_and_keeps_what_decides_it(finished, gallery):
    out, experiment, result = finished
    manifest = manifest_for(out, str(gallery))
    scored = {(split, row["path"]) for split, rows in result["scores"].items() for row in rows}
    assert scored == set(zip(manifest["split"], manifest["path"], strict=True))
    assert result == json.loads(result_path(out, experiment.id).read_text())
    assert result["config"] == experiment.config()
    assert len(result["history"]) == 1
    assert {"train_l1", "valid_l1", "critic", "fooling"} <= set(result["history"][0])


def test_stored_weights_are_the_scored_model(finished, gallery):
    out, experiment, result = finished
    splits = training.load_splits(out, "smoke", str(gallery), manifest_for(out, str(gallery)))
    again = training.evaluate(load_generator(out, result), splits["test"])
    stored = [{k: row[k] for k in again[0]} for row in result["scores"]["test"]]
    assert again == stored
    with safetensors.safe_open(weights_path(out, experiment.id), "pt") as file:
        assert json.loads(file.metadata()["config"])["model"] == "pix2pix_scratch"


def test_a_finished_run_is_read_not_repeated(finished):
    out, experiment, result = finished
    before = result_path(out, experiment.id).stat().st_mtime_ns
    assert run_experiment(experiment, out) == result
    assert result_path(out, experiment.id).stat().st_mtime_ns == before


def test_damaged_weights_are_named(finished):
    out, _, result = finished
    path = weights_path(out, result["id"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(KitError, match="missing or damaged"):
        load_weights(out, result)


def test_one_seed_gives_one_result_and_another_another(quick, gallery, tmp_path):
    def scores(out: str, seed: int) -> dict:
        experiment = Experiment(1, "pix2pix_scratch", seed, data=str(gallery))
        return run_experiment(experiment, tmp_path / out)

    one, twin, other = scores("one", 0), scores("twin", 0), scores("other", 1)
    assert one["scores"] == twin["scores"]
    assert one["weights_sha256"] == twin["weights_sha256"]
    assert one["scores"] != other["scores"]


def test_the_pretrained_model_starts_from_the_unet_of_its_table_and_seed(
    gallery, tmp_path, monkeypatch
):
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=64, epochs=1, weights="random"))
    begun = []
    original = training.make_learner

    def spy(experiment, splits, start=None, report=None):
        begun.append((experiment.id, start))
        return original(experiment, splits, start, report)

    monkeypatch.setattr(training, "make_learner", spy)
    run_experiment(Experiment(2, "pix2pix_resnet18", 1, data=str(gallery)), tmp_path / "out")
    assert [name for name, _ in begun] == ["t2-unet_resnet18-s1", "t2-pix2pix_resnet18-s1"]
    unet = safetensors.torch.load_file(weights_path(tmp_path / "out", "t2-unet_resnet18-s1"))
    assert begun[0][1] is None
    assert all(torch.equal(tensor, unet[name]) for name, tensor in begun[1][1].items())


def test_the_learner_is_what_the_paper_says(splits):
    learn = make_learner(Experiment(2, "pix2pix_scratch"), splits)
    learn.fit(1)
    for optimizer in (learn.opt.opt, learn.adversarial.critic_opt):
        assert type(optimizer) is torch.optim.Adam
        group = optimizer.param_groups[0]
        assert (group["lr"], tuple(group["betas"]), group["weight_decay"]) == (
            2e-3,
            (0.5, 0.999),
            0,
        )
    assert learn.adversarial.l1_weight == 100


def test_the_unet_learns_two_pictures_by_heart(splits):
    plain = torch.tensor([[200, 40, 40], [60, 90, 220]], dtype=torch.uint8)
    two = plain[:, :, None, None].expand(2, 3, 32, 32)
    learn = make_learner(Experiment(1, "unet_resnet18"), splits | {"train": two, "valid": two})
    learn.fit(40)
    assert learn.history.rows[-1]["train_l1"] < 0.1  # the two colours are 0.5 and more from grey


def test_a_diverging_run_has_no_result(quick, gallery, tmp_path, monkeypatch):
    monkeypatch.setitem(LEARNING_RATES[1], "unet_resnet18", 1e30)
    experiment = Experiment(1, "unet_resnet18", data=str(gallery))
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=64, epochs=3, weights="random"))
    with pytest.raises(KitError, match="no longer a number"):
        run_experiment(experiment, tmp_path / "out")
    assert not result_path(tmp_path / "out", experiment.id).exists()


def test_baselines_are_scored_on_the_same_paintings(quick, gallery, tmp_path):
    result = training.run_baselines(tmp_path, "smoke", str(gallery))
    manifest = manifest_for(tmp_path, str(gallery))
    for scores in result["scores"].values():
        assert [row["path"] for row in scores["test"]] == list(
            manifest.loc[manifest["split"] == "test", "path"]
        )
    assert training.run_baselines(tmp_path, "smoke", str(gallery)) == result
