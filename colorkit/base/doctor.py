"""What `colorkit doctor` looks at: is this machine fit?"""

import os
import shutil
from importlib import metadata
from pathlib import Path

import torch
from packaging.requirements import Requirement

from .. import DISTRIBUTION
from .errors import install
from .files import runs_root

Row = tuple[bool, str, str]  # fine, what was found, remedy


def diagnose() -> list[Row]:
    """Check this machine for each thing the kit needs."""
    return [
        *(row for text in metadata.requires(DISTRIBUTION) or [] for row in _package(text)),
        _device(),
        *_disk(),
        (True, _imagenet(), ""),
    ]


def _package(requirement: str) -> list[Row]:
    wanted = Requirement(requirement)
    extra = bool(wanted.marker and not wanted.marker.evaluate({"extra": ""}))
    if extra and not wanted.marker.evaluate({"extra": "repro"}):
        return []
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        if extra:  # all but one command do without
            told = f"no {wanted.name}: `colorkit reproduce` needs it; {install('repro')}"
            return [(True, told, "")]
        found = ""
    fine = bool(found) and wanted.specifier.contains(found, prereleases=True)
    remedy = f"pip install '{wanted.name}{wanted.specifier}'"
    return [(fine, f"{wanted.name} {found or 'missing'}", remedy)]


def _device() -> Row:
    if not torch.cuda.is_available():
        return True, f"no GPU: CPU with {torch.get_num_threads()} threads, enough for smoke", ""
    free, total = torch.cuda.mem_get_info()
    found = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    return free > 4e9, found, "close other programs on the GPU"


def _disk() -> list[Row]:
    root = runs_root()
    folder = next(path for path in (root, *root.parents) if path.exists())
    free, remedy = shutil.disk_usage(folder).free, "set COLORKIT_RUNS"
    return [
        (free > 3e9, f"{free / 1e9:.1f} GB free for runs", f"make room, or {remedy}"),
        (os.access(folder, os.W_OK), f"results go to {root}", remedy),
    ]


def _imagenet() -> str:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / "resnet18-f37072fd.pth"
    here = Path(os.environ.get("COLORKIT_RESNET18") or cached).exists()
    return "ImageNet weights are here" if here else "no ImageNet weights here (smoke needs none)"
