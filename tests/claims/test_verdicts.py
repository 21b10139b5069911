"""Every rule on invented archives whose truth is known, the gate before them, and its chances."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from known import CONSTANT, full_protocol, kits_protocol, known, protocol_of

from colorkit.claims import evidence
from colorkit.claims import verdicts as claims
from colorkit.claims.archive import SCORES, Archive
from colorkit.claims.board import INCONCLUSIVE, NOT, NOT_TESTED, ODDS, REPLICATED, UNTESTABLE
from colorkit.claims.invented import invent
from colorkit.experiment import MODELS
from colorkit.replication import paper

SCRATCH = "pix2pix_scratch"
TRAINED = ("cells", "gap_valid", "scratch_best", "close", "learning_rate", "alike")


def verdict(archive: Archive, claim: str) -> str:
    return claims.judge([archive], claim).verdict


def told(archive: Archive, claim: str) -> str:
    return claims.judge([archive], claim).because


def changed(archive: Archive, factor: float, **where) -> Archive:
    """Multiply the errors of some rows."""
    scores = archive.scores.copy()
    rows = (scores[list(where)] == list(where.values())).all(axis=1)
    scores.loc[rows, SCORES] *= factor
    return replace(archive, scores=scores)


def with_config(archive: Archive, **facts) -> Archive:
    """Change a setting in every run's record."""
    runs = {}
    for key, run in archive.runs.items():
        kept = {"weights": "none"} if run["config"]["weights"] == "none" else {}
        runs[key] = run | {"config": run["config"] | facts | kept}
    return replace(archive, runs=runs)


def test_if_the_papers_numbers_are_true_what_can_be_confirmed_is(papers):
    judged = {v.claim["id"]: v for v in claims.verdicts([papers])}
    assert list(judged) == [claim["id"] for claim in paper.claims()]
    expected = dict.fromkeys(TRAINED[1:], REPLICATED) | {"gap_test": ODDS, "correct": UNTESTABLE}
    expected |= dict.fromkeys(("by_eye", "hours", "more_data"), NOT_TESTED)
    assert {claim: judged[claim].verdict for claim in expected} == expected
    assert judged["cells"].verdict != NOT
    learnt = [f for f in judged["cells"].findings if f.key["part"] != "test"]
    assert {f.verdict for f in learnt} == {REPLICATED}


# 1. Three copies of one constant colour.
def test_three_copies_of_one_colour_are_neither_close_nor_alike_nor_best():
    archive = known(CONSTANT, apart=(0.0, 0.0, 0.0))
    assert verdict(archive, "cells") == NOT
    for claim in ("scratch_best", "close", "learning_rate", "alike"):
        assert verdict(archive, claim) == INCONCLUSIVE
        assert "surely beat one constant colour, which comes first" in told(archive, claim)


# 2. One epoch at 8 px.
@pytest.mark.parametrize(
    "facts", [{"size": 8}, {"epochs": 1}, {"batch_size": 8}, {"weights": "random"}]
)
def test_runs_at_other_settings_decide_nothing(papers, facts):
    small = with_config(papers, **facts)
    if "weights" in facts:  # scratch has no backbone: its cells may be judged
        assert "(12 have no runs)" in told(small, "cells")
    claims_of_all = TRAINED if "weights" not in facts else ("scratch_best", "close", "alike")
    for claim in claims_of_all:
        found = claims.judge([small], claim)
        assert found.verdict == NOT_TESTED
        assert found.because.startswith("needs 256 px, 50 epochs, batches of 16")
        assert found.small  # numbers, beside it


# 3. and 4. Missing rows, NaN and infinity.
@pytest.mark.parametrize("wrong", ["missing", np.nan, np.inf])
def test_a_run_without_all_its_scores_is_named_and_gives_no_verdict(papers, wrong):
    whole, run = papers.scores, "table == 2 and model == @SCRATCH and seed == 3001"
    rows = whole.query(f"{run} and part == 'test' and painting < 20").index
    scores = whole.drop(rows)
    if wrong != "missing":
        scores = whole.assign(mse_ab=whole["mse_ab"].mask(whole.index.isin(rows), wrong))
    torn = replace(papers, scores=scores)
    for claim in ("cells", "scratch_best", "close", "learning_rate"):
        assert verdict(torn, claim) == NOT_TESTED
        run = "whole, paper-3: Table 2, scratch, seed 3001"
        assert told(torn, claim) == (
            f"no verdict: {run}: 180 of 200 test paintings have a score; run it again"
        )


# 5. One model alone: the CPU protocol's own runs (test_ledger.py).


# 6. The same result at another level.
@pytest.mark.parametrize("claim", ["gap_valid", "scratch_best", "close", "learning_rate"])
def test_the_same_relative_result_has_the_same_verdict_at_every_level(papers, claim):
    assert verdict(changed(papers, 0.1), claim) == REPLICATED


# 7. Failures, and one run that is far out.
def test_failures_are_counted_before_means_and_one_decides_nothing(papers):
    one = changed(papers, 70.0, table=2, model=SCRATCH, seed=1000)
    assert verdict(one, "learning_rate") == REPLICATED
    failing = one
    for seed in range(1000, 10_001, 1000):
        failing = changed(failing, 3.0, table=2, model=SCRATCH, seed=seed + 2)
    assert verdict(failing, "learning_rate") == NOT
    assert "11 of 30 runs at Table 2's rate, 0 of 30 at Table 1's" in told(failing, "learning_rate")


# 8. Votes of one rater, and one painting that fools everybody.
def test_one_rater_or_one_painting_is_one_fact(papers):
    rows = [
        {"rater": rater, "model": model, "path": str(n), "fooled": model == SCRATCH and rater == 0}
        for rater in range(10)
        for model in MODELS
        for n in range(40)
    ]
    votes = pd.DataFrame(rows)
    alone = replace(papers, votes=votes)
    assert verdict(alone, "by_eye") == INCONCLUSIVE
    votes["fooled"] = (votes["model"] == SCRATCH) & (votes["path"] == "7")
    assert verdict(replace(papers, votes=votes), "by_eye") == INCONCLUSIVE
    random = np.random.default_rng(0)
    votes["fooled"] = random.random(len(votes)) < np.where(votes["model"] == SCRATCH, 0.4, 0.1)
    assert verdict(replace(papers, votes=votes), "by_eye") == REPLICATED
    few = replace(papers, votes=votes[votes["rater"] < 3])
    assert verdict(few, "by_eye") == NOT_TESTED


# 9. Hours: a bound, at the paper's settings, on a T4.
@pytest.mark.parametrize(
    ("hours", "facts", "device", "expected"),
    [
        (0.1, {}, "cuda: Tesla T4", REPLICATED),
        (1.6, {}, "cuda: Tesla T4", REPLICATED),
        (3.0, {}, "cuda: Tesla T4", INCONCLUSIVE),
        (0.1, {"epochs": 5}, "cuda: Tesla T4", NOT_TESTED),
        (0.1, {}, "cuda: NVIDIA L4", NOT_TESTED),
    ],
)
def test_a_faster_run_refutes_nothing(papers, hours, facts, device, expected):
    timed = with_config(papers, **facts)
    runs = {k: r | {"seconds": 3600 * hours, "device": device} for k, r in timed.runs.items()}
    assert verdict(replace(timed, runs=runs), "hours") == expected


# 10. Two equal processes; the yardstick.
@pytest.mark.parametrize(
    ("apart", "expected"),
    [((9, 8, 6), NOT), ((6, 6, 6), REPLICATED), ((8, 9, 6), INCONCLUSIVE)],
)
def test_alike_is_as_near_as_seeds_and_no_further_than_scratch(apart, expected):
    archive = known(apart=apart)
    assert verdict(archive, "alike") == expected, told(archive, "alike")


def test_a_study_that_finds_an_effect_of_the_right_size_refutes():
    archive = known({(t, SCRATCH, "test"): 0.0175 for t in (1, 2)})
    assert verdict(archive, "scratch_best") == NOT
    assert verdict(archive, "close") == NOT
    learnt = {(t, m, "train"): 0.004 for t in (1, 2) for m in MODELS}
    unseen = {(t, m, "valid"): 0.013 for t in (1, 2) for m in MODELS}
    assert verdict(known(learnt | unseen), "gap_valid") == NOT
    rate = {(2, m, "test"): 0.0195 for m in MODELS}
    assert verdict(known(rate), "learning_rate") == NOT


def test_a_design_that_could_not_find_it_decides_nothing(papers):
    weak = {n: replace(t, assurance=0.7) for n, t in papers.protocol.claims.items()}
    archive = replace(papers, protocol=replace(papers.protocol, claims=weak))
    assert verdict(archive, "close") == NOT_TESTED
    assert told(archive, "close").startswith("assurance 0.70: ")


def test_the_first_archive_that_meets_the_needs_decides_and_others_show_numbers(papers):
    small = with_config(papers, size=64)
    found = claims.judge([small, papers], "close")
    assert found.verdict == REPLICATED
    assert found.because.startswith("differences of test error")


def test_an_archive_of_the_first_protocols_decides_nothing(papers):
    old = replace(papers, protocol=replace(papers.protocol, version=1))
    assert {verdict(old, claim) for claim in ("close", "learning_rate")} == {NOT_TESTED}
    assert verdict(old, "gap_test") == ODDS


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"results": 3}, "the protocol was edited when 3 runs were finished"),
        ({"sha256": "f" * 64}, "the protocol was edited after its results: ffffffffffff"),
        ({"rules": "0" * 12}, "the rules were edited after the results: 000000000000"),
    ],
)
def test_edits_after_results_are_named_and_end_all_verdicts(papers, entry, says):
    facts = {"sha256": papers.protocol.sha256, "rules": claims.rules_sha256(), "results": 0}
    fine = facts | {"fixed": "2026-11-25", "used_from": "2026-11-25"}
    assert verdict(replace(papers, history=[fine]), "close") == REPLICATED
    edited = replace(papers, history=[fine | entry])
    assert verdict(edited, "close") == NOT_TESTED
    assert says in told(edited, "close")


def test_the_rules_checksum_moves_with_the_rules_and_with_nothing_else(monkeypatch):
    before, anew = claims.rules_sha256(), claims.rules_sha256.__wrapped__
    assert anew() == before
    monkeypatch.setattr(evidence, "FAILED", 1.02)
    assert anew() != before


@pytest.mark.slow
@pytest.mark.parametrize("claim", ["cells", "gap_valid"])
def test_the_assurance_the_protocol_states_is_what_a_simulation_gives(claim):
    protocol = protocol_of(kits_protocol())
    again = claims.assurance(protocol, claim, studies=30, seed=1)
    assert again == pytest.approx(protocol.claims[claim].assurance, abs=0.17)


def test_a_clean_study_of_one_run_refutes_the_papers_gap_where_it_is_not():
    """Table 1 at the paper's settings, trained until training is a third of validation."""
    protocol = protocol_of(kits_protocol())
    truth = {(1, SCRATCH, "train"): 0.0050, (1, SCRATCH, "valid"): 0.0150}
    found = [
        verdict(
            invent(protocol, np.random.default_rng(n), truth, studies=("paper-1",)), "gap_valid"
        )
        for n in range(20)
    ]
    assert found.count(NOT) >= 19


def test_no_assurance_without_runs_that_meet_the_needs():
    protocol = protocol_of(kits_protocol())
    assert claims.assurance(protocol, "close", studies=3) == 0
    assert claims.assurance(full_protocol(), "close", studies=1) == 1
