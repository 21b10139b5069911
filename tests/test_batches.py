import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from processes import python

from colorkit import batches as module
from colorkit.batches import Batches
from colorkit.color import encode
from colorkit.curation import curate
from colorkit.experiment import BATCH_SIZE
from colorkit.pixels import part_pixels
from colorkit.sources import open_source


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
    monkeypatch.setattr(module, "fits", lambda pixels, device: resident)
    manifest = curate(open_source(str(gallery))).manifest.assign(part="train")
    batches = Batches(part_pixels(tmp_path, gallery, manifest, 64)["train"], seed=7)
    assert (batches.converted is not None) == resident
    for (L, ab), (L2, ab2) in zip(batches, one_by_one(gallery, manifest, 64, 7), strict=True):
        assert torch.equal(L, L2)
        assert torch.equal(ab, ab2)


def test_pictures_that_do_not_fit_are_not_converted_ahead(monkeypatch, pixels):
    monkeypatch.setattr(module, "total_memory", lambda device: 16 * pixels.numel() - 1)
    assert Batches(pixels).converted is None
    monkeypatch.setattr(module, "total_memory", lambda device: 16 * pixels.numel())
    assert Batches(pixels).converted is not None


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (37, 3, 8, 8), dtype=torch.uint8)


BOUNDED = """
import sys, psutil, torch
from colorkit import batches
cap = int(sys.argv[2])
batches.total_memory = lambda device: cap
memory = lambda: psutil.Process().memory_info()
own = lambda: memory().rss - memory().shared
list(batches.Batches(torch.zeros(32, 3, 64, 64, dtype=torch.uint8)))  # buffers of the libraries
before = own()
size = 7200 * 3 * 64 * 64
mapped = torch.from_file(sys.argv[1], shared=True, size=size, dtype=torch.uint8)
pixels, peak = mapped.view(7200, 3, 64, 64), 0
for _ in range(2):
    for L, ab in batches.Batches(pixels, seed=0):
        peak = max(peak, own() - before)
print(pixels.numel(), peak)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_memory_stays_bounded_on_more_pictures_than_fit(tmp_path):
    cap = 20_000_000
    done = python("-c", BOUNDED, tmp_path / "pixels", cap)
    on_disk, peak = map(int, done.stdout.split()[-2:])
    assert on_disk > 3 * cap
    assert peak < cap


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


def test_a_seed_fixes_all_epochs_and_epochs_and_their_checksums_differ(pixels):
    one, two = [], []
    for seen in (one, two):
        batches = Batches(pixels, seed=4)
        for _ in range(2):
            seen.append(torch.cat([L for L, _ in batches]))
            seen.append(batches.order_sha256)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[2], two[2])
    assert not torch.equal(one[0], one[2])
    assert (one[1], one[3]) == (two[1], two[3])
    other = Batches(pixels, seed=5)
    list(other)
    assert len({one[1], one[3], other.order_sha256}) == 3
