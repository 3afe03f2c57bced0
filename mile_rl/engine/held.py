"""One value in memory, who still needs it, and what guards it."""

from __future__ import annotations

from typing import Any

from mile_rl.engine.watch import Watch, watch

WATCH_NS = 5_000_000
WATCH_SHARE = 0.02
"""Watching a value may take 5 ms or 2 % of the time that it took to make, whichever is more, before the executor
asks itself whether it has to."""


class Held:
    """One value in memory.

    Args:
        value: the intermediate.
        takers: how many nodes of the plan will still take it.
        requested: whether it is to be returned in the end.
        limit_ns: how long it may take to watch it, unless that is insisted on.
    """

    __slots__ = ("_limit_ns", "_watch", "requested", "takers", "value")

    def __init__(self, value: Any, *, takers: int, requested: bool, limit_ns: int = WATCH_NS) -> None:
        self.value = value
        self._limit_ns = limit_ns
        self.takers = takers
        self.requested = requested
        self._watch: Watch | None = None

    @property
    def watch(self) -> Watch:
        """What guards the value; made when it is first asked for, which must be before anybody reads it."""
        if self._watch is None:
            self._watch = watch(self.value, limit_ns=self._limit_ns)
        return self._watch

    def may_be_spoiled(self) -> bool:
        """Tell whether somebody may have changed the value since it was made."""
        if self._watch is None or self._watch.costly:
            return not self.watch.private
        return self._watch.spoiled()
