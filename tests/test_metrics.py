import numpy as np
import pytest
import torch

from colorkit import metrics
from colorkit.color import encode
from colorkit.film import grey_encoder


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randint(0, 256, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()


def test_scores_are_in_the_papers_units_and_predictions_are_not_clipped(pixels):
    L, ab = encode(pixels.float() / 255)
    for row in metrics.score(L, ab, ab):
        assert row["mse_ab"] == row["mse_rgb"] == row["ciede2000"] == 0
        assert row["chroma"] == row["chroma_true"]
    for row in metrics.score(L, ab + 11 / 110, ab):  # 11 of Lab's own units
        assert row["mse_ab"] == pytest.approx(0.01, abs=1e-6)
    assert metrics.score(L, ab + 5, ab)[0]["mse_ab"] == pytest.approx(25, rel=1e-4)
    for row in metrics.score(L, ab * 0.5, ab):
        assert row["psnr"] == pytest.approx(-10 * np.log10(row["mse_rgb"]), abs=1e-3)


def test_the_librarys_ciede2000_has_sharmas_value():
    """Sharma, Wu and Dalal 2005, table 1, pair 1: blue, where older formulas differ."""
    blue, other = np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485])
    assert metrics.deltaE_ciede2000(blue, other) == pytest.approx(2.0425, abs=1e-4)


def test_colourfulness_is_signed_and_zero_for_grey():
    assert metrics.colourfulness(torch.full((1, 3, 8, 8), 0.4))[0] < 1e-4
    rng = torch.Generator().manual_seed(1)
    rgb = torch.rand((1, 3, 32, 32), generator=rng)
    r, g, b = (255 * rgb[0]).double().numpy()
    rg, yb = r - g, (r + g) / 2 - b
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert float(metrics.colourfulness(rgb)[0]) == pytest.approx(expected, rel=1e-4)


def test_mean_colour_is_the_best_constant_and_the_table_is_better(pixels):
    baselines = metrics.fit_baselines(pixels)
    baselines["shifted"] = metrics.ColourTable(baselines["mean_ab"].table + 0.01)
    mse = {}
    for name, model in baselines.items():
        mse[name] = np.mean([row["mse_ab"] for row in metrics.evaluate(model, pixels)])
    assert mse["L_table"] < mse["mean_ab"] < min(mse["grey"], mse["shifted"])
    ab = encode(pixels.float() / 255)[1]
    assert torch.allclose(baselines["mean_ab"].table[0], ab.mean((0, 2, 3)), atol=1e-5)


def test_a_lightness_never_seen_gets_the_mean_colour():
    dark = torch.randint(0, 40, (4, 3, 8, 8), dtype=torch.uint8)
    table = metrics.fit_colour_table(dark, bins=20)
    mean = metrics.fit_colour_table(dark, bins=1).table[0]
    assert torch.allclose(table.table[-1], mean)
    assert table(torch.ones(2, 1, 4, 4)).shape == (2, 2, 4, 4)


def test_skill_is_zero_for_the_mean_colour_and_one_for_the_truth(pixels):
    mean = metrics.evaluate(metrics.fit_baselines(pixels)["mean_ab"], pixels)
    assert metrics.summarize(mean, mean)["skill_ab"] == 0
    truth = [row | {"mse_ab": 0.0} for row in mean]
    assert metrics.summarize(truth, mean)["skill_ab"] == 1
    assert set(metrics.summarize(mean, mean)) == set(metrics.METRICS)


def test_on_a_plate_the_truth_is_the_painting_and_what_is_shown_has_the_plates_lightness(pixels):
    pixels = pixels[:16]  # one batch
    _, told = grey_encoder("plate:ortho", correct=True)(pixels.float() / 255)
    ab = told[:, 1:]
    kept, mended = (
        metrics.evaluate(lambda _, answer=answer: answer, pixels, grey="plate:ortho")
        for answer in (ab, told)
    )
    assert kept[0]["mse_ab"] == mended[0]["mse_ab"] == 0
    assert kept[0]["ciede2000"] > 2 > 0.01 > mended[0]["ciede2000"]
    on_lightness = metrics.evaluate(lambda _: ab, pixels)
    for name in ("chroma_true", "colourfulness_true"):
        assert kept[0][name] == pytest.approx(on_lightness[0][name], abs=1e-3)


def test_evaluation_is_in_evaluation_mode(pixels):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.Dropout(0.5)).train()
    assert metrics.evaluate(model, pixels) == metrics.evaluate(model, pixels)


def test_rms_in_lab_units():
    assert metrics.rms_lab(0.0133) == pytest.approx(12.7, abs=0.05)
