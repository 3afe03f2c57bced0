"""What a policy takes for itself, measured apart from any play: in the simulator, and in processes of their own."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, Final

from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Policy
from mile_rl.policies.outlook import Outlook
from mile_rl.policies.registry import make_policy

AHEAD: Final = (
    *("mile_rl.engine.outlook", "mile_rl.prediction"),
    *("mile_rl.policies." + name for name in ("appraisal", "errors", "network", "observation", "onnx_file")),
    *("mile_rl.policies." + name for name in ("outlook", "questions", "replan", "savings", "scenarios")),
    *("mile_rl.policies." + name for name in ("value", "walk")),
)
"""What a run imports only when it looks ahead."""

LOOKS: Final = 5
"""Of so many processes the median counts."""


def forget() -> None:
    """Take out of this process what looks ahead, which a new process of ``mile run`` has not imported either."""
    for name in [each for each in sys.modules if each.startswith(AHEAD)]:
        del sys.modules[name]


def first_look_ns(policy: str) -> int:
    """Return the processor time that a policy takes in a new process before it can look ahead, in nanoseconds.

    That is importing what it needs and reading a trained policy's file; nothing for policies that do not look ahead.

    Args:
        policy: its name.
    """
    if not make_policy(policy).needs_outlook:
        return 0
    context = multiprocessing.get_context("fork")
    taken: list[int] = []
    for _ in range(LOOKS):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_look, args=(there, policy))
        child.start()
        there.close()
        taken.append(here.recv())
        child.join()
    return int(median(taken))


def _look(pipe: Connection, name: str) -> None:
    forget()
    begun_ns = time.process_time_ns()
    import mile_rl.engine.outlook  # noqa: F401
    from mile_rl.policies.outlook import no_outlook

    make_policy(name).on_outlook(no_outlook())
    pipe.send(time.process_time_ns() - begun_ns)


class Timed:
    """A policy, and what it takes for itself.

    Args:
        policy: asked for everything.
        clock_ns: a clock.
    """

    def __init__(self, policy: Policy, *, clock_ns: Callable[[], int] = time.process_time_ns) -> None:
        self._policy, self._clock_ns = policy, clock_ns
        self.name, self.needs_outlook = policy.name, policy.needs_outlook
        self.spent_ns = 0
        """What its answers took."""
        self.outlooks = 0
        """In how many iterations it looked ahead."""

    def on_outlook(self, outlook: Outlook) -> None:
        """Pass it on."""
        self.outlooks += 1
        self._on_the_clock(self._policy.on_outlook, outlook)

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Pass it on."""
        decision: Decision = self._on_the_clock(self._policy.admit, candidate, kept, budget)
        return decision

    def on_load(self, signature: str) -> None:
        """Pass it on."""
        self._on_the_clock(self._policy.on_load, signature)

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Pass it on."""
        gone: tuple[str, ...] = self._on_the_clock(self._policy.on_iteration, iteration, code, kept)
        return gone

    def state(self) -> dict[str, Any]:
        """Pass it on."""
        return self._policy.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Pass it on."""
        self._policy.restore(state)

    def _on_the_clock(self, ask: Callable[..., Any], *about: Any) -> Any:
        begun_ns = self._clock_ns()
        try:
            return ask(*about)
        finally:
            self.spent_ns += self._clock_ns() - begun_ns
