import json

import pytest

from colorkit import __version__
from colorkit.base.errors import KitError
from colorkit.experiment import (
    MODELS,
    Experiment,
    read_result,
    result_path,
    results_folder,
    write_result,
)

RESULT = {
    "id": "x",
    "manifest_sha256": "abc",
    "versions": {"colorkit": __version__},
    "config": {"weights": "random"},
}


@pytest.mark.parametrize(
    ("table", "model", "lr", "betas"),
    [
        (1, "unet_resnet18", 1e-3, (0.9, 0.999)),
        (1, "pix2pix_scratch", 2e-4, (0.5, 0.999)),
        (2, "unet_resnet18", 2e-3, (0.9, 0.999)),
        (2, "pix2pix_resnet18", 2e-3, (0.5, 0.999)),
    ],
)
def test_settings_are_the_captions(table, model, lr, betas):
    experiment = Experiment(table, model, profile="paper")
    assert (experiment.recipe.lr, experiment.recipe.betas) == (lr, betas)
    config = experiment.config()
    assert (config["size"], config["epochs"], config["batch_size"]) == (256, 50, 16)
    assert config["l1_weight"] == (100 if experiment.recipe.critic else 1)


def test_ids_are_stable_and_distinct():
    ids = [Experiment(t, m, s).id for t in (1, 2) for m in MODELS for s in (0, 1)]
    assert len(set(ids)) == 12
    assert Experiment(1, "unet_resnet18").id == "t1-unet_resnet18-s0"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"table": 3}, "table 3: must be one of 1, 2"),
        ({"table": "1"}, "table='1': is str, must be int"),
        ({"model": "unet"}, "model 'unet': must be one of unet_resnet18"),
        ({"seed": -1}, "seed -1: must be between"),
        ({"seed": 0.5}, "is float, must be int"),
        ({"profile": "big"}, "profile 'big': must be one of smoke, class, paper"),
        ({"weights": "vgg"}, "weights 'vgg': must be one of imagenet, random"),
    ],
)
def test_wrong_values_are_refused(wrong, says):
    with pytest.raises(KitError, match=says):
        Experiment(**({"table": 1, "model": "unet_resnet18"} | wrong))


def test_backbone_weights_follow_the_profile_or_the_variable(monkeypatch):
    assert Experiment(1, "unet_resnet18").weights == "random"
    assert Experiment(1, "unet_resnet18", profile="paper").weights == "imagenet"
    monkeypatch.setenv("COLORKIT_WEIGHTS", "random")
    assert Experiment(1, "unet_resnet18", profile="paper").config()["weights"] == "random"


def test_each_source_has_a_folder_of_its_own(runs, tmp_path):
    assert results_folder("", "smoke", "sample") == runs / "smoke"
    assert (
        results_folder("", "smoke", str(tmp_path / "my paintings")) == runs / "smoke-my-paintings"
    )
    assert results_folder(str(tmp_path), "smoke", "sample") == tmp_path


def test_results_round_trip(tmp_path):
    assert read_result(tmp_path, "x") is None
    write_result(tmp_path, RESULT)
    assert read_result(tmp_path, "x", "abc") == RESULT


def test_results_of_other_settings_are_refused(tmp_path):
    write_result(tmp_path, RESULT)
    assert read_result(tmp_path, "x", "abc", {"weights": "random", "data": "elsewhere"})
    with pytest.raises(KitError, match="made with weights random, not imagenet"):
        read_result(tmp_path, "x", "abc", {"weights": "imagenet"})


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_result(tmp_path, RESULT | {"mse": float("nan")})
    assert not result_path(tmp_path, "x").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": "x", "vers', "damaged"),
        ("[]", "damaged"),
        (json.dumps(RESULT | {"versions": {"colorkit": "0.0.1"}}), "made by colorkit 0.0.1"),
        (json.dumps(RESULT | {"manifest_sha256": "other"}), "made from other paintings"),
    ],
)
def test_foreign_and_damaged_results_are_refused(tmp_path, text, says):
    result_path(tmp_path, "x").parent.mkdir()
    result_path(tmp_path, "x").write_text(text)
    with pytest.raises(KitError, match=says):
        read_result(tmp_path, "x", "abc")
