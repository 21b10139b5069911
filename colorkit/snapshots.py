"""What a network knows on the way: scores and pictures of a long training, epoch by epoch.

<out>/snapshots/<run>/epoch-005.json has the scores, epoch-005.jpg the pictures, paintings.jpg the
same paintings as painted; a run that is taken up again writes the epochs it repeats anew, with
the same content.
"""

import copy
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.core import Callback
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from .base.files import write_atomic
from .figures import PALETTE, picture_grid
from .metrics import BASELINES, evaluate, predict_rgb
from .pixels import evenly
from .splits import PARTS

LONG = 20  # epochs, from which on a training keeps snapshots
SCORED_EVERY = 5
SHOWN_AFTER = (1, 2, 5, 10, 20, 30, 40, 50, 100, 200)
SHOWN = {"test": 8, "train": 4}  # paintings, spread evenly over their part
KEPT_SCORES = ("mse_ab", "mse_rgb", "ciede2000", "chroma", "chroma_true")


class Snapshots(Callback):
    """After some epochs, score a copy of the generator on every part, and colour 12 paintings.

    pixels: {"train": (n, 3, S, S) uint8, …}; grey: what the model sees of them. Scores are means
    over paintings, in evaluation and in training mode (batch statistics, dropout); pictures are
    of evaluation mode. The training goes on as if nothing had been looked at: to the bit, without
    new random numbers.
    """

    order = 5  # after History, before the checkpoint that says the epoch is over

    def __init__(self, folder: Path, pixels: dict[str, Tensor], grey: str = "L"):
        self.folder, self.pixels, self.grey = folder, pixels, grey

    def before_fit(self):
        write_atomic(self.folder / "paintings.jpg", _jpeg(self._shown().float() / 255))

    def after_epoch(self):
        epoch = len(self.learn.history.rows)
        scored, shown = epoch % SCORED_EVERY == 0, epoch in SHOWN_AFTER
        if not (scored or shown):
            return
        device = self.learn.dls.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(epoch)
            generator = copy.deepcopy(self.learn.model)
            if shown:
                rgb = predict_rgb(generator, self._shown().to(device), self.grey)
                write_atomic(self.folder / f"epoch-{epoch:03d}.jpg", _jpeg(rgb.cpu()))
            rows = self._scores(generator, "eval") + self._scores(generator, "train")
            facts = {"epoch": epoch, "scores": rows}
            write_atomic(self.folder / f"epoch-{epoch:03d}.json", json.dumps(facts, indent=1))

    def _scores(self, generator: torch.nn.Module, mode: str) -> list[dict[str, Any]]:
        rows = []
        for part, pixels in self.pixels.items():
            scores = pd.DataFrame(
                evaluate(generator, pixels, self.learn.dls.device, mode, self.grey)
            )
            rows.append({"mode": mode, "part": part} | scores[list(KEPT_SCORES)].mean().to_dict())
        return rows

    def _shown(self) -> Tensor:
        parts = [(self.pixels[part], count) for part, count in SHOWN.items()]
        return torch.cat([pixels[evenly(count, len(pixels))] for pixels, count in parts])


def read_snapshots(folder: Path) -> list[dict[str, Any]]:
    """Read a run's scores on the way, oldest first: {"epoch", "scores": rows by mode and part}."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("epoch-*.json"))]


def show_snapshots(
    folder: Path, epochs: Sequence[int] = (1, 2, 5, 10, 20, 50), count: int = 6
) -> tuple[Figure, str]:
    """Show test paintings as painted, and as the network coloured them after some epochs."""
    rows = {"painted": _strip(folder / "paintings.jpg")[:count]}
    for epoch in epochs:
        label = f"{epoch} epoch{'s' * (epoch > 1)}"
        rows[label] = _strip(folder / f"epoch-{epoch:03d}.jpg")[:count]
    return picture_grid(rows, width=count)  # an inch each


def published_errors(folder: Path, runs: Mapping[str, str]) -> pd.DataFrame:
    """Read mse_ab of published runs {label: id} and of their baselines: a row each, by part."""
    scores = _published(folder, "baselines")["scores"]
    rows = {BASELINES[name]: parts for name, parts in scores.items()}
    rows |= {label: _published(folder, run)["scores"] for label, run in runs.items()}
    means = {
        label: {p: np.mean(parts[p]["mse_ab"]) for p in PARTS} for label, parts in rows.items()
    }
    return pd.DataFrame(means).T


def published_losses(folder: Path, run: str) -> list[dict[str, float]]:
    """Read a published run's losses, a row an epoch."""
    return _published(folder, run)["history"]


def _published(folder: Path, run: str) -> dict[str, Any]:
    return json.loads((folder / "runs" / f"{run}.json").read_text(encoding="utf-8"))


def show_errors(
    snapshots: Sequence[Mapping[str, Any]], levels: Mapping[str, float]
) -> tuple[Figure, str]:
    """Draw mse_ab of each part by epoch, in evaluation mode, beside levels such as baselines'."""
    rows = [r | {"epoch": s["epoch"]} for s in snapshots for r in s["scores"]]
    table = (
        pd.DataFrame(rows).query("mode == 'eval'").pivot(index="epoch", columns="part")["mse_ab"]
    )
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axis = figure.subplots()
    for part, style, colour in (("train", "o-", 0), ("valid", "s--", 1), ("test", "^:", 2)):
        axis.plot(table.index, table[part], style, ms=4, color=PALETTE[colour], label=part)
    for (name, level), style in zip(levels.items(), ("-", "--", ":"), strict=False):
        axis.axhline(level, linestyle=style, color="grey", linewidth=1, label=name)
    axis.set(xlabel="epoch", ylabel="mse_ab", ylim=0)
    axis.legend(frameon=False, ncols=2)
    said = "; ".join(
        f"{part} {row.iloc[0]:.4f} to {row.iloc[-1]:.4f}" for part, row in table.items()
    )
    beside = ", ".join(f"{name} {level:.4f}" for name, level in levels.items())
    return figure, f"Errors from epoch {table.index[0]} to {table.index[-1]}: {said}. {beside}."


def _strip(path: Path) -> Tensor:
    """Read the pictures (n, 3, S, S) uint8 that lie side by side in one file."""
    whole = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)
    return torch.stack(whole.split(whole.shape[1], dim=2))


def _jpeg(rgb: Tensor) -> bytes:
    """Write pictures (n, 3, S, S) in [0, 1] side by side as one JPEG."""
    strip = torch.cat(list(rgb), dim=-1).permute(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray((255 * strip).round().byte().numpy()).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
