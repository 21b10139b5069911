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
from pathlib import Path

import psutil
import torch
from rich.console import Console

from ..base.errors import KitError, sigterm_as_interrupt
from ..base.files import kit_file, only_one, remove_parts, write_atomic
from ..curation import save
from .grid import Grid, Job, busy, check, fetch_weights, missing, plan, request, standing

WRITE_SECONDS = 120  # that a training may take to finish its checkpoint when it is stopped


def reproduce(grid: Grid, jobs: int = 1) -> int:
    """Run what is missing of a grid, show progress, and print both tables.

    Returns the exit code: 0 if every cell was computed, 1 if a run failed, 130 if stopped.
    Raises KitError for a request that cannot be run, or if another process is at work here.
    """
    from .tables import collect, terminal_table

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


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KitError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    if not os.access(out, os.W_OK):
        raise KitError(f"{out}: cannot be written; choose another --out")


def _run(grid: Grid, jobs: int, console: Console) -> None:
    todo = missing(grid)
    for job in todo:  # what an earlier try left says nothing about this one
        (grid.out / "logs" / f"{job.name}.log").unlink(missing_ok=True)
        job.executed.unlink(missing_ok=True)
        job.mark.unlink(missing_ok=True)
    for folder in (grid.out, *(path for path in grid.out.iterdir() if path.is_dir())):
        remove_parts(folder)  # a run's checkpoints are further down, under the run's own lock
    shutil.rmtree(grid.out / "progress", ignore_errors=True)
    write_atomic(grid.out / "grid.json", json.dumps(request(grid), indent=1) + "\n")
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
    from .tables import write_report

    failed = [job for job in plan(grid) if not job.done]
    for job in failed:
        unreached = f"{job.name}: not reached, see {grid.out / 'logs'}"
        console.print(f"failed: {job.failure or job.last_words or unreached}")
    if failed:
        write_report(grid)
    return 1 if failed else 0
