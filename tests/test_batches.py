import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import paint
from PIL import Image, ImageOps

from colorkit import batches as data
from colorkit.base.errors import KitError
from colorkit.batches import Batches, examples, load_pixels, split_pixels
from colorkit.color import encode
from colorkit.curation import curate
from colorkit.experiment import BATCH_SIZE


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


def test_splits_keep_the_manifests_order(gallery, tmp_path):
    manifest = curate(str(gallery)).manifest
    pixels = load_pixels(gallery, manifest, 32)
    splits = split_pixels(tmp_path, gallery, manifest, 32)
    sizes = {name: len(part) for name, part in splits.items()}
    assert sizes == {"train": 17, "test": 2, "valid": 5}
    for name, part in splits.items():
        assert torch.equal(part, pixels[np.flatnonzero(manifest["split"] == name)])


def test_paintings_are_decoded_once_for_each_size(gallery, tmp_path):
    manifest = curate(str(gallery)).manifest
    first = split_pixels(tmp_path, gallery, manifest, 32)["train"].clone()
    split_pixels(tmp_path, gallery, manifest, 48)
    for path in gallery.rglob("*.jpg"):
        path.unlink()
    assert torch.equal(split_pixels(tmp_path, gallery, manifest, 32)["train"], first)
    assert len(list((tmp_path / "pixels").iterdir())) == 2


def test_another_manifest_is_not_read_from_the_same_file(gallery, tmp_path):
    manifest = curate(str(gallery)).manifest
    split_pixels(tmp_path, gallery, manifest, 32)
    other = manifest.iloc[::-1]
    turned = split_pixels(tmp_path, gallery, other, 32)
    assert torch.equal(
        turned["test"], split_pixels(tmp_path, gallery, manifest, 32)["test"].flip(0)
    )


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content])
def test_damaged_pixels_are_made_again(gallery, tmp_path, capsys, damage):
    manifest = curate(str(gallery)).manifest
    first = split_pixels(tmp_path, gallery, manifest, 32)["train"].clone()
    (path,) = (tmp_path / "pixels").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert torch.equal(split_pixels(tmp_path, gallery, manifest, 32)["train"], first)
    assert f"{path}: damaged, made again" in capsys.readouterr().out


def test_a_failed_decoding_leaves_no_file(gallery, tmp_path):
    manifest = curate(str(gallery)).manifest
    (gallery / manifest["path"].iloc[-1]).unlink()
    with pytest.raises(KitError, match="No such file"):
        split_pixels(tmp_path, gallery, manifest, 32)
    assert list((tmp_path / "pixels").iterdir()) == []


def one_by_one(root, manifest, size: int, seed: int):
    """The usual way: open, resize, mirror with Pillow, convert, picture by picture."""
    plan = Batches(torch.zeros(len(manifest), 3, 1, 1, dtype=torch.uint8), seed)
    order, unmirrored = plan._draw()
    for index, plain in zip(order.split(BATCH_SIZE), unmirrored, strict=True):
        batch = []
        for place, row in enumerate(index.tolist()):
            picture = Image.open(root / manifest["path"].iloc[row]).convert("RGB")
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
            picture = ImageOps.mirror(picture) if place >= plain else picture
            rgb = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
            batch.append(encode(rgb))
        L, ab = zip(*batch, strict=True)
        yield torch.stack(L), torch.stack(ab)


@pytest.mark.parametrize("resident", [True, False])
def test_batches_equal_loading_picture_by_picture_bit_for_bit(
    gallery, tmp_path, monkeypatch, resident
):
    monkeypatch.setattr(data, "fits", lambda pixels, device: resident)
    manifest = curate(str(gallery)).manifest.assign(split="train")
    batches = Batches(split_pixels(tmp_path, gallery, manifest, 64)["train"], seed=7)
    assert (batches.converted is not None) == resident
    for (L, ab), (L2, ab2) in zip(batches, one_by_one(gallery, manifest, 64, 7), strict=True):
        assert torch.equal(L, L2)
        assert torch.equal(ab, ab2)


def test_pictures_that_do_not_fit_are_not_converted_ahead(monkeypatch, pixels):
    monkeypatch.setattr(data, "total_memory", lambda device: 16 * pixels.numel() - 1)
    assert Batches(pixels).converted is None
    monkeypatch.setattr(data, "total_memory", lambda device: 16 * pixels.numel())
    assert Batches(pixels).converted is not None


BOUNDED = """
import sys, psutil, torch
from pathlib import Path
from colorkit import batches as data
from colorkit.curation import curate
cap = int(sys.argv[3])
data.total_memory = lambda device: cap
manifest = curate(sys.argv[1]).manifest.assign(split="train")
big = manifest.loc[manifest.index.repeat(300)]
memory = lambda: psutil.Process().memory_info()
own = lambda: memory().rss - memory().shared
list(data.Batches(torch.zeros(32, 3, 64, 64, dtype=torch.uint8)))  # buffers of the libraries
before = own()
pixels = data.split_pixels(Path(sys.argv[2]), Path(sys.argv[1]), big, 64)["train"]
peak = 0
for _ in range(2):
    for L, ab in data.Batches(pixels, seed=0):
        peak = max(peak, own() - before)
print(pixels.numel(), peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_memory_stays_bounded_on_more_pictures_than_fit(gallery, tmp_path):
    cap = 20_000_000
    words = [sys.executable, "-c", BOUNDED, str(gallery), str(tmp_path), str(cap)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    on_disk, peak = map(int, done.stdout.split()[-2:])
    assert on_disk > 3 * cap
    assert peak < cap


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


def test_mirrored_pictures_come_last_in_their_batch_and_the_order_has_a_checksum(pixels):
    batches = Batches(pixels, seed=1)
    order, unmirrored = batches._draw()
    assert sorted(order.tolist()) == list(range(37))
    assert [0 <= plain <= 16 for plain in unmirrored] == [True] * 3
    twin = Batches(pixels, seed=1)
    sums = []
    for _ in range(2):
        list(twin)
        sums.append(twin.order_sha256)
    assert len(set(sums)) == 2
    list(Batches(pixels, seed=2))
    assert twin.order_sha256 != Batches(pixels, seed=2).order_sha256


def test_a_seed_fixes_all_epochs_and_epochs_differ(pixels):
    one, two = Batches(pixels, seed=4), Batches(pixels, seed=4)
    epochs = [[torch.cat([L for L, _ in batches]) for _ in range(2)] for batches in (one, two)]
    assert torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(epochs[0][1], epochs[1][1])
    assert not torch.equal(epochs[0][0], epochs[0][1])
