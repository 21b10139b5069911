"""How a training step is timed and counted, and the bare loop that everything is held against."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from fastai.callback.core import Callback, CancelValidException
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..adversarial import real_or_fake_loss
from ..experiment import L1_WEIGHT
from ..models import PatchCritic, build_generator

TURNS = 5


def bare_epoch(
    batches: Iterable[tuple[Tensor, Tensor]],
    generator: nn.Module,
    critic: nn.Module | None,
    optimizers: list[torch.optim.Optimizer],
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Train for an epoch with nothing but PyTorch: what Learner and callback must be equal to.

    optimizers: the generator's, then the critic's. Without a critic the loss is L1. `scaler` is
    needed for fp16 only.
    """
    scaler = scaler or torch.amp.GradScaler(enabled=False)
    for L, ab in batches:
        fake = generator(L)
        loss = F.l1_loss(fake, ab)
        if critic:
            critic.requires_grad_(True)
            on_fake, on_real = critic(L, fake.detach()), critic(L, ab)
            verdicts = real_or_fake_loss(on_fake, False) + real_or_fake_loss(on_real, True)
            scaler.scale(verdicts / 2).backward()
            scaler.step(optimizers[1])
            optimizers[1].zero_grad()
            critic.requires_grad_(False)
            loss = L1_WEIGHT * loss + real_or_fake_loss(critic(L, fake), True)
        scaler.scale(loss).backward()
        scaler.step(optimizers[0])
        scaler.update()
        optimizers[0].zero_grad()


class Clock(Callback):
    """Note when epochs begin, and when each batch begins and ends on the device."""

    order = 20  # last

    def __init__(self):
        self.begins, self.batches = [], []

    def before_epoch(self):
        self.begins.append(time.perf_counter())
        self.batches.append([])

    def before_batch(self):
        self.batches[-1].append([self._mark()])

    def after_batch(self):
        self.batches[-1][-1].append(self._mark())

    def epoch(self, number: int) -> tuple[float, float]:
        """Return the seconds from one epoch's begin to the next, and those inside its batches."""
        batches = [_seconds(*marks) for marks in self.batches[number]]
        return self.begins[number + 1] - self.begins[number], sum(batches)

    def _mark(self) -> float | torch.cuda.Event:
        if self.dls.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


class SkipValidation(Callback):
    """Leave the validation out of an epoch."""

    def before_validate(self):
        raise CancelValidException


def count_flops(model: str, size: int) -> int:
    """Count the floating point operations of one training step, for one picture.

    Forward and backward passes of all networks, two for a multiplication with its addition;
    nothing is computed. 170.5, 86.0 and 220.6 GFLOP at 256 px.
    """
    generator = build_generator(model, size, "random").to("meta")
    critic = PatchCritic().to("meta") if model != "unet_resnet18" else None
    networks = [generator, *([critic] if critic else [])]
    optimizers = [torch.optim.SGD(network.parameters()) for network in networks]
    L, ab = (torch.empty(2, channels, size, size, device="meta") for channels in (1, 2))
    with FlopCounterMode(display=False) as counter:
        bare_epoch([(L, ab)], generator, critic, optimizers)
    return counter.get_total_flops() // 2


def timed(work: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    """Return how many seconds some work takes, to its end on the device, and its result."""
    _wait(device)
    began = time.perf_counter()
    result = work()
    _wait(device)
    return time.perf_counter() - began, result


def in_turns(
    contestants: dict[str, Callable[[], Any]], device: torch.device
) -> dict[str, list[float]]:
    """Time contestants one after the other, five rounds after one that does not count."""
    rounds = [
        {name: timed(work, device)[0] for name, work in contestants.items()}
        for _ in range(1 + TURNS)
    ]
    return {name: [seconds[name] for seconds in rounds[1:]] for name in contestants}


def ratio(some: list[float] | None, others: list[float]) -> float | None:
    """Return the median of the rounds' ratios; None if there is nothing to compare."""
    if some is None:
        return None
    return statistics.median(a / b for a, b in zip(some, others, strict=True))


def exhaust(batches: Iterable[Any]) -> None:
    """Take all batches and do nothing with them."""
    for _ in batches:
        pass


def _seconds(begin: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    return end - begin if isinstance(begin, float) else begin.elapsed_time(end) / 1000


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
