"""What each kind of evidence of a painting's colours is worth, on the same paintings.

Five folds test every painting once. Each rung is compared with what lightness alone tells (an L
table), painting set by painting set; whether it differs is said by an interval over the folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import shift
from scipy.stats import t
from torch import Tensor
from torch.nn.functional import interpolate

from ..base.files import write_atomic
from ..color import encode
from ..curation import curate
from ..film import CONTRAST, EXPOSURE, photograph
from ..metrics import ColourTable, fit_colour_table, score
from ..pictures.pretrained import Colorizer, load_pretrained
from ..pixels import load_pixels
from ..sources import open_source
from ..splits import FOLDS, deal
from .evidence import LIGHTNESSES, Errors, lightness_bin
from .plates import PlateTable
from .spread import random_points, spread

RUNG_SIDE = 128  # px: a quarter of the time that 256 takes
POINTS = (5, 10, 20, 50)
PLATES = ("ortho", "pan,daylight,yellow")
GRAIN = 2.0  # L*
OFF = 0.7  # px down and across: one along the diagonal
OTHER_WORKS = 4.0  # paintings that the L table counts for beside a painter's own
GREY = "its lightness: an L table"
Plates = list[np.ndarray]  # two: greys (n, S, S)


@dataclass(frozen=True)
class Paintings:
    """All of a source's paintings at S px: L (n, S, S), ab (n, 2, S, S), and their plates."""

    manifest: pd.DataFrame
    pixels: Tensor
    L: np.ndarray
    ab: np.ndarray

    @classmethod
    def of(cls, data: str, side: int, painters: str = "all") -> "Paintings":
        """Read them. KitError as `sources.open_source`, or if there are fewer than ten."""
        source = open_source(data)
        manifest = curate(source, painters, "fold-1").manifest
        pixels = load_pixels(source.root, manifest, side)
        L, ab = encode(pixels.float() / 255)
        return cls(manifest, pixels, L[:, 0].numpy(), ab.numpy())

    def plates(self, grain: float = 0.0, curves: bool = False) -> Plates:
        """Photograph all on PLATES; curves: each with an exposure and a contrast of its own."""
        random, shots = np.random.default_rng(0), []
        for number, plate in enumerate(PLATES):
            shot = []
            for index, rgb in enumerate(self.pixels):
                how = {"grain": grain, "seed": 2 * index + number}
                if curves:
                    how["stops"] = random.normal(0, EXPOSURE)
                    how["gamma"] = random.lognormal(0, CONTRAST)
                shot.append(photograph(rgb[None].float() / 255, plate, **how)[0, 0].numpy())
            shots.append(np.stack(shot))
        return shots


def climb(
    data: str = "sample", painters: str = "", models: Sequence[str] = (), side: int = RUNG_SIDE
) -> pd.DataFrame:
    """Measure every rung: a row each, in the order of the ladder.

    models: names for `load_pretrained`; paintings that a model was trained on say nothing. side:
    px; a point and a misregistration are as large in any, so smaller pictures are harder.
    Columns: evidence; mse_ab, ciede2000 and bits (a pixel, in ab bins of 10 units), means over
    paintings; ratio (of mse_ab to the L table's) with its 95 % interval low to high over folds;
    sure: whether that excludes 1, "yes" or "no"; empty for the L table itself.
    """
    paintings = Paintings.of(data, side, painters)
    ideal, rough = paintings.plates(), paintings.plates(grain=GRAIN)
    rough[1] = shift(rough[1], (0, OFF, OFF), order=1, mode="nearest")
    shots = {
        "a second plate, ideal": (ideal, ideal),
        "a second plate, grain and 1 px off": (rough, rough),
        "a second plate, unknown curves": (ideal, paintings.plates(curves=True)),
    }
    networks = {f"the model {n}": network_ab(load_pretrained(n), paintings.L) for n in models}
    folds = [_climb_in(paintings, number, shots, networks) for number in range(1, FOLDS + 1)]
    means = pd.concat(folds).groupby("evidence", sort=False).mean(numeric_only=True)
    by_fold = pd.DataFrame([f.groupby("evidence", sort=False)["mse_ab"].mean() for f in folds])
    logs = np.log(by_fold.div(by_fold[GREY], axis=0))
    for evidence in means.index:
        ratio, low, high = interval_over_folds(logs[evidence].to_numpy())
        means.loc[evidence, ["ratio", "low", "high"]] = ratio, low, high
    sure = (means["low"] > 1) | (means["high"] < 1)
    means["sure"] = sure.map({True: "yes", False: "no"}).where(means.index != GREY, "")
    return means.reset_index()


def interval_over_folds(logs: np.ndarray) -> tuple[float, float, float]:
    """Average log ratios of folds (n,): the ratio and its 95 % interval.

    Student's, with Nadeau and Bengio's (2003) correction, because folds share training paintings:
    1/n + tested/trained. Each tests two tenths, trains on seven and watches one.
    """
    count, mean = len(logs), logs.mean()
    error = np.sqrt(logs.var(ddof=1) * (1 / count + 2 / 7))
    reach = t.ppf(0.975, count - 1) * error
    return tuple(np.exp([mean, mean - reach, mean + reach]).tolist())


def _climb_in(
    paintings: Paintings,
    number: int,
    shots: dict[str, tuple[Plates, Plates]],
    networks: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Score all rungs on one fold's test paintings: a row for each rung and painting.

    shots: for each kind of evidence the plates that a table is fitted on, and those it reads.
    """
    part = deal(paintings.manifest, f"fold-{number}")["part"].to_numpy()
    train, valid, test = (np.flatnonzero(part == name) for name in ("train", "valid", "test"))
    asked = np.concatenate((valid, test))
    guesses = _without_plates(paintings, train, asked)
    for evidence, (fitted, seen) in shots.items():
        guesses[evidence] = _two_plates(paintings, train, asked, fitted, seen)
    for evidence, answers in networks.items():
        guesses[evidence] = answers[asked]
    L, ab = torch.from_numpy(paintings.L[test])[:, None], torch.from_numpy(paintings.ab[test])
    tables = []
    for evidence, guess in guesses.items():
        watched, told = np.split(guess, [len(valid)])
        errors = Errors(paintings.L[valid], paintings.ab[valid] - watched)
        scores = pd.DataFrame(score(L, torch.from_numpy(told).float(), ab))
        bits = errors.bits(paintings.L[test], paintings.ab[test] - told)
        rows = scores[["mse_ab", "ciede2000"]].assign(evidence=evidence, bits=bits)
        tables.append(rows)
    return pd.concat(tables)


def _without_plates(
    paintings: Paintings, train: np.ndarray, asked: np.ndarray
) -> dict[str, np.ndarray]:
    """Guess by the rungs that need one grey picture: the ab of the paintings asked for."""
    L, ab = paintings.L[asked], paintings.ab[asked]
    one, table = (fit_colour_table(paintings.pixels[train], bins) for bins in (1, LIGHTNESSES))
    told = _table_ab(table, L)
    rungs = {"nothing: one colour": _table_ab(one, L), GREY: told}
    error = paintings.ab[train] - _table_ab(table, paintings.L[train])
    rungs["its painter's other works"] = told + _other_works(paintings, train, asked, error)
    rungs["its mean colour"] = told + (ab - told).mean((2, 3), keepdims=True)
    for count in POINTS:
        drawn = [random_points(ab[n], count, [count, i]) for n, i in enumerate(asked)]
        given = zip(L, told, drawn, strict=True)
        rungs[f"{count} known points"] = np.stack([spread(*one).ab for one in given])
    return rungs


def _table_ab(table: ColourTable, L: np.ndarray) -> np.ndarray:
    return table(torch.from_numpy(L)[:, None]).numpy()


def _other_works(
    paintings: Paintings, train: np.ndarray, asked: np.ndarray, error: np.ndarray
) -> np.ndarray:
    """Say how a painter's training paintings differ from the L table, lightness by lightness.

    error: of the L table on the training paintings. Returns what to add to its ab.
    """
    painters, bins = paintings.manifest["painter"].to_numpy(), lightness_bin(paintings.L)
    belief = OTHER_WORKS * bins[0].size / LIGHTNESSES
    offsets = []
    for chosen in asked:
        own = painters[train] == painters[chosen]
        index = bins[train][own].ravel()
        sums = [np.bincount(index, e.ravel(), LIGHTNESSES) for e in error[own].swapaxes(0, 1)]
        counts = np.bincount(index, minlength=LIGHTNESSES) + belief
        offsets.append((np.stack(sums) / counts)[:, bins[chosen]])
    return np.stack(offsets)


def _two_plates(
    paintings: Paintings, train: np.ndarray, asked: np.ndarray, fitted: Plates, seen: Plates
) -> np.ndarray:
    """Guess by a table of training paintings' plates; others are evened before it reads them."""
    known, pair = [plate[train] for plate in fitted], [plate[asked] for plate in seen]
    table = PlateTable(*known, paintings.L[train], paintings.ab[train])
    return table(*(pair if seen is fitted else table.even(*pair)))[1]


def network_ab(model: Colorizer, L: np.ndarray) -> np.ndarray:
    """Let a model colour L (n, S, S) in [-1, 1] at its own size: ab/110, (n, 2, S, S)."""
    side, answers = L.shape[-1], []
    with torch.inference_mode():
        for batch in torch.from_numpy(L)[:, None].split(16):
            small = interpolate(batch, (model.size, model.size), mode="bicubic", antialias=True)
            ab = model(small)
            answers.append(interpolate(ab, (side, side), mode="bilinear", antialias=True))
    return torch.cat(answers).float().numpy()


def write_ladder(table: pd.DataFrame, folder: Path) -> None:
    """Write ladder.csv and ladder.png."""
    from ..base.rendering import png
    from .plots import ladder

    write_atomic(folder / "ladder.csv", table.to_csv(index=False, float_format="%.4g"))
    write_atomic(folder / "ladder.png", png(ladder(table)[0]))
