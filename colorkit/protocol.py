"""A comparison that is fixed before its results: which runs, which metric, which rule for a claim.

The file is YAML (results/protocol.yaml); its studies run through the same workflow as a single
grid, each split into a results folder of its own: <out>/<study>/<split>/.
"""

import datetime
import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from .claims import LEAST_TOLERANCE, RULES, paper
from .errors import KitError
from .experiment import check_choice, check_type, data_name, slug
from .grid import Grid, check
from .outputs import compare_outputs, count_colours
from .paths import runs_root, user_path, write_atomic
from .recipes import MODELS
from .reproduce import complete
from .splits import SCHEMES

VERSION = 1
HISTORY = "protocol-history.json"


@dataclass(frozen=True)
class Study:
    """One set of runs: splits x tables x seeds x models, and variants."""

    name: str
    splits: tuple[str, ...]
    tables: tuple[int, ...] = (1, 2)
    seeds: tuple[int, ...] = (0,)
    models: tuple[str, ...] = tuple(MODELS)
    variants: tuple[str, ...] = ()
    epochs: int = 0  # 0: the profile's
    painters: str = ""  # empty: the protocol's


@dataclass(frozen=True)
class Analysis:
    """How the runs are read; every rule of the ledger uses these numbers and no others."""

    primary: str = "mse_ab"
    confidence: float = 0.95
    draws: int = 10_000
    # The paper's pattern of rows: validation over training 1.00 to 1.07, test over validation
    # 2.1 to 2.8. A cause gives that pattern if it comes as near as this.
    like_training: float = 1.15
    twice: float = 1.9

    def __post_init__(self) -> None:
        check_choice("primary", self.primary, ("mse_ab", "mse_rgb", "ciede2000"))
        if not 0.5 <= self.confidence < 1:
            raise KitError(f"confidence {self.confidence}: must be at least 0.5 and below 1")
        if not 100 <= self.draws <= 1_000_000:
            raise KitError(f"draws {self.draws}: must be between 100 and 1000000")


@dataclass(frozen=True)
class Protocol:
    """A protocol file, checked. `fixed` is the day it was fixed; `text` the file itself."""

    fixed: str
    paintings: str  # in words: what the results are about
    profile: str
    painters: str
    studies: tuple[Study, ...]
    analysis: Analysis
    claims: dict[str, tuple[str, float]]  # the id of a claim: its rule and its tolerance
    text: str

    @property
    def sha256(self) -> str:
        """Identify the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def grids(self, out: Path, data: str = "sample") -> dict[tuple[str, str], Grid]:
        """List the grids to be run: {(study, split): grid}, each with a folder of its own."""
        return {
            (study.name, split): Grid(
                folder(out, study.name, split),
                self.profile,
                data,
                study.painters or self.painters,
                study.tables,
                study.seeds,
                study.models,
                study.variants,
                split,
                study.epochs,
            )
            for study in self.studies
            for split in study.splits
        }


def folder(out: Path, study: str, split: str) -> Path:
    """Return the results folder of one split of a study."""
    return out / study / slug(split)


def protocol_folder(out: str, protocol: str, data: str) -> Path:
    """Choose where a protocol's results go: `out`, or runs/<the file's name>-<data>."""
    return user_path(out) if out else runs_root() / slug(f"{Path(protocol).stem}-{data_name(data)}")


def read_protocol(path: str) -> Protocol:
    """Read and check a protocol; KitError with the line's name, the rule and the remedy."""
    file = user_path(path)
    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise KitError(f"{path}: not a protocol ({' '.join(str(error).split())})") from error
    try:
        return _protocol(content, text)
    except KitError as error:
        raise KitError(f"{path}: {error}") from error


def record(protocol: Protocol, out: Path) -> list[dict[str, Any]]:
    """Keep the protocol with its results, and note when another one was used before.

    Writes <out>/protocol.yaml and protocol-history.json; returns the history, oldest first:
    {"sha256", "fixed", "used_from", "results": how many runs were finished by then}.
    """
    history = read_history(out)
    if not history or history[-1]["sha256"] != protocol.sha256:
        facts = {"sha256": protocol.sha256, "fixed": protocol.fixed}
        facts |= {"used_from": datetime.date.today().isoformat()}
        history.append(facts | {"results": len(list(out.glob("*/*/runs/t*.json")))})
        write_atomic(out / HISTORY, json.dumps(history, indent=1) + "\n")
    write_atomic(out / "protocol.yaml", protocol.text)
    return history


def run_protocol(
    protocol: Protocol,
    data: str,
    out: Path,
    jobs: int = 1,
    elsewhere: Collection[tuple[str, str]] = (),
) -> int:
    """Run what is missing of a protocol, one results folder after the other.

    elsewhere: (study, split) that another machine has run (gathering.join).

    Returns the exit code: 0 if every run has a result, 1 if some failed, 130 if stopped: the
    same command goes on. Raises KitError for a request that cannot be run.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    grids = {key: g for key, g in protocol.grids(out, data).items() if key not in elsewhere}
    for grid in grids.values():
        check(grid)
    record(protocol, out)
    codes = []
    for number, ((study, split), grid) in enumerate(grids.items(), start=1):
        console.print(f"{study}, {split} ({number} of {len(grids)})")
        codes.append(complete(grid, jobs, console))
        if codes[-1] == 130:
            return 130
        if study == "tables":
            compare_outputs(grid)
            count_colours(grid)
    return max(codes, default=0)


def edited_after_results(protocol: Protocol, history: list[dict[str, Any]]) -> bool:
    """Tell whether a protocol is another one than that which its first results were made under."""
    if not history:
        return False
    late = any(entry["results"] for entry in history)
    return late or history[-1]["sha256"] != protocol.sha256


def read_history(out: Path) -> list[dict[str, Any]]:
    """Read which protocols a folder's results were made under, oldest first."""
    path = out / HISTORY
    if not path.exists():
        return []
    try:
        return [
            {name: entry[name] for name in ("sha256", "fixed", "used_from", "results")}
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(f"{path}: damaged ({error}); restore it") from error


def _protocol(content: Any, text: str) -> Protocol:
    needed = {"version", "fixed", "paintings", "profile", "studies", "analysis", "claims"}
    content = _mapping("the protocol", content, needed | {"painters"}, needed)
    if content["version"] != VERSION:
        raise KitError(f"version {content['version']}: must be {VERSION}")
    fixed = content["fixed"]
    if type(fixed) is not datetime.date or fixed > datetime.date.today():
        raise KitError(f"fixed {fixed!s:.40}: must be a date, such as 2026-11-24, and not to come")
    if not isinstance(content["studies"], Mapping) or "tables" not in content["studies"]:
        raise KitError("studies: must name at least the study 'tables'")
    for name in ("paintings", "profile"):
        check_type(name, content[name], str)
    protocol = Protocol(
        fixed.isoformat(),
        content["paintings"],
        content["profile"],
        content.get("painters") or "",
        tuple(_study(name, study) for name, study in content["studies"].items()),
        _analysis(content["analysis"]),
        _claims(content["claims"]),
        text,
    )
    for grid in protocol.grids(Path("/")).values():
        grid.experiments()
    return protocol


def _different(values: list[Any]) -> bool:
    """Tell whether a list has something in it, and nothing twice."""
    return bool(values) and len(set(map(str, values))) == len(values)


def _study(name: str, content: Any) -> Study:
    known = {field.name for field in fields(Study)} - {"name"}
    content = _mapping(f"study {name}", content, known, {"splits"})
    if name != slug(str(name)):
        raise KitError(f"study {name!r}: its name must be letters, digits, dots and dashes")
    for key, value in content.items():
        wanted = {"epochs": int, "painters": str}.get(key, list)
        check_type(f"study {name}: {key}", value, wanted)
        if wanted is list and not (_different(value) or (key == "variants" and not value)):
            raise KitError(f"study {name}: {key} must be a list of different values")
    for split in content["splits"]:
        check_choice(f"study {name}: split", str(split).partition("-")[0], SCHEMES)
    for model in content.get("models", ()):
        check_choice(f"study {name}: model", model, MODELS)
    lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    for table in lists.get("tables", ()):
        check_type("table", table, int)
    return Study(name, **content | lists)


def _analysis(content: Any) -> Analysis:
    kinds = {field.name: field.type for field in fields(Analysis)}
    content = _mapping("analysis", content, set(kinds), {"primary", "confidence", "draws"})
    for key, value in content.items():
        check_type(f"analysis: {key}", value, kinds[key])
    return Analysis(**content)


def _claims(content: Any) -> dict[str, tuple[str, float]]:
    ids = {claim["id"] for claim in paper()["claims"]}
    rules = {}
    for name, rule in _mapping("claims", content, ids, ids).items():
        rule = _mapping(f"claim {name}", rule, {"rule", "tolerance"}, {"rule"})
        check_choice(f"claim {name}: rule", str(rule["rule"]), RULES)
        tolerance, least = rule.get("tolerance", 0), LEAST_TOLERANCE.get(str(rule["rule"]), 0)
        if type(tolerance) not in (int, float) or not least <= tolerance < math.inf:
            raise KitError(
                f"claim {name}: tolerance {tolerance!r}: must be a number, {least} or more"
            )
        rules[name] = rule["rule"], float(tolerance)
    return rules


def _mapping(where: str, content: Any, known: set[str], needed: set[str]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise KitError(f"{where}: must be a list of names with values")
    if unknown := set(map(str, content)) - known:
        raise KitError(f"{where}: unknown {min(unknown)}; known are {', '.join(sorted(known))}")
    if absent := needed - set(content):
        raise KitError(f"{where}: {min(absent)} is missing")
    return dict(content)
