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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import Tensor
from torchvision.utils import save_image

from ..base.errors import KitError
from ..base.files import write_atomic
from ..base.templates import render
from ..color import decode, encode
from ..experiment import MODELS
from ..metrics import mean_chroma
from . import stats

if TYPE_CHECKING:
    from ..replication.grid import Grid

CATCH_EVERY = 8  # there is one catch trial for so many test paintings
NEEDED = 194  # independent votes tell 40 % from 50 %: at 5 %, two-sided, with a power of 80 %
PASS = 0.8  # share of catch trials a rater must get right to be counted
CATCH = "catch"


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
    """Read raters' votes with the keys beside them: table, rater, model, path, fooled; remarks.

    The rater is the number of the page, so that one person's pages are one rater's. A page counts
    once, whatever copies of its votes there are. A rater who misses too many catch trials is left
    out. Remarks name both. Raises KitError for a file that is not a page's, whose key is missing,
    or that repeats a trial.
    """
    counted, found, remarks = set(), [], []
    for file in files:
        page, rows = _votes_of(file)
        caught = [row["fooled"] for row in rows if row["model"] == CATCH]
        if page in counted:
            remarks.append(f"{file.name}: left out, {page.name}'s votes are counted already")
        elif not caught or 1 - np.mean(caught) < PASS:
            missed = f"{sum(caught)} of {len(caught)} catch trials missed"
            remarks.append(f"{file.name}: left out, {missed}")
        else:
            counted.add(page)
            found += [row for row in rows if row["model"] != CATCH]
    return found, remarks


def tally(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Count votes model by model: votes, raters, rate (taken for the painting), low, high.

    The interval, 95 %, is that of other raters and other paintings, as the rule `by_votes` has it.
    """
    rows = pd.DataFrame(rows, columns=["model", "rater", "path", "fooled"])
    found = {}
    for model in MODELS:
        mine = rows[rows["model"] == model]
        if len(mine):
            interval = np.quantile(stats.cluster_bootstrap(mine), [0.025, 0.975])
            found[model] = [len(mine), mine["rater"].nunique(), mine["fooled"].mean(), *interval]
    columns = ["votes", "raters", "rate", "low", "high"]
    return pd.DataFrame.from_dict(found, "index", columns=columns)


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
    buffer = io.BytesIO()
    save_image(rgb, buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _votes_of(file: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Read a file of votes: its page, and what was shown and chosen in each trial."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        page, votes = file.with_name(Path(content["page"]).name), content["votes"]
        chosen = {vote["trial"]: vote["side"] for vote in votes}
        fit = len(chosen) == len(votes) and set(chosen.values()) <= {"left", "right"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KitError(f"{file}: not a file of votes ({error})") from error
    key_file = page.with_name(f"{page.name}.key.json")
    try:
        facts = json.loads(key_file.read_text(encoding="utf-8"))
        key, table = dict(enumerate(facts["trials"])), int(facts["runs"][0][1])  # t1-unet_resnet18…
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise KitError(
            f"{file}: its key {key_file.name} is missing or damaged; put it beside it"
        ) from error
    if not (fit and chosen.keys() <= key.keys()):
        raise KitError(f"{file}: does not fit {key_file.name}: trials repeated or unknown")
    rows, whose = [], {"table": table, "rater": page.name.rpartition("-")[0]}
    for number, side in chosen.items():
        trial = key[number]
        shown = {"model": trial["model"], "path": trial["path"]}
        rows.append(whose | shown | {"fooled": side != trial["painting"]})
    return page, rows
