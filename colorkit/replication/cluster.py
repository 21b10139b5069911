"""Run the plan's jobs on other machines: as a Snakemake workflow, by a profile of Snakemake's.

What has to be run, and when it is done, is decided as without it; Snakemake orders the jobs and
sends them. Every machine sees the results folder, and the kit, under the same paths.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import yaml

from ..base.errors import KitError, install
from ..base.files import user_path, write_atomic
from ..base.templates import render
from .grid import Job
from .reproduce import Progress, Runner

PROFILES_FOLDER = Path(__file__).parent / "profiles"
LOOK_SECONDS = 1  # from one look at the shared folder to the next


def on_cluster(profile: str) -> Runner:
    """Return what runs jobs by a profile: "slurm", "kubernetes", "local", or a folder with one.

    Raises KitError if there is none, or if what it needs is not installed.
    """
    _need("snakemake", install("cluster"))
    shipped = sorted(path.name for path in PROFILES_FOLDER.iterdir())
    folder = PROFILES_FOLDER / profile if profile in shipped else user_path(profile)
    try:
        executor = yaml.safe_load((folder / "config.yaml").read_bytes())["executor"]
    except (OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise KitError(
            f"--cluster {profile}: must be {', '.join(shipped)}, or a folder whose config.yaml is "
            f"a profile of Snakemake's with an executor ({error})"
        ) from error
    if executor != "local":
        plugin = f"snakemake-executor-plugin-{executor}"
        _need(plugin, install("cluster") if executor == "slurm" else f"pip install {plugin}")
    return partial(_run_snakemake, folder)


def _need(package: str, remedy: str) -> None:
    if not find_spec(package.replace("-", "_")):
        raise KitError(f"{package} is not installed; {remedy}")


def workflow(jobs: list[Job]) -> str:
    """Write jobs as a Snakefile: what each needs, of those that are left, and its command."""
    left = {job.name for job in jobs}
    rules = [
        {
            "name": job.name,
            "inputs": [f"done/{name}" for name in job.needs if name in left],
            "output": f"done/{job.name}",
            "log": f"logs/{job.name}.log",
            "trains": bool(job.run),
            "shell": repr(_shell(job)),
        }
        for job in jobs
    ]
    return render("replication/Snakefile", {"jobs": rules})


def _shell(job: Job) -> str:
    """Write a job's command for Snakemake's shell.

    flock waits for a process that a killed `colorkit reproduce` left at the same job on another
    node; what it has finished is then read.
    """
    lock = job.folder.path / ".locks" / f"{job.name}.job"
    command = shlex.join(["flock", str(lock), *job.command])
    return command.replace("{", "{{").replace("}", "}}") + " > {log} 2>&1"


def _run_snakemake(profile: Path, todo: list[Job], at_once: int, progress: Progress) -> None:
    """Let Snakemake run the jobs, and tell how far they are; Ctrl-C cancels what was sent."""
    out = todo[0].folder.path
    write_atomic(out / "Snakefile", workflow(todo))
    said = out / "logs" / "snakemake.log"
    for folder in (said.parent, out / ".locks"):
        folder.mkdir(exist_ok=True)
    with said.open("w") as log:
        process = subprocess.Popen(
            _snakemake(profile, at_once, out),
            cwd=out,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while process.poll() is None:
            progress.show({job.name for job in todo if job.log.exists()})
            time.sleep(LOOK_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.wait()
    progress.show(set())
    if process.returncode and not any(job.log.exists() for job in todo):
        last = said.read_text(errors="replace").strip().rpartition("\n")[2].strip()
        raise KitError(f"no job was begun: {last}; see {said}")


def _snakemake(profile: Path, at_once: int, out: Path) -> list[str]:
    # It keeps a cache at home, which containers and clusters may have no right to write in.
    home = os.path.expanduser("~")
    home = home if os.access(home, os.W_OK) else out
    # It heeds Ctrl-C even if a shell started us in the background, and ends when we are killed.
    bound = ["env", "--default-signal=INT", f"HOME={home}", "setpriv", "--pdeathsig", "KILL"]
    # Its own lock and reasons to run again are not needed: ours hold for every runner.
    ours = ["--nolock", "--rerun-incomplete", "--rerun-triggers", "mtime", "--keep-going"]
    jobs = ["--jobs", str(at_once)] if at_once > 1 else []
    return [*bound, sys.executable, "-m", "snakemake", "--profile", str(profile), *ours, *jobs]
