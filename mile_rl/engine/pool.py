"""Running the nodes of one plan on several threads."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mile_rl.engine import seeds, turns
from mile_rl.engine.opened import OPENED
from mile_rl.engine.running import PlanAgain, Running
from mile_rl.errors import OperatorFailed, WorkflowError

if TYPE_CHECKING:
    from mile_rl.engine.call import Called
    from mile_rl.engine.execute import Executor


class Pool:
    """Runs the nodes of one plan on several threads.

    Each is given values of its own. They share the global generators and the working directory. Whenever a
    node ends it is asked whether something was drawn, or somebody went elsewhere; then every node that was running
    is computed again, alone and seeded.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._running: dict[str, Running] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._ended: queue.SimpleQueue[tuple[str, Called]] = queue.SimpleQueue()
        self._states: tuple[Any, Any] | None = None
        self._moves = 0
        self._plan_again = False
        self._failed: OperatorFailed | WorkflowError | None = None

    def carry_out(self, order: list[str]) -> None:
        """Run the nodes; they come in topological order."""
        planned = set(order)
        parents = {
            name: {parent.node for parent in self._executor.dag.nodes[name].parents} & planned
            for name in order
        }
        takers: dict[str, list[str]] = {name: [] for name in order}
        for name, others in parents.items():
            for other in others:
                takers[other].append(name)
        ready = deque(name for name in order if not parents[name])
        try:
            while self._running or (ready and not self._failed and not self._plan_again):
                for name in self._step(ready):
                    for taker in takers[name]:
                        parents[taker].discard(name)
                        if not parents[taker]:
                            ready.append(taker)
        except BaseException:
            # Interrupted, most likely.
            turns.leave(self._threads.values())
            raise
        if self._failed is not None:
            raise self._failed
        if self._plan_again:
            raise PlanAgain

    def _step(self, ready: deque[str]) -> list[str]:
        """Start what can be started, wait for one node to end, and return what was finished."""
        finished: list[str] = []
        for _ in range(len(ready)):
            if self._failed or self._plan_again or len(self._running) >= self._executor.jobs:
                break
            name = ready.popleft()
            if not self._executor.runs_alone(name):
                if self._guarded(self._start, name) and self._executor.runs_alone(name):
                    ready.append(name)
            elif self._running:
                ready.append(name)
            elif self._guarded(self._executor.run_alone, name):
                finished.append(name)
        if self._running and not finished:
            name, called = self._ended.get()
            running = self._running.pop(name)
            del self._threads[name]
            if not isinstance(called.error, KeyboardInterrupt) and self._is_tainted(running):
                self._executor.run_alone_from_now(name)
                ready.appendleft(name)
            elif self._guarded(self._executor.finish, running, called):
                finished.append(name)
        return finished

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> bool:
        """Do something; note that an operator failed or that the plan has to be made anew.

        Whatever runs beside one that failed is waited for, and keeps what it earns.
        """
        try:
            action(*arguments)
        except (OperatorFailed, WorkflowError) as error:
            self._failed = self._failed or error
            return False
        except PlanAgain:
            self._plan_again = True
            return False
        return True

    def _start(self, name: str) -> None:
        running = self._executor.begin_beside(name)
        if running is None:
            return
        if not self._running:
            self._states, self._moves = seeds.generator_states(), OPENED.moves
        self._running[name] = running
        thread = threading.Thread(target=self._work, args=(running,), name=f"mile-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def _work(self, running: Running) -> None:
        self._ended.put((running.node, self._executor.work(running, seed=None)))

    def _is_tainted(self, running: Running) -> bool:
        """Tell whether a node's result may owe something to what ran beside it."""
        together = [running, *self._running.values()]
        assert self._states is not None
        if (
            OPENED.moves != self._moves
            or not seeds.same_states(self._states, seeds.generator_states())
            or self._executor.settings_changed()
        ):
            self._states, self._moves = seeds.generator_states(), OPENED.moves
            for one in together:
                one.tainted = True
        return running.tainted
