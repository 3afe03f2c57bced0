"""Caches of the person's own functions (``functools.lru_cache``), which outlive operators and runs.

A cached function reads its files once: the first operator that calls it is seen to open them, the next is not,
and in a long-lived process it goes on returning what they held. So the files that a cache may have been filled
from are remembered; they count for every operator that reaches it, and it is emptied when one of them changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_State = tuple[int, ...] | None


class Caches:
    """What is known of the caches of one process. The engine asks from one thread at a time."""

    def __init__(self) -> None:
        # By identity, and holding each, so that no other can take its id.
        self._known: dict[int, tuple[Any, dict[Path, _State]]] = {}

    def refresh(self, caches: Iterable[Any]) -> None:
        """Empty the caches whose files changed, and those that were filled before anybody saw from what."""
        for cache in caches:
            known = self._known.get(id(cache))
            if known is None or any(_state(path) != state for path, state in known[1].items()):
                cache.cache_clear()
                self._known[id(cache)] = (cache, {})

    def filled(self, caches: Iterable[Any], files: Iterable[Path]) -> None:
        """Note that an operator which reaches some caches has read some files.

        Args:
            caches: functions that ``functools.lru_cache`` returned.
            files: all that it read, declared or not.
        """
        states = {path: _state(path) for path in files}
        for cache in caches:
            _, known = self._known.setdefault(id(cache), (cache, {}))
            for path, state in states.items():
                known.setdefault(path, state)

    def files(self, caches: Iterable[Any]) -> tuple[Path, ...]:
        """Return the files that some caches may have been filled from."""
        found = (path for cache in caches for path in self._known.get(id(cache), (cache, {}))[1])
        return tuple(dict.fromkeys(found))


def _state(path: Path) -> _State:
    """Return what tells one state of a file from another without reading it; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


CACHES = Caches()
"""The process's one registry."""
