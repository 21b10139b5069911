"""`colorkit reproduce`: check the request, hand the grid to Snakemake, show how far it is."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil
import torch
from rich.console import Console

from .checkpoints import epochs_kept
from .curation import Curation, check_manifest, curate, manifest_hash, save
from .errors import KitError, sigterm_as_interrupt
from .experiment import (
    BATCH_SIZE,
    NOTEBOOKS,
    Experiment,
    baselines_config,
    check_choice,
    read_result,
    result_path,
)
from .models import imagenet_weights
from .paths import kit_file, only_one, remove_parts, write_atomic
from .recipes import MODELS, VARIANTS
from .sources import open_source
from .training import stages

WRITE_SECONDS = 120  # that a training may take to finish its checkpoint when it is stopped


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
        from .notebooks import failure

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
    """List the notebooks still to be run; the report is made anew for another set of runs."""
    *jobs, report = plan(grid)
    todo = [job for job in jobs if not job.done]
    try:
        same = json.loads((grid.out / "grid.json").read_text()) == _request(grid)
    except (OSError, ValueError):
        same = False
    return todo if same and not todo and report.done else [*todo, report]


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


def reproduce(grid: Grid, jobs: int = 1) -> int:
    """Run what is missing of a grid, show progress, and print both tables.

    Returns the exit code: 0 if every cell was computed, 1 if a run failed, 130 if stopped.
    Raises KitError for a request that cannot be run, or if another process is at work here.
    """
    from .report import collect, terminal_table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    if (code := complete(grid, jobs, console)) == 130:
        return code
    frame = collect(grid)
    for table in grid.tables:
        console.print(terminal_table(frame, table))
    console.print(f"report: {grid.out / 'report.html'}")
    return 1 if code or frame["ours"].isna().any() else 0


def complete(grid: Grid, jobs: int, console: Console) -> int:
    """Run what is missing of a grid and show progress: 0, 1 if a job failed, 130 if stopped."""
    curation = check(grid)
    fetch_weights(grid)
    _make_folder(grid.out)
    with only_one(grid.out / ".lock", busy(grid)):
        try:
            if curation:
                save(grid.out, curation)
            if missing(grid):
                _run(grid, jobs, console)
        except KeyboardInterrupt:
            console.print(f"stopped{standing(grid)}; the same command goes on from here")
            return 130
        return _say_what_failed(grid, console)


def busy(grid: Grid) -> str:
    """Say that a results folder is taken."""
    return f"{grid.out}: another colorkit is at work there; wait for it, or choose another --out"


def standing(grid: Grid) -> str:
    """Say in brackets how many epochs of each unfinished run are safe; nothing if none are."""
    kept = [(run, epochs_kept(grid.out, run.id)) for run in grid.experiments()]
    told = [f"{run.id} after epoch {n} of {run.epochs}" for run, n in kept if n]
    return f" ({', '.join(told)})" if told else ""


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KitError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    if not os.access(out, os.W_OK):
        raise KitError(f"{out}: cannot be written; choose another --out")


def _needs_imagenet(experiment: Experiment, out: Path) -> bool:
    fresh = experiment.model != "pix2pix_scratch" and not experiment.first_stage
    wanted = fresh and experiment.weights == "imagenet"
    return wanted and not result_path(out, experiment.id).exists()


def _run(grid: Grid, jobs: int, console: Console) -> None:
    todo = missing(grid)
    for job in todo:  # what an earlier try left says nothing about this one
        (grid.out / "logs" / f"{job.name}.log").unlink(missing_ok=True)
        job.executed.unlink(missing_ok=True)
        job.mark.unlink(missing_ok=True)
    for folder in (grid.out, *(path for path in grid.out.iterdir() if path.is_dir())):
        remove_parts(folder)  # a run's checkpoints are further down, under the run's own lock
    shutil.rmtree(grid.out / "progress", ignore_errors=True)
    write_atomic(grid.out / "grid.json", json.dumps(_request(grid), indent=1) + "\n")
    log = grid.out / "logs" / "snakemake.log"
    log.parent.mkdir(exist_ok=True)
    environment = os.environ | {"COLORKIT_PARENT": str(os.getpid())}
    with log.open("w") as file, sigterm_as_interrupt():
        process = subprocess.Popen(
            _snakemake(grid, jobs),
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        with _ended(grid, process):
            _watch(grid, process, todo, console)


def _request(grid: Grid) -> dict[str, object]:
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


def _snakemake(grid: Grid, jobs: int) -> list[str]:
    gpus = 1 if torch.cuda.is_available() else jobs  # all use the first GPU, one at a time
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(kit_file("workflow", "Snakefile"))),
        *("--profile", str(kit_file("workflow", "profiles", "local"))),
        *("--directory", str(grid.out), "--configfile", str(grid.out / "grid.json")),
        *("--cores", str(max(jobs, os.cpu_count() or 1)), "--resources", f"gpu={gpus}"),
        *("--config", f"at_once={jobs}"),
    ]


@contextmanager
def _ended(grid: Grid, process: subprocess.Popen) -> Iterator[None]:
    """End a process and its children when the block is left in any way.

    Trainings are told first, and given time to finish the checkpoint they are writing.
    """
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()  # Snakemake then begins no other job
            _end_trainings(grid)
            os.killpg(process.pid, signal.SIGTERM) if os.name == "posix" else process.terminate()
            process.wait()


def _end_trainings(grid: Grid) -> None:
    trainings = set()
    for path in (grid.out / "progress").glob("*.json"):
        with suppress(OSError, ValueError):  # a run that ends just now takes its note away
            note = json.loads(path.read_text())
            if note["parent"] == str(os.getpid()):  # a notebook opened by hand goes on
                os.kill(note["process"], signal.SIGTERM)
                trainings.add(note["process"])
    end = time.monotonic() + WRITE_SECONDS
    while any(map(psutil.pid_exists, trainings)) and time.monotonic() < end:
        time.sleep(0.2)


def _watch(grid: Grid, process: subprocess.Popen, todo: list[Job], console: Console) -> None:
    count = len(plan(grid))
    console.print(f"{count - len(todo)} of {count} jobs are done already")
    began, said, done = time.monotonic(), {}, set()
    total = sum(job.work for job in todo)
    while process.poll() is None or len(done) < sum(job.done for job in todo):
        time.sleep(0.5)
        progress = sum(job.work for job in todo if job.name in done)
        for number, job in enumerate(todo, start=1):
            if job.name in done:
                continue
            note = _note(grid, job)
            progress += note.get("epoch", 0)
            if job.done:
                done.add(job.name)
                progress += job.work - note.get("epoch", 0)
                text = "done"
            elif note.get("epoch"):
                text = f"epoch {note['epoch']}/{note['epochs']}"
            elif job.executed.exists() and job.name not in said:
                text = "started"
            else:
                continue
            if said.get(job.name) != text:
                said[job.name] = text
                left = _time_left(time.monotonic() - began, progress / total)
                console.print(f"[{number}/{len(todo)}] {job.name}: {text}{left}")


def _note(grid: Grid, job: Job) -> dict[str, float]:
    try:
        return json.loads((grid.out / "progress" / f"{job.results[0].stem}.json").read_text())
    except (OSError, ValueError):
        return {}


def _time_left(seconds: float, share: float) -> str:
    if not 0.05 < share < 1:
        return ""
    left = seconds * (1 - share) / share
    return f"   about {left / 60:.0f} min left" if left > 90 else f"   about {left:.0f} s left"


def _say_what_failed(grid: Grid, console: Console) -> int:
    from .report import write_report

    failed = [job for job in plan(grid) if not job.done]
    for job in failed:
        unreached = f"{job.name}: not reached, see {grid.out / 'logs'}"
        console.print(f"failed: {job.failure or job.last_words or unreached}")
    if failed:
        write_report(grid)
    return 1 if failed else 0
