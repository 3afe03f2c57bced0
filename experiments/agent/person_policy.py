"""A person's own policy file: constants of the expected saving and, where there is a network, a few steps of PPO."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from envs.bank import Bank
from envs.conditions import Conditions
from envs.script import Script
from envs.session import play
from experiments.agent.export import Dense, write_onnx
from experiments.agent.quick import Player, draw_cases
from mile_rl.policies import observation, onnx_file
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.base import Policy
from mile_rl.policies.guard import Guard
from mile_rl.policies.network import Network, file_metadata

SHARES: Final = (0.05, 0.10, 0.25, 0.50)
"""The budgets that a personal policy is fitted and judged under."""

DRAWS: Final = 2
"""So many disks are drawn for each session and budget."""

CHOICES: Final[dict[str, tuple[float, ...]]] = {
    "discount": (0.6, 0.8, 0.9, 1.0),
    "return_weight": (0.5, 1.0, 2.0, 4.0),
    "write_weight": (0.0, 0.5, 1.0, 2.0),
    "background": (0.0, 0.02, 0.05, 0.1),
}
"""What is tried for each constant, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What a policy's file holds.

    Args:
        layers: of the network; one layer of zeros is the expected saving itself.
        scale: of its action.
        settings: of the expected saving below it.
    """

    layers: tuple[Dense, ...]
    scale: float
    settings: ExpectedSettings

    @classmethod
    def plain(cls, settings: ExpectedSettings) -> PolicyFile:
        """Return the expected saving under these constants, as a file that ``learned:FILE`` reads."""
        still = Dense(
            weight=np.zeros((observation.SIZE, 1), dtype=np.float32), bias=np.zeros(1, dtype=np.float32)
        )
        return cls(layers=(still,), scale=1.0, settings=settings)

    @classmethod
    def read(cls, path: Path) -> PolicyFile:
        """Read a file that :mod:`experiments.agent.export` wrote.

        Raises:
            PolicyRefused: it cannot be used.
        """
        network = Network(path)
        graph = onnx_file.graph(path.read_bytes())
        count = sum(name.startswith("weight_") for name in graph.weights)
        kinds = [step.kind for step in graph.steps]
        bent = kinds.count("Tanh")
        layers = tuple(
            Dense(
                weight=np.array(graph.weights[f"weight_{at}"]),
                bias=np.array(graph.weights[f"bias_{at}"]),
                activation="Tanh" if at < bent else None,
            )
            for at in range(count)
        )
        return cls(layers=layers, scale=network.scale, settings=network.settings)

    def write(self, path: Path, what: str) -> None:
        """Write it.

        Args:
            path: where to.
            what: a text that its training digest is made of: the data and how it was fitted.
        """
        digest = hashlib.blake2b(
            json.dumps([what, asdict(self.settings)], sort_keys=True).encode(), digest_size=16
        ).hexdigest()
        metadata = file_metadata(action_scale=self.scale, settings=self.settings, training_digest=digest)
        write_onnx(path, self.layers, metadata)


def fit_constants(scripts: Sequence[Script], shipped: PolicyFile, *, seed: int = 0) -> ExpectedSettings:
    """Return the constants under which the person would have waited least; one is changed at a time.

    Args:
        scripts: their sessions, up to where nothing may be known any more.
        shipped: the policy to begin with.
        seed: of the disks.
    """
    bank = Bank(list(scripts))
    cases = [case for draw in range(DRAWS) for case in draw_cases(bank, seed=seed + draw, shares=SHARES)]
    player = Player(bank, cases)
    reference = player.expected(shipped.settings)
    best, settings = 1.0, shipped.settings
    for name, values in CHOICES.items():
        for value in values:
            tried = replace(settings, **{name: value})
            if tried == settings:
                continue
            reached = float(np.mean(player.expected(tried) / reference))
            if reached < best - 1e-6:
                best, settings = reached, tried
    return settings


def few_steps(scripts: Sequence[Script], start: PolicyFile, *, decisions: int, seed: int = 0) -> PolicyFile:
    """Return the network after some more steps of PPO on a person's own sessions.

    Args:
        scripts: their sessions.
        start: where it begins.
        decisions: how many.
        seed: of the episodes and the actions.
    """
    import torch
    from stable_baselines3 import PPO

    from envs.environment import make_vec
    from envs.sb3 import Sb3Sessions
    from experiments.agent.ppo import layers_of

    torch.set_num_threads(1)
    episodes = 16
    sessions = make_vec(Bank(list(scripts)), episodes, scale=start.scale, settings=start.settings)
    hidden = [layer.weight.shape[1] for layer in start.layers[:-1]]
    model = PPO(
        "MlpPolicy",
        Sb3Sessions(sessions, seed=seed),
        seed=seed,
        # Whole batches: 16 episodes times a multiple of 16.
        n_steps=16 * max(1, min(8, decisions // (16 * episodes))),
        batch_size=256,
        n_epochs=4,
        # A fifth of what the shipped policy was trained with: not to forget what others taught it.
        learning_rate=1e-4,
        policy_kwargs={"net_arch": {"pi": hidden, "vf": [64, 64]}, "log_std_init": -2.0},
        device="cpu",
    )
    linear: list[Any] = [
        each for each in model.policy.mlp_extractor.policy_net if isinstance(each, torch.nn.Linear)
    ]
    with torch.no_grad():
        linear.append(model.policy.action_net)
        for module, layer in zip(linear, start.layers, strict=True):
            module.weight.data.copy_(torch.from_numpy(layer.weight.T.copy()))
            module.bias.data.copy_(torch.from_numpy(layer.bias.copy()))
    model.learn(decisions, progress_bar=False)
    return replace(start, layers=layers_of(model))


def waiting(
    scripts: Sequence[Script],
    first_turns: Sequence[int],
    last_turns: Sequence[int],
    make: Callable[[], Policy],
    *,
    seed: int = 1,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the seconds waited in some iterations of each session: float64[sessions, budgets x draws].

    The sessions are played from their beginning, by the production guard; only the waiting is counted from there.

    Args:
        scripts: the sessions.
        first_turns: of each, the first iteration that counts.
        last_turns: of each, the first that does not count any more.
        make: returns a fresh policy.
        seed: of the disks; the same for whatever is compared.
    """
    spent = np.zeros((len(scripts), len(SHARES) * DRAWS))
    for number, script in enumerate(scripts):
        at = 0
        for share in SHARES:
            for draw in range(DRAWS):
                rng = np.random.default_rng((seed, draw, number))
                played = play(script, Conditions.draw(rng, script, budget=share), Guard(make()))
                turns = range(first_turns[number], last_turns[number])
                spent[number, at] = sum(played.waiting_of(turn) for turn in turns) / 1e9
                at += 1
    return spent
