"""The values that are in memory while an iteration runs, and who still needs each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mile_rl.engine.watch import Watch, watch
from mile_rl.workflows.dag import Output

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


class Memory:
    """The held values by output. A value is released when nobody in the plan needs it any more."""

    def __init__(self) -> None:
        self._held: dict[Output, Held] = {}

    def __contains__(self, output: Output) -> bool:
        return output in self._held

    def __getitem__(self, output: Output) -> Held:
        return self._held[output]

    def __iter__(self) -> Iterator[Output]:
        return iter(self._held)

    def hold(self, output: Output, held: Held) -> None:
        """Hold a value."""
        self._held[output] = held

    def drop(self, output: Output) -> None:
        """Forget a value that cannot be used any more."""
        self._held.pop(output, None)

    def taken(self, output: Output) -> bool:
        """Note that one taker is done with a value; release it after the last. Tell whether it was the last."""
        held = self._held[output]
        held.takers -= 1
        if held.takers > 0:
            return False
        if not held.requested:
            del self._held[output]
        return True

    def spoiled(self) -> tuple[Output, ...]:
        """Return the outputs whose value somebody changed in place, seen or not when it happened.

        Values that nobody has read yet are not watched; they count as changed, since they may share memory
        with one that was (two outputs of one operator, a view).
        """
        return tuple(output for output, held in self._held.items() if held.may_be_spoiled())
