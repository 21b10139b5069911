"""A trained model as a folder: model.safetensors, config.json and its card (README.md).

A run leaves one in <results>/models/<run>/. Nothing is pickled.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from . import __version__
from .base.files import file_sha256, remove_parts, write_atomic
from .color import AB_SCALE, L_CENTER

FORMAT = 1
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
COLOR = {"L_center": L_CENTER, "ab_scale": AB_SCALE}


def describe_model(architecture: str, size: int, **facts: Any) -> dict[str, Any]:
    """Make a model's config; `facts` such as run, epochs, paintings stand in it as they are."""
    made = {"format": FORMAT, "architecture": architecture, "size": size, "color": COLOR}
    return made | {"colorkit": __version__} | facts


def write_weights(folder: Path, state: dict[str, Tensor]) -> str:
    """Write model.safetensors, whole or not at all; return its sha256.

    What an earlier try left there goes first.
    """
    (folder / CONFIG).unlink(missing_ok=True)
    remove_parts(folder)
    tensors = {name: tensor.contiguous().cpu() for name, tensor in state.items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(tensors))
    return file_sha256(folder / WEIGHTS)


def write_description(folder: Path, config: dict[str, Any], card: str) -> None:
    """Write the model card, then config.json, whose presence says that the folder is whole."""
    write_atomic(folder / CARD, card)
    write_atomic(folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
