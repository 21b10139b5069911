"""What a notebook needs: a start, figures with alt text, controls, parameters that are refused."""

import ast
import platform
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import __version__
from .base.errors import refuse_unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def setup() -> None:
    """Prepare a notebook: quiet known warnings, and print one line about this machine."""
    quiet()
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    python = platform.python_version()
    print(f"colorkit {__version__}, torch {torch.__version__}, Python {python}, on {device}")


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
