"""manifest.csv and audit.csv: which paintings a results folder is about, and how they are dealt."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .base.errors import KitError
from .base.files import file_sha256, write_atomic
from .sources import Source, choose_paintings
from .splits import deal

AUDITED = ["path", "painter", "title", "date", "museum_id", "licence"]
AUDITED += ["width", "height", "sha256", "group"]
COLUMNS = [*AUDITED, "mirrored", "part"]
LEFT_OUT = "left out"


def manifest_text(manifest: pd.DataFrame) -> str:
    """Write a manifest as CSV text, the same bytes for the same paintings."""
    return manifest[COLUMNS].to_csv(index=False, lineterminator="\n")


def manifest_hash(manifest: pd.DataFrame) -> str:
    """Identify a manifest: sha256 of its CSV text, hexadecimal."""
    return hashlib.sha256(manifest_text(manifest).encode()).hexdigest()


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest; KitError if it is not one."""
    try:
        numbers = ("width", "height", "group", "mirrored")
        text = {name: str for name in COLUMNS if name not in numbers}
        content = io.BytesIO(path.read_bytes())
        table = pd.read_csv(content, dtype=text, keep_default_na=False)
        return table.rename(columns={"split": "part"})[COLUMNS]  # its name until 0.3.0
    except (OSError, KeyError, ValueError) as error:
        raise KitError(
            f"{path}: not a manifest ({error}); delete it, and notebook 01 makes it anew"
        ) from error


def save(out: Path, manifest: pd.DataFrame, remarks: Iterable) -> None:
    """Write audit.csv and manifest.csv into a results folder."""
    audit = pd.DataFrame(remarks, columns=["path", "painter", "rule", "detail", "action"])
    write_atomic(out / "audit.csv", audit.to_csv(index=False, lineterminator="\n"))
    write_atomic(out / "manifest.csv", manifest_text(manifest))


def check_manifest(path: Path, source: Source, painters: str, split: str) -> pd.DataFrame:
    """Read a manifest; KitError unless it is of the files there are now, and of this split."""
    manifest = read_manifest(path)
    offered = {painting.path for painting in choose_paintings(source, painters)}
    files = manifest.drop_duplicates("path").set_index("path")["sha256"]
    known = offered == {*files.index, *_left_out(path.with_name("audit.csv"))}
    if not known or any(file_sha256(source.root / name) != was for name, was in files.items()):
        raise KitError(
            f"{path.parent}: holds results of other paintings than {source.name} "
            f"{painters or '(default painters)'}; choose another --out, or delete that folder"
        )
    audited = manifest[AUDITED].drop_duplicates("path")
    if manifest_text(deal(audited, split)) != manifest_text(manifest):
        raise KitError(
            f"{path}: its split is not {split!r}; choose another --out, or delete that folder"
        )
    return manifest


def _left_out(path: Path) -> list[str]:
    try:
        remarks = pd.read_csv(path, dtype=str, keep_default_na=False)
        return remarks.loc[remarks["action"] == LEFT_OUT, "path"].tolist()
    except (OSError, KeyError, ValueError) as error:
        raise KitError(
            f"{path}: not an audit ({error}); delete it and manifest.csv, and notebook 01 makes "
            "them anew"
        ) from error
