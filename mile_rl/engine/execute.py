"""Carrying out a plan: one node after the other, or several at once where they are independent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mile_rl.engine import seeds
from mile_rl.engine.allocator import reuse_memory
from mile_rl.engine.call import Called, call
from mile_rl.engine.home import Home
from mile_rl.engine.memory import Memory
from mile_rl.engine.opened import OPENED
from mile_rl.engine.pool import Pool
from mile_rl.engine.running import Keeper, PlanAgain, Progress, Running
from mile_rl.engine.shared import may_share, unshared
from mile_rl.errors import OperatorFailed, WorkflowError
from mile_rl.workflows.capture import IMMUTABLE, copied
from mile_rl.workflows.dag import Dag, Output


class Executor:
    """Runs what a plan says and hands out the requested values.

    Results do not depend on ``jobs``: what runs beside something else is given copies of its inputs, and an
    operator that draws from the global generators or changes the working directory runs alone; where that is
    seen only while others run, what it may have spoilt is computed again.

    Args:
        dag: the workflow.
        keeper: what to ask and tell.
        state_folder: the project's state folder.
        jobs: how many nodes may run at once.
        on_progress: what to tell of the progress.
        clock_ns: a clock.
    """

    def __init__(
        self,
        dag: Dag,
        keeper: Keeper,
        *,
        state_folder: Path,
        jobs: int = 1,
        on_progress: Progress | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.dag = dag
        self._keeper = keeper
        self._state_folder = state_folder
        self.jobs = jobs
        self._on_progress = on_progress
        self._clock_ns = clock_ns
        self._memory = Memory(dag, keeper)
        self._alone: set[str] = set()
        self._called_again: set[str] = set()

    def run(self) -> Mapping[Output, Any]:
        """Run until every requested output is there.

        Returns:
            Each requested output's value.

        Raises:
            OperatorFailed: an operator raised; what was earned until then has been kept.
        """
        reuse_memory()
        self._home = Home()
        with seeds.restored():
            try:
                while True:
                    compute, _ = self._keeper.plan(frozenset(self._memory))
                    self._memory.expect(compute)
                    try:
                        self._carry_out([name for name in self.dag.nodes if name in compute])
                        for output in self.dag.requested:
                            self._memory.sound(output)
                        break
                    except PlanAgain:
                        continue
            finally:
                self._memory.flush()
                self._home.go_back()
        return {output: self._memory.value(output) for output in self.dag.requested}

    def settings_changed(self) -> bool:
        """Tell whether an operator has changed libraries' settings that others go by."""
        return self._home.settings_changed()

    def _carry_out(self, order: list[str]) -> None:
        self._total_ns = max(1, sum(self._keeper.expected_ns(name) for name in order))
        self._done_ns = 0
        if self.jobs == 1 or len(order) == 1:
            for name in order:
                self.run_alone(name)
        else:
            Pool(self).carry_out(order)

    def run_alone(self, name: str) -> None:
        """Run a node with nothing beside it, its global generators seeded."""
        running = self.begin(name)
        if self.jobs == 1:
            self.finish(running, self.work(running, seed=self._keeper.seed_of(name)))
            return
        seeds.seed(self._keeper.seed_of(name))
        before, moves = seeds.generator_states(), OPENED.moves
        called = self.work(running, seed=None)
        changed = self.settings_changed()
        if changed or OPENED.moves != moves or not seeds.same_states(before, seeds.generator_states()):
            self._keeper.drew(name)
        self.finish(running, called)

    def runs_alone(self, name: str) -> bool:
        """Tell whether no other node may run beside this one."""
        return name in self._alone or self._keeper.is_exclusive(name)

    def run_alone_from_now(self, name: str) -> None:
        """Note that a node has to be run again, with nothing beside it."""
        self._alone.add(name)

    def begin(self, name: str) -> Running:
        """Get a node's inputs together; nothing runs beside it."""
        self._tell(name)
        self._keeper.begins(name)
        node = self.dag.nodes[name]
        inputs = {output: self._memory.sound(output) for output in node.parents}
        unwatched = self._memory.leave_unwatched(inputs, alone=self.jobs == 1)
        handed = {output: held.watch.hand_out() for output, held in inputs.items()}
        copies: set[Output] = set()
        if self._keeper.is_mutator(name):
            for output, value in handed.items():
                try:
                    handed[output] = copied(value)
                except Exception:
                    # It cannot be copied, for whatever reason of its own: others get it made again.
                    continue
                copies.add(output)
        return Running(name, handed, frozenset(copies), unwatched=unwatched)

    def begin_beside(self, name: str) -> Running | None:
        """Get a node's inputs together so that what runs beside it neither sees nor disturbs what it does to them.

        It is given copies. Comparing values before and after would not do here: one node may change a value for
        a while only, or change it back, and another read it meanwhile.

        Returns:
            None where an input cannot be copied: the node has to run alone from now on.
        """
        inputs = {output: self._memory.sound(output) for output in self.dag.nodes[name].parents}
        mutator = self._keeper.is_mutator(name)
        copies = {output for output, held in inputs.items() if mutator or not held.watch.private}
        handed: dict[Output, Any] = {}
        for output, held in inputs.items():
            try:
                handed[output] = _own_copy(held.value) if output in copies else held.watch.hand_out()
            except Exception:
                self.run_alone_from_now(name)
                return None
        self._tell(name)
        self._keeper.begins(name)
        return Running(name, handed, frozenset(copies), beside=True)

    def work(self, running: Running, *, seed: str | None) -> Called:
        """Call the operator; safe on any thread."""
        return call(
            self.dag.nodes[running.node],
            running.handed,
            seed=seed,
            state_folder=self._state_folder,
            context=running.context,
            given=self._home.settings if running.beside else None,
            named=self._keeper.named_files(running.node),
            clock_ns=self._clock_ns,
        )

    def finish(self, running: Running, called: Called) -> None:
        """Check what a call did, hold its values, decide about them and release its inputs."""
        name, keeper = running.node, self._keeper
        self._home.go_back()
        if called.error is not None:
            _raise(name, called.error)
        changed = self._memory.changed(running)
        if self._read_its_own_change(running, changed):
            self._keeper.mutated(name, changed)
            self._memory.drop_spoiled(name)
            raise PlanAgain
        if running.unwatched:
            self._memory.doubt()
        around = (*running.handed.values(), *called.values.values())
        values = {output: unshared(value, around) for output, value in called.values.items()}
        del around
        running.handed.clear()
        keeper.computed(name, called)
        if changed:
            keeper.mutated(name, changed)
        for output_name, value in values.items():
            self._memory.add(Output(name, output_name), value, called.elapsed_ns)
        self._done_ns += keeper.expected_ns(name)
        lost = self._memory.drop_spoiled(name) if changed and not running.beside else ()
        for output in self.dag.nodes[name].parents:
            self._memory.taken(output)
        if any(held.requested or held.takers > (output in changed) for output, held in lost):
            raise PlanAgain

    def _read_its_own_change(self, running: Running, changed: tuple[Output, ...]) -> bool:
        """Tell whether an operator may have changed one input through another, and has to be called again on copies.

        Two outputs of one operator may share memory. Loaded from the store they do not, and copied neither.
        """
        if len(changed) < 2 or running.node in self._called_again:
            return False
        if not may_share([running.handed[output] for output in changed]):
            return False
        self._called_again.add(running.node)
        return True

    def _tell(self, note: str) -> None:
        if self._on_progress is not None:
            self._on_progress(self._done_ns, self._total_ns, note)


def _own_copy(value: Any) -> Any:
    """Return a copy of a value; raises where there is none, for whatever reason."""
    own = copied(value)
    if own is value and not isinstance(value, IMMUTABLE):
        raise TypeError(f"a {type(value).__name__} is its own copy")
    return own


def _raise(name: str, error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt | WorkflowError):
        raise error
    raise OperatorFailed(name, error) from error
