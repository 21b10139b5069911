"""How fast the kit trains on the machine at hand, and what stands between it and the hardware.

What is compared is measured in one run, in turns: a machine's speed differs from hour to hour.
"""

import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from fastai.learner import Learner
from PIL import Image, ImageOps
from skimage.color import rgb2lab
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..base.checkpoints import Checkpoints
from ..base.device import DTYPES, adam, compute_in, device_name, prepare
from ..base.files import write_atomic
from ..batches import Batches, load_pixels, split_pixels
from ..color import AB_SCALE, L_CENTER
from ..curation import DEALT, PAPER_TOTAL
from ..experiment import MODELS, PROFILES, Experiment
from ..learner import make_learner, precision_on
from ..models import build_generator
from ..sources import open_source
from ..splits import split_sizes
from .measure import (
    TURNS,
    Clock,
    SkipValidation,
    bare_epoch,
    count_flops,
    exhaust,
    in_turns,
    ratio,
    timed,
)

PAPER_SIZE = PROFILES["paper"].size
JPEG_SIDE = 1200  # px, of the longer side


def bench(size: int, batch_size: int, device: torch.device, kept: Path) -> dict[str, Any]:
    """Measure the data path, the models, and this machine's own ceilings: a JSON's worth.

    size: px of the training steps; the data path is measured at the paper's 256 px always.
    A GPU trains the paper's 363 paintings an epoch, a CPU four batches. Each part is kept in the
    folder `kept` as soon as it is measured, and read from there if it is.
    """
    count = split_sizes(PAPER_TOTAL)["train"] if device.type == "cuda" else 4 * batch_size
    precision = precision_on(Experiment(1, "unet_resnet18"), device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_jpegs(folder, PAPER_TOTAL)
        pixels = load_pixels(folder, manifest.head(count), size)

        def part(name: str, measure: Callable[..., dict[str, Any]], *words: Any) -> dict[str, Any]:
            path = kept / f"{name}.json"
            if not path.exists():
                write_atomic(path, json.dumps(measure(*words, device)))
            return json.loads(path.read_text())

        models = {
            model: part(model, measure_model, Experiment(1, model, batch_size=batch_size), pixels)
            for model in MODELS
        }
        generators = {
            model: part(
                f"{model}-generator", measure_generator, model, pixels[:batch_size], precision
            )
            for model in ("unet_resnet18", "pix2pix_scratch")
        }
        return {
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "versions": {n: version(n) for n in ("colorkit", "torch", "fastai", "pillow")},
            "size": size,
            "batch_size": batch_size,
            "precision": precision,
            "data": part("data", measure_data, folder, manifest, batch_size),
            "ceilings": part("ceilings", measure_ceilings, precision),
            "models": models,
            "generators": generators,
        }


def write_jpegs(folder: Path, count: int) -> pd.DataFrame:
    """Write `count` JPEGs, the sample enlarged to 1,200 px at quality 95; return a manifest."""
    source = open_source("sample")

    def write(number: int) -> dict[str, str]:
        painting = source.paintings[number % len(source.paintings)]
        picture = Image.open(source.root / painting.path).convert("RGB")
        picture = ImageOps.contain(picture, (JPEG_SIDE, JPEG_SIDE), Image.Resampling.BICUBIC)
        path = folder / f"{number}.jpg"
        picture.save(path, quality=95)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return {"path": path.name, "sha256": sha256, "split": "train"}

    with ThreadPoolExecutor() as pool:
        return pd.DataFrame(pool.map(write, range(count))).reindex(columns=DEALT, fill_value="")


def measure_data(
    folder: Path, manifest: pd.DataFrame, batch_size: int, device: torch.device
) -> dict[str, Any]:
    """Time an epoch of our data path and of the usual one over the same JPEGs, at 256 px.

    Ours decodes once and keeps the result; the usual one opens, resizes and converts every
    painting in every epoch, in this process or in one for each core.
    """
    decode, splits = timed(lambda: split_pixels(folder, folder, manifest, PAPER_SIZE), device)
    batches = Batches(splits["train"], 0, device, batch_size)
    kept = statistics.median(timed(lambda: exhaust(batches), device)[0] for _ in range(TURNS))
    usual = UsualDataset([folder / name for name in manifest["path"]])
    loaders = [DataLoader(usual, batch_size, num_workers=n) for n in (0, os.cpu_count() or 1)]
    again, by_workers = (timed(lambda it=it: exhaust(it), device)[0] for it in loaders)
    return {
        "paintings": len(manifest),
        "jpeg_kilobytes": statistics.mean(p.stat().st_size for p in usual.paths) / 1000,
        "decode_seconds": decode,
        "epoch_seconds": kept,
        "usual_epoch_seconds": again,
        "usual_epoch_seconds_all_cores": by_workers,
        "usual_to_ours": again / kept,
        "usual_all_cores_to_ours": by_workers / kept,
    }


class UsualDataset(Dataset):
    """What a tutorial does for each picture, each time: open, resize, convert by scikit-image."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture = Image.open(self.paths[index]).convert("RGB")
        square = picture.resize((PAPER_SIZE, PAPER_SIZE), Image.Resampling.BICUBIC)
        lab = torch.from_numpy(rgb2lab(np.asarray(square)).astype("float32")).permute(2, 0, 1)
        return lab[:1] / L_CENTER - 1, lab[1:] / AB_SCALE


def measure_model(experiment: Experiment, pixels: Tensor, device: torch.device) -> dict[str, Any]:
    """Time a model's training: by our Learner, by a bare loop, and an epoch as it really runs.

    pixels: (N, 3, S, S) uint8. On a GPU also what 32 bits and determinism would cost.
    """
    steps = -(-len(pixels) // experiment.batch_size)
    contestants = {
        "learner": learner_epoch(experiment, pixels, device),
        "bare": loop_epoch(experiment, pixels, device),
    }
    if device.type == "cuda":
        for change in ({"precision": "fp32"}, {"deterministic": True}):
            other = Experiment(1, experiment.model, batch_size=experiment.batch_size, **change)
            contestants[next(iter(change))] = learner_epoch(other, pixels, device)
    seconds = in_turns(contestants, device)
    step = statistics.median(seconds["learner"]) / steps
    gflop = count_flops(experiment.model, pixels.shape[-1]) / 1e9
    return {
        "step_seconds": step,
        "images_per_second": len(pixels) / steps / step,
        "gflop_per_image": gflop,
        "gflop_per_second": gflop * len(pixels) / steps / step,
        "learner_to_bare": ratio(seconds["learner"], seconds["bare"]),
        "fp32_to_ours": ratio(seconds.get("precision"), seconds["learner"]),
        "deterministic_to_ours": ratio(seconds.get("deterministic"), seconds["learner"]),
        "epoch": measure_epoch(experiment, pixels, device),
    }


def learner_epoch(
    experiment: Experiment, pixels: Tensor, device: torch.device
) -> Callable[[], None]:
    """Make one epoch of training steps by Learner and callbacks, without validation."""
    learn = _learner(experiment, pixels, device)

    def epoch() -> None:
        prepare(experiment.seed, experiment.deterministic)  # it holds for the whole process
        learn.fit(1, cbs=SkipValidation())

    return epoch


def loop_epoch(experiment: Experiment, pixels: Tensor, device: torch.device) -> Callable[[], None]:
    """Make the same epoch in plain PyTorch, on networks of its own."""
    learn = _learner(experiment, pixels, device)
    critic = learn.adversarial.critic if experiment.recipe.critic else None
    networks = [learn.model.train(), *([critic.train()] if critic else [])]
    optimizers = [
        adam(n.parameters(), experiment.recipe.lr, experiment.recipe.betas) for n in networks
    ]

    def epoch() -> None:
        prepare(experiment.seed, experiment.deterministic)
        bare_epoch(learn.dls.train, learn.model, critic, optimizers, learn.scaler)

    return epoch


def measure_epoch(experiment: Experiment, pixels: Tensor, device: torch.device) -> dict[str, float]:
    """Time the second of three real epochs: with validation, records and checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        learn, clock = _learner(experiment, pixels, device), Clock()
        identity = {"id": experiment.id, "config": experiment.config()}
        with Checkpoints(Path(folder), identity, epochs=3) as keeper:
            learn.fit(3, cbs=[keeper, clock])
    seconds, steps = clock.epoch(1)
    data, _ = timed(lambda: [exhaust(batches) for batches in learn.dls], device)
    return {
        "seconds": seconds,
        "wall_to_steps": seconds / steps,
        "outside_share": 1 - steps / seconds,
        "data_share": data / seconds,
    }


@contextmanager
def _empty_compile_cache() -> Iterator[None]:
    """Let torch.compile begin from nothing, as on a student's machine."""
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["TORCHINDUCTOR_CACHE_DIR"]
            if before is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = before


def _learner(experiment: Experiment, pixels: Tensor, device: torch.device) -> Learner:
    splits = {"train": pixels, "valid": pixels[: experiment.batch_size]}
    return make_learner(experiment, splits, device=device)


def measure_ceilings(precision: str, device: torch.device) -> dict[str, float]:
    """Time a large matrix product and a large convolution, in GFLOP/s: what can be had at all."""
    dtype = DTYPES.get(precision, torch.float32)
    n, channels = (8192, 256) if device.type == "cuda" else (2048, 128)
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    pictures = torch.randn(16, channels, 64, 64, device=device, dtype=dtype)
    kernels = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
    pictures, kernels = (t.to(memory_format=torch.channels_last) for t in (pictures, kernels))
    work = {
        "matmul": (lambda: a @ b, 2 * n**3),
        "convolution": (
            lambda: F.conv2d(pictures, kernels, padding=1),
            2 * pictures.numel() * channels * 9,
        ),
    }
    seconds = in_turns({name: f for name, (f, _) in work.items()}, device)
    return {f"{n}_gflop_per_second": work[n][1] / min(seconds[n]) / 1e9 for n in work}


def measure_generator(
    model: str, pixels: Tensor, precision: str, device: torch.device
) -> dict[str, Any]:
    """Measure what channels_last and torch.compile would give a generator's forward and backward.

    Ratios above 1 are gains. `steps_to_pay` is after how many steps compiling has paid for its
    start, None if never.
    """

    def step(network: nn.Module) -> Callable[[], None]:
        def forward_and_backward() -> None:
            network(L).abs().mean().backward()
            network.zero_grad()  # CUDA graphs may not find gradients of the step before

        return forward_and_backward

    def build() -> nn.Module:
        network = build_generator(model, pixels.shape[-1], "random").to(device)
        compute_in(precision, network, device)
        return network

    L = (pixels[:, :1].float() / 255).to(device)
    formats = torch.contiguous_format, torch.channels_last
    plain, last = (step(build().to(memory_format=f)) for f in formats)
    layouts = in_turns({"plain": plain, "last": last}, device)
    result: dict[str, Any] = {"channels_last_gain": ratio(layouts["plain"], layouts["last"])}
    modes = ["default", *(["reduce-overhead"] if device.type == "cuda" else [])]  # CUDA graphs
    for mode in modes:
        try:
            compiled = step(torch.compile(build(), mode=mode))
            with _empty_compile_cache():  # CUDA graphs are recorded in the second and third step
                start = timed(lambda compiled=compiled: [compiled() for _ in range(3)], device)[0]
            seconds = in_turns({"eager": step(build()), "compiled": compiled}, device)
        except Exception as error:  # no compiler on this machine, or a bug of the compiler's
            result[f"compile_{mode}"] = {"error": f"{type(error).__name__}: {error}"[:200]}
            continue
        saved = statistics.median(seconds["eager"]) - statistics.median(seconds["compiled"])
        result[f"compile_{mode}"] = {
            "start_seconds": start,
            "gain": ratio(seconds["eager"], seconds["compiled"]),
            "steps_to_pay": round(start / saved) if saved > 0 else None,
        }
    return result
