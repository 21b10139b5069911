"""Where things are: the kit's own files, the runs, and how to write a file whole or not at all."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from .errors import KitError

_PACKAGE = Path(__file__).resolve().parents[1]
_PART = ".part-"
_SYSTEMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information")
CHECKSUM = 16  # hexadecimal digits of sha256 in a checked file's name


def kit_file(*parts: str) -> Path:
    """Find a file of the kit outside the package, such as ("results", "paper.json").

    In a checkout they lie beside `colorkit/`; an installed kit carries them in `colorkit/_kit`.
    """
    return (_checkout() or _PACKAGE / "_kit").joinpath(*parts)


def check_can_publish() -> None:
    """Raise KitError unless this is a checkout: an installed kit's files go with an update."""
    if not _checkout():
        raise KitError("--publish: needs a checkout, and this kit is installed; use a git clone")


def _checkout() -> Path | None:
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").exists() else None


def runs_root() -> Path:
    """Return the folder for results: COLORKIT_RUNS, else `runs/` in the checkout or here.

    A checkout's own folder comes before the working directory, because papermill, nbval and
    Jupyter each start a notebook somewhere else.
    """
    if configured := os.environ.get("COLORKIT_RUNS"):
        return user_path(configured)
    return (_checkout() or Path.cwd()) / "runs"


def user_path(text: str) -> Path:
    """Read a path that a user wrote, ~ included, as an absolute one; KitError if it is none."""
    if not text:  # as from a shell's empty variable; Path takes it for the current folder
        raise KitError("'': an empty name; give a file or a folder")
    try:
        path = Path(text).expanduser().resolve()
        path.exists()  # a name that is too long shows here
    except (OSError, RuntimeError, ValueError) as error:
        raise KitError(f"{text[:60]}: not a path ({error}); give another folder") from error
    return path


def check_name(path: Path) -> None:
    """Raise KitError for a name that is not of the system's encoding: it cannot be kept as text."""
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        encoding = sys.getfilesystemencoding()
        remedy = "rename it" if encoding == "utf-8" else "set LC_ALL=C.UTF-8, or rename it"
        raise KitError(f"{str(path)!a}: the name is not {encoding.upper()}; {remedy}")


def is_systems(name: str) -> bool:
    """Tell whether a file or folder is a system's own, such as ._a.jpg or .ipynb_checkpoints."""
    return name.startswith(".") or name in _SYSTEMS


def slug(name: str) -> str:
    """Write a name so that it can be a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def data_name(data: str) -> str:
    """Name a source for people: "sample", "kaggle", or a folder's own name without its path."""
    return data if data in ("sample", "kaggle") else user_path(data).name


def refuse_overwriting(written: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise KitError if a file that is to be written is one that is read."""
    read = {path.resolve() for path in inputs}
    for path in written:
        if path.resolve() in read:
            raise KitError(f"{path}: would overwrite an input; choose another name or folder")


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that it is there whole or not at all; parents are made.

    Raises KitError when the disk is full or the folder cannot be written.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path, name: Callable[[], str] | None = None) -> Iterator[BinaryIO]:
    """Open a file to write that is `path` once the block has ended well, and else is gone.

    Parents are made. name: gives its name at the end, where the content decides it. Raises
    KitError as `write_atomic` does.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{_PART}{secrets.token_hex(8)}")
        file = part.open("xb")  # with the permissions that the user's umask leaves
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path.with_name(name()) if name else path)
        except BaseException:
            part.unlink()
            raise
    except OSError as error:
        raise _explain(error, path.parent if name else path) from error


def write_checked(folder: Path, stem: str, suffix: str, chunks: Iterable[bytes]) -> Path:
    """Write <stem>-<checksum><suffix>, whole or not at all, chunk by chunk; return its path.

    The name holds the beginning of the content's sha256, so `is_whole` needs no other file.
    Raises KitError as `write_atomic` does.
    """
    digest = hashlib.sha256()

    def name() -> str:
        return f"{stem}-{digest.hexdigest()[:CHECKSUM]}{suffix}"

    with replacing(folder / stem, name) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return folder / name()


def is_whole(path: Path) -> bool:
    """Tell whether a file of `write_checked` still is what was written."""
    try:
        return file_sha256(path)[:CHECKSUM] == path.stem.rpartition("-")[2]
    except OSError:
        return False


def file_sha256(path: Path) -> str:
    """Hash a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def only_one(lock: Path, busy: str) -> Iterator[None]:
    """Let one process at a time into the block; others get KitError(busy) at once.

    The lock is the operating system's, so a process that is killed gives it back.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise KitError(busy) from None
    try:
        yield
    finally:
        held.release()


def remove_parts(folder: Path) -> None:
    """Delete what a kill left half-written in a folder, not in those inside it."""
    for part in folder.glob(f"{_PART}*"):
        part.unlink(missing_ok=True)


def _explain(error: OSError, path: Path) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        parent = next(folder for folder in (path, *path.parents) if folder.exists())
        free = shutil.disk_usage(parent).free
        return KitError(
            f"{path}: the disk is full ({free / 1e6:.1f} MB free); make room and run the same "
            "command again: what was finished is kept"
        )
    return KitError(
        f"{path}: cannot be written ({error.strerror or error}); name another folder for the output"
    )
