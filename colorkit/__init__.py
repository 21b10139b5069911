"""Colour grey pictures of paintings, and replicate Kumar & Kanagala 2023 (Tables 1 and 2).

The public names load when first used: `import colorkit` alone imports neither torch nor fastai.
What a lesson is about is a module: `from colorkit import color, figures, metrics, models`.
"""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

DISTRIBUTION = "colorkit-paintings"  # for pip, to whom "colorkit" is another package
__version__ = version(DISTRIBUTION)

_HOME = {
    "setup": "base.notebook",
    "mount_drive": "base.notebook",
    "refuse_unknown_parameters": "base.notebook",
    "show": "base.notebook",
    "interact": "base.notebook",
    "Folder": "folder",
    "Experiment": "experiment",
    "run": "training",
    "load_pretrained": "pictures.pretrained",
    "colorize": "pictures.paint",
    "check": "course.answers",
    "predict": "course.answers",
    "reveal": "course.answers",
    "hand_in": "course.answers",
    "KitError": "base.errors",
}
_STANDS_ON = {"claims": "replication", "lost": "pictures", "making": "pictures"}
__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'colorkit' has no attribute '{name}'")
    room = _HOME[name].partition(".")[0]  # or a module of the core
    if not has_room(room):
        if room != "course":
            raise AttributeError(f"colorkit.{name}: colorkit/{room} is not there")
        return lambda *_: print("○ exercises are not checked here: colorkit/course is not there")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def has_room(room: str) -> bool:
    """Tell whether a room, such as "claims", is there, and the one that it stands on."""
    found = find_spec(f".{room}", __name__)
    there = bool(found and found.origin)  # a deleted one can leave its __pycache__
    return there and (room not in _STANDS_ON or has_room(_STANDS_ON[room]))


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
