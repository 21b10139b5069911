from pathlib import Path

import pytest

from colorkit import backup
from colorkit.checkpoints import files, folder_of
from colorkit.experiment import PROFILES, Experiment, Profile, result_path
from colorkit.training import run_experiment


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_finished_run_comes_back_after_the_disk_is_lost(small, gallery, tmp_path, monkeypatch):
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=32, epochs=3, weights="random"))
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    experiment = Experiment(1, "pix2pix_scratch", data=str(gallery))
    result = run_experiment(experiment, tmp_path / "out")
    assert tree(tmp_path / "drive" / "out") == {
        f"runs/{experiment.id}.json",
        f"runs/{experiment.id}.safetensors",
    }
    (tmp_path / "out").rename(tmp_path / "lost")
    assert run_experiment(experiment, tmp_path / "out") == result
    assert result_path(tmp_path / "out", experiment.id).exists()


def test_a_checkpoint_comes_back_and_the_run_goes_on(small, gallery, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    monkeypatch.setitem(PROFILES, "smoke", Profile(size=32, epochs=3, weights="random"))
    experiment = Experiment(1, "pix2pix_scratch", data=str(gallery))
    whole = run_experiment(experiment, tmp_path / "whole")
    lost, kept = folder_of(tmp_path / "lost", experiment.id), tmp_path / "drive" / "out"
    with monkeypatch.context() as died:
        died.setattr("colorkit.training.evaluate", die)
        with pytest.raises(RuntimeError, match="the session died"):
            run_experiment(experiment, tmp_path / "lost")
    (tmp_path / "drive" / "lost").rename(kept)
    assert files(lost)
    assert len(files(folder_of(kept, experiment.id))) == 1
    again = run_experiment(experiment, tmp_path / "out")
    assert "brought back from" in capsys.readouterr().out
    assert again["resumed_after"] in ([1], [2])
    assert again["weights_sha256"] == whole["weights_sha256"]
    assert again["scores"] == whole["scores"]


def die(*arguments):
    raise RuntimeError("the session died")


def test_a_copy_that_fails_is_said_and_harms_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "drive").write_text("a file, no folder")
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    (tmp_path / "out" / "runs").mkdir(parents=True)
    (tmp_path / "out" / "runs" / "x.json").write_text("{}")
    backup.keep(tmp_path / "out", tmp_path / "out" / "runs" / "x.json")
    assert "no backup of x.json" in capsys.readouterr().out


def test_without_the_variable_nothing_is_copied(tmp_path, monkeypatch):
    monkeypatch.delenv("COLORKIT_BACKUP", raising=False)
    assert backup.target(tmp_path) is None
    backup.keep(tmp_path, tmp_path / "not there")
    backup.fetch(tmp_path, "runs/*")
