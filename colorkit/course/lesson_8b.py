"""Lesson 8b: the mistake behind a pattern, a claim's rule, the margin that decides, a verdict."""

from dataclasses import replace
from typing import Any

import pandas as pd

from ..base.errors import KitError
from .answers import exercise
from .judging import Wrong, in_words, must, number

STEP = 0.01  # how near to the turning point a margin has to be
THE_PAPERS = {"size": 256, "epochs": 50, "batch_size": 16, "tables": 2, "training_paintings": 363}


@exercise(
    "8b.1",
    a="other units make the test look twice as high, but they leave training and validation apart.",
    b="a model errs little on what it was trained on, so such a validation is like training, and "
    "the test is not.",
    c="a harder test raises the test alone: validation stays far above training.",
)
def mistake_with_the_pattern(leaks: Any) -> str:
    must(isinstance(leaks, pd.DataFrame), "`leaks` is not the table of the cell above")
    causes = list(leaks.loc[leaks["the paper's pattern"] == "yes", "cause"])
    must(bool(causes), "no line gives the pattern in these results, so none is right")
    return {"spaces": "a", "leak": "b"}.get(causes[0], "c")


@exercise(
    "8b.2",
    "Four lines, as in the example: `rule:`, `needs:`, `margin:` and `assurance:`.",
    "The rule that compares every pair of models is equal_models; its needs say which models, how "
    "many runs of each, and the paper's size and epochs.",
    "needs: {size: 256, epochs: 50, models: all, runs: 20} is a beginning.",
)
def rule_for_close(rule: Any, protocol_file: Any, claims: Any, runs: Any) -> str:
    # The notebook's own modules of `claims`, since a course must not need that room.
    must(isinstance(rule, str), f"rule is a {type(rule).__name__}, must be text in quotes")
    try:
        terms = protocol_file.read_terms(rule)
    except KitError as error:
        raise Wrong(f"the kit cannot read it: {error}") from error
    needs = terms.needs
    must(terms.rule == "equal_models", f"{terms.rule} does not ask whether models are equal")
    must(terms.margin > 0, "a margin of 0 can never be confirmed: no two models err exactly alike")
    must(terms.margin <= 0.5, f"at a margin of {terms.margin:g} nearly all models are close")
    must(needs.get("models") == "all", "it would take two models; the paper speaks of all three")
    must(needs.get("runs", 1) > 1, "one run a model cannot tell a model from its seed")
    for name, theirs in THE_PAPERS.items():
        asked = needs.get(name, theirs)
        exact = name in ("size", "batch_size")
        told = f"{name} {asked}: the paper's own runs, with {theirs}, would not be let in"
        must(asked == theirs if exact else asked <= theirs, told)
    must(terms.assurance == 0, "assurance: nobody has simulated your rule, so it is 0 for now")
    small = claims.deciding(runs, terms).studies
    must(not small, "our small runs would decide it: ask for something that they lack")
    return f"the kit reads it; needed: {terms.needed}"


@exercise(
    "8b.3",
    "verdict_at(margin) is one of board.REPLICATED and board.INCONCLUSIVE.",
    "Halve: if the middle of low and high replicates, it is the new high, else the new low.",
    "Go on until high - low is below 0.01, and give high.",
)
def turning_point(flip: Any, runs: Any, seen: Any, rules: Any, board: Any) -> str:
    # The notebook's own modules of `claims`, since a course must not need that room.
    margin = number("flip", flip)
    terms = runs.protocol.claims["gap_valid"]

    def replicated(at: float) -> bool:
        found = rules.RULES[terms.rule](seen, replace(terms, margin=at))
        return found.verdict == board.REPLICATED

    must(margin > STEP, f"flip is {margin:g}, must be a margin above {STEP}")
    must(replicated(margin), f"at a margin of {margin:.3f} it is not replicated")
    must(not replicated(margin - STEP), f"at {margin - STEP:.3f} it is replicated already")
    return f"above {margin:.2f} the claim holds; the protocol's margin is {terms.margin:g}"


@exercise(
    "8b.4",
    "Write at least 40 words, and quote a number of the table *our runs, this claim needs*.",
    "Suppose the same small runs had agreed with the paper: would you have believed them?",
    rubric=(
        "names a need that our runs lack",
        "says that a success would not have been believed, either",
        "writes a sentence that says what was seen, with its uncertainty, or defends the given one "
        "for runs like ours",
    ),
)
def a_verdict_on_a_verdict(opinion: Any, ran: Any, needs: Any) -> str:
    numbers = [float(n) for n in (*ran.values(), *needs.values()) if isinstance(n, int)]
    return in_words(opinion, 40, numbers)
