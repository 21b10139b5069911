"""What a notebook needs: a start, figures with alt text, controls, parameters that are refused."""

import ast
import os
import platform
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import __version__
from .errors import KitError, check_type, refuse_unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# How to choose a GPU, by the variable that each of these services sets.
GPU_MENUS = {
    "COLAB_RELEASE_TAG": "Runtime > Change runtime type > T4 GPU",
    "KAGGLE_KERNEL_RUN_TYPE": "Settings > Accelerator > GPU T4 x2",
}
DRIVE = "/content/drive"  # where Colab mounts it


def setup() -> None:
    """Prepare a notebook: quiet known warnings, and print one line about this machine.

    On Colab and Kaggle a second one says how to choose a GPU if there is none.
    """
    quiet()
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    python = platform.python_version()
    print(f"colorkit {__version__}, torch {torch.__version__}, Python {python}, on {device}")
    for service, menu in GPU_MENUS.items():
        if service in os.environ and device == "CPU":
            print(f"No GPU: enough for the smoke profile. For a GPU: {menu}")


def mount_drive() -> None:
    """Keep checkpoints and finished runs on Google Drive (COLORKIT_BACKUP).

    Raises KitError where there is no Google Colab.
    """
    try:
        from google.colab import drive
    except ImportError as error:
        told = "Google Drive: can be mounted on Colab only; elsewhere set COLORKIT_BACKUP"
        raise KitError(told) from error
    drive.mount(DRIVE)
    os.environ["COLORKIT_BACKUP"] = f"{DRIVE}/MyDrive/colorkit"


def quiet() -> None:
    """Hide what users can do nothing about: fastai 2.8 uses torch.jit.script, and torch warns.

    Of large pictures Pillow warns; where one is too large the kit says so itself.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", "Image size", RuntimeWarning)


def show(figure: "Figure", alt: str, told: str = "") -> None:
    """Display a figure in a notebook: an <img> with alt text, and a picture for PDF and GitHub.

    `told` ends the alt text: in a sentence, what is to be seen.
    """
    from IPython.display import display

    from .rendering import mime_bundle

    display(mime_bundle(figure, f"{alt} {told}".rstrip()), raw=True)


def interact(draw: Callable[..., "tuple[Figure, str]"], **controls: Any) -> None:
    """Show ipywidgets controls and, below them, the figure that `draw` makes of their values.

    As ipywidgets' own `interact`, but the figure is an output of its own: one inside a widget is
    lost without a kernel, and can make papermill wait for ever (jupyter/nbclient issue 312).
    """
    from IPython.display import display

    from .rendering import mime_bundle

    def drawn() -> dict[str, str]:
        return mime_bundle(*draw(**{name: control.value for name, control in controls.items()}))

    display(*controls.values())
    shown = display(drawn(), raw=True, display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(drawn(), raw=True), "value")


def refuse_unknown_parameters() -> None:
    """Stop if papermill was given a parameter that the notebook does not have, or of another type.

    papermill itself only warns, and goes on with the default. Call it in the cell after the
    parameters. Raises KitError with the close names, or the annotated type.
    """
    from IPython import get_ipython

    shell = get_ipython()
    cells = shell.user_ns["In"][-3:] if shell else []
    if len(cells) < 3 or not cells[1].startswith("# Parameters"):  # papermill's injected cell
        return
    known, given = _assigned(cells[0]), _assigned(cells[1])
    refuse_unknown("parameter", given, known)
    for name, value in given.items():
        check_type(name, value, type(known[name]))


def _assigned(code: str) -> dict[str, Any]:
    """Read the values that a cell of parameters assigns, by name."""
    found = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            found |= dict.fromkeys(names, ast.literal_eval(node.value))
    return found
