"""What trains: a plain fastai Learner, and its callbacks.

Paper: section 3.3.
"""

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from fastai.callback.core import Callback, CancelStepException, TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from .adversarial import AdversarialCallback
from .base.device import adam, best_precision, choose_device, compute_in, loss_scaler, prepare
from .base.errors import DivergedError
from .batches import Batches
from .experiment import Experiment, Recipe
from .film import grey_encoder
from .models import PatchCritic, build_generator, init_normal

# Mean L1 of ab/110; no two colours are further apart than 2. The first epoch is let off: a U-Net
# from random weights can begin far above it and recover within a few steps.
EXPLODED = 10.0


class History(Callback):
    """Gather the mean losses of each epoch on the device and read them once an epoch.

    `rows` holds, for each epoch, train_l1 and valid_l1 (or _l2, by its loss) and, with a critic,
    its loss and the generator's fooling loss; `data_order` a checksum of each epoch's batches;
    `seconds` all epochs' time. `report(row)` is called after each epoch.
    """

    order = AdversarialCallback.order - 1  # sees the L1 loss before the critic's part is added

    def __init__(self, report: Callable[[dict[str, float]], None], loss: str = "l1"):
        self.report, self.loss = report, loss
        self.rows, self.data_order, self.seconds = [], [], 0.0

    def before_epoch(self):
        self.sums, self.counts, self.began = {}, {}, time.perf_counter()

    def after_loss(self):
        self._add(f"{'train' if self.training else 'valid'}_{self.loss}", self.learn.loss_grad)

    def after_batch(self):
        # fastai names a callback by its class: AdversarialCallback is learn.adversarial.
        if self.training and hasattr(self.learn, "adversarial"):
            self._add("critic", self.learn.adversarial.critic_loss)
            self._add("fooling", self.learn.adversarial.fooling_loss)

    def after_epoch(self):
        totals = torch.stack(list(self.sums.values())).tolist()  # the epoch's one read
        pairs = zip(self.sums, totals, strict=True)
        means = {name: total / self.counts[name] for name, total in pairs}
        epoch = len(self.rows) + 1
        exploded = epoch > 1 and means[f"train_{self.loss}"] > EXPLODED
        if exploded or not all(map(math.isfinite, totals)):
            raise DivergedError(f"epoch {epoch}: the training diverged ({means}); it has no result")
        self.rows.append({"epoch": epoch} | means)
        self.data_order.append(self.dls.train.order_sha256)
        self.seconds += time.perf_counter() - self.began
        self.report(self.rows[-1])

    def _add(self, name: str, loss: Tensor) -> None:
        paintings = len(self.learn.xb[0])
        self.sums[name] = self.sums.get(name, 0) + loss.detach() * paintings
        self.counts[name] = self.counts.get(name, 0) + paintings


class LossScaling(Callback):
    """Let a scaler take the generator's step; needed for fp16 only.

    fastai's own MixedPrecision reads the scale from the device in every step, and knows neither
    a second network nor the CPU.
    """

    def before_backward(self):
        self.learn.loss_grad = self.learn.scaler.scale(self.learn.loss_grad)

    def before_step(self):
        """Take the step here instead; a critic's came before, so the scale is updated last."""
        self.learn.scaler.step(self.learn.opt.opt)
        self.learn.scaler.update()
        raise CancelStepException


def make_learner(
    experiment: Experiment,
    pixels: dict[str, Tensor],
    start: dict[str, Tensor] | None = None,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    device: torch.device | None = None,
) -> Learner:
    """Make what an experiment trains: a plain Learner, with a critic if it is a GAN.

    pixels: {"train": (n, 3, S, S) uint8, …}; start: a generator's state to begin with instead
    of new weights; device: the GPU if there is one. Call `fit(epochs)` on it;
    `learn.history.rows` has the losses. Paper: section 3.3.
    """
    device = device or choose_device()
    prepare(experiment.seed, experiment.deterministic)
    weights = "random" if start else experiment.weights
    generator = build_generator(experiment.model, pixels["train"].shape[-1], weights).to(device)
    if start:
        generator.load_state_dict(start)
    critic = PatchCritic() if experiment.recipe.critic else None
    loaders = _loaders(experiment, pixels, device)
    precision = precision_on(experiment, device)
    return put_together(experiment.recipe, generator, critic, loaders, report, precision)


def put_together(
    recipe: Recipe,
    generator: nn.Module,
    critic: nn.Module | None,
    loaders: DataLoaders,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    precision: str = "fp32",
) -> Learner:
    """Put together the Learner of any generator, and of the critic that judges it, by a recipe.

    generator: on the loaders' device; critic: new, it is initialised here, as pix2pix does.
    """
    device, networks = loaders.device, [generator]
    scaler = loss_scaler(precision, device)
    callbacks: list[Callback] = [TrainEvalCallback(), History(report, recipe.loss)]
    if critic:
        networks.append(init_normal(critic).to(device))
        settings = recipe.lr, recipe.betas, recipe.l1_weight, scaler, recipe.real_label
        callbacks.append(AdversarialCallback(critic, *settings))
    if scaler.is_enabled():
        callbacks.append(LossScaling())
    for network in networks:
        compute_in(precision, network, device)
    optimizer = partial(OptimWrapper, opt=partial(adam, betas=recipe.betas))
    # No default callbacks: the Recorder reads every loss from the device, History does not.
    learn = Learner(
        loaders,
        generator,
        nn.L1Loss() if recipe.loss == "l1" else nn.MSELoss(),
        opt_func=optimizer,
        lr=recipe.lr,
        cbs=callbacks,
        default_cbs=False,
    )
    learn.scaler = scaler
    learn.create_opt()
    return learn


def _loaders(
    experiment: Experiment, pixels: dict[str, Tensor], device: torch.device
) -> DataLoaders:
    size, shuffle = experiment.batch_size, experiment.recipe.shuffle
    encode = grey_encoder(experiment.grey)
    train = Batches(pixels["train"], experiment.seed, device, size, shuffle, encode)
    valid = Batches(pixels["valid"], None, device, size, encode=encode)
    return DataLoaders(train, valid, device=device)


def precision_on(experiment: Experiment, device: torch.device) -> str:
    """Return the precision an experiment computes in on a device."""
    return best_precision(device) if experiment.precision == "auto" else experiment.precision
