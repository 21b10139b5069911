import math

import pandas as pd
import pytest
from conftest import is_for_everybody

from colorkit.experiment import MODELS
from colorkit.metrics import BASELINES, METRICS
from colorkit.replication.grid import Grid
from colorkit.replication.paper import assumptions, paper_cell
from colorkit.replication.report import dots, write_report
from colorkit.replication.tables import cells, collect, pivot
from colorkit.training import run


@pytest.fixture
def grid(quick, folder) -> Grid:
    """Table 1 with the scratch model in two seeds; the other runs are missing."""
    grid = Grid(folder, tables=(1,), seeds=(0, 1))
    for experiment in grid.experiments():
        if experiment.model == "pix2pix_scratch":
            run(experiment)
    return grid


def test_every_number_has_a_row_and_missing_runs_are_holes(grid):
    frame = collect(grid)
    models = frame[frame["model"].isin(MODELS)]
    assert (models.groupby(["metric", "seed"]).size() == 9).all()
    assert set(models["metric"]) == set(METRICS)
    done = models["model"] == "pix2pix_scratch"
    assert models.loc[done, "ours"].notna().all()
    assert models.loc[~done, "ours"].isna().all()
    assert set(models.loc[~done, "status"]) == {"missing"}
    assert set(frame["model"]) == {*MODELS, *BASELINES}


def test_ours_is_the_mean_of_the_stored_scores(grid):
    frame = collect(grid)
    result = grid.folder.result("t1-pix2pix_scratch-s1")
    rows = result["scores"]["test"]
    mean = sum(row["mse_ab"] for row in rows) / len(rows)
    wanted = "model == 'pix2pix_scratch' and part == 'test' and metric == 'mse_ab' and seed == 1"
    cell = frame.query(wanted)
    assert cell["ours"].item() == pytest.approx(mean)
    assert cell["n"].item() == len(rows)
    assert cell["paper"].item() == 0.0132


def rows_of(frame: pd.DataFrame, model: str) -> list[dict]:
    rows = pivot(frame, 1)
    return rows[rows["model"] == MODELS[model]].to_dict("records")


def test_pivot_averages_seeds_and_shows_their_spread(grid):
    frame = collect(grid)
    assert len(pivot(frame, 1)) == 18
    (row,) = [r for r in rows_of(frame, "pix2pix_scratch") if r["part"] == "Testing"]
    values = frame.query("model == 'pix2pix_scratch' and part == 'test' and metric == 'mse_ab'")
    assert row["ours"] == pytest.approx(values["ours"].mean())
    assert row["spread"] == pytest.approx(values["ours"].std())
    assert "±" in cells(row)[3]
    hole = rows_of(frame, "unet_resnet18")[0]
    assert math.isnan(hole["ours"])
    assert cells(hole)[3] == "–"


def test_one_failed_seed_is_a_hole_not_a_mean_of_the_others(grid):
    grid.folder.result_path("t1-pix2pix_scratch-s1").unlink()
    assert math.isnan(rows_of(collect(grid), "pix2pix_scratch")[0]["ours"])


def test_a_run_that_diverged_is_shown_as_failed_not_as_a_number(grid):
    for name in ("unet_resnet18-s0", "unet_resnet18-s1", "pix2pix_scratch-s1"):
        grid.folder.failure_path(f"t1-{name}").write_text("{}")
    grid.folder.result_path("t1-pix2pix_scratch-s1").unlink()
    frame = collect(grid)
    unet = frame[frame["model"] == "unet_resnet18"]
    assert set(unet["status"]) == {"failed"}
    assert unet["ours"].isna().all()
    for model, words in (("unet_resnet18", "2 of 2 failed"), ("pix2pix_scratch", "1 of 2 failed")):
        assert cells(rows_of(frame, model)[0])[3:5] == [words, "–"]
    write_report(grid)
    assert "1 of 2 failed" in (grid.folder.path / "report.html").read_text()


def test_report_is_one_file_and_says_what_is_missing(grid):
    write_report(grid)
    html = (grid.folder.path / "report.html").read_text()
    assert "numbers are missing" in html
    for outside in ("<script", "<link", 'src="http', "url("):
        assert outside not in html
    assert html.count('alt="') == html.count("<img") == 3
    for point in assumptions()["point"]:
        assert point in html
    frame = pd.read_csv(grid.folder.path / "tables.csv")
    assert frame["ours"].isna().sum() == collect(grid)["ours"].isna().sum()
    for picture in ("dots-t1.png", "comparison-t1.png", "losses-t1.png"):
        assert (grid.folder.path / "pictures" / picture).exists()


def test_the_dots_are_the_tables_numbers(grid):
    """The paper's cell and ours stand where the axis says so, in their part's panel."""
    rows = pivot(collect(grid), 1)
    figure, told = dots(rows)
    shown = {axis.get_title(): axis for axis in figure.axes}
    row = rows.query("part == 'Testing' and ours > 0").iloc[0]
    drawn = [float(x) for line in shown["Testing"].lines for x in line.get_xdata()]
    assert row["ours"] in drawn
    assert paper_cell(1, "test", "unet_resnet18") in drawn
    assert f"{row['model']}: {row['ours']:.4f}" in told


@pytest.mark.slow
def test_the_report_is_for_everybody(phone, grid):
    write_report(grid)
    phone.goto((grid.folder.path / "report.html").as_uri())
    is_for_everybody(phone)


def test_where_no_run_finished_there_is_still_a_report(grid):
    for path in (grid.folder.path / "runs").glob("t1-*.json"):
        path.unlink()
    write_report(grid)
    html = (grid.folder.path / "report.html").read_text()
    assert html.count("<img") == 2
    assert f"{collect(grid)['ours'].isna().sum()} numbers are missing" in html


def test_assumptions_are_complete_rows():
    table = assumptions()
    assert len(table) > 20
    assert (table[["point", "paper says", "we do"]] != "").all().all()
    assert table["point"].is_unique
