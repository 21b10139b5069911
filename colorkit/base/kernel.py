"""What notebooks are run in: the Python that runs already."""

import os
import sys
import tempfile

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class ThisPython(AsyncKernelManager):
    """A kernel in this very Python, whichever "python3" Jupyter knows, and with no home needed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """Return how to start it."""
        words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        told = {"JUPYTER_RUNTIME_DIR": tempfile.gettempdir()}  # else it asks for a home
        if os.path.expanduser("~") == "~":  # none at all, which some IPython's jedi dies of
            told["XDG_CACHE_HOME"] = tempfile.gettempdir()
        return KernelSpec(argv=words, env=told, display_name="Python 3", language="python")
