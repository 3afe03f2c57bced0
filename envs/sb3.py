"""The many episodes as stable-baselines3 wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from envs.environment import ManySessions


class Sb3Sessions(VecEnv):
    """An adapter: :class:`ManySessions` as a ``VecEnv``.

    ``infos`` of an ended episode hold ``terminal_observation``, ``TimeLimit.truncated``, ``episode`` (``r``,
    ``l``) as ``VecMonitor`` writes them, and what the environment itself tells.

    Args:
        sessions: what to adapt.
        seed: of the episodes.
    """

    def __init__(self, sessions: ManySessions, seed: int | None = None) -> None:
        self.sessions = sessions  # first: the base class asks for its render mode
        super().__init__(sessions.num_envs, sessions.single_observation_space, sessions.single_action_space)
        self._seed = seed
        self._actions: npt.NDArray[np.float32] = np.zeros((sessions.num_envs, 1), dtype=np.float32)
        self._returns = np.zeros(sessions.num_envs)
        self._lengths = np.zeros(sessions.num_envs, dtype=np.int64)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset."""
        self._seed = seed
        return [seed] * self.num_envs

    def reset(self) -> VecEnvObs:
        """Begin all episodes anew."""
        observations, _ = self.sessions.reset(seed=self._seed)
        self._seed = None
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return observations

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Take the actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Carry them out."""
        observations, rewards, terminated, truncated, more = self.sessions.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for episode in np.flatnonzero(ended).tolist():
            infos[episode] = {
                **more["final_info"][episode],
                "terminal_observation": more["final_obs"][episode],
                "TimeLimit.truncated": bool(truncated[episode]),
                "episode": {
                    "r": float(self._returns[episode]),
                    "l": int(self._lengths[episode]),
                },
            }
            self._returns[episode] = 0.0
            self._lengths[episode] = 0
        return observations, rewards.astype(np.float32), ended, infos

    def close(self) -> None:
        """Do nothing: there is nothing open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the sessions, once an episode."""
        return [getattr(self.sessions, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: all episodes share their attributes."""
        raise NotImplementedError(
            "episodes share their attributes; make the sessions anew with other options"
        )

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the sessions, once for all."""
        found = getattr(self.sessions, method_name)(*args, **kwargs)
        return [found for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False: nothing is wrapped."""
        return [False for _ in self._get_indices(indices)]
