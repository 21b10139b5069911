import datetime
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from invented import invented_archive

from colorkit.archive import publish
from colorkit.errors import KitError
from colorkit.experiment import PROFILES
from colorkit.paths import kit_file, write_atomic
from colorkit.protocol import edited_after_results, read_history, read_protocol, record
from colorkit.recipes import VARIANTS

FILES = ["protocol.yaml", "protocol-cpu.yaml"]


@pytest.fixture
def content() -> dict:
    return yaml.safe_load(kit_file("results", "protocol-cpu.yaml").read_text())


@pytest.fixture
def write(tmp_path, content):
    def write(**changes) -> str:
        path = tmp_path / "protocol.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        return str(path)

    return write


@pytest.mark.parametrize("name", FILES)
def test_the_kits_protocols_are_valid_and_test_every_painting_once(name, tmp_path):
    protocol = read_protocol(str(kit_file("results", name)))
    assert protocol.profile in PROFILES
    grids = protocol.grids(tmp_path)
    assert [split for study, split in grids if study == "tables"] == [
        f"fold-{n}" for n in range(1, 6)
    ]
    assert len({grid.out for grid in grids.values()}) == len(grids)
    tables = [grid for (study, _), grid in grids.items() if study == "tables"]
    assert all(len(grid.seeds) >= 2 and grid.tables == (1, 2) for grid in tables)
    ablations = next(grid for (study, _), grid in grids.items() if study == "ablations")
    assert set(VARIANTS) - {"no_pretraining"} <= set(ablations.variants)  # cpu: always random


def test_both_protocols_ask_the_same_questions():
    one, other = (read_protocol(str(kit_file("results", name))) for name in FILES)
    assert one.claims == other.claims
    assert [s.name for s in one.studies] == [s.name for s in other.studies]


def test_a_sound_protocol_is_read(write):
    protocol = read_protocol(write(fixed=datetime.date(2026, 1, 2)))
    assert protocol.fixed == "2026-01-02"
    assert protocol.claims["close"] == ("equal_models", 0.0005)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version 2: must be 1"),
        ({"fixed": "soon"}, "fixed soon: must be a date"),
        ({"fixed": datetime.date(2999, 1, 1)}, "fixed 2999-01-01: must be a date.* not to come"),
        ({"profile": "huge"}, "profile 'huge': must be one of"),
        ({"colour": 1}, "the protocol: unknown colour"),
        ({"studies": {"tables": {"seeds": [0]}}}, "study tables: splits is missing"),
        ({"studies": {"other": {"splits": ["paper"]}}}, "must name at least the study 'tables'"),
        ({"studies": {"tables": {"splits": ["fold-1", "fold-1"]}}}, "list of different values"),
        ({"studies": {"tables": {"splits": []}}}, "list of different values"),
        ({"studies": {"tables": {"splits": ["thirds"]}}}, "split 'thirds': must be one of"),
        ({"studies": {"tables": {"splits": ["paper"], "seeds": "0"}}}, "seeds='0': is str"),
        ({"studies": {"tables": {"splits": ["paper"], "seeds": ["a"]}}}, "seed='a': is str"),
        ({"studies": {"tables": {"splits": ["paper"], "seeds": [[0]]}}}, r"seed=\[0\]: is list"),
        ({"studies": {"tables": {"splits": ["paper"], "tables": [3]}}}, "table 3: must be one of"),
        ({"studies": {"tables": {"splits": ["paper"], "models": ["x"]}}}, "model 'x': must be"),
        ({"studies": {"tables": {"splits": ["paper"], "variants": ["x"]}}}, "variant 'x': must be"),
        ({"studies": {"a/b": {"splits": ["paper"]}, "tables": {"splits": ["paper"]}}}, "its name"),
        ({"analysis": {"primary": "psnr", "confidence": 0.9, "draws": 500}}, "primary 'psnr'"),
        ({"analysis": {"primary": "mse_ab", "confidence": 95.0, "draws": 500}}, "confidence 95"),
        ({"analysis": {"primary": "mse_ab", "confidence": 0.9, "draws": 5}}, "draws 5: must be"),
        ({"analysis": {"primary": "mse_ab", "confidence": 0.9}}, "analysis: draws is missing"),
        ({"claims": {"cells": {"rule": "lowest"}}}, "claims: .* is missing"),
    ],
)
def test_a_wrong_line_is_named(write, changes, says):
    with pytest.raises(KitError, match=rf"protocol.yaml: .*{says}"):
        read_protocol(write(**changes))


def test_a_wrong_rule_or_tolerance_is_named(write, content):
    rules = content["claims"]
    with pytest.raises(KitError, match="claim cells: rule 'best': must be one of"):
        read_protocol(write(claims=rules | {"cells": {"rule": "best"}}))
    with pytest.raises(KitError, match="claim close: tolerance -1: must be"):
        read_protocol(write(claims=rules | {"close": {"rule": "equal_models", "tolerance": -1}}))
    for tolerance in (float("nan"), float("inf"), True, "1"):
        path = write(claims=rules | {"close": {"rule": "equal_models", "tolerance": tolerance}})
        with pytest.raises(KitError, match="claim close: tolerance"):
            read_protocol(path)
    with pytest.raises(KitError, match="claim hours: tolerance 0: must be a number, 1 or more"):
        read_protocol(write(claims=rules | {"hours": {"rule": "same_hours"}}))
    with pytest.raises(KitError, match="claim hours: rule .*: must be one of"):
        read_protocol(write(claims=rules | {"hours": {"rule": ["untold"]}}))
    with pytest.raises(KitError, match="claims: unknown colour"):
        read_protocol(write(claims=rules | {"colour": {"rule": "untold"}}))


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "\x00", "just words"])
def test_something_else_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "protocol.yaml"
    path.write_text(text)
    with pytest.raises(KitError, match="protocol.yaml"):
        read_protocol(str(path))
    with pytest.raises(KitError, match=r"not a protocol \(.*No such file"):
        read_protocol(str(tmp_path / "missing.yaml"))


def test_an_edited_protocol_is_told_from_the_first(write, tmp_path):
    out = tmp_path / "out"
    first = read_protocol(write())
    assert len(record(first, out)) == len(record(first, out)) == 1
    assert not edited_after_results(first, record(first, out))
    write_atomic(out / "tables" / "fold-1" / "runs" / "t1-unet_resnet18-s0.json", "{}")
    edited = read_protocol(write(fixed=datetime.date(2026, 1, 1)))
    assert edited_after_results(edited, record(first, out))
    history = record(edited, out)
    assert [entry["sha256"] for entry in history] == [first.sha256, edited.sha256]
    assert history == read_history(out)
    assert [entry["results"] for entry in history] == [0, 1]
    assert edited_after_results(edited, history)
    assert (out / "protocol.yaml").read_text() == edited.text
    (out / "protocol-history.json").write_text("[{}]")
    with pytest.raises(KitError, match="damaged"):
        read_history(out)


def call(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "colorkit", *words],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "150"},
    )


def test_a_protocol_from_its_file_to_its_ledger(gallery, content, tmp_path):
    """Real jobs: lessons and a variant, a clean split and a leak; once more; edited; judged."""
    shared = {"models": ["pix2pix_scratch"], "tables": [1], "epochs": 1}
    tables = shared | {"splits": ["fold-1"]}
    leaks = shared | {"splits": ["inside"], "variants": ["train_mode"]}
    path, out = tmp_path / "own.yaml", tmp_path / "out"
    content |= {"painters": "", "studies": {"tables": tables, "leaks": leaks}}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    words = "reproduce", "--protocol", str(path), "--data", str(gallery), "--out", str(out)
    first = call(*words)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "leaks, inside (2 of 2)" in first.stdout
    runs = {
        p.relative_to(out).as_posix(): p.stat().st_mtime_ns for p in out.glob("*/*/runs/t1*.json")
    }
    assert set(runs) == {
        "tables/fold-1/runs/t1-pix2pix_scratch-s0.json",
        "leaks/inside/runs/t1-pix2pix_scratch-s0.json",
        "leaks/inside/runs/t1-pix2pix_scratch-s0-train_mode.json",
    }
    content["analysis"]["confidence"] = 0.9
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    second = call(*words)
    assert second.returncode == 0, second.stdout + second.stderr
    assert runs == {name: (out / name).stat().st_mtime_ns for name in runs}
    judged = call("ledger", "--out", str(out))
    assert judged.returncode == 0, judged.stderr
    assert "THE PROTOCOL WAS EDITED after results existed" in judged.stdout
    assert "no verdict" in judged.stdout
    assert "validation drawn from training" in (out / "report.html").read_text()


def test_what_another_machine_published_is_not_run_again(gallery, content, tmp_path):
    studies = {
        "tables": {"splits": ["fold-1", "fold-2"], "tables": [1], "models": ["pix2pix_scratch"]}
    }
    path, out = tmp_path / "own.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content | {"painters": "", "studies": studies}))
    holes = {"tables/fold-2/t1-pix2pix_scratch-s0": "not run yet"}
    archive = replace(invented_archive(), protocol=read_protocol(str(path)), holes=holes)
    publish(archive, tmp_path / "published")
    words = "reproduce", "--protocol", str(path), "--data", str(gallery), "--out", str(out)
    listed = call(*words, "--join", str(tmp_path / "published"), "--dry-run")
    assert listed.returncode == 0, listed.stderr
    assert "fold-2" in listed.stdout
    assert "fold-1" not in listed.stdout
    assert not out.exists()
    refused = call("reproduce", "--join", str(tmp_path / "published"))
    assert refused.returncode == 2
    assert refused.stderr == "colorkit: --join: needs --protocol, the one of the published folder\n"
