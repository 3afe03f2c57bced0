"""Carrying out a plan: one node after the other, or several at once where they are independent."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from mile_rl.engine import seeds
from mile_rl.engine.allocator import reuse_memory
from mile_rl.engine.call import Called, call
from mile_rl.engine.held import WATCH_NS, WATCH_SHARE, Held, Memory
from mile_rl.engine.opened import OPENED
from mile_rl.engine.pool import Pool
from mile_rl.engine.running import MISSING, Keeper, PlanAgain, Progress, Running
from mile_rl.engine.watch import may_share, unshared
from mile_rl.errors import OperatorFailed, WorkflowError
from mile_rl.workflows import settings
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
        self._memory = Memory()
        self._to_write: dict[Output, Held] = {}
        self._alone: set[str] = set()
        self._unsure: set[Output] = set()
        self._watch_all = False
        self._called_again: set[str] = set()

    def run(self) -> Mapping[Output, Any]:
        """Run until every requested output is there.

        Returns:
            Each requested output's value.

        Raises:
            OperatorFailed: an operator raised; what was earned until then has been kept.
        """
        reuse_memory()
        with seeds.restored(), self._at_home():
            try:
                while True:
                    compute, _ = self._keeper.plan(frozenset(self._memory))
                    self._count_takers(compute)
                    try:
                        self._carry_out([name for name in self.dag.nodes if name in compute])
                        for output in self.dag.requested:
                            self._sound(output)
                        break
                    except PlanAgain:
                        continue
            finally:
                self._flush()
        return {output: self._memory[output].value for output in self.dag.requested}

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        self._folder = _working_directory()
        self._settings = settings.current()
        self._environ = dict(os.environ)
        try:
            yield
        finally:
            self._go_home()

    def settings_changed(self) -> bool:
        """Tell whether an operator has changed libraries' settings that others go by."""
        return settings.current() != self._settings

    def _go_home(self) -> None:
        """Undo what an operator did to what others go by: the working directory, the environment, settings."""
        settings.put(self._settings)
        for name in OPENED.take_variables():
            if name in self._environ:
                os.environ[name] = self._environ[name]
            else:
                os.environ.pop(name, None)
        if self._folder and _working_directory() != self._folder:
            os.chdir(self._folder)

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
        inputs = {output: self._sound(output) for output in node.parents}
        unwatched = self._leave_unwatched(inputs)
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
        inputs = {output: self._sound(output) for output in self.dag.nodes[name].parents}
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

    def _leave_unwatched(self, inputs: Mapping[Output, Held]) -> bool:
        """Tell whether some input need not be compared after it was read; insist on watching all others.

        A value of many Python objects takes long to read. Where the node is the last to see it, a change of
        it harms nobody, unless part of it is part of another value too: therefore everything else in memory
        is watched first, and checked before it is handed out again.
        """
        unwatched = False
        for output, held in inputs.items():
            last = held.takers == 1 and not held.requested and output not in self._to_write
            if held.watch.costly and last and self.jobs == 1 and not self._watch_all:
                unwatched = True
            else:
                held.watch.insist()
        if unwatched:
            for output in self._memory:
                if output not in inputs:
                    self._memory[output].watch.insist()
        return unwatched

    def _sound(self, output: Output) -> Held:
        """Return a value that is certainly what it was when it was made."""
        held = self._obtain(output)
        if output in self._unsure:
            self._unsure.discard(output)
            if held.watch.spoiled():
                self._keeper.spoiled_unseen(output)
                self._memory.drop(output)
                self._to_write.pop(output, None)
                self._watch_all = True
                raise PlanAgain
        return held

    def work(self, running: Running, *, seed: str | None) -> Called:
        """Call the operator; safe on any thread."""
        return call(
            self.dag.nodes[running.node],
            running.handed,
            seed=seed,
            state_folder=self._state_folder,
            context=running.context,
            given=self._settings if running.beside else None,
            named=self._keeper.named_files(running.node),
            clock_ns=self._clock_ns,
        )

    def finish(self, running: Running, called: Called) -> None:
        """Check what a call did, hold its values, decide about them and release its inputs."""
        name, keeper = running.node, self._keeper
        self._go_home()
        if called.error is not None:
            _raise(name, called.error)
        changed = self._changed_inputs(running)
        if self._read_its_own_change(running, changed):
            self._keeper.mutated(name, changed)
            self._drop_spoiled(name)
            raise PlanAgain
        if running.unwatched:
            self._unsure.update(output for output in self._memory if not self._memory[output].watch.private)
        around = (*running.handed.values(), *called.values.values())
        values = {output: unshared(value, around) for output, value in called.values.items()}
        del around
        running.handed.clear()
        keeper.computed(name, called)
        if changed:
            keeper.mutated(name, changed)
        for output_name, value in values.items():
            output = Output(name, output_name)
            takers = self._takers.get(output, 0)
            held = Held(
                value,
                takers=takers,
                requested=output in self._requested,
                limit_ns=max(WATCH_NS, int(called.elapsed_ns * WATCH_SHARE)),
            )
            if takers or held.requested:
                self._memory.hold(output, held)
            if keeper.decide(output, held):
                self._write_when_safe(output, held)
        self._done_ns += keeper.expected_ns(name)
        lost = self._drop_spoiled(name) if changed and not running.beside else ()
        for output in self.dag.nodes[name].parents:
            if output in self._memory and self._memory.taken(output):
                self._write_pending(output)
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

    def _changed_inputs(self, running: Running) -> tuple[Output, ...]:
        return tuple(
            output
            for output, handed in running.handed.items()
            if output not in running.copies and self._memory[output].watch.changed(handed)
        )

    def _drop_spoiled(self, but: str) -> tuple[tuple[Output, Held], ...]:
        """Forget every value that is no longer what it was; what an operator changed may be part of others.

        Args:
            but: the node whose operator made the change; what it yields is what it meant to yield.
        """
        spoiled = (output for output in self._memory.spoiled() if output.node != but)
        lost = tuple((output, self._memory[output]) for output in spoiled)
        for output, _ in lost:
            self._memory.drop(output)
            self._to_write.pop(output, None)
        return lost

    def _obtain(self, output: Output) -> Held:
        """Return a value that the plan counts on, loading it when it is first needed."""
        if output not in self._memory:
            value = self._keeper.load(output)
            if value is MISSING:
                raise PlanAgain
            takers = self._takers.get(output, 0)
            self._memory.hold(output, Held(value, takers=takers, requested=output in self._requested))
        return self._memory[output]

    def _count_takers(self, compute: Collection[str]) -> None:
        takers: dict[Output, int] = {}
        for name in compute:
            for output in self.dag.nodes[name].parents:
                takers[output] = takers.get(output, 0) + 1
        self._takers = takers
        self._requested = frozenset(self.dag.requested)
        for output in tuple(self._memory):
            held = self._memory[output]
            held.takers = takers.get(output, 0)
            if not held.takers and not held.requested:
                self._memory.drop(output)

    def _write_when_safe(self, output: Output, held: Held) -> None:
        if held.takers and not held.watch.private:
            self._to_write[output] = held
        else:
            self._keeper.keep(output, held)

    def _write_pending(self, output: Output) -> None:
        held = self._to_write.pop(output, None)
        if held is not None:
            self._keeper.keep(output, held)

    def _flush(self) -> None:
        """Write what was to be kept but is still being read; on every way out, so that it is not lost."""
        for output, held in self._to_write.items():
            if not held.watch.spoiled():
                self._keeper.keep(output, held)
        self._to_write.clear()

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


def _working_directory() -> str:
    """Return the working directory, "" where it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
