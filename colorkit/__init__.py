"""Colour grey pictures of paintings, and replicate Kumar & Kanagala 2023 (Tables 1 and 2).

The public names load when first used: `import colorkit` alone imports neither torch nor fastai.
"""

from importlib import import_module
from importlib.metadata import version

__version__ = version("colorkit")

_HOME = {
    "setup": "notebook",
    "refuse_unknown_parameters": "notebook",
    "show": "notebook",
    "interact": "notebook",
    "open_source": "sources",
    "curate": "curation",
    "encode": "color",
    "decode": "color",
    "grey_input": "color",
    "Experiment": "experiment",
    "KitError": "base.errors",
    "load_pixels": "batches",
    "build_generator": "models",
    "PatchCritic": "models",
    "AdversarialCallback": "adversarial",
    "results_folder": "experiment",
    "make_learner": "learner",
    "run_experiment": "training",
    "load_pretrained": "pretrained",
    "colorize": "pictures.paint",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'colorkit' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
