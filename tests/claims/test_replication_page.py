"""docs/replication.md says what the published runs give."""

from dataclasses import replace

import pytest

from colorkit.base.files import kit_file
from colorkit.claims.evidence import Finding, main_evidence
from colorkit.claims.gathering import read_archive
from colorkit.claims.ledger import scope
from colorkit.claims.rules import RULES
from colorkit.claims.whatif import leak_table
from colorkit.metrics import BASELINES
from colorkit.snapshots import published_errors

PAGE = kit_file("docs", "replication.md")
FOLDS = kit_file("results", "scratch-folds-2026-11-26")


@pytest.fixture(scope="module")
def evidence():
    """The two seeds of every fold that were done, of four that the protocol fixes."""
    archive = read_archive(FOLDS)
    done = replace(archive.protocol.studies["folds"], seeds=(0, 1))
    protocol = replace(archive.protocol, studies={"folds": done})
    return main_evidence(replace(archive, protocol=protocol))


def findings(evidence, claim: str) -> list[Finding]:
    terms = evidence.archive.protocol.claims[claim]
    return RULES[terms.rule](evidence, terms).findings


@pytest.mark.parametrize("part", ["training", "validation", "test"])
def test_the_errors_of_twenty_runs(evidence, part):
    key = {"training": "train", "validation": "valid"}.get(part, part)
    ours = [f"{f.ours:.4f}" for f in findings(evidence, "cells") if f.key["part"] == key]
    assert f"| {part} error | {' | '.join(ours)} |" in PAGE.read_text(encoding="utf-8")


def test_the_ratios_of_twenty_runs(evidence):
    page = PAGE.read_text(encoding="utf-8")
    over_colour = [evidence.log_relative((table, "pix2pix_scratch")) for table in (1, 2)]
    rows = {
        "validation over training": findings(evidence, "gap_valid"),
        "that of forty numbers": findings(evidence, "correct"),
        "one constant colour's": [evidence.ratio({}, estimate) for estimate in over_colour],
    }
    for words, found in rows.items():
        line = next(line for line in page.splitlines() if line.startswith("|") and words in line)
        assert line.endswith(f"| {' | '.join(f.number() for f in found)} |")
    (rates,) = findings(evidence, "learning_rate")
    assert rates.number().replace(" [", " times those at Table 1's [") in page


def test_the_long_runs_are_quoted_as_they_were_published():
    page = PAGE.read_text(encoding="utf-8")
    for where, words in (
        ("scratch-cpu", "{}, {} and {} on training"),
        ("scratch-gpu", "{}, {} and {}."),
    ):
        folder = kit_file("results", f"{where}-2026-11-26", "paper-1", "draw-519")
        errors = published_errors(folder, {"ours": "t1-pix2pix_scratch-s1000"}).loc["ours"]
        numbers = [f"{errors[part]:.4f}" for part in ("train", "valid", "test")]
        assert words.format(*numbers) in page


@pytest.mark.parametrize(
    ("where", "models"),
    [
        ("unet-gpu-2026-11-26", {"U-Net": "unet_resnet18"}),
        (
            "class-cpu-2026-11-26",
            {
                "U-Net": "unet_resnet18",
                "pix2pix from scratch": "pix2pix_scratch",
                "pix2pix on the U-Net": "pix2pix_resnet18",
            },
        ),
    ],
)
def test_runs_of_no_protocol_are_quoted_as_they_were_published(where, models):
    folder = kit_file("results", where)
    runs = {words: f"t1-{model}-s1000" for words, model in models.items()}
    errors = published_errors(folder, runs)
    rows = {"one constant colour": BASELINES["mean_ab"], "forty numbers": BASELINES["L_table"]}
    readme = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    for words, row in (rows | dict(zip(models, models, strict=True))).items():
        numbers = [f"{errors.loc[row, part]:.4f}" for part in ("train", "valid", "test")]
        line = next(line for line in readme if line.startswith(f"| {words}"))
        assert line.endswith(f"| {' | '.join(numbers)} |")


def test_the_leaks_on_purpose():
    archive = read_archive(kit_file("results", "leaks-cpu-2026-11-26"))
    inside, flips = scope([archive])[:2]
    assert inside.startswith("leak-inside: 5 runs")
    assert "(555 steps)" in inside
    assert flips.startswith("leak-flips: 5 runs")
    assert "(550 steps)" in flips
    rows = leak_table(archive).dropna(subset="low").to_dict("records")
    assert len(rows) == 2
    page = PAGE.read_text(encoding="utf-8")
    for row in rows:
        valid = f"{row['valid / train']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        test = f"{row['test / valid']:.2f} [{row['low ']:.2f}, {row['high ']:.2f}]"
        assert f"| {row['tried']} | {valid} | {test} |" in page
