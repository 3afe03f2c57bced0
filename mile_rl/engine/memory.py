"""The values that are in memory while an iteration runs: fetched, checked, written and released."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mile_rl.engine.held import WATCH_NS, WATCH_SHARE, Held
from mile_rl.engine.running import MISSING, Keeper, PlanAgain, Running
from mile_rl.workflows.dag import Dag, Output


class Memory:
    """The held values by output. A value is released when nobody in the plan needs it any more.

    What an operator could change is written only when the last one has read it, so that what is kept is what
    was made.

    Args:
        dag: the workflow.
        keeper: what loads and writes.
    """

    def __init__(self, dag: Dag, keeper: Keeper) -> None:
        self._dag = dag
        self._keeper = keeper
        self._requested = frozenset(dag.requested)
        self._held: dict[Output, Held] = {}
        self._takers: dict[Output, int] = {}
        self._to_write: dict[Output, Held] = {}
        self._unsure: set[Output] = set()
        self._watch_all = False

    def __iter__(self) -> Iterator[Output]:
        return iter(self._held)

    def value(self, output: Output) -> Any:
        """Return a value that is held."""
        return self._held[output].value

    def expect(self, compute: Collection[str]) -> None:
        """Hear which nodes will be computed; release what none of them takes."""
        takers: dict[Output, int] = {}
        for name in compute:
            for output in self._dag.nodes[name].parents:
                takers[output] = takers.get(output, 0) + 1
        self._takers = takers
        for output, held in tuple(self._held.items()):
            held.takers = takers.get(output, 0)
            if not held.takers and not held.requested:
                del self._held[output]

    def sound(self, output: Output) -> Held:
        """Return a value that is certainly what it was when it was made, loading it when it is first needed.

        Raises:
            PlanAgain: it is not, or its artifact is gone.
        """
        if output not in self._held:
            value = self._keeper.load(output)
            if value is MISSING:
                raise PlanAgain
            self._held[output] = self._as_held(output, value)
        held = self._held[output]
        if output in self._unsure:
            self._unsure.discard(output)
            if held.watch.spoiled():
                self._keeper.spoiled_unseen(output)
                self._forget(output)
                self._watch_all = True
                raise PlanAgain
        return held

    def leave_unwatched(self, inputs: Mapping[Output, Held], *, alone: bool) -> bool:
        """Tell whether some input need not be compared after it was read; insist on watching all others.

        A value of many Python objects takes long to read. Where the node is the last to see it, a change of
        it harms nobody, unless part of it is part of another value too: therefore everything else in memory
        is watched first, and checked before it is handed out again.

        Args:
            inputs: what a node is about to be given.
            alone: whether no other node ever runs beside it.
        """
        unwatched = False
        for output, held in inputs.items():
            last = held.takers == 1 and not held.requested and output not in self._to_write
            if held.watch.costly and last and alone and not self._watch_all:
                unwatched = True
            else:
                held.watch.insist()
        if unwatched:
            for output, held in self._held.items():
                if output not in inputs:
                    held.watch.insist()
        return unwatched

    def doubt(self) -> None:
        """Check every value before it is handed out again: somebody may have changed part of it unseen."""
        self._unsure.update(output for output, held in self._held.items() if not held.watch.private)

    def changed(self, running: Running) -> tuple[Output, ...]:
        """Return the inputs that an operator changed in place, those that it had copies of left aside."""
        return tuple(
            output
            for output, handed in running.handed.items()
            if output not in running.copies and self._held[output].watch.changed(handed)
        )

    def add(self, output: Output, value: Any, elapsed_ns: int) -> None:
        """Take in a value that was just computed, hold it if it is needed, and have it kept if that is decided.

        Args:
            output: its output.
            value: the value.
            elapsed_ns: how long its node took.
        """
        limit_ns = max(WATCH_NS, int(elapsed_ns * WATCH_SHARE))
        held = self._as_held(output, value, limit_ns=limit_ns)
        if held.takers or held.requested:
            self._held[output] = held
        if not self._keeper.decide(output, held):
            return
        self._to_write.pop(output, None)  # one made before, and still waiting to be written
        if held.takers and not held.watch.private:
            self._to_write[output] = held
        else:
            self._keeper.keep(output, held)

    def taken(self, output: Output) -> None:
        """Note that one taker is done with a value; after the last, write it if it is to be kept, and release it."""
        held = self._held.get(output)
        if held is None:
            return
        held.takers -= 1
        if held.takers > 0:
            return
        if not held.requested:
            del self._held[output]
        pending = self._to_write.pop(output, None)
        if pending is not None:
            self._keeper.keep(output, pending)

    def drop_spoiled(self, but: str) -> tuple[tuple[Output, Held], ...]:
        """Forget every value that is no longer what it was; what an operator changed may be part of others.

        Values that nobody has read yet are not watched; they count as changed, since they may share memory
        with one that was (two outputs of one operator, a view).

        Args:
            but: the node whose operator made the change; what it yields is what it meant to yield.

        Returns:
            What was forgotten.
        """
        lost = tuple(
            (output, held)
            for output, held in self._held.items()
            if output.node != but and held.may_be_spoiled()
        )
        for output, _ in lost:
            self._forget(output)
        return lost

    def flush(self) -> None:
        """Write what was to be kept but is still being read; on every way out, so that it is not lost."""
        for output, held in self._to_write.items():
            if not held.watch.spoiled():
                self._keeper.keep(output, held)
        self._to_write.clear()

    def _as_held(self, output: Output, value: Any, *, limit_ns: int = WATCH_NS) -> Held:
        takers = self._takers.get(output, 0)
        return Held(value, takers=takers, requested=output in self._requested, limit_ns=limit_ns)

    def _forget(self, output: Output) -> None:
        """Forget a value that cannot be used any more."""
        del self._held[output]
        self._to_write.pop(output, None)
