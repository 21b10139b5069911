import html
import json
import math
from dataclasses import replace

import pandas as pd
import pytest
from invented import invented_archive
from typer.testing import CliRunner

from colorkit import ledger, ledger_pages
from colorkit.archive import Archive, publish
from colorkit.claims import verdicts
from colorkit.cli import app
from colorkit.experiment import Experiment
from colorkit.recipes import MODELS, VARIANTS


def with_study(archive: Archive, study: str, splits: dict[str, dict], **columns) -> Archive:
    """Copy seed 0 of fold-1 into another study: {split: {part: factor on its errors}}."""
    here = (archive.scores["split"] == "fold-1") & (archive.scores["seed"] == 0)
    scores, paintings = [archive.scores], [archive.paintings]
    for split, factors in splits.items():
        part = archive.scores[here].assign(study=study, split=split, **columns)
        factor = part["part"].map(factors).fillna(1)
        scores.append(part.assign(mse_ab=part["mse_ab"] * factor))
        rows = archive.paintings[archive.paintings["split"] == "fold-1"]
        paintings.append(rows.assign(study=study, split=split))
    return replace(archive, scores=pd.concat(scores), paintings=pd.concat(paintings))


def test_models_are_held_against_the_mean_colour():
    errors = {(0, "grey"): 0.02, (0, "mean_ab"): 0.0130, (1, "pix2pix_scratch"): 0.0065}
    table = ledger.model_table(invented_archive(errors))
    assert len(table) == 2 * 3 + 3
    grey = table.loc["grey (a = b = 0)"]
    assert grey["skill"] == pytest.approx(-0.54, abs=0.08)
    assert grey["low"] > 0
    best = table.loc[f"Table 1: {MODELS['pix2pix_scratch']}"]
    assert best["skill"] == pytest.approx(0.5, abs=0.05)
    assert best["high"] < 0
    assert table.loc["mean colour of the training paintings", "skill"] == 0


def test_the_leak_laboratory_finds_the_pattern_where_it_is():
    clean, leaking = {}, {"train": 0.4, "valid": 0.42}
    archive = with_study(
        invented_archive(), "leaks", {"paper": clean, "flips": leaking, "inside": leaking}
    )
    table = ledger.leak_table(archive).set_index("tried")["the paper's pattern"]
    assert table["a clean split"] == "no"
    assert table["mirrored copies made before the split"] == "yes"
    assert table["validation drawn from training"] == "yes"
    assert table["sorted by file: other painters tested"] == "no result"
    assert table["tested in training mode"] == "no result"


def test_a_hole_in_one_split_leaves_the_other_rows_alone():
    archive = with_study(invented_archive(), "leaks", {"paper": {}, "inside": {"valid": 0.4}})
    archive = replace(archive, holes={"leaks/sorted/t1-pix2pix_scratch-s0": "diverged"})
    table = ledger.leak_table(archive).set_index("tried")["the paper's pattern"]
    assert table["a clean split"] == "no"
    assert table["sorted by file: other painters tested"] == "no result"
    gone = (archive.scores["split"] == "fold-2") & (archive.scores["model"] == "pix2pix_scratch")
    torn = ledger.painter_table(replace(archive, scores=archive.scores[~gone]))
    here = torn[(torn["study"] == "tables") & torn["skill"].isna()]
    assert here[["split", "model"]].to_numpy().tolist() == [["fold-2", "scratch"]]


def test_each_baseline_says_who_does_not_beat_it():
    errors = {(0, "grey"): 0.03, (0, "mean_ab"): 0.0130, (0, "L_table"): 0.009}
    table = ledger.baseline_table(invented_archive(errors))
    says = table.groupby("baseline")["says"].unique()
    assert list(says["grey"]) == ["beats it"]
    assert "beats it" not in says["mean colour"]
    assert list(says["L table"]) == ["is worse"]


def test_a_change_is_measured_on_the_same_paintings():
    archive = with_study(invented_archive(), "ablations", {"paper": {}})
    changed = archive.scores.query("study == 'ablations' and model == 'pix2pix_scratch'")
    changed = changed.assign(variant="lambda_10", mse_ab=changed["mse_ab"] + 0.001)
    archive = replace(archive, scores=pd.concat([archive.scores, changed]))
    table = ledger.change_table(archive).set_index(["changed", "model"])
    row = table.loc["L1 weighs a tenth", "scratch"]
    assert row["difference"] == pytest.approx(0.001)
    assert row["for these runs"] == "worse"
    assert math.isnan(table.loc["L1 weighs a tenth", "pretrained"]["difference"])
    plain = archive.scores.query("study == 'ablations' and variant == ''")
    every = [plain.assign(variant=name, mse_ab=plain["mse_ab"] + 0.001) for name in VARIANTS]
    archive = replace(archive, scores=pd.concat([archive.scores, *every]))
    assert set(ledger.change_table(archive)["for these runs"]) == {"worse"}


def test_colours_painter_by_painter():
    table = ledger.colour_table(invented_archive())
    assert list(table.index) == ["A", "B"]
    assert table["chroma_ratio"].to_numpy() == pytest.approx(1)


def test_pages_show_every_verdict_and_what_it_is_about(tmp_path):
    archive = invented_archive()
    archive = replace(archive, holes={"ablations/paper/t1-unet_resnet18-s0-l2": "diverged"})
    config = Experiment(1, "unet_resnet18", epochs=6, data="gallery").config()
    run = {"device": "cpu: x86_64", "versions": {"colorkit": "0.3.0"}, "manifest_sha256": "0"}
    run |= {"config": config | {"precision": "fp32"}, "seconds": 60.0}
    archive = replace(archive, runs={"tables/fold-1/t1-unet_resnet18-s0": run})
    ledger_pages.write_pages(archive, tmp_path)
    report, readme = (
        html.unescape((tmp_path / n).read_text()) for n in ("report.html", "README.md")
    )
    stored = json.loads((tmp_path / "ledger.json").read_text())
    judged = verdicts(archive)
    assert [entry["verdict"] for entry in stored] == [found.verdict for found in judged]
    for found in judged:
        assert found.claim["says"] in readme
        assert found.claim["test"] in report
    first_page = report[: report.index("<h2>")]
    assert all(
        html.escape(found.because, quote=False) in first_page.replace("&#39;", "'")
        for found in judged
    )
    assert "1 runs have no result" in first_page
    for line in ("255 by A, B (data: gallery)", "size: 64 px", "6 epochs of batches of 16"):
        assert line in first_page
    assert "begins with random weights" in first_page
    assert "fp32 on cpu: x86_64" in first_page
    assert report.count("<img alt=") == 4


def test_the_command_prints_the_verdicts_of_a_folder(tmp_path, monkeypatch):
    publish(invented_archive(), tmp_path / "results" / "invented-2026-01-01")
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(
        app, ["ledger", "--out", str(tmp_path / "results/invented-2026-01-01")]
    )
    assert shown.exit_code == 0, shown.output
    for word in ("The ledger", "within noise", "cannot be told from the paper", "within ±0.0005"):
        assert word in shown.output


def test_the_kits_readme_shows_the_newest_ledger(tmp_path):
    results = tmp_path / "results"
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- ledger -->an older one<!-- end of ledger -->\nafter\n")
    folder = ledger_pages.publish_protocol(invented_archive(), results, "invented")
    text = readme.read_text()
    assert text.startswith("before\n<!-- ledger -->\n| the paper's claim |")
    assert text.endswith("<!-- end of ledger -->\nafter\n")
    assert f"(results/{folder.name}/README.md)" in text
    assert "an older one" not in text


def test_a_palette_of_one_brown_is_far_from_the_painters():
    table = ledger.palette_table(invented_archive())
    assert table["U-Net"].to_list() == [0, 0]
    assert (table["scratch"] > 0.4).all()


def test_the_same_error_in_other_spaces():
    table = ledger.space_table(invented_archive())
    first = table.iloc[0]
    assert first["ab/128"] / first["ab/110"] == pytest.approx(0.7385, abs=1e-4)
    assert first["Lab units"] / first["ab/110"] == pytest.approx(12100)
