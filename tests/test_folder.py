import hashlib
import json
import os
import shutil

import pytest
import torch
from conftest import paint

from colorkit import __version__
from colorkit.base.errors import KitError
from colorkit.curation import curate, manifest_text, read_manifest
from colorkit.experiment import Experiment
from colorkit.folder import Folder
from colorkit.sources import open_source
from colorkit.training import run


def anew(folder: Folder, **changes) -> Folder:
    """Open a results folder as another process would, with nothing remembered."""
    named = {name: getattr(folder, name) for name in ("profile", "data", "painters", "split")}
    return Folder(folder.path, **named | changes)


def test_each_source_has_a_folder_of_its_own(runs, tmp_path):
    assert Folder.of().path == runs / "smoke"
    mine = Folder.of(data=str(tmp_path / "my paintings"), split="fold-1")
    assert mine.path == runs / "smoke-my-paintings-fold-1"
    assert Folder.of(out=str(tmp_path)).path == tmp_path


def test_the_manifest_is_made_once_and_held_against_the_files(folder, gallery):
    made = folder.manifest
    assert len(made) == 24
    assert anew(folder).manifest.equals(made)
    paint(gallery / "Ada_Blue" / "Ada_Blue_1.jpg", seed=555)
    with pytest.raises(KitError, match="results of other paintings"):
        anew(folder).manifest  # noqa: B018


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"data": "sample"}, "results of other paintings than sample"),
        ({"painters": "Ada Blue,Bo Green"}, "results of other paintings"),
        ({"split": "paper-1"}, "its split is not 'paper-1'"),
    ],
)
def test_a_folder_of_other_paintings_or_another_split_is_refused(folder, other, says):
    folder.manifest  # noqa: B018
    with pytest.raises(KitError, match=says):
        anew(folder, **other).manifest  # noqa: B018


def test_what_was_left_out_is_written_beside_the_manifest(folder, gallery):
    (gallery / "Ada_Blue" / "zero.jpg").write_bytes(b"")
    assert len(folder.manifest) == len(anew(folder).manifest) == 24
    audit = (folder.path / "audit.csv").read_text()
    assert "zero.jpg,Ada Blue,unreadable,cannot be read: an empty file,left out" in audit


@pytest.mark.parametrize(("name", "kind"), [("manifest", "a manifest"), ("audit", "an audit")])
def test_a_damaged_table_is_named(folder, name, kind):
    folder.manifest  # noqa: B018
    (folder.path / f"{name}.csv").write_text("half a li")
    with pytest.raises(KitError, match=f"{name}.csv: not {kind}"):
        anew(folder).manifest  # noqa: B018


def test_manifest_round_trip_keeps_its_bytes(gallery, tmp_path):
    manifest = curate(open_source(str(gallery))).manifest
    manifest.loc[0, "title"] = 'NA, "quoted"\rand more'
    (tmp_path / "manifest.csv").write_bytes(manifest_text(manifest).encode())
    again = read_manifest(tmp_path / "manifest.csv")
    assert manifest_text(again) == manifest_text(manifest)


def test_copying_a_source_keeps_the_manifest(gallery, tmp_path):
    copy = shutil.copytree(gallery, tmp_path / "elsewhere" / "gallery")
    sources = [open_source(str(root)) for root in (gallery, copy)]
    assert len({manifest_text(curate(source).manifest) for source in sources}) == 1


def test_nothing_is_written_in_the_data_folder(folder, gallery):
    before = sorted(gallery.rglob("*"))
    for place in (gallery, *gallery.iterdir()):
        os.chmod(place, 0o555)
    try:
        folder.pixels  # noqa: B018
    finally:
        for place in (gallery, *gallery.iterdir()):
            os.chmod(place, 0o755)
    assert sorted(gallery.rglob("*")) == before


def test_examples_are_spread_over_the_test_paintings(folder):
    pictures, titles = folder.examples(count=2)
    tested = folder.manifest.loc[folder.manifest["part"] == "test", "title"].tolist()
    assert titles == [tested[0], tested[-1]]
    assert torch.equal(pictures[1], folder.pixels["test"][-1])
    assert len(folder.examples(count=99)[1]) == len(tested)


def test_each_file_is_read_a_few_times_for_a_table(quick, folder, gallery, monkeypatch):
    """Three models, both baselines and a second stage: the paintings are read three times."""
    opened: list[str] = []
    original = open

    def count(file, *words, **named):
        opened.append(str(file))
        return original(file, *words, **named)

    monkeypatch.setattr("io.open", count)  # what pathlib opens files with
    for model in ("unet_resnet18", "pix2pix_scratch", "pix2pix_resnet18"):
        run(Experiment(folder, model))
    paintings = [name for name in opened if name.startswith(str(gallery))]
    assert 0 < len(paintings) <= 4 * 24


def test_a_folder_that_is_deleted_while_it_is_used_is_named(folder):
    folder.manifest  # noqa: B018
    shutil.rmtree(folder.path)
    with pytest.raises(KitError, match="was deleted while it was in use; make its Folder again"):
        run(Experiment(folder, "pix2pix_scratch"))


RESULT = {"id": "x", "versions": {"colorkit": __version__}, "config": {"weights": "random"}}
COLUMNS = "path,painter,title,date,museum_id,licence,width,height,sha256,group,mirrored,split"


@pytest.fixture
def kept(folder) -> tuple[Folder, dict]:
    """A folder with a manifest that nobody made from files, and one result."""
    folder.path.mkdir()
    sha256 = hashlib.sha256(b"").hexdigest()
    folder.manifest_path.write_text(f"{COLUMNS}\na.jpg,Ada,A,,,,9,9,{sha256},0,0,train\n")
    return folder, folder.keep(RESULT | {"manifest_sha256": folder.manifest_sha256})


def test_results_round_trip(kept):
    folder, result = kept
    assert folder.result("y") is None
    assert folder.result("x") == result
    assert folder.result("x", {"weights": "random", "data": "elsewhere"}) == result


def test_not_a_number_is_never_written(folder):
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.keep(RESULT | {"mse": float("nan")})
    assert not folder.result_path("x").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('{"id": "x", "vers', "damaged"),
        ("[]", "damaged"),
        ({"versions": {"colorkit": "0.0.1"}}, "made by colorkit 0.0.1, this is"),
        ({"manifest_sha256": "other"}, "made from other paintings than .*manifest.csv lists"),
        ({"config": {"weights": "imagenet"}}, "made with weights imagenet, not random"),
    ],
)
def test_foreign_and_damaged_results_are_refused(kept, change, says):
    folder, result = kept
    text = change if isinstance(change, str) else json.dumps(result | change)
    folder.result_path("x").write_text(text)
    with pytest.raises(KitError, match=f"x.json: {says}.*delete it to run it again"):
        folder.result("x", {"weights": "random"})
