"""A second home for checkpoints and results, such as Google Drive on Colab, whose disk is lost
with the session. COLORKIT_BACKUP names the folder.
"""

import os
from pathlib import Path

from .errors import KitError
from .files import file_sha256, user_path, write_atomic

_FETCHED = ".fetched"  # in a results folder: what is deleted there after that stays deleted


def target(out: Path) -> Path | None:
    """Return where the copies of a results folder go; None without a backup or a manifest.

    The name holds the manifest's checksum: folders of the same name with other paintings keep
    apart.
    """
    named, manifest = os.environ.get("COLORKIT_BACKUP"), out / "manifest.csv"
    if not named or not manifest.exists():
        return None
    return user_path(named) / f"{out.name}-{file_sha256(manifest)[:8]}"


def keep(out: Path, *paths: Path) -> None:
    """Copy finished files, such as weights and result, to the backup if there is one."""
    if folder := target(out):
        for path in paths:
            _copy(path, folder / path.relative_to(out))


def keep_checkpoint(out: Path, path: Path) -> None:
    """Copy a checkpoint, and what its run has shown on the way, which its result will list.

    Older checkpoints of the run go once it is there. A copy that fails is said, and no more.
    """
    if not (folder := target(out)):
        return
    keep(out, *(out / "snapshots" / path.parent.name).glob("[!.]*"))
    copy = folder / path.relative_to(out)
    if _copy(path, copy):
        for old in set(copy.parent.glob(f"*{copy.suffix}")) - {copy}:
            old.unlink(missing_ok=True)


def fetch(out: Path) -> None:
    """Bring back what the backup has of a results folder that is new on this disk."""
    folder, mark = target(out), out / _FETCHED
    if not folder or mark.exists():
        return
    for pattern in ("runs/[!.]*", "models/*/[!.]*", "checkpoints/*/[!.]*", "snapshots/*/[!.]*"):
        for copy in sorted(folder.glob(pattern)):
            if not (path := out / copy.relative_to(folder)).exists():
                print(f"{path.name}: brought back from {folder}")
                write_atomic(path, copy.read_bytes())
    write_atomic(mark, "")


def _copy(path: Path, copy: Path) -> bool:
    try:
        write_atomic(copy, path.read_bytes())
    except (KitError, OSError) as error:
        print(f"no backup of {path.name}: {error}")
        return False
    return True
