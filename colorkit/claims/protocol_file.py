"""A protocol's file: read and checked, and kept with the results it was made for."""

import datetime
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator

from ..base.errors import KitError
from ..base.files import data_name, kit_file, runs_root, slug, user_path, write_atomic
from ..replication.paper import claims as paper_claims
from .protocol import STRICT, Analysis, Protocol, Study, Terms

HISTORY = "protocol-history.json"
OURS = "name", "own_seeds"  # of a study: what the file says otherwise, or its version does
UNKNOWN = "unknown name; delete or correct it"
REMEDIES = {
    "missing": "is missing",
    "extra_forbidden": UNKNOWN,
    "unexpected_keyword_argument": UNKNOWN,
}


def _not_to_come(day: datetime.date) -> datetime.date:
    if day > datetime.date.today():
        raise ValueError("must be a date, and not to come")
    return day


class _File(BaseModel):
    """What a protocol's file holds."""

    model_config = STRICT
    version: Literal[1, 2]
    fixed: Annotated[datetime.date, AfterValidator(_not_to_come)]
    paintings: str
    profile: str
    painters: str | None = None
    studies: Annotated[dict[str, Study], Field(min_length=1)]
    analysis: Analysis
    claims: dict[str, Terms]

    @field_validator("claims")
    @classmethod
    def _all_of_the_papers(cls, claims: dict[str, Terms]) -> dict[str, Terms]:
        ids = {claim["id"] for claim in paper_claims()}
        if wrong := sorted(ids ^ set(claims)):
            raise ValueError(f"{wrong[0]} {'is missing' if wrong[0] in ids else 'is unknown'}")
        return claims


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


def protocol_folder(out: str, protocol: str, data: str) -> Path:
    """Choose where a protocol's results go: `out`, or runs/<the file's name>-<data>."""
    return user_path(out) if out else runs_root() / slug(f"{Path(protocol).stem}-{data_name(data)}")


def keep_protocol(protocol: Protocol, rules: str, out: Path) -> list[dict[str, Any]]:
    """Keep the protocol with its results, and note when another one was used before.

    Writes <out>/protocol.yaml and protocol-history.json; returns the history, oldest first:
    {"sha256", "rules", "fixed", "used_from", "results": how many runs were finished by then}.
    rules: identifies what the rules make of known archives (verdicts.rules_sha256).
    """
    history = read_history(out)
    if not history or (history[-1]["sha256"], history[-1]["rules"]) != (protocol.sha256, rules):
        facts = {"sha256": protocol.sha256, "rules": rules, "fixed": protocol.fixed}
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
    content = _of_today(content) if content.get("version") == 1 else content
    whole = content | {"studies": _with_names(content.get("studies"), content.get("version") != 1)}
    # As JSON, where a list is a tuple and a date is a text; all else is strict.
    file = _File.model_validate_json(json.dumps(whole, default=str))
    protocol = Protocol(
        file.fixed.isoformat(),
        file.paintings,
        file.profile,
        file.painters or "",
        tuple(file.studies.values()),
        file.analysis,
        file.claims,
        text,
        file.version,
    )
    for grid in protocol.grids(Path("/")).values():
        grid.experiments()  # KitError for what no run can be
    return protocol


def _with_names(studies: Any, own_seeds: bool) -> Any:
    """Give each study its name and its kind of seeds."""
    if not isinstance(studies, dict):
        return studies
    named = {}
    for name, study in studies.items():
        for word in set(OURS) & set(study if isinstance(study, dict) else ()):
            raise KitError(f"studies {name} {word}: {UNKNOWN}")
        ours = dict(zip(OURS, (name, own_seeds), strict=True))
        named[name] = study | ours if isinstance(study, dict) else study
    return named


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
