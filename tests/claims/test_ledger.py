import html
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import is_for_everybody
from known import CONSTANT, kits_protocol, little, protocol_of
from typer.testing import CliRunner

from colorkit.claims import ledger, pages
from colorkit.claims.archive import Archive, RunKey
from colorkit.claims.invented import LEVELS, invent
from colorkit.claims.protocol import Study
from colorkit.claims.verdicts import verdicts
from colorkit.claims.whatif import leak_table, multiverse
from colorkit.cli import app
from colorkit.experiment import MODELS, VARIANTS


def with_study(archive: Archive, study: str, splits: dict[str, dict], painters="") -> Archive:
    """Copy the first split's first seed into another study: {split: {part: factor on models}}."""
    first = archive.protocol.main.splits[0]
    here = (archive.scores["split"] == first) & archive.scores["seed"].isin([0, 1000])
    scores, paintings = [archive.scores], [archive.paintings]
    for split, factors in splits.items():
        part = archive.scores[here].assign(study=study, split=split)
        factor = part["part"].map(factors).fillna(1).where(part["table"] > 0, 1)
        scores.append(part.assign(mse_ab=part["mse_ab"] * factor, seed=0))
        rows = archive.paintings[archive.paintings["split"] == first]
        paintings.append(rows.assign(study=study, split=split))
    variants = ("train_mode",) if study == "leaks" else tuple(VARIANTS)
    shared = {"variants": variants, "painters": painters, "own_seeds": False}
    added = Study(study, tuple(splits), (1,), **shared)
    studies = archive.protocol.studies | {study: added}
    return replace(
        archive,
        scores=pd.concat(scores, ignore_index=True),
        paintings=pd.concat(paintings, ignore_index=True),
        protocol=replace(archive.protocol, studies=studies),
    )


def test_models_are_held_against_the_mean_colour():
    truth = {(1, "pix2pix_scratch", "test"): LEVELS["mean_ab"] / 2}
    table = ledger.model_table(little(CONSTANT | truth))
    assert len(table) == 2 * 3 + 3
    assert table.loc["grey (a = b = 0)", "skill"] == pytest.approx(-0.32, abs=0.15)
    best = table.loc[f"Table 1: {MODELS['pix2pix_scratch']}"]
    assert best["skill"] == pytest.approx(0.5, abs=0.1)
    assert best["high"] < 1
    assert table.loc["mean colour of the training paintings", "skill"] == 0


def test_the_leak_laboratory_finds_the_pattern_where_it_is():
    leaking = {"train": 0.4, "valid": 0.42}
    archive = with_study(
        little(CONSTANT), "leaks", {"paper": {}, "flips": leaking, "inside": leaking}
    )
    table = leak_table(archive).set_index("tried")
    pattern = table["the paper's pattern"]
    assert pattern["a clean split"] == "no"
    assert pattern["mirrored copies made before the split"] == "yes"
    assert pattern["validation drawn from training"] == "yes"
    assert pattern["sorted by file: other painters tested"] == "no result"
    assert pattern["tested in training mode"] == "no result"
    clean = table.loc["a clean split"]
    assert clean["low"] < clean["valid / train"] < clean["high"]


def test_a_part_that_is_easy_by_chance_makes_no_pattern():
    """Half the mean colour's error and half the model's: relative to it nothing has changed."""
    archive = with_study(little(CONSTANT), "leaks", {"paper": {}})
    easy = archive.scores["part"] == "test"
    scores = archive.scores.assign(mse_ab=archive.scores["mse_ab"].mask(easy, lambda s: s / 2))
    before, after = (
        leak_table(replace(archive, scores=some)).iloc[0] for some in (archive.scores, scores)
    )
    assert after["test / valid"] == pytest.approx(before["test / valid"])


def test_a_study_of_several_splits_is_one_row_with_its_own_interval():
    splits = {f"inside-{n}": {"valid": 0.7 + n / 10} for n in (1, 2, 3)}
    archive = with_study(little(CONSTANT), "leak-inside", splits)
    row = leak_table(archive).set_index("tried").loc["validation drawn from training"]
    assert row["runs"] == 3
    assert row["low"] < row["valid / train"] < row["high"]


def test_the_clean_runs_of_the_leak_table_are_those_there_are():
    """The main study, planned to have most runs, has none yet; paper-1 has one, tested twice."""
    archive = invent(protocol_of(kits_protocol()), np.random.default_rng(0), studies=("paper-1",))
    again = archive.scores[archive.scores["table"] == 1].assign(variant="train_mode")
    table = leak_table(replace(archive, scores=pd.concat([archive.scores, again])))
    there = table[table["runs"] > 0]["tried"].tolist()
    assert there[0] == "a clean split"
    assert there[-1] == "tested in training mode"
    assert leak_table(replace(archive, scores=archive.scores[:0])).empty


def test_other_painters_are_those_left_out_or_chosen_and_a_hole_leaves_the_others_alone(
    small_archive,
):
    archive = with_study(small_archive, "unseen", {"without-A": {}, "without-B": {}})
    archive = with_study(archive, "leak-inside", {"inside-1": {}})
    archive = with_study(archive, "quartet", {"paper": {}}, painters="Raphael")
    gone = (archive.scores["split"] == "without-B") & (archive.scores["model"] == "pix2pix_scratch")
    table = ledger.painter_table(replace(archive, scores=archive.scores[~gone]))
    assert set(table["study"]) == {"unseen", "quartet"}
    torn = table[table["skill"].isna()]
    assert torn[["split", "model"]].to_numpy().tolist() == [["without-B", "scratch"]]


def test_other_ways_to_ask_are_shown_beside_each_other(small_archive):
    table = multiverse(small_archive)
    assert set(table["scale"]) == {"difference", "log ratio", "raw", "log", "CIEDE2000"}
    assert len(table) == 6 + 3 + 2 * 4


@pytest.mark.parametrize("study", ["ablations", "no-critic"])
def test_a_change_is_measured_on_the_same_paintings(small_archive, study):
    archive = with_study(small_archive, study, {"fold-1": {}})
    archive = with_study(archive, "leaks", {"inside": {}})  # the leak laboratory's
    changed = archive.scores.query("study == @study and model == 'pix2pix_scratch'")
    changed = changed.assign(variant="lambda_10", mse_ab=changed["mse_ab"] + 0.001)
    one = replace(archive, scores=pd.concat([archive.scores, changed]))
    table = ledger.change_table(one).set_index(["changed", "model"])
    assert set(table["study"]) == {study}
    row = table.loc["L1 weighs a tenth", "scratch"]
    assert row["difference"] == pytest.approx(0.001)
    assert row["for these runs"] == "worse"
    assert math.isnan(table.loc["L1 weighs a tenth", "pretrained"]["difference"])
    without = replace(archive, scores=archive.scores[archive.scores["study"] != study])
    assert ledger.change_table(without).empty  # nothing to be held against
    plain = archive.scores.query("study == @study and variant == ''")
    more = {"mse_ab": plain["mse_ab"] + 0.001}
    every = [plain.assign(variant=variant, **more) for variant in VARIANTS]
    archive = replace(archive, scores=pd.concat([archive.scores, *every]))
    assert set(ledger.change_table(archive)["for these runs"]) == {"worse"}


def write(archives: list[Archive], target):
    """Write the pages of the first of some archives; returns the verdicts."""
    judged, scopes = verdicts(archives), ledger.scope(archives)
    pages.write_pages([target], archives[0], scopes, judged)
    return judged


def test_pages_show_every_verdict_and_what_it_is_about(small_archive, tmp_path):
    hole = {RunKey("ablations", "paper", 1, "unet_resnet18", 0, "l2"): "diverged"}
    judged = write([replace(small_archive, holes=hole)], tmp_path)
    report, readme = (
        html.unescape((tmp_path / n).read_text()) for n in ("report.html", "README.md")
    )
    stored = json.loads((tmp_path / "ledger.json").read_text())
    assert [entry["verdict"] for entry in stored] == [found.verdict for found in judged]
    for found in judged:
        assert found.claim["says"] in readme
        assert found.claim["test"] in report
    first_page = report[: report.index("<h2>")]
    assert all(found.because in first_page and found.small in first_page for found in judged)
    assert "1 runs have no result" in first_page
    for line in ("whole: 36 runs (U-Net, scratch, pretrained), 256 px, 50 epochs", "Painter A"):
        assert line in first_page
    assert "begins with imagenet weights" in first_page
    for title in ("Models and", "The leak", "Asked in other"):
        assert f"<h2>{title}" in report
    assert "Table 1, U-Net - scratch" in report


def test_a_table_without_a_row_is_left_out(small_archive, tmp_path):
    write([replace(small_archive, scores=small_archive.scores[:0])], tmp_path)
    report = (tmp_path / "report.html").read_text()
    for title in ("Models and", "One change", "The leak", "Other painters", "Asked in other"):
        assert f"<h2>{title}" not in report


@pytest.mark.slow
def test_the_page_is_for_everybody(phone, small_archive, tmp_path):
    write([small_archive], tmp_path)
    phone.goto((tmp_path / "report.html").as_uri())
    is_for_everybody(phone)


def test_the_cpu_protocols_own_runs_make_pages(small_archive, tmp_path):
    """Scratch alone, several studies, one run at the paper's settings."""
    archive = invent(protocol_of(kits_protocol()), np.random.default_rng(0))
    stored = {v.claim["id"]: v for v in write([archive, small_archive], tmp_path)}
    assert stored["gap_valid"].verdict == "replicated"
    assert "of 6 cells (12 have no runs)" in stored["cells"].because
    assert stored["close"].because.startswith("needs 256 px")
    for share in ("half / all", "quarter / all"):
        assert share in stored["more_data"].small
    assert "0 of 20 runs at Table 2's rate" in stored["learning_rate"].small
    assert "lower in 20 of 20 runs" in stored["rate_raises_rate"].small


def test_small_runs_have_neither_sign_nor_verdict(tmp_path):
    """A reader who sees only the table cannot take a small run for a test of the paper."""
    write([little(profile="smoke")], tmp_path)
    readme = (tmp_path / "README.md").read_text()
    assert readme.splitlines()[2].startswith("No claim that depends on training has been tested")
    rows = [line.split("|") for line in readme.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 12
    assert {row[2].strip()[0] for row in rows} <= {"○", "≠", "–"}
    assert not any(sign in row[4] for row in rows for sign in "✓✗~≠")
    assert any("in shares of one colour's" in row[4] for row in rows)


def test_the_command_judges_a_folder_and_publishes_it(out, tmp_path, monkeypatch):
    """The terminal, the folder's page, the published folder's and the kit's README agree."""
    from colorkit.base import files, terminal

    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- ledger -->an older one<!-- end of ledger -->\nafter\n")
    found = files.kit_file
    here = {("results",): tmp_path / "results"}
    monkeypatch.setattr(files, "kit_file", lambda *names: here.get(names) or found(*names))
    monkeypatch.setattr(terminal.console, "width", 300)
    shown = CliRunner().invoke(app, ["ledger", "--out", str(out), "--publish", "my/own"])
    assert shown.exit_code == 0, shown.output
    for word in ("What has been tested, and what has not", "○ not", "(no verdict)"):
        assert word in shown.output
    (target,) = (tmp_path / "results").iterdir()
    assert target.name.startswith("my-own-20")
    assert (target / "ledger.json").read_bytes() == (out / "ledger.json").read_bytes()
    section = readme.read_text()
    assert "| the paper's claim | verdict | because |" in section
    assert f"(results/{target.name}/README.md)" in section
    assert section.endswith("<!-- end of ledger -->\nafter\n")
    assert "an older one" not in section
    again = CliRunner().invoke(app, ["ledger"]).output
    assert (
        again[again.index("┏") :]
        == shown.output[shown.output.index("┏") :].rpartition("published")[0]
    )
    assert f"numbers and runs: {target}" in again
    once = CliRunner().invoke(app, ["ledger", "--out", str(target)])
    assert once.output.count("tables: 12 runs") == 1
