"""`colorkit reproduce`: check the request, run the jobs of the grid, show how far it is.

Each job is a process of its own: `python -m colorkit.replication.reproduce JSON`, with what
`Job.command` tells it. What may be read again is decided by each result's own facts.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path

import psutil
import torch

from ..base.errors import KitError, need, sigterm_as_interrupt
from ..base.files import check_name, only_one, remove_parts, write_atomic
from ..base.terminal import can_print_anything, console
from ..curation import Curation, save
from ..experiment import Experiment
from ..folder import Folder
from .grid import Grid, Job, check_grid, fetch_weights, missing, plan, request, standing

WRITE_SECONDS = 120  # that a training may take to finish its checkpoint when it is stopped
Running = dict[str, subprocess.Popen]  # by the job's name
Runner = Callable[[list[Job], int, "Progress"], None]  # jobs, how many at once, whom to tell


def reproduce(grid: Grid, jobs: int = 1, lessons: bool = True, runner: Runner | None = None) -> int:
    """Run what is missing of a grid, show progress, and print both tables.

    jobs: how many at once; lessons: by the notebooks, or the trainings alone; runner: what
    runs them, the plain loop unless named.
    Returns the exit code: 0 if every cell was computed, 1 if a run failed, 130 if stopped.
    Raises KitError for a request that cannot be run, or if another process is at work here.
    """
    from .tables import collect, terminal_table

    if (code := complete(grid, jobs, lessons, runner)) == 130:
        return code
    frame = collect(grid)
    for table in grid.tables:
        console.print(terminal_table(frame, table))
    console.print(f"report: {grid.folder.path / 'report.html'}")
    return 1 if code or frame["ours"].isna().any() else 0


def complete(
    grid: Grid,
    jobs: int,
    lessons: bool,
    runner: Runner | None = None,
    audits: dict[str, Curation] | None = None,
) -> int:
    """Run what is missing of a grid and show progress: 0, 1 if a job failed, 130 if stopped.

    jobs, lessons, runner: as `reproduce` takes them; audits: as `curate` does.
    """
    from .report import write_report

    if lessons:
        check_notebooks(grid.folder.path)
    curation, out = check_grid(grid, audits), grid.folder.path
    fetch_weights(grid)
    _make_folder(out)
    busy = f"{out}: another colorkit is at work there; wait for it, or choose another --out"
    with only_one(out / ".lock", busy), sigterm_as_interrupt():
        try:
            if curation:
                save(out, curation)
            if not lessons:
                grid.folder.baselines  # noqa: B018  (made here: no job of its own does it)
            _run(grid, jobs, lessons, runner or _loop)
        except KeyboardInterrupt:
            console.print(f"stopped{standing(grid)}; the same command goes on from here")
            return 130
        failed = [job for job in plan(grid, lessons) if not job.done]
        for job in failed:
            unreached = f"{job.name}: not reached, see {job.log.parent}"
            console.print(f"failed: {job.failure or job.last_words or unreached}")
        if failed or not lessons:  # with lessons, the last one writes it
            write_report(grid)
        return 1 if failed else 0


def check_notebooks(out: Path) -> None:
    """Raise KitError unless what runs notebooks is installed, and can write of a folder `out`."""
    check_name(out)
    need("repro", "papermill", "ipykernel", "ipywidgets")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KitError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    if not os.access(out, os.W_OK):
        raise KitError(f"{out}: cannot be written; choose another --out")


def _run(grid: Grid, jobs: int, lessons: bool, runner: Runner) -> None:
    todo, out = missing(grid, lessons), grid.folder.path
    write_atomic(out / "grid.json", json.dumps(request(grid), indent=1) + "\n")
    if not todo:
        return
    for job in todo:  # what an earlier try left says nothing about this one
        for path in (job.log, job.executed, job.mark):
            path.unlink(missing_ok=True)
    for folder in (out, *(path for path in out.iterdir() if path.is_dir())):
        remove_parts(folder)  # a run's checkpoints are further down, under the run's own lock
    shutil.rmtree(out / "progress", ignore_errors=True)
    count = len(plan(grid, lessons))
    console.print(f"{count - len(todo)} of {count} jobs are done already")
    runner(todo, jobs, Progress(todo))


def _loop(todo: list[Job], at_once: int, progress: "Progress") -> None:
    """Start each job when what it needs is done; what needs a failed job is never started."""
    jobs, gpu = {job.name: job for job in todo}, torch.cuda.is_available()
    running: Running = {}
    order = TopologicalSorter({job.name: set(job.needs) & set(jobs) for job in todo})
    order.prepare()
    waiting = list(order.get_ready())
    try:
        while waiting or running:
            for name in list(waiting):
                # All trainings use the first GPU: one at a time there.
                trains = gpu and jobs[name].run and any(jobs[other].run for other in running)
                if len(running) < at_once and not trains:
                    waiting.remove(name)
                    running[name] = _start(jobs[name], at_once)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if running.pop(name).returncode == 0:
                    write_atomic(jobs[name].mark, "")
                    order.done(name)
            waiting += order.get_ready()
            progress.show(running)
            time.sleep(0.2)
    finally:
        _end(jobs, running)
    progress.show(running)


def _start(job: Job, at_once: int) -> subprocess.Popen:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    threads = max(1, torch.get_num_threads() // at_once)  # what the user or a cluster allows
    told = {"COLORKIT_PARENT": str(os.getpid()), "OMP_NUM_THREADS": str(threads)}
    with job.log.open("w") as log:
        return subprocess.Popen(
            job.command, env=os.environ | told, stdout=log, stderr=log, start_new_session=True
        )


def _end(jobs: dict[str, Job], running: Running) -> None:
    """End the processes and their children.

    Trainings are told first, and given time to finish the checkpoint they are writing.
    """
    trainings = []
    for name in running:
        note = _note(jobs[name])
        if note.get("parent") == str(os.getpid()):  # a notebook opened by hand goes on
            with suppress(psutil.Error):  # it has ended just now
                trainings.append(psutil.Process(note["process"]))
                trainings[-1].terminate()
    psutil.wait_procs(trainings, timeout=WRITE_SECONDS)
    for process in running.values():
        with suppress(OSError):  # it has ended already
            end_all = os.name == "posix"
            os.killpg(process.pid, signal.SIGTERM) if end_all else process.terminate()
        process.wait()


def _note(job: Job) -> dict:
    """Read how far a training says it is; a run that ends takes its note away."""
    try:
        return json.loads(job.folder.progress_path(job.run).read_text())
    except (OSError, ValueError):
        return {}


class Progress:
    """Say what is new: a line for a job that starts, for an epoch, for a job that is done."""

    def __init__(self, todo: list[Job]):
        self.todo, self.began = todo, time.monotonic()
        self.said: dict[str, str] = {}

    def show(self, running: Collection[str]) -> None:
        """Print what is new; running: the names of the jobs that are at work."""
        done = 0.0
        for number, job in enumerate(self.todo, start=1):
            epoch = _note(job) if job.name in running else {}
            text = self.said.get(job.name)
            if job.done:
                text, done = "done", done + job.work
            elif epoch.get("epoch"):
                text, done = f"epoch {epoch['epoch']}/{epoch['epochs']}", done + epoch["epoch"]
            elif job.name in running:
                text = text or "started"
            if text != self.said.get(job.name):
                self.said[job.name] = text
                left = self._left(done / sum(job.work for job in self.todo))
                console.print(f"[{number}/{len(self.todo)}] {job.name}: {text}{left}")

    def _left(self, share: float) -> str:
        if not 0.05 < share < 1:
            return ""
        left = (time.monotonic() - self.began) * (1 - share) / share
        return f"   about {left / 60:.0f} min left" if left > 90 else f"   about {left:.0f} s left"


def do(name: str, lesson: str, parameters: dict) -> None:
    """Do one job in this process: a lesson, or a training. KitError if it fails."""
    if lesson:
        from .lessons import execute

        execute(lesson, Path(parameters["out"], "notebooks", f"{name}.ipynb"), parameters)
        return
    from ..training import run

    shared = {key: parameters.pop(key) for key in ("profile", "data", "painters", "split", "out")}
    run(Experiment.of(Folder.of(**shared), **parameters))


def _end_with(parent: int) -> None:
    """End this process when `parent` is gone, so that a killed run leaves nothing at work."""

    def watch() -> None:
        while psutil.pid_exists(parent):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def work() -> int:
    """Do the job named on the command line."""
    can_print_anything()
    if parent := os.environ.get("COLORKIT_PARENT"):
        _end_with(int(parent))
    try:
        do(**json.loads(sys.argv[1]))
    except KitError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(work())
