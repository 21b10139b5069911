"""Scores of a prediction, painting by painting; predictions without a network; a model's pictures.

Each name says its space: the same prediction scores 0.17 in ab/110 and 0.08 in RGB.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from skimage.color import deltaE_ciede2000
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

from .batches import CPU, Batches
from .color import AB_SCALE, decode, encode, in_gamut, join, rgb_to_lab
from .film import corrected, grey_encoder
from .splits import PARTS, deal

Predictor = Callable[[Tensor], Tensor]  # L (N, 1, S, S) -> ab (N, 2, S, S)

METRICS = {
    "mse_ab": "MSE of ab/110 (the paper's MSE, as we read it); lower is better",
    "skill_ab": "1 - mse_ab / mse_ab of the mean colour; above 0 beats one constant colour",
    "mse_rgb": "MSE of sRGB in [0, 1]; lower is better",
    "psnr": "peak signal-to-noise ratio of sRGB, dB; higher is better",
    "ciede2000": "mean colour difference CIEDE2000; about 1 is just visible",
    "colourfulness": "Hasler and Suesstrunk 2003, signed, sRGB 0 to 255; 0 is grey",
    "chroma_ratio": "mean chroma predicted / mean chroma of the painting; 1 is as vivid",
    "clipped": "share of pixels whose predicted colour is outside sRGB and is clipped to it",
}
BASELINES = {
    "grey": "grey (a = b = 0)",
    "mean_ab": "mean colour of the training paintings",
    "L_table": "mean colour for each of 20 lightnesses",
}


def score(L: Tensor, predicted_ab: Tensor, ab: Tensor) -> list[dict[str, float]]:
    """Score predictions, a dictionary for each painting.

    L: (N, 1, H, W), predicted_ab and ab: (N, 2, H, W), scaled as in color.py; either may have a
    plane before, what L lacks (`film.grey_encoder`). mse_ab takes predictions as they are; all
    other scores see what a screen shows, clipped to sRGB.
    """
    (L, predicted_ab), (true_L, ab) = corrected(L, predicted_ab), corrected(L, ab)
    mse_ab = ((predicted_ab - ab) ** 2).mean(dim=(1, 2, 3))
    shown, truth = decode(L, predicted_ab), decode(true_L, ab)
    mse_rgb = ((shown - truth) ** 2).mean(dim=(1, 2, 3))
    columns = {
        "mse_ab": mse_ab.tolist(),
        "mse_rgb": mse_rgb.tolist(),
        "psnr": [
            float(peak_signal_noise_ratio(a, b, data_range=1.0))
            for a, b in zip(truth.cpu().numpy(), shown.cpu().numpy(), strict=True)
        ],
        "ciede2000": _mean_ciede2000(truth, shown),
        "colourfulness": colourfulness(shown).tolist(),
        "colourfulness_true": colourfulness(truth).tolist(),
        "chroma": mean_chroma(shown).tolist(),
        "chroma_true": mean_chroma(truth).tolist(),
        "clipped": (~in_gamut(join(L, predicted_ab))).float().mean(dim=(1, 2)).tolist(),
    }
    return pd.DataFrame(columns).to_dict("records")


def colourfulness(rgb: Tensor) -> Tensor:
    """Measure how vivid pictures are: (N, 3, H, W) in [0, 1] -> (N,), 0 for grey.

    Hasler and Suesstrunk 2003, equations 2 to 6, on 0 to 255, with signed differences; several
    colorization repositories take absolute ones, which gives other numbers.
    """
    red, green, blue = (255 * rgb).unbind(1)
    rg, yb = (red - green).flatten(1), ((red + green) / 2 - blue).flatten(1)
    spread = (rg.var(1, correction=0) + yb.var(1, correction=0)).sqrt()
    return spread + 0.3 * (rg.mean(1) ** 2 + yb.mean(1) ** 2).sqrt()


def mean_chroma(rgb: Tensor) -> Tensor:
    """Average C* = sqrt(a*^2 + b*^2) over each picture: (N, 3, H, W) in [0, 1] -> (N,)."""
    return rgb_to_lab(rgb)[:, 1:].norm(dim=1).mean(dim=(1, 2))


def evaluate(
    predict: Predictor,
    pixels: Tensor,
    device: torch.device = CPU,
    mode: str = "eval",
    grey: str = "L",
) -> list[dict[str, float]]:
    """Score a model on pictures (N, 3, S, S) uint8, on its device.

    In mode "eval" batch norm uses its running statistics and dropout is off; pix2pix's own
    default is "train". grey: what the model sees of them (`film.grey_encoder`); the truth is the
    painting's own lightness and colours whatever it sees.
    """
    encode = grey_encoder(grey, correct=True)
    if isinstance(predict, nn.Module):
        predict.train(mode == "train")
    rows = []
    with torch.inference_mode():
        for L, ab in Batches(pixels, device=device, encode=encode):
            rows += score(L, predict(L), ab)
    return rows


def predict_rgb(predict: Predictor, pixels: Tensor, grey: str = "L") -> Tensor:
    """Turn pictures grey, as `film.grey_encoder` knows it, and colour them again.

    pixels: (N, 3, S, S) uint8. Returns (N, 3, S, S), sRGB in [0, 1]; evaluation mode.
    """
    if isinstance(predict, nn.Module):
        predict.eval()
    with torch.inference_mode():
        L, _ = grey_encoder(grey)(pixels.float() / 255)
        return decode(L, predict(L))


def summarize(
    scores: Sequence[Mapping[str, float]], mean_colour: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Reduce paintings' scores to one number a metric (every key of METRICS).

    mean_colour: scores of the baseline "mean_ab" on the same paintings, for skill_ab.
    """

    def average(name: str, rows: Sequence[Mapping[str, float]] = scores) -> float:
        return float(np.mean([row[name] for row in rows]))

    special = {
        "skill_ab": 1 - average("mse_ab") / average("mse_ab", mean_colour),
        "chroma_ratio": average("chroma") / average("chroma_true"),
    }
    return {name: special[name] if name in special else average(name) for name in METRICS}


def score_table(scores: dict[str, dict[str, Any]], baselines: dict[str, Any]) -> pd.DataFrame:
    """Put mse_ab of runs and baselines side by side, with the skill on the test paintings.

    scores: {label: a run's "scores"}; baselines: `Folder.baselines`.
    """
    named = {BASELINES[name]: value for name, value in baselines["scores"].items()} | scores
    rows = {}
    for label, parts in named.items():
        reference = baselines["scores"]["mean_ab"]
        numbers = {name: summarize(parts[name], reference[name]) for name in PARTS}
        rows[label] = {f"mse_ab {name}": numbers[name]["mse_ab"] for name in PARTS}
        rows[label]["skill test"] = numbers["test"]["skill_ab"]
    return pd.DataFrame(rows).T.round(4)


class ColourTable(nn.Module):
    """One ab for each step of lightness: what can be had without a network.

    table: (bins, 2), ab/110. Maps L (N, 1, H, W) to ab (N, 2, H, W).
    """

    def __init__(self, table: Tensor):
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, L: Tensor) -> Tensor:
        return self.table[_bin(L[:, 0], len(self.table))].permute(0, 3, 1, 2)


def fit_colour_table(pixels: Tensor, bins: int) -> ColourTable:
    """Average ab over all pixels of each lightness bin; bins = 1 is the mean colour.

    pixels: (N, 3, S, S) uint8. A lightness that never occurs gets the mean of all pixels.
    """
    counts, sums = torch.zeros(bins), torch.zeros(2, bins)
    for L, ab in Batches(pixels):
        index = _bin(L, bins).flatten()
        counts += torch.bincount(index, minlength=bins)
        for channel in range(2):
            sums[channel] += torch.bincount(index, ab[:, channel].flatten(), minlength=bins)
    everywhere = sums.sum(1) / counts.sum()
    table = torch.where(counts > 0, sums / counts.clamp_min(1), everywhere[:, None])
    return ColourTable(table.T.contiguous())


def fit_baselines(train_pixels: Tensor) -> dict[str, ColourTable]:
    """Make the trivial predictors (keys of BASELINES) from the training paintings."""
    return {
        "grey": ColourTable(torch.zeros(1, 2)),
        "mean_ab": fit_colour_table(train_pixels, bins=1),
        "L_table": fit_colour_table(train_pixels, bins=20),
    }


def errors_of_one_colour(
    manifest: pd.DataFrame, pixels: Mapping[str, Tensor], splits: Sequence[str]
) -> dict[str, float]:
    """Fit one colour to each split's training paintings, and score it on its test paintings.

    manifest, pixels: a folder's, dealt in any one way. Returns mse_ab by split.
    """
    paintings = manifest[manifest["part"].isin(pixels)]
    rows = [(paintings["part"] == part).to_numpy().nonzero()[0] for part in pixels]
    order = torch.from_numpy(np.concatenate(rows)).argsort()  # pixels lie part by part
    ab = encode(torch.cat(list(pixels.values())).float() / 255)[1][order]
    errors = {}
    for split in splits:
        dealt = deal(paintings[["path", "painter", "group"]], split)["part"].to_numpy()
        train, test = (torch.from_numpy(dealt == name) for name in ("train", "test"))
        colour = ab[train].mean((0, 2, 3), keepdim=True)
        errors[split] = float((ab[test] - colour).square().mean())
    return errors


def rms_lab(mse_ab: float) -> float:
    """Translate mse_ab to an error in Lab units a channel: 0.0133 is 12.7."""
    return AB_SCALE * mse_ab**0.5


def _bin(L: Tensor, bins: int) -> Tensor:
    return ((L + 1) / 2 * bins).long().clamp(0, bins - 1)


def _mean_ciede2000(truth: Tensor, shown: Tensor) -> list[float]:
    truth, shown = (rgb_to_lab(rgb).movedim(1, -1).cpu().numpy() for rgb in (truth, shown))
    return [float(deltaE_ciede2000(a, b).mean()) for a, b in zip(truth, shown, strict=True)]
