"""What one parameter of one node has done so far."""

from __future__ import annotations

from dataclasses import dataclass

from mile_rl.workflows.edits import Scalar

NEVER = 60.0
"""Stands for "never so far" where iterations since an event are counted; also where counting stops."""

FAST, SLOW = 0.5, 0.8
"""How much of a running share is kept from one iteration to the next: half-lives of 1 and 3.1 iterations."""

MAX_REMEMBERED = 24
"""How many of a parameter's latest values are remembered."""


@dataclass(slots=True)
class ParameterTrace:
    """What one parameter of one node has done so far.

    Args:
        values: its values, one an iteration in which it took a new one, the latest last.
        since: the iteration (counted by the history) at which it last moved, -1 if never.
        moves: how often it moved.
        fast, slow: running shares of iterations in which it moved.
        born: the iteration at which it was first seen.
    """

    values: list[Scalar]
    since: int = -1
    moves: int = 0
    fast: float = 0.0
    slow: float = 0.0
    born: int = 0
    updated: int = 0

    def shares(self, now: int) -> tuple[float, float]:
        """Return the running shares as they stand at iteration ``now``."""
        if not self.moves:
            return 0.0, 0.0
        idle = now - self.updated
        return self.fast * FAST**idle, self.slow * SLOW**idle

    def moved(self, value: Scalar, now: int) -> None:
        """Take in that the parameter took ``value`` at iteration ``now``."""
        fast, slow = self.shares(now)
        self.fast, self.slow, self.updated = fast + 1 - FAST, slow + 1 - SLOW, now
        self.since, self.moves = now, self.moves + 1
        self.values = [*self.values[-MAX_REMEMBERED + 1 :], value]


def same(left: Scalar, right: Scalar) -> bool:
    """Return whether two parameter values are one and the same: 1, 1.0 and True differ, NaN is itself."""
    return type(left) is type(right) and (left == right or (left != left and right != right))
