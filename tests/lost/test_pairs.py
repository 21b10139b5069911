"""Old photographs of surviving paintings: simulated, with warps that are known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from colorizers import model_of
from conftest import paint
from PIL import Image
from skimage.transform import AffineTransform, warp

from colorkit import film
from colorkit.base.errors import KitError
from colorkit.base.files import kit_file
from colorkit.base.reading import read_picture
from colorkit.color import grey_input
from colorkit.lost.pairs import score_pairs
from colorkit.sources import open_source

COLUMNS = pd.read_csv(kit_file("data", "photographs.csv")).columns
PLATES = ("unsensitised", "ortho", "pan")
WARPS = (
    {"scale": 1.05, "rotation": 0.03, "translation": (4, -6)},
    {"scale": 0.95, "rotation": -0.02, "translation": (-5, 3)},
    {"scale": (1.04, 0.97), "shear": 0.02},
)
NEGATIVE = 4  # of the six, the one whose plate was scanned as it is
GREY = model_of(torch.zeros(2, 64, 64))  # a model that answers with no colour


def listed(folder: Path, rows: list[dict[str, str]]) -> Path:
    table = pd.DataFrame(rows).reindex(columns=COLUMNS, fill_value="")
    table.to_csv(folder / "photographs.csv", index=False)
    return folder


def test_known_warps_are_undone_and_the_plates_errors_found(tmp_path):
    source, rows, wanted = open_source("sample"), [], []
    for n, painting in enumerate(source.paintings[19:79:10]):
        image = read_picture((source.root / painting.path).read_bytes()).resize((256, 256))
        image.save(tmp_path / f"{n}.png")
        rgb = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
        shot = film.photograph(rgb, PLATES[n % 3], grain=1, seed=n)
        error = film.lightness(shot) - 50 * (grey_input(rgb) + 1)
        wanted.append(float(error.square().mean().sqrt()))
        moved = warp(shot[0, 0].numpy(), AffineTransform(**WARPS[n % 3]), mode="edge")
        moved = 1 - moved if n == NEGATIVE else moved
        Image.fromarray((255 * moved).round().astype(np.uint8)).save(tmp_path / f"{n}-old.png")
        rows.append({"photograph": f"{n}-old.png", "painting": f"{n}.png", "date": "1890"})
    found = score_pairs(listed(tmp_path, rows), GREY)
    assert (found["remark"] == "").all()
    assert (found["date"] == "1890").all()
    assert np.flatnonzero(found["negative"]).tolist() == [NEGATIVE]
    assert (found["inside"] > 0.85).all()
    # A registration that is a pixel off would add some five units of L*.
    assert found["from_lightness"].tolist() == pytest.approx(wanted, abs=1.5)
    assert (found["after_curve"] < found["from_lightness"]).all()
    # No colour on the plate's grey is further off than no colour on the true lightness.
    assert (found["ciede2000_photograph"] > found["ciede2000"]).all()
    assert found["mse_ab"].tolist() == pytest.approx(found["mse_ab_photograph"].tolist())


def test_what_is_no_pair_keeps_its_row_and_says_why(tmp_path):
    for n in (1, 2):
        paint(tmp_path / f"{n}.jpg", seed=n)
    names = ("1.jpg", "gone.jpg")
    rows = [{"photograph": "2.jpg", "painting": name, "title": name} for name in names]
    found = score_pairs(listed(tmp_path, rows), GREY)
    assert found["title"].tolist() == list(names)
    assert "do not seem to show one painting" in found["remark"][0]
    assert "gone.jpg" in found["remark"][1]


def test_a_folder_without_its_table_is_refused(tmp_path):
    with pytest.raises(KitError, match=r"photographs.csv: cannot be read"):
        score_pairs(tmp_path, GREY)
    (tmp_path / "photographs.csv").write_text("photograph,painting\n")
    with pytest.raises(KitError, match=r"lacks the columns artist, date, licence, link"):
        score_pairs(tmp_path, GREY)
