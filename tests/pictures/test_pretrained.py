import json
import shutil
import sys
from pathlib import Path
from unittest.mock import create_autospec

import huggingface_hub
import pytest
import torch
from colorizers import untrained
from conftest import equal

from colorkit.base.errors import KitError
from colorkit.pictures.pretrained import BOX, BOXED, load_pretrained
from colorkit.saving import CARD, CONFIG, WEIGHTS


@pytest.fixture
def folder(tmp_path) -> Path:
    return untrained().save_pretrained(tmp_path / "model")


@pytest.mark.parametrize("architecture", ["unet_resnet18", "pix2pix_scratch", "pix2pix_resnet18"])
def test_what_is_saved_is_read_back(tmp_path, architecture):
    model = untrained(architecture)
    L = torch.rand(2, 1, 32, 32) * 2 - 1
    back = load_pretrained(model.save_pretrained(tmp_path / "m"))
    with torch.inference_mode():
        assert torch.equal(back(L), model(L))
    assert back.card == model.card
    assert back.size == 32
    assert "UNTRAINED" in back.name
    assert {path.name for path in (tmp_path / "m").iterdir()} == {WEIGHTS, CONFIG, CARD}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "of format 2, this kit reads 1; update it"),
        ({"architecture": ["unet_resnet18"]}, "not a model of this kit"),
        ({"size": 33}, "must be a power of two"),
        ({"size": 64}, "cannot be read"),
        ({"color": {"L_center": 50.0, "ab_scale": 128.0}}, "not a model of this kit"),
        ({"weights_sha256": "0"}, r"^[^(]*s: truncated or changed \([^(]*; copy it anew$"),
    ],
)
def test_a_config_that_does_not_fit_gets_one_clear_line(folder, changes, says):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes))
    with pytest.raises(KitError, match=says) as caught:
        load_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_damaged_and_foreign_folders_are_named(folder, tmp_path):
    (folder / WEIGHTS).unlink()
    with pytest.raises(KitError, match=r"model.safetensors: cannot be read"):
        load_pretrained(folder)
    for text in ("", "[1]", '{"model_type": "bert"}', "[" * 100_000):
        (folder / CONFIG).write_text(text)
        with pytest.raises(KitError, match="not a model of this kit"):
            load_pretrained(folder)
    with pytest.raises(KitError, match="no such folder, and no OWNER/NAME"):
        load_pretrained(tmp_path / "none")
    with pytest.raises(KitError, match="config.json: a file; give the folder of a model"):
        load_pretrained(folder / CONFIG)


def test_two_models_are_in_the_box_and_together_small():
    assert sum(path.stat().st_size for path in BOXED.rglob("*.safetensors")) <= 16e6
    for name in BOX:
        model = load_pretrained(name)
        assert model.name.startswith(f"{name}, colorkit's own model")
        assert model.card.count("| grey (a = b = 0) |") == 1


def test_a_box_that_is_empty_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("colorkit.pictures.pretrained.BOXED", tmp_path)
    with pytest.raises(KitError, match="'lively' is missing from this installation; reinstall"):
        load_pretrained()


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Path:
    """The Hub's client with its own signatures, but it keeps repositories in a folder."""
    store = tmp_path / "hub"

    def create_repo(repo_id, *, private=None, exist_ok=False):
        (store / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(*, repo_id, folder_path):
        shutil.copytree(folder_path, store / repo_id, dirs_exist_ok=True)
        return f"https://hub.test/{repo_id}"

    def snapshot_download(repo_id, *, allow_patterns=None):
        if not (store / repo_id).exists():
            raise OSError(f"404 Client Error\nfor {repo_id}")
        assert {path.name for path in (store / repo_id).iterdir()} <= set(allow_patterns)
        return str(store / repo_id)

    for function in (create_repo, upload_folder, snapshot_download):
        own = getattr(huggingface_hub, function.__name__)
        stand_in = create_autospec(own, side_effect=function)
        monkeypatch.setattr(huggingface_hub, function.__name__, stand_in)
    return store


def test_a_model_goes_to_the_hub_and_comes_back(hub):
    model = untrained()
    assert model.push_to_hub("someone/painter") == "https://hub.test/someone/painter"
    back = load_pretrained("someone/painter")
    assert equal(model.generator, back.generator)


def test_what_the_hub_refuses_is_one_line(hub):
    with pytest.raises(KitError, match=r"nobody/none: .* Hub \(404 Client Error\)") as caught:
        load_pretrained("nobody/none")
    assert "\n" not in str(caught.value)
    (hub.parent / "hub").write_text("in the way")
    with pytest.raises(KitError, match="someone/painter: cannot be uploaded"):
        untrained().push_to_hub("someone/painter")


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(KitError, match=r"pip install 'colorkit-paintings\[hub\]'"):
        load_pretrained("someone/painter")
