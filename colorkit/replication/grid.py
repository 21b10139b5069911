"""The runs of one results folder, and the jobs that make them.

`Grid` says what is wanted; `plan` lists the jobs, for Snakemake and for the progress shown.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..base.checkpoints import epochs_kept
from ..base.errors import KitError
from ..curation import Curation, check_manifest, curate, manifest_hash
from ..experiment import (
    BATCH_SIZE,
    NOTEBOOKS,
    Experiment,
    baselines_config,
    check_choice,
    read_result,
    result_path,
)
from ..models import imagenet_weights
from ..recipes import MODELS, VARIANTS
from ..sources import open_source
from ..training import stages


@dataclass(frozen=True)
class Grid:
    """The runs of one results folder: tables x seeds x models, and variants of them.

    `out` is absolute. `variants` come on top of the paper's recipes (recipes.VARIANTS).
    """

    out: Path
    profile: str = "smoke"
    data: str = "sample"
    painters: str = ""
    tables: tuple[int, ...] = (1, 2)
    seeds: tuple[int, ...] = (0,)
    models: tuple[str, ...] = tuple(MODELS)
    variants: tuple[str, ...] = ()
    split: str = "paper"
    epochs: int = 0  # 0: the profile's
    batch_size: int = BATCH_SIZE
    precision: str = "auto"
    deterministic: bool = False

    def experiments(self) -> list[Experiment]:
        """List the runs in the order they are shown, first stages among them.

        Raises KitError for a wrong value.
        """
        for variant in self.variants:
            check_choice("variant", variant, VARIANTS)
        wanted = (
            Experiment(table, model, seed, variant=variant, **self.settings())
            for variant in ("", *self.variants)
            for table in self.tables
            for seed in self.seeds
            for model in self.models
            if not variant or model in VARIANTS[variant].models
        )
        return list(dict.fromkeys(run for experiment in wanted for run in stages(experiment)))

    def finished(self, table: int | None = None) -> list[dict[str, Any]]:
        """Read the results there are of the paper's recipes; of a table: its first seed only."""
        return [
            run
            for e in self.experiments()
            if not e.variant and table in (None, e.table)
            if table is None or e.seed == self.seeds[0]
            if (run := read_result(self.out, e.id))
        ]

    def settings(self) -> dict[str, object]:
        """Return what all its experiments share."""
        names = ("profile", "data", "painters", "split", "epochs")
        names += ("batch_size", "precision", "deterministic")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Job:
    """One job of the grid: a notebook, or a variant's training; `work` is its share of the time.

    Snakemake sets `mark` when it ran to its end. The results are not Snakemake's own files,
    because it would delete those of a notebook that fails after the training.
    """

    name: str
    out: Path
    notebook: str  # empty: a variant, which no lesson is about
    parameters: dict[str, object]
    needs: tuple[str, ...]  # names of the jobs before it
    results: tuple[Path, ...]
    work: float = 1.0
    trains: bool = False

    @property
    def mark(self) -> Path:
        """Return the file that says it ran to its end."""
        return self.out / "done" / self.name

    @property
    def executed(self) -> Path:
        """Return where its executed notebook is, if it has one."""
        return self.out / "notebooks" / f"{self.name}.ipynb"

    @property
    def done(self) -> bool:
        """Tell whether the notebook ran to its end and its results are there."""
        return self.mark.exists() and all(path.exists() for path in self.results)

    @property
    def state(self) -> str:
        """Tell "done", "failed" (its notebook holds an error) or "to do"."""
        if self.done:
            return "done"
        return "failed" if self.failure else "to do"

    @property
    def failure(self) -> str | None:
        """Say where the notebook failed, or a variant's last words; None if it did not fail."""
        from .lessons import failure

        return failure(self.executed) if self.notebook else self.last_words

    @property
    def last_words(self) -> str | None:
        """Return the last line of its log, or None if it has not begun."""
        log = self.out / "logs" / f"{self.name}.log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        told = [line.strip() for line in lines if line.strip()]
        return f"{self.name}: {told[-1]}" if told else None


def plan(grid: Grid) -> list[Job]:
    """List the jobs that a grid needs, in order, each with its results."""
    names = ("profile", "data", "painters", "split", "out")
    shared = {name: str(getattr(grid, name)) for name in names}

    def once(name: str, needs: list[str], *results: str, **parameters: object) -> Job:
        paths = tuple(grid.out / result for result in results)
        return Job(name, grid.out, name, shared | parameters, tuple(needs), paths)

    curated = once("01_data_curation", [], "manifest.csv")
    baselines = once("02_lab_preprocessing", [curated.name], "runs/baselines.json")
    trained = [_training(grid, experiment) for experiment in grid.experiments()]
    report = once(
        "06_tables_1_and_2",
        [baselines.name, *(job.name for job in trained)],
        *("report.html", "report.md", "tables.csv"),
        **{name: list(getattr(grid, name)) for name in ("tables", "seeds", "models", "variants")},
        epochs=grid.epochs,
    )
    return [curated, baselines, *trained, report]


def _training(grid: Grid, experiment: Experiment) -> Job:
    first = experiment.first_stage
    parameters = grid.settings() | {"table": experiment.table, "seed": experiment.seed}
    if experiment.variant:
        parameters |= {"model": experiment.model, "variant": experiment.variant}
    trains = not experiment.variant or VARIANTS[experiment.variant].trains
    return Job(
        _job_name(experiment),
        grid.out,
        "" if experiment.variant else NOTEBOOKS[experiment.model],
        parameters | {"out": str(grid.out)},
        (_job_name(first) if first else "01_data_curation",),
        (result_path(grid.out, experiment.id),),
        1 + experiment.epochs * trains,
        trains,
    )


def _job_name(experiment: Experiment) -> str:
    _, _, rest = experiment.id.partition(experiment.model)
    return f"{NOTEBOOKS[experiment.model]}-t{experiment.table}{rest}"


def missing(grid: Grid) -> list[Job]:
    """List the jobs still to be run; the report is made anew for another set of runs."""
    *jobs, report = plan(grid)
    todo = [job for job in jobs if not job.done]
    try:
        same = json.loads((grid.out / "grid.json").read_text()) == request(grid)
    except (OSError, ValueError):
        same = False
    return todo if same and not todo and report.done else [*todo, report]


def request(grid: Grid) -> dict[str, object]:
    """Write a grid as JSON holds it, for Snakemake: every job with its command and its needs."""
    jobs = {
        job.name: {
            "notebook": job.notebook,
            "parameters": job.parameters,
            "needs": list(job.needs),
            "trains": job.trains,
        }
        for job in plan(grid)
    }
    return json.loads(json.dumps(asdict(grid) | {"out": str(grid.out), "jobs": jobs}))


def grid_of(out: Path) -> Grid:
    """Read which grid a results folder holds. Raises KitError if it holds none."""
    try:
        request = json.loads((out / "grid.json").read_text(encoding="utf-8"))
        lists = {name: tuple(request[name]) for name in ("tables", "seeds", "models", "variants")}
        named = {field.name: request[field.name] for field in fields(Grid)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KitError(f"{out}: not a folder of `colorkit reproduce` ({error})") from error
    return Grid(**named | lists | {"out": out})


def check(grid: Grid) -> Curation | None:
    """Refuse a grid that cannot be run, before anything is written. Raises KitError.

    Returns the audited and split paintings if the results folder has no manifest yet.
    """
    experiments, source = grid.experiments(), open_source(grid.data)
    if grid.data != "sample" and grid.out.is_relative_to(source.root):
        raise KitError(
            f"{grid.out}: lies in the folder of paintings, where nothing is ever written; "
            "choose another --out"
        )
    if not (grid.out / "manifest.csv").exists():
        return curate(grid.data, grid.painters, grid.split)
    manifest = check_manifest(grid.out / "manifest.csv", grid.data, grid.painters, grid.split)
    paintings = manifest_hash(manifest)
    read_result(grid.out, "baselines", paintings, baselines_config(grid.profile))
    for experiment in experiments:
        read_result(grid.out, experiment.id, paintings, experiment.config())
    return None


def fetch_weights(grid: Grid) -> None:
    """Get the ImageNet weights now if a run needs them: KitError before anything is written."""
    if any(_needs_imagenet(experiment, grid.out) for experiment in grid.experiments()):
        imagenet_weights()


def _needs_imagenet(experiment: Experiment, out: Path) -> bool:
    fresh = experiment.model != "pix2pix_scratch" and not experiment.first_stage
    wanted = fresh and experiment.weights == "imagenet"
    return wanted and not result_path(out, experiment.id).exists()


def busy(grid: Grid) -> str:
    """Say that a results folder is taken."""
    return f"{grid.out}: another colorkit is at work there; wait for it, or choose another --out"


def standing(grid: Grid) -> str:
    """Say in brackets how many epochs of each unfinished run are safe; nothing if none are."""
    kept = [(run, epochs_kept(grid.out, run.id)) for run in grid.experiments()]
    told = [f"{run.id} after epoch {n} of {run.epochs}" for run, n in kept if n]
    return f" ({', '.join(told)})" if told else ""
