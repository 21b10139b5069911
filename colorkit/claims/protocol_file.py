"""A protocol's file: read and checked, and kept with the results it was made for."""

import datetime
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ..base.errors import KitError
from ..base.files import kit_file, user_path, write_atomic
from .protocol import Protocol, Terms

HISTORY = "protocol-history.json"
UNKNOWN = "unknown name; delete or correct it"
REMEDIES = {
    "missing": "is missing",
    "extra_forbidden": UNKNOWN,
    "unexpected_keyword_argument": UNKNOWN,
}


def read_protocol(path: str) -> Protocol:
    """Read and check a protocol; KitError with the file, the place, the rule and the remedy."""
    try:
        text = user_path(path).read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        if not isinstance(content, dict):
            raise ValueError("must be names with values")
        return _protocol(content, text)
    except ValidationError as error:
        raise KitError(f"{path}: {_in_one_line(error)}") from error
    except KitError as error:
        raise KitError(f"{path}: {error}") from error
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise KitError(f"{path}: not a protocol ({' '.join(str(error).split())})") from error


def read_terms(text: str) -> Terms:
    """Read what a protocol says of one claim: rule, needs, margin, assurance.

    KitError with the place, the rule and the remedy.
    """
    try:
        content = yaml.safe_load(text)
        if not isinstance(content, dict):
            raise ValueError("must be names with values, a line each")
        return TypeAdapter(Terms).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise KitError(_in_one_line(error)) from error
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise KitError(f"not a rule ({' '.join(str(error).split())})") from error


def keep_protocol(protocol: Protocol, rules: str, out: Path) -> list[dict[str, Any]]:
    """Keep the protocol with its results, and note when another one was used before.

    Writes <out>/protocol.yaml and protocol-history.json; returns the history, oldest first:
    {"sha256", "rules", "fixed", "used_from", "results": how many runs were finished by then}.
    rules: identifies what the rules make of known archives (verdicts.rules_sha256).
    """
    history = read_history(out)
    if not history or (history[-1]["sha256"], history[-1]["rules"]) != (protocol.sha256, rules):
        facts = {"sha256": protocol.sha256, "rules": rules, "fixed": str(protocol.fixed)}
        facts |= {"used_from": datetime.date.today().isoformat()}
        history.append(facts | {"results": len(list(out.glob("*/*/runs/t*.json")))})
        write_atomic(out / HISTORY, json.dumps(history, indent=1) + "\n")
    write_atomic(out / "protocol.yaml", protocol.text)
    return history


def read_history(out: Path) -> list[dict[str, Any]]:
    """Read which protocols a folder's results were made under, oldest first."""
    path = out / HISTORY
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        needed = ("sha256", "fixed", "used_from", "results")
        return [{"rules": ""} | entry | {name: entry[name] for name in needed} for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(f"{path}: damaged ({error}); restore it") from error


def _protocol(content: dict[str, Any], text: str) -> Protocol:
    if content.get("version") == 1 and isinstance(content.get("analysis"), dict):
        content = _of_today(content)
    studies, seeds = content.get("studies"), {"own_seeds": content.get("version") != 1}
    if isinstance(studies, dict):
        named = {n: _with(f"studies {n} ", study, name=n, **seeds) for n, study in studies.items()}
        content = content | {"studies": named}
    whole = _with("", content, text=text)
    # As JSON, where a list is a tuple and a date is a text; all else is strict.
    protocol = TypeAdapter(Protocol).validate_json(json.dumps(whole, default=str))
    protocol.main  # noqa: B018  (KitError if there is none)
    for grid in protocol.grids(Path("/")).values():
        grid.experiments()  # KitError for what no run can be
    return protocol


def _with(place: str, told: Any, **ours: Any) -> Any:
    """Add to some names of a file what it may not say itself."""
    if not isinstance(told, dict):
        return told
    for word in ours.keys() & told:
        raise KitError(f"{place}{word}: {UNKNOWN}")
    return told | ours


def _of_today(content: dict[str, Any]) -> dict[str, Any]:
    """Read a file of version 1, which decides nothing, with the terms of the kit's own protocol."""
    today = yaml.safe_load(kit_file("results", "protocol-cpu.yaml").read_text(encoding="utf-8"))
    same = ("primary", "draws", "like_training", "twice")
    kept = {name: value for name, value in content["analysis"].items() if name in same}
    return content | {"claims": today["claims"], "analysis": today["analysis"] | kept}


def _in_one_line(error: ValidationError) -> str:
    """Say the first thing that is wrong: where, what was found, and what must be there."""
    first = error.errors()[0]
    place = " ".join(str(part) for part in first["loc"] if part != "[key]")
    rule = REMEDIES.get(first["type"], first["msg"].removeprefix("Value error, "))
    if first["type"] not in ("missing", "value_error"):
        place += f" {first['input']!r:.40}"
    return f"{place}: {rule}"
