"""Lesson 3: what a shortcut carries, the first layer for one channel, L1, memory and colour."""

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..metrics import evaluate
from .answers import exercise
from .judging import filled, must, near, quoting, same


@exercise(
    "3.1",
    "First double the middle: F.relu(self.up2(inner)) has the size of outer.",
    "torch.cat((doubled, outer), dim=1) puts the channels of both side by side.",
    "self.up1 takes the sixteen channels, and nothing follows it: ab may be negative.",
)
def shortcut(SmallUnet: type[nn.Module]) -> None:
    network = SmallUnet()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(0, 0.01)  # no ReLU is dead by chance
        network.up1.bias.fill_(-1)
    L = torch.rand(2, 1, 16, 16, requires_grad=True)
    ab = network(L)
    must(isinstance(ab, Tensor), f"forward returns a {type(ab).__name__}, must be a tensor")
    shape = tuple(ab.shape)
    must(shape == (2, 2, 16, 16), f"forward returns shape {shape}, must be (2, 2, 16, 16)")
    must(bool((ab < 0).any()), "ab is never negative, so nothing could be green or blue")
    ab.square().sum().backward()
    for name in ("down1", "down2", "up2", "up1"):
        gradient = getattr(network, name).weight.grad
        used = gradient is not None and bool(gradient.any())
        must(used, f"self.{name} plays no part in what forward returns")
    with torch.no_grad():
        network.up2.weight.zero_()
        network.up2.bias.zero_()
        passes = not torch.equal(network(L)[0], network(L.flip(0))[0])
    must(passes, "with the middle switched off nothing of the picture arrives: no shortcut")


@exercise(
    "3.2",
    "The three channels are dimension 1 of the kernels.",
    "If R = G = B, each of three numbers is multiplied with the same grey: add up, do not average.",
    "keepdim=True keeps the dimension, with one channel in it.",
)
def one_channel(grey_kernels: Callable) -> None:
    kernels = torch.randn(random.randint(4, 9), 3, 5, 5)
    got, grey = grey_kernels(kernels.clone()), torch.rand(1, 1, 16, 16)
    shape = (len(kernels), 1, 5, 5)
    must(
        isinstance(got, Tensor) and tuple(got.shape) == shape,
        f"grey_kernels of {tuple(kernels.shape)} gives {tuple(getattr(got, 'shape', ()))}, "
        f"must be {shape}",
    )
    same("what the layer answers", F.conv2d(grey, got), F.conv2d(grey.repeat(1, 3, 1, 1), kernels))


@exercise(
    "3.3",
    a="every step towards red pleases the sixty more than it costs the forty.",
    b="that is the answer of squared errors, which pull the harder the further they are off.",
    c="so it would be with fifty of each: then what one half gains is what the other loses.",
)
def cheapest(l1: Any) -> str:
    must(isinstance(l1, Tensor) and len(l1) > 1, "`l1` is not the curve of the figure")
    if float(l1.max() - l1.min()) < 1e-3:
        return "c"
    return "a" if int(l1.argmin()) == len(l1) - 1 else "b"


@exercise(
    "3.4",
    "metrics.evaluate(memory, eight) scores each painting, in evaluation mode.",
    "Take the mean of row['mse_ab'] over the rows.",
    "Grey is a model, too: lambda L: torch.zeros_like(L).repeat(1, 2, 1, 1).",
)
def memory_is_not_colour(errors: Any, memory: nn.Module, eight: Tensor, unseen: Tensor) -> str:
    wanted = {"seen": (memory, eight), "seen grey": (_grey, eight)}
    wanted |= {"unseen": (memory, unseen), "unseen grey": (_grey, unseen)}
    filled("errors", errors, wanted, "its four numbers")
    for name, (model, pixels) in wanted.items():
        rows = evaluate(model, pixels)
        mse = sum(row["mse_ab"] for row in rows) / len(rows)
        near(f"errors[{name!r}]", errors[name], mse, 1e-5)
    seen, unseen_ = (errors[name] / errors[f"{name} grey"] for name in ("seen", "unseen"))
    return f"its error is {seen:.0%} of grey's where it has seen, {unseen_:.0%} where it has not"


@exercise(
    "3.5",
    "Write at least 40 words, and quote one of the numbers in `errors`.",
    "What does the network know of a painting before it knows where anything is?",
    rubric=(
        "brown is the median of what the network cannot tell apart",
        "the error on unseen paintings is compared with grey's on the same paintings",
        "says that training paintings cannot test a model",
    ),
)
def brown_first(opinion: Any, errors: Any) -> str:
    return quoting(opinion, 40, errors, "3.4")


def _grey(L: Tensor) -> Tensor:
    return torch.zeros_like(L).repeat(1, 2, 1, 1)
