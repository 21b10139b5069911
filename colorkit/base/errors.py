"""What stops a run: an error that the user can mend, or the user; and checks of what was asked."""

import difflib
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from .. import DISTRIBUTION


class KitError(ValueError):
    """Something the user can mend: one line with the thing, the rule and the remedy.

    The command line prints it without a traceback and leaves with exit code 2.
    """


class DivergedError(KitError):
    """A training whose loss is no longer a number, or no longer one of colours."""


def need(extra: str, *modules: str) -> ModuleType:
    """Import what an extra brings and return the first; KitError, with the remedy, without it."""
    try:
        first, *_ = [import_module(name) for name in modules]
        return first
    except ModuleNotFoundError as error:
        raise KitError(f"{error.name} is not installed; {install(extra)}") from error


def install(extra: str) -> str:
    """Return the commands that install one of the kit's extras: from an index, or a checkout."""
    return f"pip install '{DISTRIBUTION}[{extra}]', or in a checkout pip install -e '.[{extra}]'"


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C inside the block: KeyboardInterrupt, so that work is put away.

    Signals reach the main thread only; in another one the block just runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise KitError, with the close names, unless `value` is one of `choices`."""
    if value not in choices:
        known = [str(choice) for choice in choices]
        told = f"{name} {value!r}: must be one of {', '.join(known)}; {close_names(value, known)}"
        raise KitError(told.rstrip("; "))


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Raise KitError unless a number lies between two, or is one of them."""
    if not least <= value <= most:
        raise KitError(f"{name} {value}: must be between {least} and {most}")


def check_type(name: str, value: Any, expected: type) -> None:
    """Raise KitError if a parameter has the wrong type, such as the string '1' for a seed."""
    if type(value) is not expected:
        found = type(value).__name__
        raise KitError(
            f"{name}={value!r}: is {found}, must be {expected.__name__}; quote no numbers"
        )


def refuse_unknown(kind: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise KitError, with the close names, if a name of `given` is not in `known`."""
    for name in sorted(set(given) - set(known)):
        told = f"unknown; {close_names(name, known)}known are {', '.join(sorted(known))}"
        raise KitError(f"{kind} '{name}': {told}")


def close_names(name: Any, known: Collection[str]) -> str:
    """Ask whether a known name was meant that is close to this one; empty if none is."""
    close = difflib.get_close_matches(str(name), known, n=2)
    return f"did you mean {' or '.join(close)}? " if close else ""


def differing(made_with: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Name the settings of a result that are not the wanted ones.

    The manifest's hash says which paintings: how they were asked for is free. So is the
    precision unless one was asked for.
    """
    free = {"data", "painters"} | {name for name, value in wanted.items() if value == "auto"}
    return [name for name in wanted if name not in free and made_with.get(name) != wanted[name]]
