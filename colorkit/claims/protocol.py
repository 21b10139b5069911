"""A comparison that is fixed before its results: which runs, which metric, which rule for a claim.

The file is YAML (results/protocol.yaml); its studies run through the same workflow as a single
grid, each split into a results folder of its own: <out>/<study>/<split>/.
"""

import datetime
import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from ..base.errors import KitError
from ..base.files import kit_file, runs_root, user_path, write_atomic
from ..experiment import MODELS, check_choice, check_type, data_name, slug
from ..replication.grid import Grid, check
from ..replication.paper import claims as paper_claims
from ..replication.paper import paper_text
from ..replication.reproduce import complete
from ..splits import SCHEMES
from .distances import compare_outputs, count_colours

VERSION = 2  # 1: seeds shared by all splits, no needs; it can be read, and decides nothing
HISTORY = "protocol-history.json"
LEAST_ASSURANCE = 0.8  # a study less likely to find the truth decides nothing
SEEDS_A_SPLIT = 1000  # seeds of split n: 1000 n + the study's
# The names of the rules (rules.RULES), and which of them need no runs.
RULES = ("consistent", "exchangeable", "like_training", "lowest", "equal_models", "same_rate")
RULES += ("nearer_than_scratch", "beats_table", "by_votes", "within_hours", "falls_faster")
RULES += ("more_helps",)
ARITHMETIC = ("exchangeable",)
UNDECIDABLE = ("beats_table",)  # their claims do not say what would be true
NEEDS = {
    "size": (int, "{} px"),
    "epochs": (int, "{} epochs"),
    "batch_size": (int, "batches of {}"),
    "weights": (str, "a ResNet-18 with {} weights"),
    "models": (str, "{} three models"),
    "tables": (int, "{} tables"),
    "runs": (int, "{} runs a model and table"),
    "training_paintings": (int, "{} training paintings"),
    "device": (str, "a {}"),
    "votes": (int, "{} votes a model"),
    "raters": (int, "{} raters"),
}
CLEAN = ("paper", "usual", "fold", "draw")  # schemes of splits that no lesson spoils
NOISE = ("runs", "ratios", "painters", "paintings")


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
    profile: str = ""  # empty: the protocol's
    own_seeds: bool = True  # each split has seeds of its own

    @property
    def clean(self) -> bool:
        """Tell whether its splits are dealt without a leak, of all paintings and painters."""
        return all(split.partition("-")[0] in CLEAN for split in self.splits)

    @property
    def runs(self) -> int:
        """Count its runs, without variants."""
        return math.prod(map(len, (self.splits, self.tables, self.seeds, self.models)))

    def seeds_of(self, split: str) -> tuple[int, ...]:
        """Return the seeds of a split: its own, so that no two splits share their chance."""
        first = SEEDS_A_SPLIT * (self.splits.index(split) + 1) if self.own_seeds else 0
        return tuple(first + seed for seed in self.seeds)


@dataclass(frozen=True)
class Terms:
    """What a protocol asks of one claim before it may be judged, and how it is."""

    rule: str
    needs: dict[str, Any]
    margin: float = 0.0
    assurance: float = 0.0  # simulated: how often the design confirms it if the paper is right

    @property
    def arithmetic(self) -> bool:
        """Tell whether nothing has to be trained for it."""
        return self.rule in ARITHMETIC

    @property
    def needed(self) -> str:
        """Say the needs in words."""
        told = [
            words.format(self.needs[name])
            for name, (_, words) in NEEDS.items()
            if name in self.needs
        ]
        return ", ".join(told).replace("imagenet", "ImageNet")


@dataclass(frozen=True)
class Analysis:
    """How the runs are read; every rule of the ledger uses these numbers and no others."""

    primary: str = "mse_ab"
    alpha: float = 0.05  # rate of false alarms, of confirming and of refuting alike
    draws: int = 10_000
    # The paper's pattern of rows: validation over training 1.00 to 1.07, test over validation
    # 2.1 to 2.8. A cause gives that pattern if it comes as near as this.
    like_training: float = 1.15
    twice: float = 1.9
    # Standard deviations on the log scale, as expected beforehand: of one run's error, of the
    # ratio of two parts' errors in one run, of the level of other painters, of a painting's error.
    noise: dict[str, float] = field(
        default_factory=lambda: {"runs": 0.15, "ratios": 0.08, "painters": 0.26, "paintings": 0.75}
    )

    def __post_init__(self) -> None:
        check_choice("primary", self.primary, ("mse_ab", "mse_rgb", "ciede2000"))
        if not 0 < self.alpha <= 0.2:
            raise KitError(f"alpha {self.alpha}: must be above 0 and at most 0.2")
        if not 100 <= self.draws <= 1_000_000:
            raise KitError(f"draws {self.draws}: must be between 100 and 1000000")
        wrong = [n for n in self.noise.values() if type(n) not in (int, float) or not 0 < n < 10]
        if set(self.noise) != set(NOISE) or wrong:
            raise KitError(f"noise: needs {', '.join(NOISE)}, each a number above 0 and below 10")


@dataclass(frozen=True)
class Protocol:
    """A protocol file, checked. `fixed` is the day it was fixed; `text` the file itself."""

    fixed: str
    paintings: str  # in words: what the results are about
    profile: str
    painters: str
    studies: tuple[Study, ...]
    analysis: Analysis
    claims: dict[str, Terms]  # by the claim's id
    text: str
    version: int = VERSION

    @property
    def sha256(self) -> str:
        """Identify the file and what the paper is taken to say (results/paper.json)."""
        words = "" if self.version == 1 else paper_text()
        return hashlib.sha256((self.text + words).encode()).hexdigest()

    @property
    def main(self) -> Study:
        """Return the study that is shown where nothing else is asked for: clean, with most runs."""
        studies = [study for study in self.studies if study.clean and not study.painters]
        if not studies:
            raise KitError("no study with a clean split of all the painters")
        return max(studies, key=lambda study: study.runs)

    def grids(self, out: Path, data: str = "sample") -> dict[tuple[str, str], Grid]:
        """List the grids to be run: {(study, split): grid}, each with a folder of its own."""
        return {
            (study.name, split): Grid(
                folder(out, study.name, split),
                study.profile or self.profile,
                data,
                study.painters or self.painters,
                study.tables,
                study.seeds_of(split),
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


def record(protocol: Protocol, rules: str, out: Path) -> list[dict[str, Any]]:
    """Keep the protocol with its results, and note when another one was used before.

    Writes <out>/protocol.yaml and protocol-history.json; returns the history, oldest first:
    {"sha256", "rules", "fixed", "used_from", "results": how many runs were finished by then}.
    rules: identifies what the rules make of known archives (claims.rules_sha256).
    """
    history = read_history(out)
    if not history or (history[-1]["sha256"], history[-1]["rules"]) != (protocol.sha256, rules):
        facts = {"sha256": protocol.sha256, "rules": rules, "fixed": protocol.fixed}
        facts |= {"used_from": datetime.date.today().isoformat()}
        history.append(facts | {"results": len(list(out.glob("*/*/runs/t*.json")))})
        write_atomic(out / HISTORY, json.dumps(history, indent=1) + "\n")
    write_atomic(out / "protocol.yaml", protocol.text)
    return history


def run_protocol(
    protocol: Protocol,
    rules: str,
    data: str,
    out: Path,
    jobs: int = 1,
    elsewhere: Collection[tuple[str, str]] = (),
) -> int:
    """Run what is missing of a protocol, one results folder after the other.

    rules: as `record` keeps it; elsewhere: (study, split) that another machine has run.

    Returns the exit code: 0 if every run has a result, 1 if some failed, 130 if stopped: the
    same command goes on. Raises KitError for a request that cannot be run.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    grids = {key: g for key, g in protocol.grids(out, data).items() if key not in elsewhere}
    for grid in grids.values():
        check(grid)
    record(protocol, rules, out)
    codes = []
    for number, ((study, split), grid) in enumerate(grids.items(), start=1):
        console.print(f"{study}, {split} ({number} of {len(grids)})")
        codes.append(complete(grid, jobs, console))
        if codes[-1] == 130:
            return 130
        if study == protocol.main.name and set(grid.models) == set(MODELS):
            compare_outputs(grid)
            count_colours(grid)
    return max(codes, default=0)


def read_history(out: Path) -> list[dict[str, Any]]:
    """Read which protocols a folder's results were made under, oldest first."""
    path = out / HISTORY
    if not path.exists():
        return []
    try:
        return [
            {"rules": ""}
            | {name: entry[name] for name in ("sha256", "fixed", "used_from", "results")}
            | {name: entry[name] for name in ("rules",) if name in entry}
            for entry in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(f"{path}: damaged ({error}); restore it") from error


def _protocol(content: Any, text: str) -> Protocol:
    needed = {"version", "fixed", "paintings", "profile", "studies", "analysis", "claims"}
    content = _mapping("the protocol", content, needed | {"painters"}, needed)
    version = content["version"]
    if version not in (1, VERSION):
        raise KitError(f"version {version}: must be {VERSION}")
    fixed = content["fixed"]
    if type(fixed) is not datetime.date or fixed > datetime.date.today():
        raise KitError(f"fixed {fixed!s:.40}: must be a date, such as 2026-11-24, and not to come")
    if not isinstance(content["studies"], Mapping) or not content["studies"]:
        raise KitError("studies: must name at least one")
    for name in ("paintings", "profile"):
        check_type(name, content[name], str)
    old = version == 1
    studies = tuple(_study(name, study, not old) for name, study in content["studies"].items())
    protocol = Protocol(
        fixed.isoformat(),
        content["paintings"],
        content["profile"],
        content.get("painters") or "",
        studies,
        _first_analysis(content["analysis"]) if old else _analysis(content["analysis"]),
        _todays_claims() if old else _claims(content["claims"]),
        text,
        version,
    )
    for grid in protocol.grids(Path("/")).values():
        grid.experiments()
    return protocol


def _todays_claims() -> dict[str, Terms]:
    """Return the terms of the kit's own protocol: one of version 1 has none it could decide by."""
    return read_protocol(str(kit_file("results", "protocol-cpu.yaml"))).claims


def _first_analysis(content: Any) -> Analysis:
    names = ("primary", "draws", "like_training", "twice")
    return Analysis(**{name: content[name] for name in names if name in content})


def _different(values: list[Any]) -> bool:
    """Tell whether a list has something in it, and nothing twice."""
    return bool(values) and len(set(map(str, values))) == len(values)


def _study(name: str, content: Any, own_seeds: bool) -> Study:
    known = {field.name for field in fields(Study)} - {"name", "own_seeds"}
    content = _mapping(f"study {name}", content, known, {"splits"})
    if name != slug(str(name)):
        raise KitError(f"study {name!r}: its name must be letters, digits, dots and dashes")
    for key, value in content.items():
        wanted = {"epochs": int, "painters": str, "profile": str}.get(key, list)
        check_type(f"study {name}: {key}", value, wanted)
        if wanted is list and not (_different(value) or (key == "variants" and not value)):
            raise KitError(f"study {name}: {key} must be a list of different values")
    for split in content["splits"]:
        check_choice(f"study {name}: split", str(split).partition("-")[0], SCHEMES)
    for model in content.get("models", ()):
        check_choice(f"study {name}: model", model, MODELS)
    lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
    for number in ("table", "seed"):
        for value in lists.get(f"{number}s", ()):
            check_type(number, value, int)
    return Study(name, **content | lists, own_seeds=own_seeds)


def _analysis(content: Any) -> Analysis:
    kinds = {field.name: field.type for field in fields(Analysis)} | {"noise": dict}
    content = _mapping("analysis", content, set(kinds), {"primary", "alpha", "draws", "noise"})
    for key, value in content.items():
        check_type(f"analysis: {key}", value, kinds[key])
    return Analysis(**content)


def _claims(content: Any) -> dict[str, Terms]:
    ids = {claim["id"] for claim in paper_claims()}
    return {
        name: _terms(name, terms) for name, terms in _mapping("claims", content, ids, ids).items()
    }


def _terms(name: str, content: Any) -> Terms:
    known = {field.name for field in fields(Terms)}
    content = _mapping(f"claim {name}", content, known, {"rule", "needs", "assurance"})
    check_choice(f"claim {name}: rule", str(content["rule"]), RULES)
    needs = _mapping(f"claim {name}: needs", content["needs"], set(NEEDS), set())
    for need, value in needs.items():
        check_type(f"claim {name}: {need}", value, NEEDS[need][0])
    check_choice(f"claim {name}: models", needs.get("models", "all"), ("all",))
    for key, most in (("margin", 10), ("assurance", 1)):
        value = content.get(key, 0)
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise KitError(f"claim {name}: {key} {value!r}: must be a number from 0 to {most}")
    return Terms(**content | {"needs": needs})


def _mapping(where: str, content: Any, known: set[str], needed: set[str]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise KitError(f"{where}: must be a list of names with values")
    if unknown := set(map(str, content)) - known:
        raise KitError(f"{where}: unknown {min(unknown)}; known are {', '.join(sorted(known))}")
    if absent := needed - set(content):
        raise KitError(f"{where}: {min(absent)} is missing")
    return dict(content)
