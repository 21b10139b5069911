"""The runs of one results folder, and the jobs that make them.

`Grid` says what is wanted; `plan` lists the jobs, each with its command and what it needs first.
"""

import itertools
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import KitError, check_choice
from ..curation import Curation, curate
from ..experiment import MODELS, VARIANTS, Experiment
from ..folder import Folder
from ..models import imagenet_weights

CURATION, LAB, TABLES = "01_data_curation", "02_lab_preprocessing", "06_tables_1_and_2"
LESSONS = {
    "unet_resnet18": "03_unet_resnet18",
    "pix2pix_scratch": "04_pix2pix_scratch",
    "pix2pix_resnet18": "05_pix2pix_resnet18",
}


@dataclass(frozen=True)
class Grid:
    """The runs of one results folder: tables x seeds x models, and variants of them.

    `variants` come on top of the paper's recipes; `options` are every run's, as
    `Experiment.of` takes them.
    """

    folder: Folder
    tables: tuple[int, ...] = (1, 2)
    seeds: tuple[int, ...] = (0,)
    models: tuple[str, ...] = tuple(MODELS)
    variants: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def experiments(self) -> list[Experiment]:
        """List the runs in the order they are shown, first stages among them.

        Raises KitError for a wrong value.
        """
        for variant in self.variants:
            check_choice("variant", variant, VARIANTS)
        cells = itertools.product(("", *self.variants), self.tables, self.seeds, self.models)
        runs: dict[Experiment, None] = {}  # in order, each once
        for variant, table, seed, model in cells:
            if not variant or model in VARIANTS[variant].models:
                options = self.options | {"variant": variant}
                wanted = Experiment.of(self.folder, model, table, seed, options)
                runs |= dict.fromkeys(wanted.stages)
        return list(runs)

    def finished(self, table: int | None = None) -> list[dict[str, Any]]:
        """Read the results there are of the paper's recipes; of a table: its first seed only."""
        found = []
        for run in self.experiments():
            first = run.table == table and run.seed == self.seeds[0]
            if not run.variant and (table is None or first):
                found.append(self.folder.result(run.id))
        return [result for result in found if result]


@dataclass(frozen=True)
class Job:
    """One job of the grid: a lesson, or a training that no lesson is about.

    `work` is its share of the time. The mark says that it ran to its end: a notebook may fail
    after its results are there.
    """

    name: str
    folder: Folder
    lesson: str  # a notebook of the kit; empty: the training alone
    parameters: dict[str, Any]
    needs: tuple[str, ...]  # names of the jobs before it
    results: tuple[Path, ...]
    run: str = ""  # the run it trains, if any
    work: float = 1.0

    @property
    def command(self) -> list[str]:
        """Return the command that does it, in a process of its own."""
        told = {"name": self.name, "lesson": self.lesson, "parameters": self.parameters}
        return [sys.executable, "-m", "colorkit.replication.reproduce", json.dumps(told)]

    @property
    def mark(self) -> Path:
        """Return the file that says it ran to its end."""
        return self.folder.path / "done" / self.name

    @property
    def log(self) -> Path:
        """Return where it writes what it says."""
        return self.folder.path / "logs" / f"{self.name}.log"

    @property
    def executed(self) -> Path:
        """Return where its executed notebook is, if it has one."""
        return self.folder.path / "notebooks" / f"{self.name}.ipynb"

    @property
    def done(self) -> bool:
        """Tell whether it ran to its end and its results are there."""
        needed = (self.mark, *self.results, *([self.executed] if self.lesson else []))
        return all(path.exists() for path in needed)

    @property
    def failure(self) -> str | None:
        """Say where the notebook failed, or how a training did; None if it did not fail."""
        if not self.lesson:
            return self.last_words if self.folder.failure_path(self.run).exists() else None
        from .lessons import failure

        return failure(self.executed)

    @property
    def last_words(self) -> str | None:
        """Return the last line of its log, or None if it has not begun."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        told = [line.strip() for line in lines if line.strip()]
        return f"{self.name}: {told[-1]}" if told else None


def plan(grid: Grid, lessons: bool = True) -> list[Job]:
    """List the jobs that a grid needs, in order, each with its results.

    Without lessons: its trainings alone, which need neither papermill nor Jupyter.
    """
    trained = [_training(grid, experiment, lessons) for experiment in grid.experiments()]
    if not lessons:
        return trained
    folder, shared = grid.folder, _shared(grid)
    curated = Job(CURATION, folder, CURATION, shared, (), (folder.manifest_path,))
    scored = (folder.result_path("baselines"),)
    baselines = Job(LAB, folder, LAB, shared, (CURATION,), scored)
    lists = {name: list(getattr(grid, name)) for name in ("tables", "seeds", "models", "variants")}
    parameters = shared | lists | {"options": grid.options}
    needs = (LAB, *(job.name for job in trained))
    written = (folder.path / "report.html", folder.path / "tables.csv")
    report = Job(TABLES, folder, TABLES, parameters, needs, written)
    return [curated, baselines, *trained, report]


def _shared(grid: Grid) -> dict[str, str]:
    folder = grid.folder
    named = {name: getattr(folder, name) for name in ("profile", "data", "painters", "split")}
    return named | {"out": str(folder.path)}


def _training(grid: Grid, experiment: Experiment, lessons: bool) -> Job:
    first, lesson = experiment.first_stage, LESSONS[experiment.model]
    parameters = _shared(grid) | {"table": experiment.table, "seed": experiment.seed}
    if experiment.variant or not lessons:
        options = grid.options | {"variant": experiment.variant}
        parameters |= {"model": experiment.model, "options": options}
        lesson = ""
    else:
        parameters["options"] = grid.options
    before = [_job_name(first)] if first else [CURATION] if lessons else []
    # Others only score the plain run's weights in another way.
    trains = not experiment.variant or VARIANTS[experiment.variant].trains
    return Job(
        _job_name(experiment),
        grid.folder,
        lesson,
        parameters,
        tuple(before),
        (grid.folder.result_path(experiment.id),),
        experiment.id,
        1 + experiment.epochs * trains,
    )


def _job_name(experiment: Experiment) -> str:
    name = f"{LESSONS[experiment.model]}-t{experiment.table}-s{experiment.seed}"
    return name + (experiment.variant and f"-{experiment.variant}")


def missing(grid: Grid, lessons: bool = True) -> list[Job]:
    """List the jobs still to be run; the report is made anew for another set of runs."""
    jobs = plan(grid, lessons)
    todo = [job for job in jobs if not job.done]
    if not lessons:
        return todo
    try:
        same = grid_of(grid.folder.path) == grid
    except KitError:  # there was none before
        same = False
    report = jobs[-1]
    return todo if report in todo or (same and not todo) else [*todo, report]


def request(grid: Grid) -> dict[str, Any]:
    """List what grid.json says of a grid, for `grid_of`."""
    return asdict(grid) | {"folder": _shared(grid)}


def grid_of(out: Path) -> Grid:
    """Read which grid a results folder holds. Raises KitError if it holds none."""
    try:
        request = json.loads((out / "grid.json").read_text(encoding="utf-8"))
        named = request.pop("folder")
        del named["out"]  # it may have been moved since
        lists = {name: tuple(request[name]) for name in ("tables", "seeds", "models", "variants")}
        return Grid(Folder(out, **named), **lists, options=request["options"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KitError(f"{out}: not a folder of `colorkit reproduce` ({error})") from error


def check_grid(grid: Grid, audits: dict[str, Curation] | None = None) -> Curation | None:
    """Refuse a grid that cannot be run, before anything is written. Raises KitError.

    Returns the audited and split paintings if the results folder has no manifest yet; audits: as
    `curate` takes them.
    """
    experiments, folder = grid.experiments(), grid.folder
    if folder.data != "sample" and folder.path.is_relative_to(folder.source.root):
        raise KitError(
            f"{folder.path}: lies in the folder of paintings, where nothing is ever written; "
            "choose another --out"
        )
    if not folder.manifest_path.exists():
        return curate(folder.source, folder.painters, folder.split, audits)
    folder.manifest  # noqa: B018  (KitError if the paintings are others)
    folder.result("baselines", folder.baselines_config)
    for experiment in experiments:
        folder.result(experiment.id, experiment.config())
    return None


def fetch_weights(grid: Grid) -> None:
    """Get the ImageNet weights now if a run needs them: KitError before anything is written."""
    left = [run for run in grid.experiments() if not grid.folder.result_path(run.id).exists()]
    fresh = [run for run in left if not run.first_stage]
    if any(run.config()["weights"] == "imagenet" for run in fresh):
        imagenet_weights()


def standing(grid: Grid) -> str:
    """Say in brackets how many epochs of each unfinished run are safe; nothing if none are."""
    from ..base.checkpoints import epochs_kept  # it needs fastai, and nothing else here does

    kept = [(run, epochs_kept(grid.folder.path, run.id)) for run in grid.experiments()]
    told = [f"{run.id} after epoch {n} of {run.epochs}" for run, n in kept if n]
    return f" ({', '.join(told)})" if told else ""
