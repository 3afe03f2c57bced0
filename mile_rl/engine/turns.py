"""One run at a time in a process: global generators, the working directory and what is opened are shared."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""How long a run waits for another before it says what it waits for."""

_TURN = threading.Lock()
_INSIDE = threading.local()
_LEFT: list[threading.Thread] = []


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Wait until no other thread of this process runs a workflow, nor an operator of a run that was interrupted.

    A workflow that an operator runs itself is part of the run that the operator belongs to, and does not wait. On a
    thread that the operator started it does, and for ever if the operator waits for that thread: whose thread it is
    cannot be told, so it says what it waits for.
    """
    if is_inside():
        yield
        return
    if not _TURN.acquire(timeout=PATIENCE_S):
        log.warning(
            "waiting for another run of this process to end. If this one was called on a thread that an operator "
            "of that run started, neither will ever end: call it on the operator's own thread"
        )
        _TURN.acquire()
    try:
        _wait_for_left()
        with inside():
            yield
    finally:
        _TURN.release()


def leave(threads: Iterable[threading.Thread]) -> None:
    """Hear of threads on which operators go on although their run has ended: nobody can stop them.

    They would draw from the global generators, or change the working directory, beside the next run, whose results
    would be kept all the same; so that waits for them.
    """
    _LEFT.extend(thread for thread in threads if thread.is_alive())


def _wait_for_left() -> None:
    while _LEFT:
        _LEFT[-1].join(PATIENCE_S)
        if _LEFT[-1].is_alive():
            log.warning(
                "waiting for an operator of an interrupted run to end: it cannot be stopped, and would disturb this "
                "run. Start Python anew to go on without it"
            )
            _LEFT[-1].join()
        _LEFT.pop()


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """Mark this thread as one that works for the run whose turn it is."""
    before = is_inside()
    _INSIDE.flag = True
    try:
        yield
    finally:
        _INSIDE.flag = before


def is_inside() -> bool:
    """Tell whether this thread works for the run whose turn it is."""
    return getattr(_INSIDE, "flag", False)
