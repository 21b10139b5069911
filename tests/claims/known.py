"""A protocol whose studies meet every need, and archives invented for it with a known truth."""

import json
import tempfile
from pathlib import Path

import numpy as np
import yaml

from colorkit.base.files import kit_file
from colorkit.claims.archive import Archive
from colorkit.claims.invented import LEVELS, invent
from colorkit.claims.protocol import Protocol
from colorkit.claims.protocol_file import read_protocol
from colorkit.claims.votes import CATCH
from colorkit.experiment import MODELS
from colorkit.replication.paper import PAPER_PARTS

SIZES = {"train": 600, "valid": 150, "test": 200}
CONSTANT = {(t, m, p): LEVELS["mean_ab"] for t in (1, 2) for m in MODELS for p in PAPER_PARTS}


def kits_protocol() -> dict:
    """What results/protocol-cpu.yaml says."""
    return yaml.safe_load(kit_file("results", "protocol-cpu.yaml").read_text())


def protocol_of(content: dict) -> Protocol:
    """Read a protocol as if it were a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "protocol.yaml")
        path.write_text(yaml.safe_dump(content))
        return read_protocol(str(path))


def full_protocol(**study) -> Protocol:
    """Ten splits, three own seeds, three models, both tables, at the paper's settings."""
    content = kits_protocol()
    whole = {"profile": "paper", "splits": [f"paper-{n}" for n in range(1, 11)], "seeds": [0, 1, 2]}
    for terms in content["claims"].values():
        terms["assurance"] = 1.0
        terms["needs"].pop("training_paintings", 0)
    content["analysis"]["noise"] = {"runs": 0.03, "ratios": 0.02, "painters": 0.1, "paintings": 0.4}
    content["analysis"]["draws"] = 500
    return protocol_of(content | {"studies": {"whole": whole | study}, "painters": ""})


def known(truth=None, seed: int = 0, sizes=None, apart=(6.0, 9.0, 6.0), **study) -> Archive:
    """Invent an archive of `full_protocol` from a truth, the paper's where it says nothing."""
    protocol = full_protocol(**study)
    return invent(protocol, np.random.default_rng(seed), truth, sizes or SIZES, apart)


def little(truth=None, seed: int = 0, apart=(6.0, 9.0, 6.0), **study) -> Archive:
    """Invent a quick archive: three folds of two own seeds, few paintings."""
    folds = {"splits": ("fold-1", "fold-2", "fold-3"), "seeds": (0, 1)}
    return known(truth, seed, {"train": 24, "valid": 12, "test": 16}, apart, **(folds | study))


def key_of(page: Path) -> list[dict]:
    """Read what is shown in each trial of a rater's page."""
    return json.loads(page.with_suffix(".key.json").read_text())["trials"]


def answer(page: Path, truthful: bool = True, caught: bool = True) -> Path:
    """Write the votes of a rater who sees through everything, or through nothing."""
    votes = []
    for number, trial in enumerate(key_of(page)):
        right = caught if trial["model"] == CATCH else truthful
        other = {"left": "right", "right": "left"}[trial["painting"]]
        votes.append({"trial": number, "side": trial["painting"] if right else other, "ms": 900})
    path = page.with_name(f"{page.stem}.votes.json")
    path.write_text(json.dumps({"page": page.stem, "votes": votes}))
    return path
