"""Every rule on invented archives whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from invented import invented_archive

from colorkit import claims, stats
from colorkit.archive import Archive
from colorkit.claims import NO_VERDICT, NOISE, REFUTED, REPRODUCED, UNTOLD
from colorkit.recipes import MODELS

SCRATCH_BETTER = {(t, "pix2pix_scratch"): 0.0090 for t in (1, 2)}
SCRATCH_WORSE = {(t, "pix2pix_scratch"): 0.0170 for t in (1, 2)}


def verdict(archive: Archive, claim: str) -> str:
    return judged(archive)[claim].verdict


def judged(archive: Archive) -> dict[str, claims.Verdict]:
    return {found.claim["id"]: found for found in claims.verdicts(archive)}


def test_every_claim_of_the_paper_gets_a_verdict_from_the_four():
    found = judged(invented_archive())
    assert len(found) == len(claims.paper()["claims"]) == 11
    assert {v.verdict for v in found.values()} <= {REPRODUCED, REFUTED, NOISE, UNTOLD}
    for claim in claims.paper()["claims"]:
        assert {"id", "where", "says", "test", "confirms", "refutes"} == set(claim)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [(SCRATCH_BETTER, REPRODUCED), (SCRATCH_WORSE, REFUTED), ({}, NOISE)],
)
def test_best_by_mse(errors, expected):
    assert verdict(invented_archive(errors), "scratch_best") == expected


def test_better_in_one_table_only_is_not_enough():
    assert verdict(invented_archive({(1, "pix2pix_scratch"): 0.009}), "scratch_best") == NOISE


@pytest.mark.parametrize(
    ("errors", "tolerance", "expected"),
    [({}, 0.0015, REPRODUCED), ({}, 0.0, NOISE), (SCRATCH_WORSE, 0.0005, REFUTED)],
)
def test_close_and_learning_rate_need_the_interval_inside_the_tolerance(
    errors, tolerance, expected
):
    archive = invented_archive(errors)
    rules = archive.protocol.claims | {"close": ("equal_models", tolerance)}
    changed = replace(archive, protocol=replace(archive.protocol, claims=rules))
    assert verdict(changed, "close") == expected


def test_a_learning_rate_that_matters():
    archive = invented_archive({(2, model): 0.02 for model in MODELS})
    assert verdict(archive, "learning_rate") == REFUTED


def papers_numbers() -> dict:
    return {(t, m): claims.paper_cell(t, "test", m) for t in (1, 2) for m in MODELS}


def test_the_papers_cells_are_found_where_they_are_and_nowhere_else():
    clean = judged(invented_archive(papers_numbers(), spread=0.001))["cells"]
    assert clean.verdict == REFUTED
    inside = {f.what for f in clean.findings if f.verdict == REPRODUCED}
    assert inside == {f.what for f in clean.findings if "test" in f.what}
    assert clean.because == "6 of 18 are where a new run of ours would be"
    finding = next(f for f in clean.findings if f.what == "Table 1, test, scratch")
    assert finding.paper == 0.0132
    assert finding.low < finding.ours < finding.high


def test_the_gap_is_the_papers_only_where_validation_is_half_the_test_error():
    assert verdict(invented_archive(papers_numbers()), "gap") == REFUTED
    leaking = invented_archive(parts={"train": 0.41, "valid": 0.42}, spread=0.0001)
    rules = leaking.protocol.claims | {"gap": ("ratios_in_prediction_interval", 1.0)}
    leaking = replace(leaking, protocol=replace(leaking.protocol, claims=rules))
    ratios = judged(leaking)["gap"]
    assert ratios.verdict == REPRODUCED, ratios.because
    assert ratios.findings[0].what == "Table 1, valid / train, U-Net"
    assert ratios.findings[3].paper == pytest.approx(0.0133 / 0.0062)


def test_an_interval_that_holds_anything_confirms_nothing():
    archive = invented_archive(papers_numbers(), spread=0.02)
    found = judged(archive)["cells"]
    assert found.verdict == NOISE
    assert "in an interval too wide to tell" in found.because


def test_a_true_paper_is_refuted_in_one_of_twenty_studies_at_most():
    """The paper's numbers drawn from the world of our runs: all 18 have to lie inside."""
    random, wrong = np.random.default_rng(0), 0
    for _ in range(300):
        for _ in range(18):
            split = random.normal(0, 1, 6)
            runs = [split[n] + random.normal(0, 0.5, 2) for n in range(5)]
            _, low, high = stats.prediction_interval(runs, 1 - 0.05 / 18)
            if not low <= split[5] + random.normal(0, 0.5) <= high:
                wrong += 1
                break
    assert wrong / 300 <= 0.08


@pytest.mark.parametrize(("apart", "expected"), [(5.0, REPRODUCED), (8.0, REFUTED), (6.0, NOISE)])
def test_alike_is_measured_by_two_seeds(apart, expected):
    found = judged(invented_archive(apart=apart))["alike"]
    assert found.verdict == expected
    assert found.because.startswith(f"Table 1: CIEDE2000 {apart:.1f} between the U-Net and the pix")
    assert "7.0 with another seed's" in found.because


@pytest.mark.parametrize(
    ("table_error", "expected"), [(0.016, UNTOLD), (0.010, REFUTED), (0.0130, NOISE)]
)
def test_correct_colours_have_to_beat_the_table_which_is_not_enough(table_error, expected):
    assert verdict(invented_archive({(0, "L_table"): table_error}), "correct") == expected


def votes(**fooled: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"rater": n % 3, "model": model, "path": f"{n}", "fooled": n < 2 * fooled[model]}
            for model in MODELS
            for n in range(200)
        ]
    )


@pytest.mark.parametrize(
    ("fooled", "expected"),
    [((20, 50, 22), REPRODUCED), ((30, 32, 31), NOISE), ((50, 20, 49), REFUTED)],
)
def test_by_eye_only_votes_decide(fooled, expected):
    archive = invented_archive()
    assert verdict(archive, "by_eye") == UNTOLD
    shown = replace(archive, votes=votes(**dict(zip(MODELS, fooled, strict=True))))
    assert verdict(shown, "by_eye") == expected
    few = replace(archive, votes=shown.votes.iloc[1:])
    assert verdict(few, "by_eye") == UNTOLD
    alone = replace(archive, votes=shown.votes.assign(rater=0))
    assert verdict(alone, "by_eye") == UNTOLD


def test_hours_are_judged_on_a_t4_at_the_papers_settings_only():
    run = {"device": "cuda: Tesla T4", "seconds": 600.0}
    config = {"profile": "paper", "model": "pix2pix_scratch"}
    here = {"tables/fold-1/t1-pix2pix_scratch-s0": run | {"config": config}}
    assert verdict(replace(invented_archive(), runs=here), "hours") == REFUTED
    slow = {"tables/x": here.popitem()[1] | {"seconds": 5000.0}}
    assert verdict(replace(invented_archive(), runs=slow), "hours") == REPRODUCED
    other = {key: slow[key] | {"device": "cuda: NVIDIA T400"} for key in slow}
    assert verdict(replace(invented_archive(), runs=other), "hours") == UNTOLD
    smoke = {"tables/x": slow["tables/x"] | {"config": config | {"profile": "smoke"}}}
    assert verdict(replace(invented_archive(), runs=smoke), "hours") == UNTOLD


def test_a_hole_is_named_and_gives_no_verdict():
    archive = invented_archive()
    gone = archive.scores["run"] == "t2-pix2pix_scratch-s1"
    gone &= archive.scores["split"] == "fold-3"
    key = "tables/fold-3/t2-pix2pix_scratch-s1"
    torn = replace(archive, scores=archive.scores[~gone], holes={key: "the training diverged"})
    found = judged(torn)
    for name in ("cells", "gap", "scratch_best", "close", "learning_rate", "alike", "correct"):
        assert found[name].verdict == NO_VERDICT
        assert found[name].because == f"{key} has no result (the training diverged)"
    unsaid = judged(replace(torn, holes={}))["cells"]
    assert unsaid.because == f"{key} has no result (not in the protocol)"
    other = replace(archive, holes={"ablations/paper/t1-pix2pix_scratch-s0-l2": "not run yet"})
    assert found["more_data"].verdict == UNTOLD
    assert verdict(other, "cells") != NO_VERDICT


@pytest.mark.parametrize(
    ("splits", "paintings", "says"),
    [
        (("fold-1",), 20, "1 split: an interval needs at least 2"),
        (None, 3, "3 test paintings in a split: a test needs at least 5"),
    ],
)
def test_too_little_is_refused(splits, paintings, says):
    archive = invented_archive()
    study = archive.study("tables")
    studies = (replace(study, splits=splits or study.splits),)
    little = replace(
        archive,
        scores=archive.scores[archive.scores["painting"] < paintings],
        protocol=replace(archive.protocol, studies=studies),
    )
    found = judged(little)["scratch_best"]
    assert (found.verdict, found.because) == (NO_VERDICT, says)


def test_distances_of_some_splits_only_give_no_verdict():
    archive = invented_archive()
    some = archive.distances[archive.distances["split"] != "fold-4"]
    found = judged(replace(archive, distances=some))["alike"]
    assert found.because == "Table 1, fold-4: two seeds' distances are missing"
