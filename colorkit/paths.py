"""Where things are: the kit's own files, the runs, and how to write a file whole or not at all."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from .errors import KitError

_PACKAGE = Path(__file__).resolve().parent


def kit_file(*parts: str) -> Path:
    """Find a file of the kit outside the package, such as ("results", "paper.json").

    In a checkout they lie beside `colorkit/`; an installed kit carries them in `colorkit/_kit`.
    """
    checkout = _PACKAGE.parent
    root = checkout if (checkout / "workflow" / "Snakefile").exists() else _PACKAGE / "_kit"
    return root.joinpath(*parts)


def runs_root() -> Path:
    """Return the folder for results: COLORKIT_RUNS, else `runs/` in the checkout or here.

    A checkout's own folder comes before the working directory, because papermill, nbval and
    Jupyter each start a notebook somewhere else.
    """
    if configured := os.environ.get("COLORKIT_RUNS"):
        return user_path(configured)
    checkout = _PACKAGE.parent
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / "runs"


def user_path(text: str) -> Path:
    """Read a path that a user wrote, ~ included, as an absolute one; KitError if it is none."""
    try:
        path = Path(text).expanduser().resolve()
        path.exists()  # a name that is too long shows here
    except (OSError, RuntimeError, ValueError) as error:
        raise KitError(f"{text[:60]}: not a path ({error}); give another folder") from error
    return path


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that it is there whole or not at all; parents are made.

    Raises KitError when the disk is full or the folder cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
            try:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
            except BaseException:
                os.unlink(part.name)
                raise
        os.chmod(part.name, 0o644)
        os.replace(part.name, path)
    except OSError as error:
        raise _explain(error, path, len(data)) from error


def _explain(error: OSError, path: Path, size: int) -> KitError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        parent = next(folder for folder in path.parents if folder.exists())
        free = shutil.disk_usage(parent).free
        return KitError(
            f"{path}: the disk is full ({size / 1e6:.1f} MB to write, {free / 1e6:.1f} MB free); "
            "make room and run the same command again: finished runs are kept"
        )
    return KitError(
        f"{path}: cannot be written ({error.strerror or error}); "
        "choose another folder with --out or COLORKIT_RUNS"
    )
