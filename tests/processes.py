"""Python in processes of its own: run to the end, begun and waited for, a demo served."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def python(*words: Any, **variables: str) -> subprocess.CompletedProcess:
    """Run `python WORDS` to its end, with more environment variables; what it says is text."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | variables)


PEAK = r"""
import re
from pathlib import Path
from colorkit.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(*words: Any) -> int:
    """Run `colorkit WORDS` to its end, on Linux; return how much memory it took at most, in kB."""
    done = python("-c", PEAK, *words)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def begin(*words: Any, **variables: str) -> subprocess.Popen:
    """Start `python WORDS`, with more environment variables; what it says is one text."""
    command = [sys.executable, *map(str, words)]
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=os.environ | variables, **said)


def wait_for(condition: Callable[[], Any], process: subprocess.Popen) -> Any:
    """Wait until a condition holds while a process is at work, and return what it gives."""
    end = time.monotonic() + 300
    while not (found := condition()):
        assert process.poll() is None or condition(), process.communicate()[0]
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.001)
    return found


@contextmanager
def demo(*words: Any, **variables: str) -> Iterator[tuple[str, int]]:
    """Serve `colorkit demo`: its address, and its process's number."""
    process, seen = begin("-m", "colorkit", "demo", *words, PYTHONUNBUFFERED="1", **variables), ""
    while not (address := re.search(r"Open (http://[\d.:]+)", seen)):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    try:
        yield address[1], process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)
