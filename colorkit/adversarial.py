"""pix2pix as one callback: everything a critic adds to a plain Learner.

fastai's own GANLearner is not used: one optimizer serves both networks there, and the network
that should stand still is moved by its momentum.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from fastai.callback.core import Callback
from torch import Tensor, nn

from .base.device import adam
from .experiment import L1_WEIGHT


def real_or_fake_loss(logits: Tensor, real: float) -> Tensor:
    """Binary cross entropy of patch logits (N, 1, h, w) against all-real (1) or all-fake (0)."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def bare_step(
    generator: nn.Module,
    critic: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    L: Tensor,
    ab: Tensor,
    l1_weight: float = L1_WEIGHT,
) -> None:
    """Take one step of pix2pix with nothing but PyTorch: what the callback must be equal to.

    L (N, 1, S, S), ab (N, 2, S, S); optimizers: the generator's, then the critic's.
    Paper: equation 1 and section 3.3.
    """
    fake = generator(L)
    critic.requires_grad_(True)
    on_fake, on_real = critic(L, fake.detach()), critic(L, ab)
    verdicts = real_or_fake_loss(on_fake, False) + real_or_fake_loss(on_real, True)
    (verdicts / 2).backward()
    optimizers[1].step()
    optimizers[1].zero_grad()
    critic.requires_grad_(False)
    loss = l1_weight * F.l1_loss(fake, ab) + real_or_fake_loss(critic(L, fake), True)
    loss.backward()
    optimizers[0].step()
    optimizers[0].zero_grad()


class AdversarialCallback(Callback):
    """Train a critic beside the Learner's generator, and let it judge the generator.

    Each batch: the generator predicts once; the critic takes a step on the real pair and the
    detached fake, half the loss each; then the generator takes its step on
    l1_weight * L1 + "the updated critic calls it real". Validation stays plain L1. With
    real_label under 1 the critic's target for real pairs is smoothed, the generator's is not.
    `scaler` is needed for fp16 only (see device.loss_scaler).
    Paper: equation 1 and section 3.3 (its D(G(x, z)) is read as D(x, G(x, z))).
    """

    run_valid = False

    def __init__(
        self,
        critic: nn.Module,
        lr: float,
        betas: tuple[float, float],
        l1_weight: float,
        scaler: torch.amp.GradScaler | None = None,
        real_label: float = 1.0,
    ):
        self.critic, self.l1_weight, self.real_label = critic, l1_weight, real_label
        self.critic_opt = adam(critic.parameters(), lr=lr, betas=betas)
        self.scaler = scaler or torch.amp.GradScaler(enabled=False)
        self.critic_loss = self.fooling_loss = None

    def before_fit(self):
        self.critic.to(self.dls.device).train()

    def after_pred(self):
        """Critic's step, on a detached fake."""
        (L,), (ab,) = self.learn.xb, self.learn.yb
        self.critic.requires_grad_(True)
        fake = real_or_fake_loss(self.critic(L, self.learn.pred.detach()), real=False)
        real = real_or_fake_loss(self.critic(L, ab), self.real_label)
        self.critic_loss = (fake + real) / 2
        self.scaler.scale(self.critic_loss).backward()
        self.scaler.step(self.critic_opt)
        self.critic_opt.zero_grad()

    def after_loss(self):
        """Generator's loss, with the critic standing still."""
        self.critic.requires_grad_(False)
        self.fooling_loss = real_or_fake_loss(
            self.critic(*self.learn.xb, self.learn.pred), real=True
        )
        self.learn.loss_grad = self.l1_weight * self.learn.loss_grad + self.fooling_loss
        self.learn.loss = self.learn.loss_grad.clone()
