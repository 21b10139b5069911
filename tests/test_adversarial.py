import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import equal, nowhere

from colorkit.adversarial import real_or_fake_loss
from colorkit.batches import Batches
from colorkit.learner import make_learner


@pytest.mark.parametrize(
    ("model", "width", "epochs"),
    [
        ("unet_resnet18", "small", 3),
        ("pix2pix_scratch", "small", 3),
        pytest.param("pix2pix_resnet18", "whole", 2, marks=pytest.mark.slow),
    ],
)
def test_learner_and_callback_equal_a_bare_loop_bit_for_bit(pixels, request, model, width, epochs):
    """So validation, which the loop does without, moves no network."""
    bench = pytest.importorskip("colorkit.replication.bench")
    if width == "small":
        request.getfixturevalue("small")
    experiment = nowhere(model)
    recipe, learn = experiment.recipe, make_learner(experiment, pixels)
    trained = [learn.model, *([learn.adversarial.critic] if recipe.critic else [])]
    networks = copy.deepcopy(trained)
    options = {"lr": recipe.lr, "betas": recipe.betas}
    optimizers = [torch.optim.Adam(network.parameters(), **options) for network in networks]
    batches = Batches(pixels["train"], experiment.seed)
    torch.manual_seed(5)
    for _ in range(epochs):
        bench.bare_epoch(batches, [network.train() for network in networks], optimizers)
    torch.manual_seed(5)
    learn.fit(epochs)
    assert all(equal(*pair) for pair in zip(trained, networks, strict=True))


def test_the_critic_rests_in_the_generators_step_and_is_not_in_the_recorded_l1(small, pixels):
    learn = make_learner(nowhere("pix2pix_scratch"), pixels)
    learn.fit(1)
    L, ab = next(iter(Batches(pixels["valid"])))
    with torch.no_grad():
        l1 = float(F.l1_loss(learn.model.eval()(L), ab))
    assert learn.history.rows[0]["valid_l1"] == pytest.approx(l1, abs=1e-6)
    assert 0 < learn.history.rows[0]["train_l1"] < 1.5  # 100 x as much would be far above
    assert all(p.grad is None for p in learn.adversarial.critic.parameters())


@pytest.mark.parametrize("real", [True, False])
def test_real_or_fake_loss_is_log_2_of_no_opinion_and_falls_for_the_right_one(real):
    opinion = torch.full((2, 1, 3, 3), 9.0 if real else -9.0)
    assert torch.isclose(real_or_fake_loss(0 * opinion, real), torch.tensor(2.0).log())
    assert real_or_fake_loss(opinion, real) < 0.001
    assert real_or_fake_loss(-opinion, real) > 8
