from pathlib import Path

import pytest

from colorkit.base import backup
from colorkit.base.checkpoints import Checkpoints, files, folder_of
from colorkit.base.errors import KitError
from colorkit.experiment import Experiment
from colorkit.folder import Folder
from colorkit.saving import CARD, CONFIG, WEIGHTS
from colorkit.training import run


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def in_folder(path: Path, gallery: Path) -> Experiment:
    return Experiment(Folder(path, data=str(gallery)), "pix2pix_scratch", epochs=3)


@pytest.fixture(autouse=True)
def drive(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))


@pytest.fixture
def out(tmp_path) -> Path:
    """A results folder that nobody made by curation."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.csv").write_text("")
    return tmp_path / "out"


def test_a_finished_run_comes_back_after_the_disk_is_lost(quick, gallery, tmp_path):
    experiment = in_folder(tmp_path / "out", gallery)
    result = run(experiment)
    assert tree(backup.target(tmp_path / "out")) == {
        f"runs/{experiment.id}.json",
        *(f"models/{experiment.id}/{name}" for name in (WEIGHTS, CONFIG, CARD)),
    }
    (tmp_path / "out").rename(tmp_path / "lost")
    assert run(in_folder(tmp_path / "out", gallery)) == result
    assert experiment.folder.result_path(experiment.id).exists()


def test_a_checkpoint_comes_back_and_the_run_goes_on(quick, gallery, tmp_path, monkeypatch, capsys):
    """That it ends with the same bits is the checkpoints' own test."""

    def die(*arguments):
        raise RuntimeError("the session died")

    monkeypatch.setattr("colorkit.training.LONG", 1)
    monkeypatch.setattr("colorkit.snapshots.SCORED_EVERY", 1)
    experiment = in_folder(tmp_path / "out", gallery)
    with monkeypatch.context() as died:
        died.setattr("colorkit.folder.evaluate", die)
        with pytest.raises(RuntimeError, match="the session died"):
            run(experiment)
    assert len(files(folder_of(backup.target(tmp_path / "out"), experiment.id))) == 1
    (tmp_path / "out").rename(tmp_path / "lost")
    again = run(in_folder(tmp_path / "out", gallery))
    assert "brought back from" in capsys.readouterr().out
    (done,) = again["resumed_after"]
    assert done in (1, 2)
    assert [shown["epoch"] for shown in again["snapshots"]] == [1, 2, 3]


def test_a_copy_that_fails_is_said_and_harms_nothing(out, capsys):
    first, second = (folder_of(out, "run") / f"epoch-{n}.safetensors" for n in (1, 2))
    first.parent.mkdir(parents=True)
    first.write_text("whole")
    for path in (first, second):  # the second is not there
        backup.keep_checkpoint(out, path)
    assert "no backup of epoch-2.safetensors" in capsys.readouterr().out
    assert tree(backup.target(out)) == {"checkpoints/run/epoch-1.safetensors"}


def test_a_backup_that_cannot_be_is_refused_before_anything_is_trained(out, monkeypatch):
    monkeypatch.setenv("COLORKIT_BACKUP", "~nobody-of-this-name/drive")
    with pytest.raises(KitError, match="~nobody-of-this-name"):
        Checkpoints(out, {"id": "run"}, epochs=1)


def test_what_is_deleted_here_stays_deleted(out):
    result = out / "runs" / "x.json"
    result.parent.mkdir()
    result.write_text("{}")
    backup.keep(out, result)
    for brought_back in (True, False):
        result.unlink()
        backup.fetch(out)
        assert result.exists() == brought_back


def test_without_the_variable_nothing_is_copied(out, monkeypatch):
    monkeypatch.delenv("COLORKIT_BACKUP")
    assert backup.target(out) is None
    backup.keep(out, out / "not there")
    backup.fetch(out)
    assert tree(out) == {"manifest.csv"}
