"""How fast this machine trains, and what its hardware could give.

What is compared is measured in one run, in turns: a machine's speed differs from hour to hour.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from skimage.color import rgb2lab
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from .. import __version__, has_room
from ..adversarial import bare_step
from ..base.checkpoints import Checkpoints
from ..base.device import DTYPES, best_precision, device_name, prepare
from ..base.files import file_sha256, slug, write_atomic
from ..base.templates import render, replace_section
from ..batches import Batches
from ..color import AB_SCALE, L_CENTER
from ..curation import COLUMNS, PAPER_TOTAL
from ..experiment import MODELS, PROFILES, Experiment
from ..folder import Folder
from ..learner import make_learner
from ..pixels import load_pixels
from ..sources import open_source
from ..splits import part_sizes

TURNS = 5
LARGE, SMALL, SMALL_ONES = (4000, 3000), (320, 240), 100  # px, px, pictures
PAPER_SIZE = PROFILES["paper"].size
MARKS = "<!-- performance -->", "<!-- end of performance -->"
exhaust = partial(deque, maxlen=0)  # takes all batches and keeps none


def bench(size: int, batch_size: int, device: torch.device) -> dict:
    """Measure the data path at 256 px, a matrix product, and each model at `size` px.

    An epoch of training is the paper's 363 paintings on a GPU, four batches on a CPU.
    """
    count = part_sizes(PAPER_TOTAL)["train"] if device.type == "cuda" else 4 * batch_size
    with tempfile.TemporaryDirectory() as name:
        manifest = write_jpegs(Path(name), PAPER_TOTAL)
        data = measure_data(Path(name), manifest, batch_size, device)
        pixels = load_pixels(Path(name), manifest.head(count), size)
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "versions": {"colorkit": __version__}
        | {name: version(name) for name in ("torch", "fastai", "pillow")},
        "size": size,
        "batch_size": batch_size,
        "precision": best_precision(device),
        "data": data,
        "ceilings": {"matmul_gflop_per_second": measure_matmul(device)},
        "models": {model: measure_model(model, pixels, batch_size, device) for model in MODELS},
        "colouring": measure_colouring() if has_room("pictures") else None,
    }


def write_jpegs(folder: Path, count: int) -> pd.DataFrame:
    """Write `count` JPEGs, the sample enlarged to 1,200 px at quality 95; return a manifest."""
    source, rows = open_source("sample"), []
    for number in range(count):
        painting = source.paintings[number % len(source.paintings)]
        picture = Image.open(source.root / painting.path).convert("RGB")
        path = folder / f"{number}.jpg"
        ImageOps.contain(picture, (1200, 1200), Image.Resampling.BICUBIC).save(path, quality=95)
        rows.append({"path": path.name, "sha256": file_sha256(path), "part": "train"})
    return pd.DataFrame(rows).reindex(columns=COLUMNS, fill_value="")


def measure_data(folder: Path, manifest: pd.DataFrame, batch: int, device: torch.device) -> dict:
    """Time an epoch's batches at 256 px from the same JPEGs, in our way and in the usual one.

    Ours decodes once and keeps the result; the usual one opens, resizes and converts every
    painting in every epoch, in this process or in one for each core.
    """
    decode = partial(load_pixels, folder, manifest, PAPER_SIZE)
    decode_seconds = timed(decode, device)
    ours = Batches(decode(), 0, device, batch)
    paths = [folder / name for name in manifest["path"]]
    usual = partial(DataLoader, paths, batch, collate_fn=usual_batch)
    all_cores = usual(num_workers=os.cpu_count())
    return {
        "paintings": len(paths),
        "jpeg_kilobytes": sum(path.stat().st_size for path in paths) / len(paths) / 1000,
        "decode_seconds": decode_seconds,
        "epoch_seconds": in_turns({"ours": lambda: exhaust(ours)}, device)["ours"].median(),
        "usual_epoch_seconds": timed(lambda: exhaust(usual()), device),
        "usual_epoch_seconds_all_cores": timed(lambda: exhaust(all_cores), device),
    }


def usual_batch(paths: list[Path]) -> tuple[Tensor, Tensor]:
    """Make L and ab as a tutorial does, each time: open, resize, convert by scikit-image."""
    size, lab = (PAPER_SIZE, PAPER_SIZE), []
    for path in paths:
        square = Image.open(path).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        lab.append(torch.from_numpy(rgb2lab(square)).float())
    L, ab = torch.stack(lab).permute(0, 3, 1, 2).split([1, 2], dim=1)
    return L / L_CENTER - 1, ab / AB_SCALE


def measure_matmul(device: torch.device) -> float:
    """Time a large matrix product, in GFLOP/s: what can be had at all."""
    n, dtype = 8192 if device.type == "cuda" else 2048, DTYPES.get(best_precision(device))
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / in_turns({"matmul": lambda: a @ b}, device)["matmul"].min() / 1e9


def measure_model(model: str, pixels: Tensor, batch_size: int, device: torch.device) -> dict:
    """Time a model's training: by our Learner, by a bare loop, and an epoch as it really runs.

    pixels: (N, 3, S, S) uint8. On a GPU also what 32 bits and determinism would cost. GFLOP:
    forward and backward through all networks, two for a multiplication with its addition.
    """
    experiment = Experiment(Folder(Path("bench")), model, batch_size=batch_size)  # never written
    epoch = partial(make_epoch, pixels=pixels, bare=False, device=device)
    contestants = {"learner": epoch(experiment), "bare": epoch(experiment, bare=True)}
    if device.type == "cuda":
        contestants["fp32"] = epoch(replace(experiment, precision="fp32"))
        contestants["deterministic"] = epoch(replace(experiment, deterministic=True))
    with FlopCounterMode(display=False) as counter:
        contestants["bare"]()
    seconds = in_turns(contestants, device)
    return {
        "images_per_second": len(pixels) / seconds["learner"].median(),
        "gflop_per_image": counter.get_total_flops() / len(pixels) / 1e9,
        "learner_to_bare": ratio(seconds, "learner", "bare"),
        "fp32_to_ours": ratio(seconds, "fp32", "learner"),
        "deterministic_to_ours": ratio(seconds, "deterministic", "learner"),
        "epoch": measure_epoch(experiment, pixels, device),
    }


def make_epoch(run: Experiment, pixels: Tensor, bare: bool, device: torch.device) -> Callable:
    """Make an epoch of training steps on new networks, by our Learner or by a bare loop."""
    learn = make_learner(run, {"train": pixels, "valid": pixels[:1]}, device=device)
    learn.dls.loaders[1] = []  # no validation
    networks, optimizers = [learn.model], [learn.opt.opt]
    if run.recipe.critic:
        networks.append(learn.adversarial.critic)
        optimizers.append(learn.adversarial.critic_opt)

    def epoch() -> None:
        prepare(run.seed, run.deterministic)  # it holds for the whole process
        bare_epoch(learn.dls.train, networks, optimizers) if bare else learn.fit(1)

    return epoch


def bare_epoch(batches: Batches, networks: list[nn.Module], optimizers: list[Optimizer]) -> None:
    """Train for an epoch with nothing but PyTorch: what Learner and callback must be equal to.

    networks: the generator, then the critic; without one the loss is L1. optimizers: theirs.
    """
    for L, ab in batches:
        if len(networks) > 1:
            bare_step(*networks, optimizers, L, ab)
            continue
        F.l1_loss(networks[0](L), ab).backward()
        optimizers[0].step()
        optimizers[0].zero_grad()


def measure_epoch(experiment: Experiment, pixels: Tensor, device: torch.device) -> dict:
    """Time real epochs (validation, records, checkpoints) and their steps, each to its end."""
    splits = {"train": pixels, "valid": pixels[: experiment.batch_size]}
    learn, steps = make_learner(experiment, splits, device=device), []
    learn.fit(1)  # warm
    one_batch, identity = learn.one_batch, {"id": experiment.id, "config": experiment.config()}
    learn.one_batch = lambda *batch: steps.append(timed(lambda: one_batch(*batch), device))
    with tempfile.TemporaryDirectory() as name, Checkpoints(Path(name), identity, 4) as keeper:
        wall = timed(lambda: learn.fit(3, cbs=keeper), device)
    data = timed(lambda: [exhaust(batches) for batches in learn.dls], device)
    return {"wall_to_steps": wall / sum(steps), "data_share": 3 * data / wall}


def measure_colouring() -> dict:
    """Time the whole of `colorkit colorize` on this machine's CPU, the start of Python included.

    One picture of 12 megapixels, and a folder of small ones; grey JPEGs become PNGs.
    """
    source = open_source("sample")
    with (
        tempfile.TemporaryDirectory() as name,
        Image.open(source.root / source.paintings[0].path) as picture,
    ):
        large, small, out = (Path(name, folder) for folder in ("large", "small", "out"))
        for folder, size, count in ((large, LARGE, 1), (small, SMALL, SMALL_ONES)):
            folder.mkdir()
            for number in range(count):
                picture.convert("L").resize(size).save(folder / f"{number}.jpg")
        colorize = ["-m", "colorkit", "colorize", "--device", "cpu", "--overwrite", "-o", out]
        contestants = {
            "import torch": partial(python, "-c", "import torch"),
            "large": partial(python, *colorize, large),
            "small": partial(python, *colorize, small),
        }
        seconds = in_turns(contestants, torch.device("cpu"))
    return {
        "large_to_import": ratio(seconds, "large", "import torch"),
        "small_to_import": ratio(seconds, "small", "import torch"),
        "small_pictures": SMALL_ONES,
        "small_per_second": SMALL_ONES / seconds["small"].median(),
    }


def python(*words: str | Path) -> None:
    """Run Python in a process of its own; what it prints is not shown."""
    subprocess.run([sys.executable, "-W", "ignore", *words], check=True, stdout=subprocess.DEVNULL)


def timed(work: Callable, device: torch.device) -> float:
    """Return how many seconds some work takes, to its end on the device."""
    wait = torch.cuda.synchronize if device.type == "cuda" else bool
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def in_turns(contestants: dict[str, Callable], device: torch.device) -> pd.DataFrame:
    """Time contestants one after the other, in rounds; the first round does not count.

    Returns seconds: a row for each of five rounds, a column for each contestant.
    """
    rounds = []
    for _ in range(1 + TURNS):
        rounds.append({name: timed(work, device) for name, work in contestants.items()})
    return pd.DataFrame(rounds[1:])


def ratio(seconds: pd.DataFrame, one: str, other: str) -> float | None:
    """Return the median of the rounds' ratios of two contestants; None without the first."""
    return (seconds[one] / seconds[other]).median() if one in seconds else None


def performance(benches: dict[str, dict]) -> str:
    """Write benches as Markdown, each under its published folder's name, or under ""."""
    return render("replication/performance.md", {"benches": benches, "names": MODELS}).strip()


def readme_section(results: Path) -> str:
    """Write README's section on performance: the newest published bench of each device."""
    newest = {path.parent.name[:-11]: path for path in sorted(results.glob("*/bench.json"))}
    benches = {path.parent.name: json.loads(path.read_text()) for path in newest.values()}
    return f"{MARKS[0]}\n\n{performance(benches)}\n\n{MARKS[1]}"


def publish_bench(measured: dict, results: Path, out: Path | None = None) -> Path:
    """Write a bench to <results>/<device>-<date>/, which is returned, and into README beside.

    out: a results folder whose tables, report and runs go along, without weights.
    """
    kind, _, name = measured["device"].partition(": ")
    device = "cpu" if kind == "cpu" else slug(name.lower())
    folder = results / f"{device}-{time.strftime('%Y-%m-%d')}"
    for path in [out / "tables.csv", out / "report.html", *out.glob("runs/*.json")] if out else []:
        write_atomic(folder / path.relative_to(out), path.read_bytes())
    write_atomic(folder / "bench.json", json.dumps(measured, indent=1) + "\n")
    write_atomic(folder / "README.md", f"# How fast it is\n\n{performance({'': measured})}\n")
    if (readme := results.with_name("README.md")).exists():
        replace_section(readme, MARKS, readme_section(results))
    return folder
