import datetime
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from known import little

from colorkit.base.errors import KitError
from colorkit.base.files import kit_file, write_atomic
from colorkit.claims.archive import publish
from colorkit.claims.protocol import read_history, read_protocol, record
from colorkit.experiment import PROFILES

ANALYSIS = {"primary": "mse_ab", "alpha": 0.05, "draws": 500}
ANALYSIS |= {"noise": {"runs": 0.1, "ratios": 0.1, "painters": 0.2, "paintings": 0.7}}
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
def test_the_kits_protocols_are_valid(name, tmp_path):
    protocol = read_protocol(str(kit_file("results", name)))
    assert protocol.profile in PROFILES
    grids = protocol.grids(tmp_path)
    assert len({grid.out for grid in grids.values()}) == len(grids)
    assert protocol.main.splits == tuple(f"fold-{n}" for n in range(1, 6))  # all are tested
    seeds = [
        seed for key, grid in grids.items() if key[0] == protocol.main.name for seed in grid.seeds
    ]
    assert len(seeds) == len(set(seeds)) >= 20  # no two splits share one


def test_both_protocols_ask_the_same_questions_but_differ_in_what_they_can_find():
    one, other = (read_protocol(str(kit_file("results", name))) for name in FILES)
    for claim, terms in one.claims.items():
        assert replace(terms, assurance=0) == replace(other.claims[claim], assurance=0)
    assert other.claims["close"].assurance == 0  # scratch alone


def test_a_sound_protocol_is_read(write):
    protocol = read_protocol(write(fixed=datetime.date(2026, 1, 2)))
    assert protocol.fixed == "2026-01-02"
    assert protocol.claims["close"].rule == "equal_models"
    assert protocol.claims["close"].needed.startswith("256 px, 50 epochs, batches of 16, a ResNet")
    paper = next(study for study in protocol.studies if study.name == "paper-1")
    assert paper.seeds_of("draw-519") == (1000,)
    assert protocol.main.seeds_of("fold-3") == (3000, 3001, 3002, 3003)


def test_a_protocol_of_version_1_can_be_read_and_decides_nothing():
    (first,) = kit_file("results").glob("protocol-cpu-2026-11-25/protocol.yaml")
    protocol = read_protocol(str(first))
    assert protocol.version == 1
    assert protocol.main.name == "tables"
    assert protocol.main.seeds_of("fold-1") == protocol.main.seeds_of("fold-2") == (0, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 3}, "version 3: must be 2"),
        ({"fixed": "soon"}, "fixed soon: must be a date"),
        ({"fixed": datetime.date(2999, 1, 1)}, "fixed 2999-01-01: must be a date.* not to come"),
        ({"profile": "huge"}, "profile 'huge': must be one of"),
        ({"colour": 1}, "the protocol: unknown colour"),
        ({"studies": {"tables": {"seeds": [0]}}}, "study tables: splits is missing"),
        ({"studies": {}}, "studies: must name at least one"),
        ({"studies": {"tables": {"splits": ["paper"], "profile": "big"}}}, "profile 'big': must"),
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
        ({"analysis": ANALYSIS | {"primary": "psnr"}}, "primary 'psnr'"),
        ({"analysis": ANALYSIS | {"alpha": 0.95}}, "alpha 0.95: must be"),
        ({"analysis": ANALYSIS | {"draws": 5}}, "draws 5: must be"),
        ({"analysis": ANALYSIS | {"noise": {"runs": 0.1}}}, "noise: needs runs, ratios, painters"),
        ({"analysis": {"primary": "mse_ab"}}, "analysis: .* is missing"),
        ({"claims": {"cells": {"rule": "lowest"}}}, "claims: .* is missing"),
    ],
)
def test_a_wrong_line_is_named(write, changes, says):
    with pytest.raises(KitError, match=rf"protocol.yaml: .*{says}"):
        read_protocol(write(**changes))


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"rule": "best"}, "claim close: rule 'best': must be one of"),
        ({"margin": -1}, "claim close: margin -1: must be a number from 0 to 10"),
        ({"margin": float("nan")}, "claim close: margin nan: must be"),
        ({"assurance": 80}, "claim close: assurance 80: must be a number from 0 to 1"),
        ({"assurance": True}, "claim close: assurance True: must be"),
        (
            {"needs": {"pixels": 256}},
            "claim close: needs: unknown pixels; known are batch_size, dev",
        ),
        ({"needs": {"size": "256"}}, "claim close: size='256': is str, must be int"),
        ({"needs": {"models": "two"}}, "claim close: models 'two': must be one of all"),
        ({"tolerance": 1}, "claim close: unknown tolerance"),
    ],
)
def test_wrong_terms_are_named(write, content, terms, says):
    claims = content["claims"]
    with pytest.raises(KitError, match=says):
        read_protocol(write(claims=claims | {"close": claims["close"] | terms}))
    with pytest.raises(KitError, match="claims: unknown colour"):
        read_protocol(write(claims=claims | {"colour": claims["close"]}))


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "\x00", "just words"])
def test_something_else_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "protocol.yaml"
    path.write_text(text)
    with pytest.raises(KitError, match="protocol.yaml"):
        read_protocol(str(path))
    with pytest.raises(KitError, match=r"not a protocol \(.*No such file"):
        read_protocol(str(tmp_path / "missing.yaml"))


def test_what_was_used_before_is_kept_with_the_results(write, tmp_path):
    out = tmp_path / "out"
    first = read_protocol(write())
    assert len(record(first, "rules", out)) == len(record(first, "rules", out)) == 1
    assert [entry["results"] for entry in record(first, "other", out)] == [0, 0]
    write_atomic(out / "tables" / "fold-1" / "runs" / "t1-unet_resnet18-s0.json", "{}")
    edited = read_protocol(write(fixed=datetime.date(2026, 1, 1)))
    history = record(edited, "other", out)
    assert [entry["sha256"] for entry in history] == [first.sha256, first.sha256, edited.sha256]
    assert [entry["rules"] for entry in history] == ["rules", "other", "other"]
    assert [entry["results"] for entry in history] == [0, 0, 1]
    assert history == read_history(out)
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
        "tables/fold-1/runs/t1-pix2pix_scratch-s1000.json",
        "leaks/inside/runs/t1-pix2pix_scratch-s1000.json",
        "leaks/inside/runs/t1-pix2pix_scratch-s1000-train_mode.json",
    }
    content["analysis"]["alpha"] = 0.1
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    second = call(*words)
    assert second.returncode == 0, second.stdout + second.stderr
    assert runs == {name: (out / name).stat().st_mtime_ns for name in runs}
    judged = call("ledger", "--out", str(out))
    assert judged.returncode == 0, judged.stderr
    assert "EDITED: the protocol was edited when 3 runs were finished" in judged.stdout
    assert "no verdict" in judged.stdout
    assert "validation drawn from training" in (out / "report.html").read_text()


def test_what_another_machine_published_is_not_run_again(gallery, content, tmp_path):
    studies = {
        "tables": {"splits": ["fold-1", "fold-2"], "tables": [1], "models": ["pix2pix_scratch"]}
    }
    path, out = tmp_path / "own.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content | {"painters": "", "studies": studies}))
    holes = {"tables/fold-2/t1-pix2pix_scratch-s2000": "not run yet"}
    archive = replace(little(), protocol=read_protocol(str(path)), holes=holes, runs={})
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
