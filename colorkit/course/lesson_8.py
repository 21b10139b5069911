"""Lesson 8: paired errors, alarms between seeds, the margin that decides, what 0.0004 takes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .answers import exercise
from .judging import in_words, must, number

STEP = 0.01  # how near to the turning point a margin has to be


@exercise(
    "8.1",
    "Take the differences first, painting by painting: a - b.",
    "The standard error of their mean is their spread, (a - b).std(ddof=1), over the root of n.",
)
def paired(paired_error: Callable) -> None:
    rng = np.random.default_rng()
    for n in (6, 40):
        hard = rng.gamma(2, 0.01, size=n)
        a, b = (hard + rng.normal(0, 0.002, size=n) for _ in range(2))
        wanted = float((a - b).std(ddof=1) / np.sqrt(n))
        got = number("what paired_error returns", paired_error(a.copy(), b.copy()))
        told = f"for {n} paintings paired_error is {got:.5f}, must be {wanted:.5f}"
        must(abs(got - wanted) <= 1e-6, told)


@exercise(
    "8.2",
    a="so it would be if a test over paintings allowed for another training.",
    b="some more than one in twenty, but here it is far more.",
    c="two trainings do differ on these paintings; the model is the same.",
)
def alarms_between_seeds(alarms: Any, p_values: Any) -> str:
    share = number("alarms", alarms) / len(p_values)
    return "a" if share <= 0.1 else "b" if share <= 0.25 else "c"


@exercise(
    "8.3",
    "verdict_at(margin) is one of evidence.REPLICATED and evidence.INCONCLUSIVE.",
    "Halve: if the middle of low and high replicates, it is the new high, else the new low.",
    "Go on until high - low is below 0.01, and give high.",
)
def turning_point(flip: Any, runs: Any, seen: Any, rules: Any, evidence: Any) -> str:
    # The notebook's own modules of `claims`, since a course must not need that room.
    margin = number("flip", flip)
    terms = runs.protocol.claims["gap_valid"]

    def replicated(at: float) -> bool:
        found = rules.RULES[terms.rule](seen, replace(terms, margin=at))
        return found.verdict == evidence.REPLICATED

    must(margin > STEP, f"flip is {margin:g}, must be a margin above {STEP}")
    must(replicated(margin), f"at a margin of {margin:.3f} it is not replicated")
    must(not replicated(margin - STEP), f"at {margin - STEP:.3f} it is replicated already")
    return f"above {margin:.2f} the claim holds; the protocol's margin is {terms.margin:g}"


@exercise(
    "8.4",
    "Write at least 40 words, and quote one of the numbers of `needed` or `found`.",
    "What could the authors have said honestly, from one training and 52 paintings?",
)
def answer_to_the_authors(answer: Any, needed: Any, found: Any) -> str:
    text = answer.replace(",", "") if isinstance(answer, str) else answer  # 8,798 is 8798
    in_words(text, 40, [number("found", found) / 52**0.5, *map(float, needed.values())])
    return "a person reads it: compare yours with a neighbour's"
