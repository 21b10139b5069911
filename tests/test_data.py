import numpy as np
import pytest
import torch
from conftest import paint
from PIL import Image

from colorkit.color import encode
from colorkit.curation import curate
from colorkit.data import Batches, examples, load_pixels, split_pixels
from colorkit.errors import KitError


def test_pixels_are_pillows_bicubic_squares(gallery):
    manifest = curate(str(gallery)).manifest
    pixels = load_pixels(gallery, manifest, 48)
    assert pixels.shape == (24, 3, 48, 48)
    assert pixels.dtype == torch.uint8
    picture = Image.open(gallery / manifest["path"][5]).resize((48, 48), Image.Resampling.BICUBIC)
    assert np.array_equal(pixels[5].permute(1, 2, 0).numpy(), np.asarray(picture))


def test_a_changed_or_missing_file_is_named(gallery):
    manifest = curate(str(gallery)).manifest
    path = gallery / manifest["path"][0]
    paint(path, seed=999)
    with pytest.raises(KitError, match=f"{path.name}: has changed"):
        load_pixels(gallery, manifest, 32)
    path.unlink()
    with pytest.raises(KitError, match=f"{path.name}: No such file"):
        load_pixels(gallery, manifest, 32)


def test_splits_keep_the_manifests_order(gallery):
    manifest = curate(str(gallery)).manifest
    pixels = load_pixels(gallery, manifest, 32)
    splits = split_pixels(pixels, manifest, torch.device("cpu"))
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 17,
        "test": 2,
        "valid": 5,
    }
    assert torch.equal(splits["test"], pixels[np.flatnonzero(manifest["split"] == "test")])


def test_examples_are_spread_over_the_test_paintings(gallery):
    manifest = curate(str(gallery)).manifest.assign(split="test")
    splits = {"test": load_pixels(gallery, manifest, 32)}
    pictures, titles = examples(splits, manifest, count=3)
    assert [title[:2] for title in titles] == ["Ad", "Bo", "Cy"]
    assert torch.equal(pictures[2], splits["test"][-1])
    assert len(examples(splits, manifest, count=99)[1]) == 24


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (37, 3, 8, 8), dtype=torch.uint8)


def test_unseeded_batches_are_the_pictures_in_order(pixels):
    batches = Batches(pixels)
    L, ab = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert len(batches) == 3
    assert torch.equal(L, encode(pixels.float() / 255)[0])
    assert torch.equal(ab, encode(pixels.float() / 255)[1])


def test_seeded_batches_shuffle_flip_half_and_see_each_picture_once():
    marked = torch.zeros(400, 3, 4, 4, dtype=torch.uint8)
    marked[:, :, :, 0] = 255  # a white left edge
    marked[:, :, 0, 1] = torch.arange(400)[:, None] % 200  # who it is
    L = torch.cat([L for L, _ in Batches(marked, seed=0)])
    flipped = L[:, 0, 1, 0] < 0
    assert 160 < flipped.sum() < 240
    upright = torch.where(flipped[:, None, None, None], L.flip(-1), L)
    who = upright[:, 0, 0, 1]
    assert torch.equal(who.sort().values, encode(marked.float() / 255)[0][:, 0, 0, 1].sort().values)
    assert not torch.equal(who, encode(marked.float() / 255)[0][:, 0, 0, 1])


def test_a_seed_fixes_all_epochs_and_epochs_differ(pixels):
    one, two = Batches(pixels, seed=4), Batches(pixels, seed=4)
    epochs = [[torch.cat([L for L, _ in batches]) for _ in range(2)] for batches in (one, two)]
    assert torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(epochs[0][1], epochs[1][1])
    assert not torch.equal(epochs[0][0], epochs[0][1])
