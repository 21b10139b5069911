"""The plan on other machines. `make test-slurm` runs it on a two-node Slurm, one of which fails."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import yaml
from processes import wait_for

from colorkit.base.errors import KitError
from colorkit.base.files import only_one
from colorkit.experiment import MODELS
from colorkit.replication import cluster
from colorkit.replication.cluster import PROFILES_FOLDER, on_cluster, workflow
from colorkit.replication.grid import Grid, plan
from colorkit.replication.reproduce import Progress
from colorkit.replication.reproduce import reproduce as run_grid

TWO_NODES = Path(__file__).with_name("two_nodes.sh")
SLURM = os.environ.get("COLORKIT_SLURM") and os.geteuid() == 0 and shutil.which("slurmctld")
ONE_RUN = ("--tables", "1", "--models", "pix2pix_scratch", "--no-notebooks", "--cluster", "local")
SAME = ("scores", "history", "data_order", "weights_sha256", "config", "threads")
by_snakemake = pytest.mark.skipif(
    not (find_spec("snakemake") and shutil.which("setpriv")),
    reason="needs the extra cluster, and Linux",
)


def read(snakefile: str) -> dict[str, tuple[list[str], str, str]]:
    """Read a workflow's rules: {name: (inputs, output, shell)}."""
    pattern = (
        r'name: "(.+)"\n    input: (.+)\n    output: touch\("(.+)"\)\n(?:.+\n)*?    shell: (.+)'
    )
    found = re.findall(pattern, snakefile)
    return {name: (eval(inputs), out, eval(shell)) for name, inputs, out, shell in found}


@pytest.mark.parametrize(("lessons", "done"), [(True, 0), (False, 0), (True, 2)])
def test_the_workflow_is_what_is_left_of_the_plan_and_only_trainings_ask_for_a_gpu(
    folder, lessons, done
):
    jobs = plan(Grid(folder, seeds=(0, 1), variants=("l2",)), lessons)[done:]
    snakefile, left = workflow(jobs), {job.name for job in jobs}
    rules = read(snakefile)
    assert list(rules) == [job.name for job in jobs]
    for job in jobs:
        inputs, output, shell = rules[job.name]
        assert inputs == [f"done/{name}" for name in job.needs if name in left]
        assert folder.path / output == job.mark
        flock, _, *command = shlex.split(shell.replace("{{", "{").replace("}}", "}"))
        assert flock == "flock"
        assert command == [*job.command, ">", "{log}", "2>&1"]
    asking = re.findall(r'name: "(.+)"(?:\n    .+)*?\n    resources: gpu=', snakefile)
    assert asking == [job.name for job in jobs if job.run]


@by_snakemake
def test_what_is_missing_is_named_with_its_remedy(monkeypatch, tmp_path):
    with pytest.raises(KitError, match="--cluster pbs: must be kubernetes, local, slurm, or a fol"):
        on_cluster("pbs")
    (tmp_path / "config.yaml").write_bytes(b"executor: lsf # \xe9\n")
    with pytest.raises(KitError, match=r"with an executor \(unacceptable character"):
        on_cluster(str(tmp_path))
    (tmp_path / "config.yaml").write_text("executor: lsf\n")
    with pytest.raises(KitError, match="install snakemake-executor-plugin-lsf"):
        on_cluster(str(tmp_path))
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(
        KitError, match=r"snakemake is not installed; pip install 'colorkit-paintings\[clus"
    ):
        on_cluster("slurm")


@by_snakemake
def test_a_workflow_that_does_not_begin_is_one_error(folder, tmp_path):
    (tmp_path / "config.yaml").write_text("executor: local\nnightly: true\n")
    folder.path.mkdir()
    jobs = plan(Grid(folder))
    with pytest.raises(KitError, match=r"no job was begun: .*--nightly.*; see .*snakemake.log"):
        on_cluster(str(tmp_path))(jobs, 1, Progress(jobs))


@by_snakemake
def test_snakemake_needs_no_home_to_write_in(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nobody")
    monkeypatch.setattr(cluster, "_shell", lambda job: "true > {log}")
    folder.path.mkdir()
    jobs = plan(Grid(folder))[:1]
    on_cluster("local")(jobs, 1, Progress(jobs))
    assert jobs[0].mark.exists()


@pytest.mark.slow
@by_snakemake
def test_a_job_that_fails_is_said_as_by_the_loop(folder, capsys):
    grid = Grid(folder, tables=(1,), models=("pix2pix_scratch",))
    run = grid.experiments()[0].id
    with only_one(folder.path / ".locks" / f"{run}.lock", "it is free"):
        assert run_grid(grid, lessons=False, runner=on_cluster("local")) == 1
    assert f"failed: 04_pix2pix_scratch-t1-s0: {run}: another process" in capsys.readouterr().out


def reproduce(gallery: Path, out: Path, *more: str, on: tuple = ()) -> subprocess.Popen:
    words = ["reproduce", "--data", str(gallery), "--out", str(out), *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*on, sys.executable, "-m", "colorkit", *words], env=environment)


@pytest.mark.slow
@by_snakemake
def test_killed_and_started_again_it_waits_for_what_is_still_at_work(gallery, tmp_path):
    first = reproduce(gallery, tmp_path, *ONE_RUN)
    wait_for((tmp_path / "progress" / "t1-pix2pix_scratch-s0.json").exists, first)
    first.kill()
    first.wait()
    assert not (tmp_path / "runs" / "t1-pix2pix_scratch-s0.json").exists()
    assert reproduce(gallery, tmp_path, *ONE_RUN).wait() == 0
    result = json.loads((tmp_path / "runs" / "t1-pix2pix_scratch-s0.json").read_text())
    assert result["resumed_after"] == []  # nobody has disturbed the first
    assert "finished before" in (tmp_path / "logs" / "04_pix2pix_scratch-t1-s0.log").read_text()


@pytest.mark.slow
@by_snakemake
def test_a_signal_ends_what_was_begun(gallery, tmp_path):
    process = reproduce(gallery, tmp_path, *ONE_RUN)
    note = tmp_path / "progress" / "t1-pix2pix_scratch-s0.json"
    wait_for(note.exists, process)
    training = json.loads(note.read_text())["process"]
    process.terminate()
    assert process.wait() == 130
    assert not still_at_work(training, seconds=60)


def still_at_work(pid: int, seconds: float) -> bool:
    """Tell whether a process has not ended after some time; one that nobody buried has ended."""
    until = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > until:
            return True
        time.sleep(0.2)
    return False


def node_of(job: str) -> str:
    """Tell on which node a job is at work."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[1:3] == ["-m", "colorkit.replication.reproduce"] and job in words[-1]:
            return process.environ()["SLURMD_NODENAME"]
    raise AssertionError(f"{job}: not at work")


def short_waits(profile: Path) -> Path:
    """Write the profile for Slurm with shorter waits, for small nodes."""
    content = yaml.safe_load((PROFILES_FOLDER / "slurm" / "config.yaml").read_text())
    content |= {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}
    content |= {"slurm-status-command": "squeue", "config": ["gpus=1", "threads=1"]}
    content["default-resources"] = ["mem_mb=1500", "runtime=120"]
    profile.mkdir()
    (profile / "config.yaml").write_text(yaml.safe_dump(content))
    return profile


@pytest.mark.slow
@pytest.mark.skipif(not SLURM, reason="make test-slurm, as root, with slurm-wlm installed")
def test_a_node_that_fails_changes_no_bit(gallery, tmp_path):
    """Both tables on two nodes; the first that has an epoch safe of a U-Net loses its power."""
    here, there, slurm = tmp_path / "here", tmp_path / "there", tmp_path / "slurm"
    profile = short_waits(tmp_path / "profile")
    began = time.monotonic()
    distributed = reproduce(
        gallery, there, "--cluster", str(profile), on=("bash", str(TWO_NODES), str(slurm))
    )
    (kept,) = wait_for(lambda: list(there.glob("checkpoints/t1-unet*/epoch-*")), distributed)
    node = node_of("03_unet_resnet18-t1-s0")
    os.kill(int((slurm / f"{node}.pid").read_text()), signal.SIGKILL)
    print(f"{node} without power after {time.monotonic() - began:.0f} s: {kept.name} is there")
    assert distributed.wait() == 0
    print(f"two nodes: {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    local = reproduce(gallery, here, "--jobs", str(os.cpu_count()))  # so each has one thread
    assert local.wait() == 0
    print(f"the loop: {time.monotonic() - began:.0f} s")

    runs = sorted(path.name for path in here.glob("runs/t*.json"))
    assert len(runs) == 2 * len(MODELS)
    for name in runs:
        one, other = (json.loads((out / "runs" / name).read_text()) for out in (here, there))
        assert [one[fact] for fact in SAME] == [other[fact] for fact in SAME], name
        weights = Path("models", name.removesuffix(".json"), "model.safetensors")
        assert (here / weights).read_bytes() == (there / weights).read_bytes(), name
    assert (here / "tables.csv").read_bytes() == (there / "tables.csv").read_bytes()
    resumed = json.loads((there / "runs" / "t1-unet_resnet18-s0.json").read_text())
    assert resumed["resumed_after"] == [1]
    jobs = (slurm / "log" / "jobs.log").read_text()
    assert {"NodeList=node1", "NodeList=node2", "JobState=NODE_FAIL"} <= set(jobs.split())
