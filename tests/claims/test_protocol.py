import datetime
from dataclasses import replace

import pytest
import yaml
from known import kits_protocol
from processes import python
from typer.testing import CliRunner

from colorkit import curation
from colorkit.base.errors import KitError
from colorkit.base.files import kit_file, write_atomic
from colorkit.claims.protocol_file import keep_protocol, read_history, read_protocol
from colorkit.cli import app
from colorkit.experiment import PROFILES
from colorkit.replication import reproduce

FILES = ["protocol.yaml", "protocol-cpu.yaml", "protocol-scratch.yaml"]


@pytest.fixture
def write(tmp_path):
    def write(**changes) -> str:
        path = tmp_path / "protocol.yaml"
        path.write_text(yaml.safe_dump(kits_protocol() | changes, sort_keys=False))
        return str(path)

    return write


@pytest.mark.parametrize("name", FILES)
def test_the_kits_protocols_are_valid(name, tmp_path):
    protocol = read_protocol(str(kit_file("results", name)))
    assert protocol.profile in PROFILES
    grids = protocol.grids(tmp_path)
    assert len({grid.folder.path for grid in grids.values()}) == len(grids)
    assert protocol.main.splits == tuple(f"fold-{n}" for n in range(1, 6))  # all are tested
    seeds = [
        seed for key, grid in grids.items() if key[0] == protocol.main.name for seed in grid.seeds
    ]
    assert len(seeds) == len(set(seeds)) >= 20  # no two splits share one


def test_the_protocols_ask_the_same_questions_but_differ_in_what_they_can_find():
    one, *others = (read_protocol(str(kit_file("results", name))) for name in FILES)
    for other in others:
        for claim, terms in one.claims.items():
            assert replace(terms, assurance=0) == replace(other.claims[claim], assurance=0)
        assert other.claims["close"].assurance == 0  # scratch alone


def test_a_sound_protocol_is_read(write):
    protocol = read_protocol(write(fixed=datetime.date(2026, 1, 2)))
    assert str(protocol.fixed) == "2026-01-02"
    assert protocol.claims["close"].rule == "equal_models"
    assert protocol.claims["close"].needed.startswith("256 px, 50 epochs, batches of 16, a ResNet")
    assert protocol.studies["paper-1"].seeds_of("draw-519") == (1000,)
    assert protocol.main.seeds_of("fold-3") == (3000, 3001, 3002, 3003)


def study(**content) -> dict:
    return {"studies": {"tables": {"splits": ["paper"]} | content}}


def close(**terms) -> dict:
    claims = kits_protocol()["claims"]
    return {"claims": claims | {"close": claims["close"] | terms}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 3}, "version 3: Input should be 1 or 2"),
        ({"version": 1, "analysis": 3}, "analysis 3: "),
        ({"fixed": datetime.date(2999, 1, 1)}, "fixed: must be a date, and not to come"),
        ({"colour": 1}, "colour 1: unknown name; delete or correct it"),
        (study(seeds=["1"]), "studies tables seeds 0 '1': Input should be a valid integer"),
        (study(splits=["thirds"]), "split 'thirds': must be one of paper, usual"),
        ({"studies": {"a/b": {"splits": ["paper"]}}}, "studies a/b"),
        (study(own_seeds=False), "studies tables own_seeds"),
        (study(splits=["fold-1", "fold-1"]), "studies tables splits"),
        (study(splits=["inside-1"]), "no study with a clean split of all the painters"),
        ({"claims": {}}, "claims: alike is missing"),
        (close(rule="best"), "claims close rule"),
        (close(margin=float("nan")), "claims close margin"),
        (close(assurance=80), "claims close assurance"),
        (close(needs={"pixels": 256}), "claims close needs pixels"),
    ],
)
def test_a_wrong_line_is_named_in_one_line(write, changes, says):
    with pytest.raises(KitError, match="protocol.yaml: ") as raised:
        read_protocol(write(**changes))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


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
    assert len(keep_protocol(first, "rules", out)) == len(keep_protocol(first, "rules", out)) == 1
    assert [entry["results"] for entry in keep_protocol(first, "other", out)] == [0, 0]
    write_atomic(out / "tables" / "fold-1" / "runs" / "t1-unet_resnet18-s0.json", "{}")
    edited = read_protocol(write(fixed=datetime.date(2026, 1, 1)))
    history = keep_protocol(edited, "other", out)
    assert [entry["sha256"] for entry in history] == [first.sha256, first.sha256, edited.sha256]
    assert [entry["rules"] for entry in history] == ["rules", "other", "other"]
    assert [entry["results"] for entry in history] == [0, 0, 1]
    assert history == read_history(out)
    assert (out / "protocol.yaml").read_text() == edited.text
    (out / "protocol-history.json").write_text("[{}]")
    with pytest.raises(KitError, match="damaged"):
        read_history(out)


def test_many_splits_take_one_audit(write, gallery, tmp_path, monkeypatch):
    """From the check before anything is written to the manifests; nothing is trained here."""
    asked = {"splits": ["fold-1", "fold-2"], "models": ["pix2pix_scratch"]}
    path, out, audits = write(painters="", studies={"tables": asked}), tmp_path / "out", []
    audit = curation.audit
    monkeypatch.setattr(curation, "audit", lambda *w: audits.append(w) or audit(*w))
    monkeypatch.setattr(reproduce, "_run", lambda *_: None)
    words = ["protocol", path, "--data", str(gallery), "--out", str(out)]
    CliRunner().invoke(app, [*words, "--no-notebooks"])
    assert len(list(out.glob("tables/*/manifest.csv"))) == 2
    assert len(audits) == 1


def call(*words: str):
    return python("-m", "colorkit", *words, COLUMNS="150")


@pytest.mark.slow
def test_a_protocol_from_its_file_to_its_ledger(write, gallery, tmp_path):
    """Real jobs: trainings and a variant, a clean split and a leak; once more; edited; judged."""
    shared = {"models": ["pix2pix_scratch"], "tables": [1], "epochs": 1}
    tables = shared | {"splits": ["fold-1"]}
    leaks = shared | {"splits": ["inside"], "variants": ["train_mode"]}
    out, asked = tmp_path / "out", {"painters": "", "studies": {"tables": tables, "leaks": leaks}}
    path = write(**asked)
    words = "protocol", path, "--data", str(gallery), "--out", str(out), "--no-notebooks"
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
    write(**asked, analysis=kits_protocol()["analysis"] | {"alpha": 0.1})
    second = call(*words)
    assert second.returncode == 0, second.stdout + second.stderr
    assert runs == {name: (out / name).stat().st_mtime_ns for name in runs}
    judged = call("ledger", "--out", str(out))
    assert judged.returncode == 0, judged.stderr
    assert "EDITED: the protocol was edited when 3 runs were finished" in judged.stdout
    assert "no verdict" in judged.stdout
    assert "validation drawn from training" in (out / "report.html").read_text()
