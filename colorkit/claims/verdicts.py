"""What has been tested of the paper's claims, and what has not.

A claim gets a verdict only from runs that meet what the protocol says it needs, and only if the
protocol's design was able to find it (its assurance). Everything else is "not tested yet", with
what is needed; what smaller runs show stands beside it, as numbers without a verdict.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ..base.errors import KitError
from ..base.files import kit_file
from ..experiment import MODELS
from ..replication.paper import claim as claim_of
from ..replication.paper import claims, paper_text
from .archive import Archive
from .board import NOT, NOT_TESTED, ODDS, REPLICATED, UNTESTABLE, Verdict
from .evidence import Evidence, Finding, Judged, main_evidence
from .invented import invent
from .protocol import ARITHMETIC, LEAST_ASSURANCE, UNDECIDABLE, Analysis, Protocol, Study, Terms
from .protocol_file import read_protocol
from .rules import RULES


def verdicts(archives: Iterable[Archive]) -> list[Verdict]:
    """Judge every claim from archives, the newest first, in the paper's order."""
    archives = list(archives)
    return [judge(archives, claim["id"]) for claim in claims()]


def judge(archives: Sequence[Archive], claim_id: str) -> Verdict:
    """Judge one claim from archives, the newest first."""
    found = [_decide(archive, archive.protocol.claims[claim_id]) for archive in archives]
    # The newest that decides, if any, and rather one with numbers: words and numbers go together.
    judged = max(found, key=lambda one: (one.verdict != NOT_TESTED, bool(one.findings)))
    small, shown = _small_runs(archives, claim_id)
    findings = tuple(judged.findings or shown)
    return Verdict(claim_of(claim_id), judged.verdict, judged.told, small, findings)


def _small_runs(archives: Sequence[Archive], claim_id: str) -> tuple[str, list[Finding]]:
    """Say what runs that decide nothing show: the first archive that has any."""
    told = ""
    for archive in archives:
        terms, main = archive.protocol.claims[claim_id], archive.protocol.main.name
        if terms.rule == ARITHMETIC or "device" in terms.needs:
            return "", []  # another machine's hours say nothing
        if archive.protocol.version > 1 and main in deciding(archive, terms).studies.values():
            continue  # they are not small: they decide
        try:
            judged = RULES[terms.rule](main_evidence(archive), terms)
        except KitError as error:
            told = told or str(error)
            continue
        return judged.told, judged.findings
    return told, []


def _decide(archive: Archive, terms: Terms) -> Judged:
    if archive.protocol.version == 1 and terms.rule != ARITHMETIC:
        return _untested(terms)
    if doubt := untrusted(archive):
        return Judged(NOT_TESTED, f"no verdict: {doubt}")
    evidence = deciding(archive, terms)
    if not (evidence.studies or terms.rule == ARITHMETIC):
        return _untested(terms)
    try:
        judged = RULES[terms.rule](evidence, terms)
    except KitError as error:
        return Judged(NOT_TESTED, f"no verdict: {error}")
    if judged.verdict in (ODDS, UNTESTABLE) or terms.assurance >= LEAST_ASSURANCE:
        return judged
    told = f"assurance {terms.assurance:.2f}: {judged.told}"
    return Judged(NOT_TESTED, told, judged.findings)


def _untested(terms: Terms) -> Judged:
    if terms.rule == UNDECIDABLE:
        told = f"what would be true is not said; even so it needs {terms.needed}"
        return Judged(UNTESTABLE, told)
    return Judged(NOT_TESTED, f"needs {terms.needed}")


def deciding(archive: Archive, terms: Terms) -> Evidence:
    """Find the runs that meet a claim's needs: per table and model, the study with most."""
    studies: dict[tuple[int, str], str] = {}
    most: dict[tuple[int, str], int] = {}
    needs = terms.needs
    for name, study in sorted(archive.protocol.studies.items()):
        for cell in itertools.product(study.tables, study.models) if study.clean else ():
            runs = archive.runs_of({cell: name})
            if len(runs) >= most.get(cell, 1) and meets(archive, name, runs, needs):
                studies[cell], most[cell] = name, len(runs)
    tables = {table for table, _ in studies}
    enough = len(tables) >= needs.get("tables", 1)
    if needs.get("models") == "all":
        enough &= len(studies) == len(tables) * len(MODELS)
    votes = Evidence(archive, studies).votes
    enough &= len(votes) >= needs.get("votes", 0) * len(MODELS)
    enough &= votes["rater"].nunique() >= needs.get("raters", 0)
    return Evidence(archive, studies if enough else {})


def meets(archive: Archive, study: str, runs: list[dict[str, Any]], needs: dict[str, Any]) -> bool:
    """Tell whether every run of a model in a study has the settings a claim needs."""
    for run in runs:
        made = run["config"]
        wanted = made | needs
        same = all(made[name] == wanted[name] for name in ("size", "batch_size"))
        begins = made["weights"] in ("none", wanted["weights"])
        trained = made["epochs"] >= needs.get("epochs", 0)
        if not (same and begins and trained and needs.get("device", "") in run["device"]):
            return False
    paintings = archive.training_paintings(study)
    return paintings >= needs.get("training_paintings", 0) and len(runs) >= needs.get("runs", 1)


def untrusted(archive: Archive) -> str:
    """Say why runs may decide nothing under a protocol: it, or the rules, came after results."""
    history, protocol = archive.history, archive.protocol
    if not history:
        return ""
    first, last = history[0], history[-1]
    if late := next((entry for entry in history if entry["results"]), None):
        return (
            f"the protocol was edited when {late['results']} runs were finished: first "
            f"{first['sha256'][:12]} (fixed {first['fixed']}), now {protocol.sha256[:12]}"
        )
    if last["sha256"] != protocol.sha256:
        return (
            f"the protocol was edited after its results: {last['sha256'][:12]} (fixed "
            f"{last['fixed']}) when they were made, now {protocol.sha256[:12]}"
        )
    if protocol.version > 1 and last["rules"] != rules_sha256():
        return f"the rules were edited after the results: {last['rules']}, now {rules_sha256()}"
    return ""


def assurance(protocol: Protocol, claim: str, studies: int = 200, seed: int = 0) -> float:
    """Simulate how often the runs that meet a claim's needs confirm it if the paper is right.

    For `consistent` a cell where one constant colour would lie too is no failure: no design can
    confirm it. 0 if no study of the protocol meets the needs.
    """
    terms, random, hits = protocol.claims[claim], np.random.default_rng(seed), 0
    first = invent(protocol, np.random.default_rng(seed))
    wanted = tuple(sorted(set(deciding(first, terms).studies.values())))
    if not wanted:
        return 0.0
    for _ in range(studies):
        archive = invent(protocol, random, studies=wanted)
        judged = RULES[terms.rule](deciding(archive, terms), terms)
        if terms.rule == "consistent":
            learnt = [f for f in judged.findings if f.key["part"] != "test"]
            hits += judged.verdict != NOT and all(f.verdict == REPLICATED for f in learnt)
        else:
            hits += judged.verdict == REPLICATED
    return hits / studies


@cache
def rules_sha256() -> str:
    """Identify the rules by what they make of two invented archives: 12 hexadecimal digits.

    These have five folds with seeds of their own and no votes. What rules make of a single split,
    of crossed seeds, of votes and of fewer paintings is not in it: tests hold that.
    """
    protocol, told = _known_protocol(), []
    for seed, worse in enumerate((1.0, 1.6)):
        truth = {(t, "pix2pix_scratch", "test"): 0.009 * worse for t in (1, 2)}
        truth |= {(1, m, "test"): 0.010 for m in MODELS if m != "pix2pix_scratch"}
        sizes = {"train": 60, "valid": 20, "test": 30}
        archive = invent(protocol, np.random.default_rng(seed), truth, sizes)
        for name, rule in RULES.items():
            terms = Terms(name, {}, margin=0.1, assurance=1.0)
            try:
                judged = rule(main_evidence(archive), terms)
            except KitError as error:
                told.append([name, str(error)])
                continue
            numbers = [f"{n:.3g}" for f in judged.findings for n in (f.ours, f.low, f.high)]
            told.append([name, judged.verdict, *numbers])
    return hashlib.sha256((paper_text() + json.dumps(told)).encode()).hexdigest()[:12]


def _known_protocol() -> Protocol:
    """Make the protocol of the archives that identify the rules: five folds, two own seeds."""
    protocol = read_protocol(str(kit_file("results", "protocol-cpu.yaml")))
    study = Study("known", tuple(f"fold-{n}" for n in range(1, 6)), seeds=(0, 1))
    noise = {"runs": 0.15, "ratios": 0.08, "painters": 0.26, "paintings": 0.75}
    analysis = Analysis("mse_ab", 0.05, 10_000, noise)
    return replace(protocol, studies={study.name: study}, analysis=analysis, painters="")
