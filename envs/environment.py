"""The environments: a person edits a workflow, an agent decides what is worth keeping.

``import envs.environment`` registers ``mile/Simulated-v0`` and ``mile/Replay-v0`` with gymnasium;
:func:`make_vec` makes many episodes at once, in one compiled call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.bank import Bank
from envs.batch import Batch, Observations, Options, bank_of
from envs.errors import EnvironmentFailed
from mile_rl.policies import observation

HIGHEST: Final = 4.0

Infos = dict[str, Any]


def observation_space() -> Box:
    """Return the space of observations: ``mile_rl.policies.observation``."""
    return Box(-HIGHEST, HIGHEST, (observation.SIZE,), np.float32)


def action_space() -> Box:
    """Return the space of actions: the logarithm of the multiplier, in units of the scale."""
    return Box(-1.0, 1.0, (1,), np.float32)


class SimulatedEnv(gymnasium.Env[npt.NDArray[np.float32], npt.NDArray[np.float32]]):
    """A session of a person who edits a workflow and waits for it, again and again.

    Action Space:
        ``Box(-1, 1, (1,))``. The candidate's expected saving is multiplied by exp(scale x action), now and as
        long as it is kept; 0 is the expected saving as it is.

    Observation Space:
        ``Box(-4, 4, (SIZE,))``: the features of ``mile_rl.policies.observation``, built by the engine's code from
        the engine's estimates. At the end of a session all are 0.

    Starting State:
        A session of the bank, a budget, a disk and the noise are drawn; it is played up to the first output
        that the guard leaves to the policy. Sessions without any are passed over.

    Reward:
        Minus the waiting since the last decision (computing, loading and writing; thinking costs nothing), as a
        share of what the whole session takes under the reference: the untuned expected saving, in the same
        episode. So an episode's sum is -1 where the agent waits as long as the reference. What is waited
        before the first decision belongs to the first step.

    Episode End:
        Terminated when the session ends. Truncated after ``most_decisions`` decisions.

    Information:
        ``session``, ``source``: which one is played; ``iteration``, ``iterations``: where it stands, and how many
        there are; ``decisions``: so far, the one waited for included; ``waiting_s``: so far; ``reference_s``: of the
        reference in the whole session; ``budget_bytes``; ``read_bytes_per_s``.

    Version History:
        v0: first.

    Args:
        bank: sessions or a file of them; a small simulated bank where None.
        options: keyword arguments of :class:`envs.batch.Options`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, bank: Bank | Path | str | None = None, **options: Any) -> None:
        self.batch = Batch(self._bank(bank), 1, Options(**options))
        self.observation_space = observation_space()
        self.action_space = action_space()

    def _bank(self, bank: Bank | Path | str | None) -> Bank:
        return bank_of(bank)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], Infos]:
        """Begin the next episode."""
        super().reset(seed=seed)
        self.batch.reset(0, self.np_random)
        return self.batch.observations[0].copy(), self.batch.info(0)

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, Infos]:
        """Answer the decision that is waited for.

        Raises:
            EnvironmentFailed: there is none, because the episode has ended or not begun.
        """
        if not self.batch.running[0]:
            raise EnvironmentFailed("there is nothing to decide: call reset() first")
        rewards, terminated, truncated = self.batch.step(np.asarray(action).reshape(1))
        return (
            self.batch.observations[0].copy(),
            float(rewards[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            self.batch.info(0),
        )


class ReplayEnv(SimulatedEnv):
    """A real history as the editor: OpenML, MLflow, DVC or the engine's own (``envs.replay``).

    Spaces, reward and information are those of :class:`SimulatedEnv`.

    Action Space:
        As there.

    Observation Space:
        As there.

    Starting State:
        As there; sessions are mined ones.

    Reward:
        As there.

    Episode End:
        As there.

    Information:
        As there: ``session``, ``source``, ``iteration``, ``iterations``, ``decisions``, ``waiting_s``,
        ``reference_s``, ``budget_bytes``, ``read_bytes_per_s``.

    Version History:
        v0: first.
    """

    def _bank(self, bank: Bank | Path | str | None) -> Bank:
        if bank is None:
            raise EnvironmentFailed(
                "mile/Replay-v0 plays mined histories: give it bank=FILE, made with "
                "`python -m envs replay TRACES --out FILE`"
            )
        return bank_of(bank)


class ManySessions(VectorEnv[Observations, npt.NDArray[np.float32], npt.NDArray[Any]]):
    """Many episodes in one compiled call; an ended one begins anew in the same step.

    ``infos`` of a step in which episodes ended: ``final_obs`` and ``final_info`` by episode, ``_final_obs`` and
    ``_final_info`` say of which.

    Args:
        bank: as for :class:`SimulatedEnv`.
        num_envs: how many.
        options: likewise.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012

    def __init__(self, bank: Bank | Path | str | None = None, num_envs: int = 64, **options: Any) -> None:
        self.num_envs = num_envs
        self.batch = Batch(bank_of(bank), num_envs, Options(**options))
        self.single_observation_space = observation_space()
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._rngs: list[np.random.Generator] = []

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Begin all episodes anew; a number seeds each with a child of its own."""
        if isinstance(seed, list):
            self._rngs = [np.random.default_rng(each) for each in seed]
        elif seed is not None or not self._rngs:
            children = np.random.SeedSequence(seed).spawn(self.num_envs)
            self._rngs = [np.random.default_rng(child) for child in children]
        for episode, rng in enumerate(self._rngs):
            self.batch.reset(episode, rng)
        return self.batch.observations.copy(), {}

    def step(
        self, actions: npt.NDArray[np.float32]
    ) -> tuple[Observations, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], Infos]:
        """Answer all decisions."""
        rewards, terminated, truncated = self.batch.step(np.asarray(actions).reshape(self.num_envs))
        ended = terminated | truncated
        infos: Infos = {}
        if ended.any():
            last = np.full(self.num_envs, None, dtype=object)
            told = np.full(self.num_envs, None, dtype=object)
            for episode in np.flatnonzero(ended).tolist():
                last[episode] = self.batch.observations[episode].copy()
                told[episode] = self.batch.info(episode)
                self.batch.reset(episode, self._rngs[episode])
            infos = {"final_obs": last, "_final_obs": ended, "final_info": told, "_final_info": ended}
        return self.batch.observations.copy(), rewards, terminated, truncated, infos


def make_vec(bank: Bank | Path | str | None = None, num_envs: int = 64, **options: Any) -> ManySessions:
    """Return many episodes of the sessions of a bank; see :class:`ManySessions`."""
    return ManySessions(bank, num_envs, **options)


def register() -> None:
    """Register the environments with gymnasium, once."""
    for name, entry, vector in (
        ("mile/Simulated-v0", SimulatedEnv, ManySessions),
        ("mile/Replay-v0", ReplayEnv, None),
    ):
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=entry, vector_entry_point=vector)


register()
