"""Which one is the painting? A two-alternative forced choice between paintings and colourings.

`make_page` writes a page that works from a file, without a network, and a key that says what was
shown; a rater's votes are a JSON file the page saves. Each rater sees a test painting once only,
with one model; the next rater sees it with the next model. Catch trials show a validation
painting beside its negative colours.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy import stats
from torch import Tensor

from ..base.errors import KitError
from ..base.files import write_atomic
from ..base.templates import render
from ..color import decode, encode
from ..experiment import MODELS
from ..metrics import mean_chroma

if TYPE_CHECKING:
    from ..replication.grid import Grid

CATCH_EVERY = 8  # there is one catch trial for so many test paintings
NEEDED = 194  # votes tell 40 % from 50 %: at 5 %, two-sided, with a power of 80 %
PASS = 0.8  # share of catch trials a rater must get right to be counted
CATCH = "catch"


class Tally(NamedTuple):
    """Votes on one model: how often its picture was taken for the painting."""

    model: str
    votes: int
    fooled: int
    rate: float  # the share of votes that took the model's picture for the painting
    low: float  # of the rate, Wilson's interval, 95 %
    high: float
    p: float  # of "as often as not", two-sided binomial test


def make_page(grid: "Grid", table: int, rater: int) -> Path:
    """Write <out>/choice/rater-<n>-<key's checksum>.html and the key beside it; return the page.

    Shows every test painting once, beside one model's colouring, and catch trials, in an order
    and on sides drawn from the rater's number. Raises KitError unless all three models are there.
    """
    folder = grid.folder
    runs = grid.finished(table) if table in grid.tables else []
    if len(runs) < len(MODELS):
        raise KitError(
            f"{folder.path}: {len(runs)} of Table {table}'s {len(MODELS)} models are finished; "
            "colorkit reproduce first"
        )
    test = folder.pixels["test"]
    vivid = _most_vivid(folder.pixels["valid"], len(test))
    pairs = {CATCH: (vivid.float() / 255, _negative(vivid))}
    for run in runs:
        coloured = folder.coloured(run, test)
        pairs[run["config"]["model"]] = test.float() / 255, coloured
    paths = folder.listed.query("part == 'test'")["path"].tolist()
    numbers, key = _draw_trials(paths, len(vivid), rater)
    shown = []
    for trial, (number, drawn) in enumerate(zip(numbers, key, strict=True)):
        pair = [_png(pictures[number]) for pictures in pairs[drawn["model"]]]
        left, right = pair if drawn["painting"] == "left" else pair[::-1]
        shown.append({"trial": trial, "left": left, "right": right})
    facts = {"runs": [run["id"] for run in runs], "trials": key}
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
    pages, name = folder.path / "choice", f"rater-{rater}-{digest}"
    write_atomic(pages / f"{name}.key.json", json.dumps(facts, indent=1) + "\n")
    page = render(
        "claims/choice.html", {"page": name, "trials": json.dumps(shown), "count": len(shown)}
    )
    write_atomic(pages / f"{name}.html", page)
    return pages / f"{name}.html"


def read_votes(files: Sequence[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """Read raters' votes with the keys beside them: rows of rater, model, path, fooled; remarks.

    A rater who misses too many catch trials is left out, and named. Raises KitError for a file
    that is not a page's, whose key is missing, or that repeats a trial.
    """
    rows, remarks = [], []
    for file in files:
        votes, key = _votes_and_key(file)
        counted = []
        for vote in votes:
            trial = key[vote["trial"]]
            fooled = vote["side"] != trial["painting"]
            counted.append({"model": trial["model"], "path": trial["path"], "fooled": fooled})
        caught = [row["fooled"] for row in counted if row["model"] == CATCH]
        if not caught or 1 - np.mean(caught) < PASS:
            missed = f"{sum(caught)} of {len(caught)} catch trials missed"
            remarks.append(f"{file.name}: left out, {missed}")
            continue
        mine = {"rater": file.name.removesuffix(".votes.json")}
        rows += [mine | row for row in counted if row["model"] != CATCH]
    return rows, remarks


def tally(rows: Iterable[dict[str, Any]]) -> list[Tally]:
    """Count votes model by model, with Wilson's interval and the binomial test against 50 %."""
    rows, found = list(rows), []
    for model in MODELS:
        votes = [row["fooled"] for row in rows if row["model"] == model]
        if votes:
            test = stats.binomtest(sum(votes), len(votes), 0.5)
            low, high = test.proportion_ci(method="wilson")
            counts = len(votes), sum(votes), test.statistic
            found.append(Tally(model, *counts, low, high, float(test.pvalue)))
    return found


def _draw_trials(
    paths: Sequence[str], catches: int, rater: int
) -> tuple[list[int], list[dict[str, str]]]:
    """Draw which picture is shown in each trial, and the key: its path, the model, the side."""
    random, models = np.random.default_rng(rater), list(MODELS)
    trials = [(n, path, models[(n + rater) % len(models)]) for n, path in enumerate(paths)]
    trials += [(n, "", CATCH) for n in range(catches)]
    random.shuffle(trials)
    key = []
    for _, path, model in trials:
        side = ("left", "right")[random.integers(2)]
        key.append({"path": path, "model": model, "painting": side})
    return [number for number, *_ in trials], key


def _most_vivid(pixels: Tensor, tested: int) -> Tensor:
    """Choose the paintings for catch trials: the negative of a grey one is no catch."""
    count = min(len(pixels), max(2, tested // CATCH_EVERY))
    return pixels[mean_chroma(pixels.float() / 255).argsort(descending=True)[:count]]


def _negative(pixels: Tensor) -> Tensor:
    L, ab = encode(pixels.float() / 255)
    return decode(L, -ab)


def _png(rgb: Tensor) -> str:
    values = (255 * rgb).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _votes_and_key(file: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        page, votes = content["page"], content["votes"]
        trials = [vote["trial"] for vote in votes]
        sides = {vote["side"] for vote in votes}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KitError(f"{file}: not a file of votes ({error})") from error
    key_file = file.with_name(f"{Path(page).name}.key.json")
    try:
        key = json.loads(key_file.read_text(encoding="utf-8"))["trials"]
    except (OSError, ValueError, KeyError) as error:
        raise KitError(
            f"{file}: its key {key_file.name} is missing or damaged; put it beside it"
        ) from error
    known = set(range(len(key)))
    if len(set(trials)) < len(trials) or not set(trials) <= known or not sides <= {"left", "right"}:
        raise KitError(f"{file}: does not fit {key_file.name}: trials repeated or unknown")
    return votes, key
