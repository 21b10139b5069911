import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import equal, nowhere

from colorkit.adversarial import real_or_fake_loss
from colorkit.batches import Batches
from colorkit.learner import make_learner
from colorkit.replication.bench import bare_epoch


@pytest.mark.parametrize(
    ("model", "width"),
    [
        ("pix2pix_scratch", "small"),
        pytest.param("pix2pix_scratch", "whole", marks=pytest.mark.slow),
        pytest.param("pix2pix_resnet18", "whole", marks=pytest.mark.slow),
    ],
)
def test_callback_equals_a_bare_loop_bit_for_bit(pixels, request, model, width):
    if width == "small":
        request.getfixturevalue("small")
    experiment = nowhere(model)
    learn = make_learner(experiment, pixels)
    networks = copy.deepcopy(learn.model), copy.deepcopy(learn.adversarial.critic)
    options = {"lr": experiment.recipe.lr, "betas": (0.5, 0.999)}
    optimizers = [torch.optim.Adam(network.parameters(), **options) for network in networks]
    generator, critic = networks
    batches = Batches(pixels["train"], experiment.seed)
    torch.manual_seed(5)
    for _ in range(3):
        bare_epoch(batches, [generator.train(), critic], optimizers)
    torch.manual_seed(5)
    learn.fit(3)
    assert equal(learn.model, generator)
    assert equal(learn.adversarial.critic, critic)


@pytest.fixture
def learn(small, pixels):
    """A GAN after one epoch."""
    learn = make_learner(nowhere("pix2pix_scratch"), pixels)
    learn.fit(1)
    return learn


def test_validation_moves_neither_network_and_reads_plain_l1(learn, pixels):
    before = copy.deepcopy((learn.model, learn.adversarial.critic))
    L, ab = next(iter(Batches(pixels["valid"])))
    with torch.no_grad():
        l1 = F.l1_loss(learn.model.eval()(L), ab)
    assert abs(learn.history.rows[-1]["valid_l1"] - float(l1)) < 1e-6
    assert equal(before[0], learn.model)
    assert equal(before[1], learn.adversarial.critic)


def test_the_critic_stands_still_in_the_generators_step_and_is_not_in_the_recorded_l1(learn):
    assert all(p.grad is None for p in learn.adversarial.critic.parameters())
    assert 0 < learn.history.rows[0]["train_l1"] < 1.5  # 100 x as much would be far above


@pytest.mark.parametrize("real", [True, False])
def test_real_or_fake_loss_is_log_2_of_no_opinion_and_falls_for_the_right_one(real):
    opinion = torch.full((2, 1, 3, 3), 9.0 if real else -9.0)
    assert torch.isclose(real_or_fake_loss(0 * opinion, real), torch.tensor(2.0).log())
    assert real_or_fake_loss(opinion, real) < 0.001
    assert real_or_fake_loss(-opinion, real) > 8
