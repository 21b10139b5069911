"""Lesson 5: alike or not, how stage two begins, batch norm's two modes, the missing control."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..batches import Batches
from ..experiment import VARIANTS, paper_recipe
from ..metrics import score
from .answers import exercise
from .judging import filled, must, near, number, same

BATCH_SIZES = (1, 4, 16)


@exercise(
    "5.1",
    a="another seed is another order of batches and other first weights, and no more.",
    b="a shared start does not keep a critic from going its own way.",
    c="the two distances differ by more than a tenth.",
)
def yardstick(by_seed: Any, by_model: Any) -> str:
    seed, model = number("by_seed", by_seed), number("by_model", by_model)
    if abs(seed - model) <= 0.1 * max(seed, model):
        return "c"
    return "a" if seed > model else "b"


@exercise(
    "5.2",
    "A network's state_dict() holds its weights and its batch norms' running averages.",
    "load_state_dict copies the numbers of such a dictionary into a network of the same shape.",
)
def begin_stage_two(begin_with: Callable) -> None:
    trained, generator = _small().train(), _small()
    with torch.no_grad():
        for _ in range(3):
            trained(3 + torch.randn(8, 1, 8, 8))  # so that running averages are not as at first
    kept, L = copy.deepcopy(trained).eval(), torch.randn(4, 1, 8, 8)
    begin_with(generator, trained)
    with torch.no_grad():
        same("what the generator paints at first", generator.eval()(L), kept(L))
    pairs = zip(generator.parameters(), trained.parameters(), strict=True)
    shared = any(mine.data_ptr() == theirs.data_ptr() for mine, theirs in pairs)
    must(not shared, "both have one and the same weights, so stage two would change stage one's")


@exercise(
    "5.3",
    "mse_ab(False, 4) is the error in evaluation mode with batches of four.",
    "The names are 'evaluation 1', 'training 1', and so on for 4 and 16.",
)
def modes(errors: Any, generator: nn.Module, test: Tensor) -> str:
    names = [f"{mode} {size}" for mode in ("evaluation", "training") for size in BATCH_SIZES]
    filled("errors", errors, names, "its six numbers")
    values = {name: number(f"errors[{name!r}]", errors[name]) for name in names}
    spread = {}
    for mode in ("evaluation", "training"):
        size = random.choice(BATCH_SIZES)
        name, again = f"{mode} {size}", _mse_ab(generator, test, mode == "training", size)
        near(f"errors[{name!r}]", values[name], again, 2e-5)
        found = [values[f"{mode} {size}"] for size in BATCH_SIZES]
        spread[mode] = max(found) - min(found)
    must(spread["evaluation"] <= 1e-4, "in evaluation mode the batch's size changes nothing")
    return (
        f"batches of 1 to 16 move it by {spread['training']:.4f} in training mode, else not at all"
    )


@exercise(
    "5.4",
    "Everything but the critic has to be as in the third model, its number of epochs included.",
    "Of two explanations, the control has to take away one and keep the other.",
)
def missing_control(control: Any) -> str:
    must(control in VARIANTS, f"{control!r} is no variant, must be one of {', '.join(VARIANTS)}")
    recipe = paper_recipe(1, "pix2pix_resnet18")
    changed = replace(recipe, **VARIANTS[control].changes)
    must(not changed.critic, f"{control} has a critic, as the third model has")
    must(changed.two_stages, f"{control} has one stage, so it sees each painting half as often")
    return (
        "as many epochs after the same first stage, and no critic; one_stage keeps the critic, so "
        "it cannot say what the critic did"
    )


def _small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


def _mse_ab(generator: nn.Module, pixels: Tensor, training: bool, size: int) -> float:
    model, rows = copy.deepcopy(generator).train(training), []
    with torch.inference_mode():
        for L, ab in Batches(pixels, batch_size=size):
            rows += score(L, model(L), ab)
    return sum(row["mse_ab"] for row in rows) / len(rows)
