from pathlib import Path

import pytest

from colorkit.base import backup
from colorkit.base.checkpoints import files, folder_of
from colorkit.experiment import Experiment
from colorkit.folder import Folder
from colorkit.pretrained import CARD, CONFIG, WEIGHTS
from colorkit.training import run


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def in_folder(path: Path, gallery: Path) -> Experiment:
    return Experiment(Folder(path, data=str(gallery)), "pix2pix_scratch", epochs=3)


def test_a_finished_run_comes_back_after_the_disk_is_lost(quick, gallery, tmp_path, monkeypatch):
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
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
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    experiment = in_folder(tmp_path / "whole", gallery)
    whole = run(experiment)
    lost = folder_of(tmp_path / "lost", experiment.id)
    with monkeypatch.context() as died:
        died.setattr("colorkit.folder.evaluate", die)
        with pytest.raises(RuntimeError, match="the session died"):
            run(in_folder(tmp_path / "lost", gallery))
    copies = backup.target(tmp_path / "lost")
    assert files(lost)
    assert len(files(folder_of(copies, experiment.id))) == 1
    copies.rename(copies.with_name(copies.name.replace("lost", "out")))
    again = run(in_folder(tmp_path / "out", gallery))
    assert "brought back from" in capsys.readouterr().out
    assert again["resumed_after"] in ([1], [2])
    assert again["weights_sha256"] == whole["weights_sha256"]
    assert again["scores"] == whole["scores"]


def die(*arguments):
    raise RuntimeError("the session died")


def test_a_copy_that_fails_is_said_and_harms_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    out = tmp_path / "out"
    checkpoints = folder_of(out, "run")
    checkpoints.mkdir(parents=True)
    (out / "manifest.csv").write_text("")
    for name in ("epoch-1.safetensors", "epoch-2.safetensors"):
        (checkpoints / name).write_text(name)
    kept = backup.Backup(out)
    kept.copy(checkpoints / "epoch-1.safetensors")
    kept.close()
    (checkpoints / "epoch-2.safetensors").unlink()
    kept = backup.Backup(out)
    kept.copy(checkpoints / "epoch-2.safetensors")
    kept.close()
    assert "no backup of epoch-2.safetensors" in capsys.readouterr().out
    copies = folder_of(backup.target(out), "run")
    assert [path.name for path in copies.iterdir()] == ["epoch-1.safetensors"]


def test_what_is_deleted_here_stays_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("COLORKIT_BACKUP", str(tmp_path / "drive"))
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    (out / "manifest.csv").write_text("")
    result = out / "runs" / "x.json"
    result.write_text("{}")
    backup.keep(out, result)
    result.unlink()
    backup.fetch(out)
    assert result.exists()
    result.unlink()
    backup.fetch(out)
    assert not result.exists()


def test_without_the_variable_nothing_is_copied(tmp_path, monkeypatch):
    monkeypatch.delenv("COLORKIT_BACKUP", raising=False)
    (tmp_path / "manifest.csv").write_text("")
    assert backup.target(tmp_path) is None
    backup.keep(tmp_path, tmp_path / "not there")
    backup.fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.csv"]
