"""The ladder, on invented paintings; and, slowly, on the sample."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from colorizers import model_of
from scipy.stats import ttest_1samp

from colorkit.base.rendering import png
from colorkit.lost import plots
from colorkit.lost.ladder import GREY, climb, interval_over_folds, network_ab, write_ladder

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "results" / "ladder-2026-11-26" / "ladder.csv"


def test_every_rung_is_measured_and_written(gallery, tmp_path):
    table = climb(str(gallery), side=48)
    write_ladder(table, tmp_path / "out")
    assert (tmp_path / "out" / "ladder.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_csv(tmp_path / "out" / "ladder.csv")) == len(table) == 11
    table = table.set_index("evidence")
    assert (table["low"] <= table["ratio"]).all()
    assert (table["ratio"] <= table["high"]).all()
    assert table.loc[GREY, ["ratio", "sure"]].tolist() == [1, ""]
    points = table.loc[[f"{n} known points" for n in (5, 10, 20, 50)], "mse_ab"]
    assert points.is_monotonic_decreasing
    assert table.loc["a second plate, ideal", "high"] < 1
    assert table.loc["a second plate, ideal", "sure"] == "yes"


def test_an_interval_over_folds_is_students_with_nadeau_and_bengios_factor():
    logs = np.log([0.8, 0.9, 0.85, 0.7, 0.95])
    ratio, low, high = interval_over_folds(logs)
    assert ratio == pytest.approx(np.exp(logs.mean()))
    plain = ttest_1samp(logs, 0).confidence_interval()
    wider = np.sqrt((1 / 5 + 2 / 7) / (1 / 5))
    assert np.log(high / low) == pytest.approx(wider * (plain.high - plain.low))


def test_no_difference_is_called_sure_one_time_in_twenty():
    random = np.random.default_rng(0)
    intervals = [interval_over_folds(random.normal(0, 0.1, 5)) for _ in range(1000)]
    assert np.mean([low > 1 or high < 1 for _, low, high in intervals]) < 0.05


def test_a_model_is_shown_no_moire():
    stripes = np.tile(np.float32([-0.5, 0.5]), (1, 127, 64))[..., :127]
    model, shown = model_of(torch.zeros(2, 64, 64)), []
    model.generator.register_forward_pre_hook(lambda _, given: shown.append(*given))
    network_ab(model, stripes)
    assert shown[0].abs().max() < 0.1


@pytest.mark.slow
def test_the_samples_ladder_takes_five_minutes_and_gives_what_was_found():
    began = time.process_time()
    table = climb().set_index("evidence")
    assert time.process_time() - began < 300
    assert png(plots.ladder(table.reset_index())[0])
    found = pd.read_csv(PUBLISHED).query("paintings == 'sample'").set_index("evidence")
    numbers = table.columns.drop("sure")
    found = found.loc[table.index, numbers].to_numpy()
    assert table[numbers].to_numpy() == pytest.approx(found, rel=0.02)


def test_the_page_says_what_was_published():
    page = (ROOT / "docs" / "lost.md").read_text(encoding="utf-8")
    for rung in pd.read_csv(PUBLISHED).query("evidence != @GREY").itertuples():
        reach = f"{rung.ratio:.2f} [{rung.low:.2f}, {rung.high:.2f}]"
        not_sure = " ns" if rung.sure == "no" else ""
        assert f"| {rung.mse_ab:.4f} · {reach}{not_sure} |" in page, rung.evidence
