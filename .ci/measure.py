"""How long each lesson computes, and what it prints: for its header and the teacher's guide.

`make measured` runs every notebook, its solutions filled in, as on a fresh machine, on one thread
in the smoke profile. Names of notebooks run those only. It writes data/lessons.json.
"""

import json
import os
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path

import papermill

from colorkit import __version__
from colorkit.base.files import write_atomic
from colorkit.course.guide import printed

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "data" / "lessons.json"


def measure(source: Path) -> dict:
    """Run a notebook where there are no results yet; return its time and what it prints.

    Seconds are of the processor: on one thread they are those of the clock, if nothing else runs.
    """
    with tempfile.TemporaryDirectory() as empty:
        os.environ["COLORKIT_RUNS"] = empty
        before = os.times()
        book = papermill.execute_notebook(source, None, cwd=empty, progress_bar=False)
        after = os.times()
    seconds = sum(after[2:4]) - sum(before[2:4])  # of the kernel and what it starts
    made = f"colorkit {__version__}, {date.today()}, one thread of {platform.machine()}"
    return {"made": made, "seconds": round(seconds, 1), "printed": printed(book)}


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    names = sys.argv[1:] or [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for name in names:
        made = measure(ROOT / "notebooks" / name)
        lessons = json.loads(KEPT.read_text(encoding="utf-8")) | {name: made}
        kept = json.dumps(dict(sorted(lessons.items())), indent=1, ensure_ascii=False)
        write_atomic(KEPT, kept + "\n")
        print(f"{name}: {made['seconds']} s", flush=True)
