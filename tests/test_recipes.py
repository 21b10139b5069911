import json

import pytest
import torch
from conftest import nowhere
from torch import nn

from colorkit.experiment import GANS, VARIANTS, Experiment
from colorkit.learner import make_learner
from colorkit.training import run

RUNS = [(name, model) for name, variant in VARIANTS.items() for model in variant.models]


@pytest.mark.parametrize(("name", "model"), RUNS)
def test_a_variant_changes_what_it_says_and_nothing_else(name, model):
    plain, changed = (nowhere(model, variant=v).config() for v in ("", name))
    different = {key for key in plain if plain[key] != changed[key]} - {"variant"}
    changes = {key for key, value in VARIANTS[name].changes.items() if plain[key] != value}
    assert different == changes != set()
    assert json.loads(json.dumps(changed)) == changed


@pytest.mark.parametrize(
    ("variant", "weights"), [("no_pretraining", "random"), ("one_stage", "imagenet")]
)
def test_without_pretraining_nothing_is_fetched(variant, weights):
    run = nowhere("pix2pix_resnet18", profile="paper", variant=variant)
    assert (run.weights, run.first_stage) == (weights, None)


def test_first_stages():
    def ids(model: str, variant: str) -> list[str]:
        return [run.id for run in nowhere(model, variant=variant).stages]

    assert ids("pix2pix_resnet18", "one_stage") == ["t1-pix2pix_resnet18-s0-one_stage"]
    assert ids("pix2pix_resnet18", "lambda_10")[0] == "t1-unet_resnet18-s0"
    assert ids("pix2pix_resnet18", "unshuffled")[0] == "t1-unet_resnet18-s0-unshuffled"
    assert ids("pix2pix_resnet18", "train_mode") == [
        "t1-unet_resnet18-s0",
        "t1-pix2pix_resnet18-s0",
        "t1-pix2pix_resnet18-s0-train_mode",
    ]


@pytest.mark.parametrize(
    ("variant", "model", "loss", "name"),
    [("l2", "unet_resnet18", nn.MSELoss, "l2"), *(("l1_only", m, nn.L1Loss, "l1") for m in GANS)],
)
def test_without_a_critic_there_is_one_loss_and_its_name_says_which(
    small, pixels, variant, model, loss, name
):
    learn = make_learner(nowhere(model, variant=variant), pixels)
    learn.fit(1)
    assert isinstance(learn.loss_func, loss)
    assert set(learn.history.rows[0]) == {"epoch", f"train_{name}", f"valid_{name}"}


def test_unshuffled_batches_come_in_the_same_order_and_are_still_mirrored(small, pixels):
    learn = make_learner(nowhere("pix2pix_scratch", variant="unshuffled"), pixels)
    first, again = list(learn.dls.train), list(learn.dls.train)
    for (one, _), (other, _) in zip(first, again, strict=True):
        sums = [batch.abs().sum((1, 2, 3)).sort().values for batch in (one, other)]
        assert torch.allclose(*sums)
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))


def test_smoothing_and_lambda_reach_the_callback(small, pixels):
    for variant, l1_weight, label in (("lambda_10", 10, 1), ("label_smoothing", 100, 0.9)):
        learn = make_learner(nowhere("pix2pix_scratch", variant=variant), pixels)
        assert (learn.adversarial.l1_weight, learn.adversarial.real_label) == (l1_weight, label)


def test_scored_otherwise_the_weights_are_the_same_and_the_scores_are_not(quick, folder):
    scored = [Experiment(folder, "pix2pix_scratch", variant=v) for v in ("train_mode", "file_grey")]
    changed = {experiment.variant: run(experiment) for experiment in scored}
    base = folder.result("t1-pix2pix_scratch-s0")
    for result in changed.values():
        assert result["weights_sha256"] == base["weights_sha256"]
        assert result["weights_of"] == base["id"]
        assert result["scores"] != base["scores"]
    assert len(list(folder.path.glob("models/*"))) == 1
