import json
import os
import signal
import subprocess
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from filelock import FileLock
from processes import begin, wait_for

from colorkit.base.errors import KitError
from colorkit.experiment import MODELS, Experiment
from colorkit.folder import Folder
from colorkit.replication.grid import Grid, Job, check_grid, grid_of, missing, plan, request
from colorkit.replication.reproduce import _start
from colorkit.replication.reproduce import reproduce as run_grid
from colorkit.training import run


def start(gallery: Path, out: Path, *more: str) -> subprocess.Popen:
    words = ["reproduce", "--data", gallery, "--tables", "1", "--jobs", "2", "--out", out, *more]
    # A shell's background job ignores Ctrl-C, and so would this.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from colorkit.cli import main; main()"
    return begin("-c", code, *words)


@pytest.mark.slow
def test_killed_then_failing_then_mended(gallery, tmp_path):
    """The whole story on real notebooks: kill -9, go on with a failing run, mend it, go on."""
    out = tmp_path / "a {folder} with 'odd' letters"
    in_the_way = out / "models" / "t1-unet_resnet18-s0" / "model.safetensors"
    in_the_way.mkdir(parents=True)  # the U-Net cannot write its weights
    first = start(gallery, out)
    wait_for((out / "progress" / "t1-unet_resnet18-s0.json").exists, first)
    first.kill()
    first.wait()
    assert (out / "manifest.csv").exists()
    assert not (out / "runs" / "t1-unet_resnet18-s0.json").exists()

    second = start(gallery, out)
    text = second.communicate()[0]
    assert second.returncode == 1, text
    both = ("04_pix2pix_scratch-t1-s0: started", "03_unet_resnet18-t1-s0: epoch")
    assert text.index(both[0]) < text.index(both[1])  # at once
    failed = next(line for line in text.splitlines() if line.startswith("failed: 03"))
    assert "03_unet_resnet18-t1-s0.ipynb, under 'Train': KitError" in failed
    assert "Is a directory" in failed
    assert "05_pix2pix_resnet18-t1-s0: not reached" in text
    assert "numbers are missing" in (out / "report.html").read_text()
    finished = {path.name: path.stat().st_mtime_ns for path in (out / "runs").glob("t1-*.json")}
    assert set(finished) == {"t1-pix2pix_scratch-s0.json"}

    in_the_way.rmdir()
    third = start(gallery, out)
    text = third.communicate()[0]
    assert third.returncode == 0, text
    assert str(out / "report.html") in text
    assert "Table 1" in text
    for name, when in finished.items():
        assert (out / "runs" / name).stat().st_mtime_ns == when, f"{name} was repeated"
    frame = pd.read_csv(out / "tables.csv")
    assert frame["ours"].notna().all()
    assert (frame[frame["model"].isin(MODELS)].groupby("metric").size() == 9).all()
    assert "numbers are missing" not in (out / "report.html").read_text()
    assert len(list((out / "notebooks").glob("*.ipynb"))) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGINT, []), (signal.SIGTERM, ["--no-notebooks"])]
)
def test_a_signal_ends_it_after_the_write_and_it_says_where_it_stands(
    gallery, tmp_path, number, words
):
    out = tmp_path / "out"
    process = start(gallery, out, *words)
    wait_for(lambda: list(out.glob("checkpoints/*/*")), process)
    process.send_signal(number)
    text = process.communicate(timeout=180)[0]
    assert process.returncode == 130, text
    kept = sorted(out.glob("checkpoints/*/*"), reverse=True)  # of whichever trained, or of both
    assert {path.suffix for path in kept} == {".safetensors"}
    safe = ", ".join(f"{path.parent.name} after epoch 1 of 2" for path in kept)
    assert f"stopped ({safe}); the same command goes on" in text
    for path in kept:
        note = json.loads((out / "progress" / f"{path.parent.name}.json").read_text())
        assert not psutil.pid_exists(note["process"])


def test_two_at_once_the_second_leaves(folder):
    folder.path.mkdir()
    with FileLock(folder.path / ".lock"), pytest.raises(KitError, match="another colorkit is at"):
        run_grid(Grid(folder))


def test_without_lessons_the_plan_is_the_trainings(folder):
    jobs = plan(Grid(folder, tables=(1,), variants=("l2",)), lessons=False)
    assert [job.lesson for job in jobs] == [""] * 4
    assert {job.run for job in jobs} == {path.stem for job in jobs for path in job.results}
    assert jobs[2].needs == (jobs[0].name,)


def finish(job: Job) -> None:
    for path in (job.mark, *job.results, job.executed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_job_is_done_when_it_ran_to_its_end_and_its_results_are_there(folder):
    job = plan(Grid(folder))[-1]
    assert not job.done
    finish(job)
    assert job.done
    job.results[-1].unlink()
    assert not job.done


def test_another_set_of_runs_gets_another_report(folder):
    one, both = Grid(folder, tables=(1,)), Grid(folder, tables=(1, 2))
    for job in plan(both):
        finish(job)
    (folder.path / "grid.json").write_text(json.dumps(request(one)))
    assert grid_of(folder.path) == one
    assert missing(one) == []
    assert [job.name for job in missing(both)] == ["06_tables_1_and_2"]
    (folder.path / "grid.json").write_text("null")  # damaged
    assert [job.name for job in missing(one)] == ["06_tables_1_and_2"]


def test_foreign_results_are_refused_before_anything_is_run(quick, folder):
    run(Experiment(folder, "pix2pix_scratch", seed=1))
    check_grid(Grid(folder, seeds=(1,)))
    with pytest.raises(KitError, match="made with epochs 1, not 2"):
        check_grid(Grid(folder, seeds=(1,), options={"epochs": 2}))


@pytest.mark.parametrize(("at_once", "threads"), [(1, "2"), (2, "1")])
def test_a_job_takes_no_more_threads_than_the_user_allows(folder, monkeypatch, at_once, threads):
    """OMP_NUM_THREADS=2, which torch has read when it was imported."""
    begun = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, env, **__: begun.append(env))
    _start(plan(Grid(folder))[0], at_once)
    assert [env["OMP_NUM_THREADS"] for env in begun] == [threads]


def test_results_do_not_go_into_the_paintings(gallery):
    with pytest.raises(KitError, match="lies in the folder of paintings"):
        check_grid(Grid(Folder(gallery / "out", data=str(gallery))))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("file/out", "cannot be made .*choose another --out"),
        ("locked/out", "cannot be"),
        (os.fsdecode(b"\xff"), "udcff': the name is not UTF-8; rename it"),  # as é under LC_ALL=C
    ],
    ids=["a file", "locked", "no name for notebooks"],
)
def test_where_nothing_can_be_written_is_said_before_anything_is_run(gallery, tmp_path, name, says):
    if name.startswith("locked") and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(KitError, match=says):
        run_grid(Grid(Folder(tmp_path / name, data=str(gallery))))
    assert not (tmp_path / name).exists()
