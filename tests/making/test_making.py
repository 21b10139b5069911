"""From folders of paintings to two models in the box, thin and in seconds."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import paint

from colorkit.base.checkpoints import epochs_kept
from colorkit.base.errors import KitError
from colorkit.base.files import kit_file
from colorkit.folder import Folder, read_result
from colorkit.making import commands, photographs, publish, recipes, train
from colorkit.making.crops import SMALLEST, Crops
from colorkit.making.paintings import LINKS, gather
from colorkit.pictures.pretrained import load_pretrained
from colorkit.sources import open_source


@pytest.fixture
def making(gallery, tmp_path) -> Folder:
    """A results folder that has gathered the gallery and one near-copy from the sample."""
    sample = open_source("sample")
    taken = gallery / "Manet"
    taken.mkdir()
    boating = next(p for p in sample.paintings if p.title == "Boating")
    shutil.copy(sample.root / boating.path, taken / "the same.jpg")
    folder = Folder(tmp_path / "making")
    gather([str(gallery)], folder)
    return folder


def test_what_is_shown_is_never_trained_on(making):
    listed = making.listed.set_index("path")["part"]
    assert listed["gallery/Manet/the same.jpg"] == "spare"
    ours = listed[listed.index.str.startswith("gallery/")].value_counts()
    assert (ours["train"], ours["test"], ours["valid"]) == (20, 3, 1)
    assert set(listed[listed.index.str.startswith("sample/")]) == {"shown"}
    assert (making.path / LINKS / "gallery").is_symlink()


def test_gathering_again_gives_the_same_and_other_paintings_are_refused(making, gallery):
    before = making.manifest_path.read_bytes()
    gather([str(gallery)], making)
    assert making.manifest_path.read_bytes() == before
    paint(gallery / "Ada_Blue" / "new.jpg", seed=1000)
    with pytest.raises(KitError, match="holds models of other paintings; choose another --out"):
        gather([str(gallery)], making)


def test_too_few_paintings_and_two_folders_of_one_name_are_named(tmp_path):
    for n in range(3):
        paint(tmp_path / "few" / "Ada" / f"{n}.jpg", seed=n)
    with pytest.raises(KitError, match="few: 3 paintings; a model needs 20"):
        gather([str(tmp_path / "few")], Folder(tmp_path / "out"))
    with pytest.raises(KitError, match="two folders of one name"):
        gather([str(tmp_path / "few")] * 2, Folder(tmp_path / "out"))


def test_crops_lie_inside_and_half_of_them_are_mirrored():
    across = torch.linspace(0, 255, 96).expand(64, 1, 96, 96)
    down = across.transpose(2, 3)
    pixels = torch.cat((across, down, torch.full_like(down, 128)), 1).round().byte()
    crops = Crops(pixels, size=32, seed=0, batch_size=16)
    shown = torch.cat([crops._cropped(pixels.float() / 255) for _ in range(4)])
    assert shown.shape[2:] == (32, 32)
    width = shown[:, 0, 0, -1] - shown[:, 0, 0, 0]
    height = shown[:, 1, -1, 0] - shown[:, 1, 0, 0]
    assert 0.35 < (width < 0).float().mean() < 0.65
    assert (height > 0).all()
    for extent in (width.abs(), height):
        assert SMALLEST - 0.05 < extent.min() < 0.7
        assert 0.9 < extent.max() <= 1
    assert shown[:, :2].std(0).max() > 0.1  # they lie at different places


def test_crops_are_the_seeds_own():
    pixels = torch.randint(0, 256, (20, 3, 48, 48)).byte()
    one, same, other = (list(Crops(pixels, 32, seed, 8)) for seed in (0, 0, 1))
    assert len(one) == 2  # only whole batches
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one[0][0], other[0][0])


@pytest.fixture
def tiny(monkeypatch):
    """Candidates of 32 px, all from random weights; an epoch each is enough."""
    trained = recipes.BOX_RECIPES | recipes.PHOTOGRAPHS
    trained = {name: replace(c, size=32, imagenet=False) for name, c in trained.items()}
    trials = {"scratch, tiny": recipes.Candidate("scratch", 32, 1, filters=4)}
    for module in (train, publish):
        monkeypatch.setattr(module, "CANDIDATES", trained | trials)
    for module in (train, photographs):
        monkeypatch.setattr(module, "SCORED_SIZE", 48)
    monkeypatch.setattr(train, "CRITIC_FILTERS", 4)


def test_the_models_in_the_box_are_made_compared_and_published(making, tiny, tmp_path, monkeypatch):
    train.baselines(making)
    for name in ("lively", "scratch, tiny"):
        result = train.make(name, making, seed=0, minutes=1e-6)
        assert train.make(name, making, seed=0, minutes=1e-6) == result
    first, second = (
        load_pretrained(making.model_path(f"{name}-s0")) for name in recipes.BOX_RECIPES
    )
    assert next(first.parameters()).abs().sum() != next(second.parameters()).abs().sum()

    table = publish.compare_candidates(making)
    assert list(table.index)[3:] == ["cautious", "lively", "scratch, tiny"]
    assert (table.loc["cautious", "least"] <= table.loc["cautious", "to the table"]).all()
    stored = json.loads(making.result_path("cautious-s0").read_text())["scores"]
    assert [row["path"] for row in stored] == making.listed.query("part == 'test'")["path"].tolist()

    monkeypatch.setattr(publish, "BOXED", tmp_path / "box")
    monkeypatch.setattr(publish, "kit_file", lambda *parts: tmp_path.joinpath("kit", *parts))
    place = publish.publish_models(making)
    assert "| scratch, tiny | 1 |" in (place / "README.md").read_text()
    boxed = load_pretrained(tmp_path / "box" / "lively")
    assert boxed.name == "lively, colorkit's own model to look at"
    assert "| table of forty" not in boxed.card
    assert str(tmp_path) not in "".join(p.read_text() for p in place.rglob("*") if p.is_file())


def test_nothing_is_published_before_both_are_made(making, tiny):
    train.baselines(making)
    with pytest.raises(KitError, match="cautious is not made yet; run `colorkit make` first"):
        publish.publish_models(making)


def test_what_is_not_the_box_is_not_published(gallery):
    with pytest.raises(KitError, match="--publish: publishes the box; leave out --only"):
        commands.make_models([str(gallery)], only="trials", publish=True)


def test_two_models_are_compared_on_plates(making, tiny):
    cautious = train.make("cautious", making, seed=0, minutes=1e-6)
    with pytest.raises(KitError, match="photographs-s0 is not made yet; run `colorkit make --only"):
        photographs.score_plates(making)
    train.make("photographs", making, seed=0, minutes=1e-6)
    table = photographs.compare_plates(photographs.score_plates(making))
    on_lightness = np.mean([row["ciede2000"] for row in cautious["scores"]])
    assert table.loc[("L", photographs.BY_CAUTIOUS), "ciede2000"] == pytest.approx(on_lightness)
    assert (table["ciede2000"].groupby("grey").nunique() == 3).all()
    assert making.result("plates")["ciede2000"].keys() == set(photographs.GREYS)


def test_docs_say_on_how_many_plates_it_is_better():
    published = kit_file("results", "photographs-2026-11-26", "runs", "plates.json")
    table = photographs.compare_plates(read_result(published))
    plates = table.xs(photographs.ALL, level="way").loc[photographs.SIX_PLATES]
    better, worse = (plates["most"] < 1).sum(), (plates["least"] > 1).sum()
    told = f"better than *cautious* on {better} of six plates, and worse on {worse}"
    assert told in kit_file("docs", "lost.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cautious", "photographs"])  # the second draws plates
def test_a_training_that_is_stopped_goes_on_to_the_same_weights(making, tiny, monkeypatch, name):
    def weights(folder: Folder) -> str:
        return folder.result(f"{name}-s0")["weights_sha256"]

    class Counted(train.Averaging):
        stops = False

        def before_epoch(self):
            super().before_epoch()
            if self.stops and self.learn.history.rows:
                raise KeyboardInterrupt

        def after_epoch(self):
            self.learn.history.rows[-1]["core_minutes"] = len(self.learn.history.rows) / 2

    monkeypatch.setattr(train, "Averaging", Counted)
    train.make(name, making, seed=0, minutes=1.0)
    wanted = weights(making)
    again = Folder(making.path.with_name("again"))
    shutil.copytree(making.path / LINKS, again.path / LINKS, symlinks=True)
    shutil.copy(making.manifest_path, again.manifest_path)
    Counted.stops = True
    with pytest.raises(KeyboardInterrupt):
        train.make(name, again, seed=0, minutes=1.0)
    assert epochs_kept(again.path, f"{name}-s0") == 1
    Counted.stops = False
    train.make(name, again, seed=0, minutes=1.0)
    assert weights(again) == wanted
