"""Episodes played side by side: what both environments and both kinds of vectors stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from envs import columns, kernel
from envs.bank import Bank
from envs.conditions import (
    FASTEST_BYTES_PER_S,
    LARGEST_BUDGET,
    SLOWEST_BYTES_PER_S,
    SMALLEST_BUDGET,
    Conditions,
)
from envs.errors import EnvironmentFailed
from envs.foreseeing import foresee_all
from envs.script import Script
from envs.tables import constants, new_state, pack_bank, set_conditions
from mile_rl.policies import observation
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings
from mile_rl.policies.ledger import Terms

Observations = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DEFAULT_SCALE: Final = 2.0
DEFAULT_SESSIONS: Final = 60
MOST_TRIES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an environment may be told.

    Args:
        budget: the store's bytes as a share of all intermediates, or a range to draw from, log-uniformly.
        bytes_per_s: of loads, likewise.
        scale: an action of 1 multiplies the candidate's worth by exp(scale).
        settings: the constants of the expected saving that the action multiplies.
        reference: those of the reference policy.
        terms: the guard's.
        most_decisions: after so many an episode is truncated.
        conditions: of every episode; drawn anew where None.

    Raises:
        EnvironmentFailed: a figure is out of range.
    """

    budget: float | tuple[float, float] = (SMALLEST_BUDGET, LARGEST_BUDGET)
    bytes_per_s: float | tuple[float, float] = (SLOWEST_BYTES_PER_S, FASTEST_BYTES_PER_S)
    scale: float = DEFAULT_SCALE
    settings: ExpectedSettings = UNTUNED
    reference: ExpectedSettings = UNTUNED
    terms: Terms = field(default_factory=Terms)
    most_decisions: int = 2_000
    conditions: Conditions | None = None

    def __post_init__(self) -> None:
        for name in ("budget", "bytes_per_s"):
            given = getattr(self, name)
            low, high = given if isinstance(given, tuple) else (given, given)
            if not 0 < low <= high:
                raise EnvironmentFailed(f"{name} is {given}; give a number above 0, or (low, high)")
        if not 0 <= self.scale <= 5:
            raise EnvironmentFailed(f"scale is {self.scale}; a network's file allows 0 to 5")
        if self.most_decisions < 1:
            raise EnvironmentFailed(f"most_decisions is {self.most_decisions}; it has to be 1 or more")


class Batch:
    """Episodes played side by side, each to its own end.

    Args:
        bank: the sessions to play.
        episodes: how many at once.
        options: see :class:`Options`.
    """

    def __init__(self, bank: Bank, episodes: int, options: Options | None = None) -> None:
        self.bank = bank
        self.options = options or Options()
        self.episodes = episodes
        self._pack = pack_bank(bank)
        self._state = new_state(bank, episodes + 1)  # the last one is the reference's
        self._seen = foresee_all(self._pack, self.options.settings.return_weight)
        self._seen_by_reference = self._seen
        if self.options.reference.return_weight != self.options.settings.return_weight:
            self._seen_by_reference = foresee_all(self._pack, self.options.reference.return_weight)
        self._constants = constants(self.options.settings, self.options.terms)
        self._reference = constants(self.options.reference, self.options.terms)
        self.observations: Observations = np.zeros((episodes, observation.SIZE), dtype=np.float32)
        self.running: Bools = np.zeros(episodes, dtype=np.bool_)
        self.reference_ns: Floats = np.ones(episodes)
        self._waited_ns: Floats = np.zeros(episodes)

    def reset(self, episode: int, rng: np.random.Generator) -> None:
        """Begin an episode anew, up to its first decision; sessions without any are passed over.

        Args:
            episode: which.
            rng: where script and conditions are drawn from.

        Raises:
            EnvironmentFailed: no session of the bank leaves the policy anything to decide.
        """
        for _ in range(MOST_TRIES):
            script = int(rng.integers(len(self.bank)))
            conditions = self.options.conditions or Conditions.draw(
                rng,
                self.bank[script],
                budget=self.options.budget,
                bytes_per_s=self.options.bytes_per_s,
            )
            if self.place(episode, script, conditions):
                return
        raise EnvironmentFailed(
            f"in {MOST_TRIES} episodes nothing was left to decide: the sessions' nodes take under 20 ms, or the "
            "budget is too small for any output"
        )

    def place(self, episode: int, script: int, conditions: Conditions) -> bool:
        """Begin a given episode, and return whether there is anything to decide."""
        set_conditions(self._state, episode, script, conditions)
        reference_ns, self.running[episode] = kernel.start(
            self._pack,
            self._seen,
            self._seen_by_reference,
            self._state,
            self._constants,
            self._reference,
            episode,
            self.observations[episode],
        )
        self.reference_ns[episode] = max(reference_ns, 1.0)
        self._waited_ns[episode] = 0.0
        return bool(self.running[episode])

    def step(self, actions: npt.NDArray[np.floating[Any]]) -> tuple[Floats, Bools, Bools]:
        """Answer every episode's decision; ``observations`` then hold the next ones, zeros at an end.

        Args:
            actions: float[e], clipped to -1 … 1.

        Returns:
            rewards: minus the waiting since the last decision, in units of the reference's of the episode.
            terminated: whether the session has ended.
            truncated: whether it was cut off.
        """
        multipliers = np.exp(self.options.scale * np.clip(actions.astype(np.float64), -1.0, 1.0))
        was = self.running.copy()
        kernel.step_all(
            self._pack, self._seen, self._state, self._constants, multipliers, self.observations, self.running
        )
        waited_ns = self._state.reals[: self.episodes, columns.WAITING]
        rewards = -(waited_ns - self._waited_ns) / self.reference_ns
        self._waited_ns[:] = waited_ns
        terminated = was & ~self.running
        decisions = self._state.ints[: self.episodes, columns.DECISIONS]
        truncated = self.running & (decisions > self.options.most_decisions)
        self.observations[terminated] = 0.0
        return rewards, terminated, truncated

    def info(self, episode: int) -> dict[str, Any]:
        """Return what is told of an episode besides observation and reward."""
        state = self._state
        script: Script = self.bank[int(state.ints[episode, columns.SCRIPT])]
        turn = int(
            state.ints[episode, columns.TURN]
            - self._pack.firsts[state.ints[episode, columns.SCRIPT], columns.TURN0]
        )
        return {
            "session": script.name,
            "source": script.source,
            "iteration": min(turn + 1, script.turns),
            "iterations": script.turns,
            "decisions": int(state.ints[episode, columns.DECISIONS]),
            "waiting_s": float(state.reals[episode, columns.WAITING]) / 1e9,
            "reference_s": float(self.reference_ns[episode]) / 1e9,
            "budget_bytes": int(state.reals[episode, columns.BUDGET]),
            "read_bytes_per_s": float(state.reals[episode, columns.READ_RATE]),
        }


INFO_KEYS: Final = (
    "session",
    "source",
    "iteration",
    "iterations",
    "decisions",
    "waiting_s",
    "reference_s",
    "budget_bytes",
    "read_bytes_per_s",
)


def bank_of(bank: Bank | Path | str | None) -> Bank:
    """Return a bank, a bank of a file, or where None a small simulated one that is made once a process."""
    if bank is None:
        return _default()
    if isinstance(bank, Bank):
        return bank
    return Bank.load(Path(bank))


@lru_cache(maxsize=1)
def _default() -> Bank:
    from envs.making import make_bank
    from envs.workload.generate import Plan

    return make_bank(Plan(seed=0), DEFAULT_SESSIONS, jobs=1)
