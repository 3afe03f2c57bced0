"""Futures of a session, drawn by the generator that drew the session itself; played side by side by the kernel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from envs import kernel
from envs.bank import Bank
from envs.columns import SEED, TURN, TURN0, WAITING
from envs.conditions import Conditions
from envs.foreseeing import foresee_all
from envs.script import Script
from envs.tables import constants, new_state, pack_bank, set_conditions
from envs.workload.generate import Plan, Session
from envs.writing import Expected
from mile_rl.policies import observation
from mile_rl.policies.outlook import EDIT, MOST_SCENARIOS, NOTHING, RETURN

Floats = npt.NDArray[np.float64]


class Plays:
    """Scripts that begin alike, played in step by the expected saving with a multiplier.

    Args:
        scripts: as many as are played at once.
    """

    def __init__(self, scripts: Sequence[Script]) -> None:
        bank, self.count = Bank(scripts), len(scripts)
        self._pack, self._state = pack_bank(bank), new_state(bank, 2 * self.count)
        self._seen, self._constants = foresee_all(self._pack, 1.0), constants()
        self._out = np.zeros((2 * self.count, observation.SIZE), dtype=np.float32)
        # The second half is what is played; the first goes ahead of it, to try answers.
        self._ahead = np.arange(2 * self.count) < self.count
        self.running = np.zeros(2 * self.count, dtype=np.bool_)

    def begin(self, conditions: Conditions, answers: Sequence[float] = ()) -> None:
        """Begin anew and play up to the decision that follows some answers."""
        for at in range(self.count):
            set_conditions(self._state, self.count + at, at, conditions)
            kernel.begin(self._pack, self._state, self.count + at)
        self.running = ~self._ahead
        self.answer(1.0)  # nothing is asked yet: up to the first decision
        for multiplier in answers:
            self.answer(multiplier)

    def answer(self, multiplier: float) -> bool:
        """Answer the decision that all wait for and return whether there is another."""
        self._step(multiplier)
        return bool(self.running[self.count :].all())

    @property
    def turn(self) -> int:
        """The iteration that the first of them is in."""
        return int(self._state.ints[self.count, TURN] - self._pack.firsts[0, TURN0])

    @property
    def waited_ns(self) -> Floats:
        """How long each has waited so far."""
        return self._state.reals[self.count :, WAITING].copy()

    def tried_ns(self, multiplier: float, luck: npt.NDArray[np.int64]) -> Floats:
        """Return what is still waited for when this decision is answered so and all others by the expected saving.

        Args:
            multiplier: the answer.
            luck: int64[count], seeds of the noise from here on.
        """
        for table in self._state[: self._state._fields.index("marks")]:
            table[: self.count] = table[self.count :]
        self._state.ints[: self.count, SEED] = luck
        resting, self.running = self.running, self._ahead.copy()
        self._step(multiplier)
        while self.running.any():
            self._step(1.0)
        self.running = resting
        return self._state.reals[: self.count, WAITING] - self.waited_ns

    def _step(self, multiplier: float) -> None:
        kernel.step_all(
            self._pack,
            self._seen,
            self._state,
            self._constants,
            np.full(2 * self.count, multiplier),
            self._out,
            self.running,
        )


def futures(session: Session, plan: Plan, count: int, horizon: int, rng: np.random.Generator) -> list[Script]:
    """Return ways in which a session may go on, with its past.

    Args:
        session: as far as it is; it is left as it was.
        plan: what it is drawn from.
        count: how many.
        horizon: iterations at most.
        rng: where chance comes from.
    """
    drawn = []
    for own in rng.spawn(count):
        turns = 0
        while turns < session.turns:  # how long sessions are that are at least so long
            turns = plan.draw_turns(own)
        other = session.fork(own)
        while other.turns < min(turns, session.turns + horizon):
            other.go_on()
        drawn.append(other.script("future"))
    return drawn


def likely_next(session: Session, draws: int, rng: np.random.Generator) -> list[Expected]:
    """Return what comes next and how often: the most frequent of so many draws, several nodes edited at once."""
    counted = Counter(_next(session, own) for own in rng.spawn(draws)).most_common(MOST_SCENARIOS)
    total = sum(count for _, count in counted)
    return [
        Expected(kind=kind, p=count / total, turn=turn, roots=roots) for (kind, turn, roots), count in counted
    ]


def _next(session: Session, rng: np.random.Generator) -> tuple[int, int, tuple[int, ...]]:
    other = session.fork(rng)
    other.go_on()
    latest = len(session.rows) - 1
    before, after = session.rows[latest], other.rows[-1]
    if after == before:
        return NOTHING, latest, ()
    if after in session.rows:
        return RETURN, latest - session.rows[::-1].index(after), ()
    valid = set(after.values())
    gone = {name for name, row in before.items() if row not in valid}
    steps = session.versions[latest]
    first = (name for name in gone if not any(parent in gone for parent, _ in steps[name].parents))
    return EDIT, latest, tuple(sorted(before[name] for name in first))


def ends(plan: Plan, turns: int) -> float:
    """Return how likely a session that has so many iterations has no more."""
    least = min(plan.least_turns, plan.most_turns)

    def shorter(count: float) -> float:
        share = math.log(count / least) / max(math.log(plan.most_turns / least), 1e-9)
        return min(1.0, max(0.0, share))

    left = 1.0 - shorter(turns - 0.5)
    return (shorter(turns + 0.5) - shorter(turns - 0.5)) / left if left > 0 else 1.0
