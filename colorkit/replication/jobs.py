"""What the workflow runs, each in a process of its own: a notebook, or a variant's training.

`python -m colorkit.jobs JSON` with {"name", "notebook", "parameters"}; for a variant, which no
lesson is about, the notebook is empty.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ..base.errors import KitError


def run(job: dict[str, Any]) -> None:
    """Run one job into the results folder of its parameters; KitError if it fails."""
    parameters = job["parameters"]
    if job["notebook"]:
        from .lessons import execute

        executed = Path(parameters["out"], "notebooks", f"{job['name']}.ipynb")
        execute(job["notebook"], executed, parameters)
    else:
        from ..experiment import Experiment
        from ..training import run_experiment

        out = Path(parameters.pop("out"))
        run_experiment(Experiment(**parameters), out)


def _end_with(parent: int) -> None:
    """End this process when `parent` is gone, so that a killed run leaves nothing at work."""

    def watch() -> None:
        while _alive(parent):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> int:
    """Run the job named on the command line."""
    if os.name == "posix" and (parent := os.environ.get("COLORKIT_PARENT")):
        _end_with(int(parent))
    try:
        run(json.loads(sys.argv[1]))
    except KitError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
