"""Old photographs of paintings that survive: the only test of what is said of lost ones.

A folder has photographs.csv, whose form is data/photographs.csv, and the files that it names. Each
photograph is laid onto its painting, and scored where it reaches.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.optimize import isotonic_regression
from skimage.color import deltaE_ciede2000

from ..base.errors import KitError
from ..base.files import kit_file, user_path
from ..color import AB_SCALE, L_CENTER, encode, grey_input
from ..film import grey_of
from ..pictures.files import open_picture
from ..pictures.paint import square
from ..pictures.pretrained import Colorizer
from .ladder import network_ab
from .plates import align

PAIRS_TABLE = "photographs.csv"
PAIR_SIDE = 256  # px


def score_pairs(folder: str | Path, model: Colorizer) -> pd.DataFrame:
    """Score every pair of a folder: how far is the photograph from lightness, and a model from it?

    Columns: those of the table; matches (places that agree), negative (it was one, and was
    inverted) and inside (the share of the painting that it shows); from_lightness (RMS of L*) and
    after_curve (after the best rising curve); mse_ab and ciede2000 of the model on the painting's
    own lightness, and (…_photograph) on the photograph; remark: why a pair has no scores. Raises
    KitError for a folder without a table of this form.
    """
    folder = user_path(str(folder))
    try:
        table = pd.read_csv(folder / PAIRS_TABLE, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KitError(f"{folder / PAIRS_TABLE}: cannot be read: {error}") from error
    needed = pd.read_csv(kit_file("data", PAIRS_TABLE)).columns
    if missing := sorted(set(needed) - set(table.columns)):
        raise KitError(f"{folder / PAIRS_TABLE}: lacks the columns {', '.join(missing)}")
    rows = []
    for row in table.to_dict("records"):
        try:
            files = (folder / row["photograph"], folder / row["painting"])
            shown = [square(open_picture(file).image, PAIR_SIDE) for file in files]
            scores = score_pair(*shown, model)
        except KitError as error:
            scores = {"remark": str(error)}
        rows.append(row | scores)
    return pd.DataFrame(rows)


def score_pair(
    photograph: torch.Tensor, painting: torch.Tensor, model: Colorizer
) -> dict[str, Any]:
    """Score one pair, (1, 3, S, S), sRGB in [0, 1]; see `score_pairs`. KitError if it is none."""
    plate, fixed = (
        grey_of(L_CENTER * (grey_input(rgb) + 1))[0, 0].numpy() for rgb in (photograph, painting)
    )
    laid = align(plate, fixed)
    inside = ~np.isnan(laid.grey)
    L, ab = (part[0].numpy() for part in encode(painting))
    grey = torch.from_numpy(np.where(inside, laid.grey, fixed)).float()[None, None]
    seen = grey_input(grey.expand(-1, 3, -1, -1))[0].numpy()
    told, true = (L_CENTER * (part[0][inside] + 1) for part in (seen, L))
    rising = true[np.argsort(told)]
    off = rising - isotonic_regression(rising).x
    scores = {
        "matches": laid.matches,
        "negative": laid.negative,
        "inside": float(inside.mean()),
        "from_lightness": float(np.sqrt(((told - true) ** 2).mean())),
        "after_curve": float(np.sqrt((off**2).mean())),
    }
    for name, given in (("", L), ("_photograph", seen)):
        guess = network_ab(model, given)[0]
        scores[f"mse_ab{name}"] = float(((guess - ab) ** 2).mean(0)[inside].mean())
        scores[f"ciede2000{name}"] = _error_inside((L, ab), (given, guess), inside)
    return scores | {"remark": ""}


def _error_inside(one: tuple, other: tuple, inside: np.ndarray) -> float:
    labs = [
        np.concatenate((L_CENTER * (L + 1), AB_SCALE * ab))[:, inside].T for L, ab in (one, other)
    ]
    return float(deltaE_ciede2000(*labs).mean())
