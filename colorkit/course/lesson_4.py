"""Lesson 4: what the critic sees, the adversarial step, `detach`, batch norm, fifty epochs."""

import copy
import random
from collections.abc import Callable, Iterable
from typing import Any

import torch
from pandas import DataFrame
from torch import Tensor, nn

from ..adversarial import bare_step
from ..metrics import BASELINES
from ..models import PatchCritic, ScratchUnet, init_normal, receptive_field
from .answers import exercise
from .judging import filled, must, near, number, same


@exercise(
    "4.1",
    "The critic sees L with ab: torch.cat puts one plane and two side by side, along dim 1.",
    "Begin at the output, with a width of one, and go through the layers backwards.",
    "A layer turns a width into (width - 1) * stride + kernel.",
)
def what_the_critic_sees(patch_width: Callable, Critic: type[nn.Module]) -> None:
    mine, theirs = Critic(filters=4).eval(), PatchCritic(filters=4).eval()
    mine.load_state_dict(theirs.state_dict())
    L, ab = torch.rand(2, 1, 32, 32), torch.rand(2, 2, 32, 32)
    with torch.no_grad():
        same("what your critic answers", mine(L, ab), theirs(L, ab))
    for _ in range(5):
        layers = [(random.randint(1, 5), random.randint(1, 3)) for _ in range(random.randint(2, 5))]
        wanted = receptive_field(nn.Sequential(*(nn.Conv2d(1, 1, k, s) for k, s in layers)))
        got = number("what patch_width returns", patch_width(list(layers)))
        must(got == wanted, f"patch_width({layers}) is {got:g}, by the kit it is {wanted}")


@exercise(
    "4.2",
    "The critic comes first: half the loss of fake.detach() taken for fake and ab for real.",
    "The generator's loss: l1_weight * F.l1_loss(fake, ab), plus that of critic(L, fake), with the "
    "updated critic, taken for real.",
    "The critic stands still in the generator's step: requires_grad_(False) before it, True "
    "before its own.",
)
def adversarial_step(my_step: Callable) -> None:
    first = init_normal(ScratchUnet(32, filters=4)), init_normal(PatchCritic(filters=4))
    mine, theirs = first, copy.deepcopy(first)
    steps = (mine, my_step), (theirs, bare_step)
    optimizers = {
        step: [torch.optim.SGD(n.parameters(), lr=0.1) for n in pair] for pair, step in steps
    }
    for count in ("one step", "two steps"):
        L, ab = torch.rand(4, 1, 32, 32), torch.rand(4, 2, 32, 32)
        for pair, step in steps:
            step(*pair, optimizers[step], L.clone(), ab.clone(), 10.0)
        # Whether the critic looks at the fake first or at the real shows in its running statistics
        # alone; the generator's tell whether the fake was computed twice.
        wrong = "weights are not what they must be"
        critics = [pair[1].parameters() for pair in (mine, theirs)]
        must(_equal(*critics), f"after {count} the critic's {wrong}")
        generators = [pair[0].state_dict().values() for pair in (mine, theirs)]
        must(_equal(*generators), f"after {count} the generator's {wrong}")


@exercise(
    "4.3",
    a="the first backward frees what the fake was computed with, so the second finds nothing.",
    b="only the critic's optimizer takes a step then; but backward fills the generator's "
    "gradients as well.",
    c="that is what the gradient says, and what happens with retain_graph=True, or if the fake "
    "is computed twice without zeroing gradients.",
)
def without_detach(stopped: Any, helping: Any) -> str:
    if stopped:
        return "a"
    return "c" if number("helping", helping) > 0 else "b"


@exercise(
    "4.4",
    "Apart: the critic sees (L8, ab8), and in another call (L8, 0 * ab8).",
    "Mixed: one call on torch.cat((ab8, 0 * ab8)), with L8 twice; then split it.",
    "Each number is a mean of the logits' sigmoid, of the critic in training mode.",
)
def mixed_batches(means: Any, grey_critic: nn.Module, L8: Tensor, ab8: Tensor) -> str:
    wanted = _means(grey_critic, L8, ab8)
    filled("means", means, wanted, "its four numbers")
    for name, value in wanted.items():
        near(f"means[{name!r}]", means[name], value, 0.01)
    apart, mixed = (means[f"real {how}"] - means[f"grey {how}"] for how in ("apart", "mixed"))
    must(mixed < apart, f"mixed, they lie {mixed:.2f} apart, no less than {apart:.2f}")
    return f"the verdicts lie {apart:.2f} apart in batches of one kind, {mixed:.2f} in mixed ones"


@exercise(
    "4.5",
    a="so small it is only on the 363 paintings that it learnt from.",
    b="that is the U-Net of lesson 3 after fifty epochs, which no critic pushes.",
    c="it paints vivid guesses, and a vivid colour in the wrong place costs more than a dull one.",
)
def fifty_epochs(long_errors: DataFrame) -> str:
    tested = long_errors["test"]
    ratio = number("pix2pix's error", tested["pix2pix"]) / tested[BASELINES["mean_ab"]]
    return "a" if ratio < 0.5 else "b" if ratio < 1 else "c"


def _means(critic: nn.Module, L: Tensor, ab: Tensor) -> dict[str, float]:
    critic, grey = copy.deepcopy(critic).train(), torch.zeros_like(ab)
    with torch.no_grad():
        mixed = critic(torch.cat((L, L)), torch.cat((ab, grey))).sigmoid().chunk(2)
        apart = critic(L, ab).sigmoid(), critic(L, grey).sigmoid()
    named = {"real apart": apart[0], "grey apart": apart[1]}
    named |= {"real mixed": mixed[0], "grey mixed": mixed[1]}
    return {name: float(verdicts.mean()) for name, verdicts in named.items()}


def _equal(some: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(torch.allclose(a.float(), b.float(), atol=1e-5) for a, b in pairs)
