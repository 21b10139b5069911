import pytest
from conftest import nowhere

from colorkit.base.errors import KitError
from colorkit.experiment import MODELS, Experiment


@pytest.mark.parametrize(
    ("table", "model", "lr", "betas"),
    [
        (1, "unet_resnet18", 1e-3, (0.9, 0.999)),
        (1, "pix2pix_scratch", 2e-4, (0.5, 0.999)),
        (2, "unet_resnet18", 2e-3, (0.9, 0.999)),
        (2, "pix2pix_scratch", 2e-3, (0.5, 0.999)),
        (2, "pix2pix_resnet18", 2e-3, (0.5, 0.999)),
    ],
)
def test_settings_are_the_captions(table, model, lr, betas):
    experiment = nowhere(model, table, profile="paper")
    assert (experiment.recipe.lr, experiment.recipe.betas) == (lr, betas)
    config = experiment.config()
    assert (config["size"], config["epochs"], config["batch_size"]) == (256, 50, 16)
    assert config["l1_weight"] == (100 if experiment.recipe.critic else 1)


def test_ids_are_stable_and_distinct():
    ids = [nowhere(m, t, s).id for t in (1, 2) for m in MODELS for s in (0, 1)]
    assert len(set(ids)) == 12
    assert nowhere("unet_resnet18").id == "t1-unet_resnet18-s0"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"table": 3}, "table 3: must be one of 1, 2"),
        ({"table": "1"}, "table='1': is str, must be int"),
        ({"model": "unet"}, "model 'unet': must be one of unet_resnet18"),
        ({"seed": -1}, "seed -1: must be between"),
        ({"seed": 0.5}, "is float, must be int"),
        ({"weights": "vgg"}, "weights 'vgg': must be one of imagenet, random"),
        ({"grey": "ortho"}, "grey 'ortho': must be L, mixture, or a plate such as plate:"),
        ({"grey": "plate:otho"}, "emulsion 'otho': unknown; did you mean ortho"),
        ({"variant": "lambda_11"}, "variant 'lambda_11': must be one of"),
        ({"variant": "lambda_10"}, "model 'unet_resnet18': must be one of pix2pix_scratch"),
    ],
)
def test_wrong_values_are_refused(wrong, says):
    with pytest.raises(KitError, match=says):
        nowhere(**({"model": "unet_resnet18"} | wrong))


def test_another_grey_has_another_id_and_lightness_leaves_results_as_they_were():
    plain, ortho = (nowhere("unet_resnet18", grey=grey) for grey in ("L", "plate:ortho,tungsten"))
    assert ortho.id == "t1-unet_resnet18-s0-plate-ortho-tungsten"
    assert ortho.config() == plain.config() | {"grey": "plate:ortho,tungsten"}
    assert nowhere("pix2pix_resnet18", grey="mixture").first_stage.grey == "mixture"


def test_an_unknown_option_is_refused():
    folder = nowhere("unet_resnet18").folder
    with pytest.raises(KitError, match="option 'epoch': unknown; did you mean epochs?"):
        Experiment.of(folder, "unet_resnet18", 1, 0, {"epoch": 5})


def test_backbone_weights_follow_the_profile_or_the_variable(monkeypatch):
    assert nowhere("unet_resnet18").weights == "random"
    assert nowhere("unet_resnet18", profile="paper").weights == "imagenet"
    monkeypatch.setenv("COLORKIT_WEIGHTS", "random")
    assert nowhere("unet_resnet18", profile="paper").config()["weights"] == "random"
