"""Trained models to colour with: their folders (saving.py) read, here or on the Hugging Face Hub.

Two come with the kit, in colorkit/box/: "lively" and "cautious". `colorkit reproduce` leaves one
for each run.
"""

import json
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from ..base.errors import KitError, need
from ..base.files import file_sha256, user_path
from ..experiment import MODELS
from ..models import build_generator
from ..saving import CARD, COLOR, CONFIG, FORMAT, WEIGHTS, write_description, write_weights
from .lite import LiteUnet

BOX = {"lively": "to look at", "cautious": "to measure"}
BOXED = Path(__file__).parents[1] / "box"
DEFAULT = "lively"
NETWORKS = MODELS | {"lite_unet": "U-Net on EfficientNet-Lite0"}
_FACTS = {"format": int, "architecture": str, "size": int, "color": dict, "weights_sha256": str}


class Colorizer(nn.Module):
    """A generator with what must be known to use it: L (N, 1, S, S) -> ab (N, 2, S, S).

    L in [-1, 1], ab = (a*, b*)/110, S = `size`. config: what config.json holds; "epochs" is 0
    for a model that was never trained. card: the model card, Markdown.
    """

    def __init__(self, generator: nn.Module, config: dict[str, Any], card: str = ""):
        super().__init__()
        self.generator, self.config, self.card = generator, config, card
        self.eval()

    def forward(self, L: Tensor) -> Tensor:
        return self.generator(L)

    @property
    def size(self) -> int:
        """Side of the square it sees, in pixels."""
        return self.config["size"]

    @property
    def any_size(self) -> bool:
        """Tell whether it sees other squares too; the scratch U-Net has one innermost pixel."""
        return self.config["architecture"] != "pix2pix_scratch"

    @property
    def name(self) -> str:
        """What it is, in a few words; says so if it is untrained."""
        if boxed := self.config.get("boxed"):
            return f"{boxed}, colorkit's own model {BOX[boxed]}"
        size, epochs = f"{self.size} px", self.config.get("epochs", 0)
        trained = f"{epochs} epochs" if epochs else "UNTRAINED: random weights"
        return f"{NETWORKS[self.config['architecture']]}, {size}, {trained}"

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder's three files; `load_pretrained` reads them back."""
        folder = user_path(str(folder))
        sha256 = write_weights(folder, self.generator.state_dict())
        write_description(folder, self.config | {"weights_sha256": sha256}, self.card)
        return folder

    def push_to_hub(self, repository: str, private: bool = False) -> str:
        """Upload the folder to "owner/name" on the Hugging Face Hub; returns its address.

        Needs the extra "hub" and a login (`hf auth login`). Raises KitError otherwise.
        """
        hub = need("hub", "huggingface_hub")
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.save_pretrained(folder)
                hub.create_repo(repository, private=private, exist_ok=True)
                done = hub.upload_folder(repo_id=repository, folder_path=folder)
        except Exception as error:  # the client lets every library's error through
            raise KitError(f"{repository}: cannot be uploaded ({_first_line(error)})") from error
        return str(done)


def build_network(architecture: str, size: int) -> nn.Module:
    """Build a network of NETWORKS with random weights: L (N, 1, S, S) to ab (N, 2, S, S)."""
    if architecture == "lite_unet":
        return LiteUnet()
    return build_generator(architecture, size, "random")


def load_pretrained(name: str | Path = DEFAULT) -> Colorizer:
    """Read a model: "lively" or "cautious", its folder, or "owner/name" on the Hugging Face Hub.

    On the CPU, to be used. Raises KitError, in one line, for a folder that is none, is damaged,
    or was made by a newer kit.
    """
    folder = BOXED / name if name in BOX else user_path(str(name))
    if name in BOX and not (folder / CONFIG).exists():
        remedy = "reinstall colorkit, or choose --model FOLDER"
        raise KitError(f"{folder}: the model '{name}' is missing from this installation; {remedy}")
    if folder.is_file():
        raise KitError(f"{folder}: a file; give the folder of a model, with its {CONFIG}")
    if not folder.is_dir():
        folder = _download(str(name))
    config = _read_config(folder)
    path = folder / WEIGHTS
    if path.exists() and file_sha256(path) != config["weights_sha256"]:
        raise KitError(f"{path}: truncated or changed (its sha256 differs); copy it anew")
    try:
        generator = build_network(config["architecture"], config["size"])
        generator.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise KitError(f"{path}: cannot be read ({_first_line(error)}); copy it anew") from error
    card = folder / CARD
    return Colorizer(generator, config, card.read_text("utf-8", "replace") if card.exists() else "")


def finished_models(root: Path) -> dict[Path, dict[str, Any]]:
    """Find the models below a folder, variants left out: {its folder: its config}."""
    found = {}
    for path in sorted(root.glob(f"**/models/*/{CONFIG}")):
        with suppress(KitError):
            config = _read_config(path.parent)
            if not config.get("variant"):
                found[path.parent] = config
    return found


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = {name: type(config[name]) for name in _FACTS}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KitError(f"{folder}: not a model of this kit ({_first_line(error)})") from error
    if config["format"] != FORMAT:
        raise KitError(f"{path}: of format {config['format']}, this kit reads {FORMAT}; update it")
    known = found == _FACTS and config["architecture"] in NETWORKS and config["color"] == COLOR
    known = known and config.get("boxed") in (None, *BOX)
    if not known or not 32 <= config["size"] <= 1024:
        raise KitError(f"{path}: not a model of this kit (see colorkit.saving)")
    return config


def _download(name: str) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise KitError(f"{name}: no such folder, and no OWNER/NAME of the Hugging Face Hub")
    try:
        hub = need("hub", "huggingface_hub")
        return Path(hub.snapshot_download(name, allow_patterns=[WEIGHTS, CONFIG, CARD]))
    except KitError:
        raise
    except Exception as error:  # the client lets every library's error through
        raise KitError(
            f"{name}: no such folder, and it cannot be had from the Hugging Face Hub "
            f"({_first_line(error)})"
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
