"""One run at a time in a process: global generators, the working directory and what is opened are shared."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_TURN = threading.Lock()
_INSIDE = threading.local()


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Wait until no other thread of this process runs a workflow.

    A workflow that an operator runs itself is part of the run that the operator belongs to, and does not wait.
    """
    if is_inside():
        yield
        return
    with _TURN, inside():
        yield


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
