"""What stops a run: an error that the user can mend, or the user."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class KitError(ValueError):
    """Something the user can mend: one line with the thing, the rule and the remedy.

    The command line prints it without a traceback and leaves with exit code 2.
    """


class DivergedError(KitError):
    """A training whose loss is no longer a number, or no longer one of colours."""


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
