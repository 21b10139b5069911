"""Exercises that answer back: ✓, ✗ with a hint that grows, or ○ for not yet. None stops a notebook.

An exercise is a function of lesson_<n>.py. Its parameters are the names it reads in the notebook;
it raises `Wrong` with what is wrong, or returns what a right answer is told. That of a prediction
returns the right letter, from the numbers just computed.
"""

import inspect
import io
import json
import random
import re
import signal
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from .. import __version__
from ..base.errors import KitError
from ..base.files import runs_root, write_atomic
from .judging import NotYet, Wrong, is_empty

SECONDS = 60  # a check may take; an answer that hangs is given up
RIGHT, WRONG, OPEN = "✓", "✗", "○"


class Exercise(NamedTuple):
    """What a check knows of an exercise."""

    judge: Callable[..., str | None]
    hints: Sequence[str]  # one more is told after each wrong answer
    choices: Mapping[str, str]  # of a prediction: each letter, and what speaks for or against it
    rubric: Sequence[str] = ()  # of an open question: what is worth a point


EXERCISES: dict[str, Exercise] = {}
PROGRESS: dict[str, dict[str, Any]] = {}  # of this session: {"2.3": {"mark": "✓", "tries": 1}}


def exercise(
    number: str, *hints: str, rubric: Sequence[str] = (), **choices: str
) -> Callable[[Callable], Callable]:
    """Register a judge with its hints, and its rubric if any, or with a prediction's choices."""

    def register(judge: Callable) -> Callable:
        EXERCISES[number] = Exercise(judge, hints, choices, rubric)
        return judge

    return register


def _one_line(function: Callable[..., tuple[str, str]]) -> Callable[..., None]:
    @wraps(function)
    def told(number: Any, *answers: Any) -> None:
        try:
            mark, said = function(str(number), *answers)
        except (NotYet, KitError) as missing:
            mark, said = OPEN, str(missing)
        print(f"{mark} {number}: {said}")

    return told


@_one_line
def check(number: str, *answers: Any) -> tuple[str, str]:
    """Check an answer, such as check("2.3"), and print one line; nothing is ever raised.

    Answers that are not given are looked up in the notebook, under the exercise's own names.
    """
    judged = _find(number, predicted=False)
    values = _values(judged, answers)
    record = PROGRESS.setdefault(number, {"mark": OPEN, "tries": 0})
    record.pop("answer", None)
    if isinstance(values[0], str):
        record["answer"] = values[0]
    try:
        mark, told = RIGHT, _judge(judged, values) or "right"
        told += f". A point each: {'; '.join(judged.rubric)}" * bool(judged.rubric)
    except Wrong as wrong:
        mark, told = WRONG, " ".join([f"{wrong}.", *judged.hints[: record["tries"] + 1]])
    record |= {"mark": mark, "tries": record["tries"] + 1}
    return mark, told


@_one_line
def predict(number: str, letter: Any) -> tuple[str, str]:
    """Keep a guess, a letter, before the numbers are there; the one that is revealed counts."""
    *others, last = choices = _find(number, predicted=True).choices
    guess = str(letter).strip().lower()
    if guess not in choices:
        told = "" if is_empty(letter) else f", not {letter!r}"
        raise NotYet(f"guess first: {', '.join(others)} or {last}{told}")
    record = PROGRESS.setdefault(number, {"mark": OPEN, "tries": 0})
    if not record["tries"]:
        record["answer"] = guess
    return OPEN, f"your guess is {record['answer']}"


@_one_line
def reveal(number: str, *numbers: Any) -> tuple[str, str]:
    """Say which choice was right, by the numbers just computed, and what speaks for yours."""
    judged = _find(number, predicted=True)
    guess = PROGRESS.get(number, {}).get("answer")
    if not guess:
        raise NotYet("guess first, in the cell above with `predict`; then run this cell again")
    try:
        right = _judge(judged, _values(judged, numbers))
    except Wrong as wrong:
        raise NotYet(f"{wrong}; run the cells above") from wrong
    mark, told = RIGHT, f"it is {right}: {judged.choices[right]}"
    if guess != right:
        mark, told = WRONG, f"{told} You guessed {guess}: {judged.choices[guess]}"
    PROGRESS[number] |= {"mark": mark, "tries": 1}
    return mark, told


@_one_line
def hand_in(lesson: str, name: Any) -> tuple[str, str]:
    """Write what was answered in this session as one JSON file, for any learning platform."""
    if not isinstance(name, str) or is_empty(name):
        raise NotYet("write your name between the quotes, then run this cell")
    content = progress(lesson) | {"name": name.strip()}
    mine = re.sub(r"[^\w.-]+", "-", name.strip())  # in any script: two names, two files
    path = runs_root() / "handed-in" / f"lesson-{lesson}-{mine}.json"
    write_atomic(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    marks = [f"{number} {record['mark']}" for number, record in content["exercises"].items()]
    return RIGHT, f"{', '.join(marks)}; hand in this notebook, and {path}"


def progress(lesson: str) -> dict[str, Any]:
    """List every exercise of a lesson with its mark, tries and, in words, its answer.

    Raises NotYet for a lesson without exercises.
    """
    load(lesson)
    numbers = sorted(number for number in EXERCISES if number.startswith(f"{lesson}."))
    records = {n: PROGRESS.get(n, {"mark": OPEN, "tries": 0}) for n in numbers}
    return {"course": "colorkit", "version": __version__, "lesson": lesson, "exercises": records}


def load(lesson: str) -> None:
    """Read a lesson's exercises into EXERCISES. Raises NotYet for a lesson without exercises."""
    name = f".lesson_{lesson}"
    if not re.fullmatch(r"\d+[a-z]?", lesson) or not find_spec(name, __package__):
        raise NotYet('there is no such lesson; write such as "2.3" for the third exercise of 2')
    import_module(name, __package__)


def _find(number: str, predicted: bool) -> Exercise:
    """Look an exercise up. Raises NotYet if it is none, or is not of the kind that is asked for."""
    load(number.partition(".")[0])
    if number not in EXERCISES:
        raise NotYet(f"there is no such exercise; there are {', '.join(sorted(EXERCISES))}")
    found = EXERCISES[number]
    if predicted and not found.choices:
        raise NotYet("this is no prediction: write `check`")
    if found.choices and not predicted:
        raise NotYet("this is a prediction: write `predict`, then `reveal`")
    return found


def _judge(judged: Exercise, values: Sequence[Any]) -> str | None:
    """Let the judge look, and leave the notebook's chance and page alone.

    Raises nothing but Wrong and NotYet, whatever the answer does.
    """
    quiet = redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO())
    chance = random.getstate()
    try:
        with quiet[0], quiet[1], torch.random.fork_rng(devices=[]), _limit(SECONDS):
            torch.default_generator.seed()  # torch.seed would seed GPUs, too
            random.seed()
            return judged.judge(*values)
    except (Wrong, NotYet):
        raise
    except NotImplementedError as stub:
        raise NotYet("not answered yet") from stub
    except NameError as missing:
        raise NotYet(f"{missing}: run the notebook from its top to here") from missing
    except _TimeUp as hang:
        raise Wrong(f"it takes over {SECONDS} s; is there a loop that never ends?") from hang
    except (Exception, SystemExit) as error:
        said = textwrap.shorten(str(error), 200, placeholder=" …")
        raise Wrong(f"your code raises {type(error).__name__}: {said}") from error
    finally:
        random.setstate(chance)


def _values(judged: Exercise, given: Sequence[Any]) -> list[Any]:
    """Return what the judge reads: what is given, the rest from the notebook."""
    from IPython import get_ipython

    shell, values = get_ipython(), list(given)
    notebook = shell.user_ns if shell else {}
    for name in list(inspect.signature(judged.judge).parameters)[len(given) :]:
        if name not in notebook:
            raise NotYet(f"`{name}` is not there; run the cell above that makes it, then this")
        values.append(notebook[name])
    if is_empty(values[0]):
        raise NotYet("not answered yet")
    return values


class _TimeUp(BaseException):
    """Not an Exception, so that an answer's own `except Exception` does not keep it."""


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Give up what takes longer; where there are no alarms, as on Windows, it just runs."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
