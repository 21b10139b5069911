import sys

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from conftest import paint

from colorkit.base.errors import KitError
from colorkit.curation import curate
from colorkit.pixels import load_pixels, part_pixels
from colorkit.sources import open_source


@pytest.fixture
def manifest(gallery) -> pd.DataFrame:
    return curate(open_source(str(gallery))).manifest


def test_a_changed_or_missing_file_is_named(gallery, manifest):
    path = gallery / manifest["path"][0]
    paint(path, seed=999)
    with pytest.raises(KitError, match=f"{path.name}: has changed"):
        load_pixels(gallery, manifest, 32)
    path.unlink()
    with pytest.raises(KitError, match=f"{path.name}: No such file"):
        load_pixels(gallery, manifest, 32)


def test_splits_keep_the_manifests_order(gallery, manifest, tmp_path):
    pixels = load_pixels(gallery, manifest, 32)
    splits = part_pixels(tmp_path, gallery, manifest, 32)
    sizes = {name: len(part) for name, part in splits.items()}
    assert sizes == {"train": 17, "test": 2, "valid": 5}
    for name, part in splits.items():
        assert torch.equal(part, pixels[np.flatnonzero(manifest["part"] == name)])


def test_paintings_are_decoded_once_for_each_size_and_stay_on_disk(gallery, manifest, tmp_path):
    """What does not fit into memory is read from the file, batch by batch."""
    first = part_pixels(tmp_path, gallery, manifest, 32)["train"].clone()
    part_pixels(tmp_path, gallery, manifest, 48)
    for path in gallery.rglob("*.jpg"):
        path.unlink()
    again = part_pixels(tmp_path, gallery, manifest, 32)
    assert torch.equal(again["train"], first)
    files = list((tmp_path / "pixels").iterdir())
    assert len(files) == 2
    if sys.platform == "linux":
        mapped = {part.path for part in psutil.Process().memory_maps()}
        assert mapped & {str(path) for path in files}


def test_another_manifest_is_not_read_from_the_same_file(gallery, manifest, tmp_path):
    part_pixels(tmp_path, gallery, manifest, 32)
    turned = part_pixels(tmp_path, gallery, manifest.iloc[::-1], 32)["test"].flip(0)
    assert torch.equal(turned, part_pixels(tmp_path, gallery, manifest, 32)["test"])


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content])
def test_damaged_pixels_are_made_again(gallery, manifest, tmp_path, capsys, damage):
    first = part_pixels(tmp_path, gallery, manifest, 32)["train"].clone()
    (path,) = (tmp_path / "pixels").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert torch.equal(part_pixels(tmp_path, gallery, manifest, 32)["train"], first)
    assert f"{path}: damaged, made again" in capsys.readouterr().out
