import math

import pandas as pd
import pytest

from colorkit.experiment import failure_path, read_result, result_path
from colorkit.metrics import BASELINES, METRICS
from colorkit.recipes import MODELS
from colorkit.replication import tables as report
from colorkit.replication.grid import Grid
from colorkit.training import run_baselines, run_experiment


@pytest.fixture
def grid(quick, gallery, tmp_path, monkeypatch) -> Grid:
    """Table 1 with the scratch model in two seeds; the other runs are missing."""
    grid = Grid(tmp_path / "out", data=str(gallery), tables=(1,), seeds=(0, 1))
    run_baselines(grid.out, "smoke", grid.data)
    for experiment in grid.experiments():
        if experiment.model == "pix2pix_scratch":
            run_experiment(experiment, grid.out)
    return grid


def test_paper_cells_are_the_18_numbers():
    cells = report.paper_cells()
    assert len(cells) == 18
    assert cells[1, "test", "pix2pix_scratch"] == 0.0132
    assert cells[2, "train", "pix2pix_resnet18"] == 0.0051


def test_every_number_has_a_row_and_missing_runs_are_holes(grid):
    frame = report.collect(grid)
    assert list(frame.columns) == [
        "table",
        "split",
        "model",
        "variant",
        "metric",
        "paper",
        "ours",
        "n",
        "seed",
        "status",
    ]
    models = frame[frame["model"].isin(MODELS)]
    assert (models.groupby(["metric", "seed"]).size() == 9).all()
    assert set(models["metric"]) == set(METRICS)
    done = models["model"] == "pix2pix_scratch"
    assert models.loc[done, "ours"].notna().all()
    assert models.loc[~done, "ours"].isna().all()
    assert set(models.loc[~done, "status"]) == {"missing"}
    assert set(frame["model"]) == {*MODELS, *BASELINES}


def test_ours_is_the_mean_of_the_stored_scores(grid):
    frame = report.collect(grid)
    run = read_result(grid.out, "t1-pix2pix_scratch-s1")
    mean = sum(row["mse_ab"] for row in run["scores"]["test"]) / len(run["scores"]["test"])
    cell = frame.query(
        "model == 'pix2pix_scratch' and split == 'test' and metric == 'mse_ab' and seed == 1"
    )
    assert cell["ours"].item() == pytest.approx(mean)
    assert cell["n"].item() == len(run["scores"]["test"])
    assert cell["paper"].item() == 0.0132


def test_pivot_averages_seeds_and_shows_their_spread(grid):
    frame = report.collect(grid)
    rows = report.pivot(frame, 1)
    assert len(rows) == 18
    row = next(
        r for r in rows if r["split"] == "Testing" and r["model"] == MODELS["pix2pix_scratch"]
    )
    values = frame.query("model == 'pix2pix_scratch' and split == 'test' and metric == 'mse_ab'")
    assert row["ours"] == pytest.approx(values["ours"].mean())
    assert row["spread"] == pytest.approx(values["ours"].std())
    assert "±" in report.cells(row)[3]
    hole = next(r for r in rows if r["model"] == MODELS["unet_resnet18"])
    assert math.isnan(hole["ours"])
    assert report.cells(hole)[3] == "–"


def test_one_failed_seed_is_a_hole_not_a_mean_of_the_others(grid):
    result_path(grid.out, "t1-pix2pix_scratch-s1").unlink()
    rows = report.pivot(report.collect(grid), 1)
    row = next(r for r in rows if r["model"] == MODELS["pix2pix_scratch"])
    assert math.isnan(row["ours"])


def test_a_run_that_diverged_is_shown_as_failed_not_as_a_number(grid):
    for seed in (0, 1):
        failure_path(grid.out, f"t1-unet_resnet18-s{seed}").write_text("{}")
    result_path(grid.out, "t1-pix2pix_scratch-s1").rename(
        failure_path(grid.out, "t1-pix2pix_scratch-s1")
    )
    frame = report.collect(grid)
    unet = frame[frame["model"] == "unet_resnet18"]
    assert set(unet["status"]) == {"failed"}
    assert unet["ours"].isna().all()
    shown = {row["model"]: report.cells(row)[3:5] for row in report.pivot(frame, 1)}
    assert shown[MODELS["unet_resnet18"]] == ["2 of 2 failed", "–"]
    assert shown[MODELS["pix2pix_scratch"]] == ["1 of 2 failed", "–"]
    report.write_report(grid)
    assert "1 of 2 failed" in (grid.out / "report.html").read_text()
    assert "1 of 2 failed" in (grid.out / "report.md").read_text()


def test_report_is_one_file_and_says_what_is_missing(grid):
    report.write_report(grid)
    html = (grid.out / "report.html").read_text()
    assert "numbers are missing" in html
    for outside in ("<script", "<link", 'src="http', "url("):
        assert outside not in html
    assert html.count('alt="') == html.count("<img") == 2
    for point in report.assumptions()["point"]:
        assert point.replace("'", "&#39;") in html
    frame = pd.read_csv(grid.out / "tables.csv")
    assert frame["ours"].isna().sum() == report.collect(grid)["ours"].isna().sum()
    markdown = (grid.out / "report.md").read_text()
    assert "| Testing | pix2pix (scratch UNet) | 0.0132 |" in markdown
    for picture in ("comparison-t1.png", "losses-t1.png"):
        assert f"(pictures/{picture})" in markdown
        assert (grid.out / "pictures" / picture).exists()


def test_where_no_run_finished_there_is_still_a_report(grid):
    for path in (grid.out / "runs").glob("t1-*.json"):
        path.unlink()
    report.write_report(grid)
    html = (grid.out / "report.html").read_text()
    assert html.count("<img") == 1
    assert f"{report.collect(grid)['ours'].isna().sum()} numbers are missing" in html


def test_assumptions_are_complete_rows():
    table = report.assumptions()
    assert len(table) > 20
    assert (table[["point", "paper says", "we do"]] != "").all().all()
    assert table["point"].is_unique
