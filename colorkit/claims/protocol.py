"""A comparison that is fixed before its results: which runs, which metric, which rule for a claim.

The file is YAML (results/protocol.yaml); its studies run as a single grid does, each
split into a results folder of its own: <out>/<study>/<split>/.
"""

import datetime
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from ..base.errors import KitError, check_choice
from ..base.files import slug
from ..experiment import MODELS
from ..folder import Folder
from ..replication.grid import Grid
from ..replication.paper import claims as paper_claims
from ..replication.paper import paper_text
from ..splits import SCHEMES

LEAST_ASSURANCE = 0.8  # a study less likely to find the truth decides nothing
SEEDS_A_SPLIT = 1000  # seeds of split n: 1000 n + the study's
# The names of the rules, in the order of the paper's claims.
RULE_NAMES = ("consistent", "exchangeable", "like_training", "lowest", "equal_models", "same_rate")
RULE_NAMES += ("nearer_than_scratch", "beats_table", "by_votes", "within_hours", "falls_faster")
RULE_NAMES += ("more_helps",)
ARITHMETIC = "exchangeable"  # nothing has to be trained for it
UNDECIDABLE = "beats_table"  # its claim does not say what would be true
CLEAN = ("paper", "usual", "fold", "draw")  # schemes of splits that no lesson spoils

# What a file may say. Types are strict: "1" is no 1; an unknown name is refused.
STRICT = ConfigDict(strict=True, extra="forbid")


def _of_a_scheme(split: str) -> str:
    check_choice("split", split.partition("-")[0], SCHEMES)
    return split


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("must be different values; name each once")
    return values


def _a_folders_name(name: str) -> str:
    if name != slug(name):
        raise ValueError("its name must be letters, digits, dots and dashes")
    return name


def _not_to_come(day: datetime.date) -> datetime.date:
    if day > datetime.date.today():
        raise ValueError("must be a date, and not to come")
    return day


def _all_of_the_papers(claims: dict[str, Any]) -> dict[str, Any]:
    ids = {claim["id"] for claim in paper_claims()}
    if wrong := sorted(ids ^ set(claims)):
        raise ValueError(f"{wrong[0]} {'is missing' if wrong[0] in ids else 'is unknown'}")
    return claims


SOME, DIFFERENT = Field(min_length=1), AfterValidator(_different)
Number = Annotated[int, Field(ge=0)]
ModelName = Literal[tuple(MODELS)]
Split = Annotated[str, AfterValidator(_of_a_scheme)]
Deviation = Annotated[float, Field(gt=0, lt=10)]  # standard, on the log scale


@dataclass(frozen=True, config=STRICT)
class Study:
    """One set of runs: splits x tables x seeds x models, and variants."""

    name: Annotated[str, AfterValidator(_a_folders_name)]
    splits: Annotated[tuple[Split, ...], SOME, DIFFERENT]
    tables: Annotated[tuple[Number, ...], SOME, DIFFERENT] = (1, 2)
    seeds: Annotated[tuple[Number, ...], SOME, DIFFERENT] = (0,)
    models: Annotated[tuple[ModelName, ...], SOME, DIFFERENT] = tuple(MODELS)
    variants: Annotated[tuple[str, ...], DIFFERENT] = ()
    epochs: Number = 0  # 0: the profile's
    painters: str = ""  # empty: the protocol's
    profile: str = ""  # empty: the protocol's
    own_seeds: bool = True  # each split has seeds of its own

    @property
    def clean(self) -> bool:
        """Tell whether its splits are dealt without a leak, of all paintings and painters."""
        return all(split.partition("-")[0] in CLEAN for split in self.splits)

    def seeds_of(self, split: str) -> tuple[int, ...]:
        """Return the seeds of a split: its own, so that no two splits share their chance."""
        first = SEEDS_A_SPLIT * (self.splits.index(split) + 1) if self.own_seeds else 0
        return tuple(first + seed for seed in self.seeds)


class Needs(TypedDict, total=False):
    """What runs must be to decide a claim, and how it is said.

    Epochs, runs, paintings, votes and raters: at least so many.
    """

    __pydantic_config__ = STRICT
    size: Annotated[Number, "{} px"]
    epochs: Annotated[Number, "{} epochs"]
    batch_size: Annotated[Number, "batches of {}"]
    weights: Annotated[str, "a ResNet-18 with {} weights"]
    models: Annotated[Literal["all"], "{} three models"]
    tables: Annotated[Number, "{} tables"]
    runs: Annotated[Number, "{} runs a model and table"]
    training_paintings: Annotated[Number, "{} training paintings"]
    device: Annotated[str, "a {}"]
    votes: Annotated[Number, "{} votes a model"]
    raters: Annotated[Number, "{} raters"]


@dataclass(frozen=True, config=STRICT)
class Terms:
    """What a protocol asks of one claim before it may be judged, and how it is."""

    rule: Literal[RULE_NAMES]
    needs: Needs
    assurance: Annotated[float, Field(ge=0, le=1)]  # simulated: is it found if the paper is right?
    margin: Annotated[float, Field(ge=0, le=10)] = 0.0

    @property
    def needed(self) -> str:
        """Say the needs in words."""
        kinds = get_type_hints(Needs, include_extras=True).items()
        words = {name: kind.__metadata__[-1] for name, kind in kinds if name in self.needs}
        told = [word.format(self.needs[name]) for name, word in words.items()]
        return ", ".join(told).replace("imagenet", "ImageNet")


class Noise(TypedDict):
    """Standard deviations on the log scale, as expected beforehand."""

    __pydantic_config__ = STRICT
    runs: Deviation  # of one run's error
    ratios: Deviation  # of the ratio of two parts' errors in one run
    painters: Deviation  # of the level of other painters
    paintings: Deviation  # of a painting's error


@dataclass(frozen=True, config=STRICT)
class Analysis:
    """How the runs are read; every rule of the ledger uses these numbers and no others."""

    primary: Literal["mse_ab", "mse_rgb", "ciede2000"]
    alpha: Annotated[float, Field(gt=0, le=0.2)]  # of confirming and of refuting alike
    draws: Annotated[int, Field(ge=100, le=1_000_000)]
    noise: Noise
    # The paper's pattern of rows: validation over training 1.00 to 1.07, test over validation
    # 2.1 to 2.8. A cause gives that pattern if it comes as near as this.
    like_training: float = 1.15
    twice: float = 1.9


@dataclass(frozen=True, config=STRICT)
class Protocol:
    """A protocol file, checked. `fixed` is the day it was fixed; `text` the file itself.

    Version 1 has seeds shared by all splits and no needs: it can be read, and decides nothing.
    """

    version: Literal[1, 2]
    fixed: Annotated[datetime.date, AfterValidator(_not_to_come)]
    paintings: str  # in words: what the results are about
    profile: str
    studies: Annotated[dict[str, Study], Field(min_length=1)]
    analysis: Analysis
    claims: Annotated[dict[str, Terms], AfterValidator(_all_of_the_papers)]  # by the claim's id
    text: str
    painters: str | None = None

    @property
    def sha256(self) -> str:
        """Identify the file and what the paper is taken to say (results/paper.json)."""
        words = "" if self.version == 1 else paper_text()
        return hashlib.sha256((self.text + words).encode()).hexdigest()

    @property
    def main(self) -> Study:
        """Return the study that is shown where nothing else is asked for: clean, with most runs."""
        studies = [s for s in self.studies.values() if s.clean and not s.painters]
        if not studies:
            raise KitError("no study with a clean split of all the painters")
        return max(
            studies, key=lambda s: len(s.splits) * len(s.tables) * len(s.seeds) * len(s.models)
        )

    def grids(self, out: Path, data: str = "sample") -> dict[tuple[str, str], Grid]:
        """List the grids to be run: {(study, split): grid}, each with a folder of its own."""
        grids = {}
        for name, study in self.studies.items():
            painters = study.painters or self.painters or ""
            for split in study.splits:
                path, profile = out / name / slug(split), study.profile or self.profile
                grids[name, split] = Grid(
                    Folder(path, profile, data, painters, split),
                    study.tables,
                    study.seeds_of(split),
                    study.models,
                    study.variants,
                    {"epochs": study.epochs} if study.epochs else {},
                )
        return grids
