"""One seed of PPO: learns to correct the expected saving, is checked on validation sessions, can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from envs.bank import Bank
from envs.environment import make_vec
from envs.sb3 import Sb3Sessions
from experiments.agent.export import Dense
from experiments.agent.quick import Player
from mile_rl.policies.appraisal import ExpectedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PpoSettings:
    """How an agent is trained; the defaults are what ships.

    Args:
        decisions: environment steps in all.
        check_every: decisions between two looks at the validation sessions.
        episodes: played side by side.
        rollout: decisions of each between two updates.
        batch: decisions in one gradient step.
        epochs: passes over a rollout.
        learning_rate: of Adam, falling to 0 in a straight line.
        gamma: discount of later waiting, a decision.
        gae_lambda: of the advantage estimate.
        clip: of the probability ratio.
        hidden: width of the two hidden layers.
        log_std: of the actions at first.
        scale: an action of 1 multiplies the expected saving by exp(scale).
        budget: range of budgets to train under, as shares of a version's intermediates.
    """

    decisions: int = 200_000
    check_every: int = 49_152
    episodes: int = 64
    rollout: int = 256
    batch: int = 4_096
    epochs: int = 6
    learning_rate: float = 2e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    hidden: int = 32
    log_std: float = -2.0
    scale: float = 2.0
    budget: tuple[float, float] = (0.01, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What one seed reached.

    Args:
        seed: the seed.
        layers: of the best checkpoint on the validation sessions.
        best: its mean waiting there, relative to the untuned expected saving.
        curve: (decisions, the same) at every look.
    """

    seed: int
    layers: tuple[Dense, ...]
    best: float
    curve: tuple[tuple[float, float], ...]


def train_seed(
    bank: Bank,
    judge: Callable[[Sequence[Dense]], float],
    seed: int,
    folder: Path,
    settings: PpoSettings,
    constants: ExpectedSettings,
    tell: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Train one seed, or go on with it where it was interrupted.

    Args:
        bank: the training sessions.
        judge: returns the mean relative waiting of a network on the validation sessions.
        seed: of the network, the episodes and the actions.
        folder: where its checkpoint and its curve are kept; files there are trusted.
        settings: how it is trained.
        constants: of the expected saving below it.
        tell: told a line at every look.
    """
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    known, checkpoint = folder / "curve.json", folder / "checkpoint.zip"
    curve: list[tuple[float, float]] = []
    sessions = make_vec(
        bank, settings.episodes, budget=settings.budget, scale=settings.scale, settings=constants
    )
    envs = VecNormalize(
        Sb3Sessions(sessions, seed=seed), norm_obs=False, norm_reward=True, gamma=settings.gamma
    )
    if known.exists() and checkpoint.exists():
        told = json.loads(known.read_text(encoding="utf-8"))
        curve = [(float(x), float(y)) for x, y in told["curve"]]
        model = PPO.load(checkpoint, env=envs, device="cpu")
        # The episodes begin anew; so as not to meet the very same ones again, from another seed.
        envs.seed(seed + 1_000 * len(curve))
    else:
        model = _fresh(PPO, envs, seed, settings)
    best = min((y for _, y in curve), default=np.inf)
    if not curve:
        # What it begins as, the expected saving itself, is the first checkpoint.
        curve.append((0.0, judge(layers_of(model))))
        best = curve[0][1]
        _save(folder / "best.npz", layers_of(model))
    while model.num_timesteps < settings.decisions:
        steps = min(settings.check_every, settings.decisions - model.num_timesteps)
        model.learn(steps, reset_num_timesteps=False, progress_bar=False)
        layers = layers_of(model)
        reached = judge(layers)
        curve.append((float(model.num_timesteps), reached))
        tell(f"seed {seed}: {model.num_timesteps:,} decisions, {reached:.5f}")
        if reached < best:
            best = reached
            _save(folder / "best.npz", layers)
        model.save(checkpoint)
        known.write_text(json.dumps({"curve": curve}), encoding="utf-8")
    return Trained(seed=seed, layers=_load(folder / "best.npz"), best=best, curve=tuple(curve))


def _fresh(algorithm: Any, envs: Any, seed: int, settings: PpoSettings) -> Any:
    import torch

    model = algorithm(
        "MlpPolicy",
        envs,
        seed=seed,
        n_steps=settings.rollout,
        batch_size=settings.batch,
        n_epochs=settings.epochs,
        learning_rate=lambda left: settings.learning_rate * max(left, 0.05),
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip,
        policy_kwargs={
            "net_arch": {"pi": [settings.hidden] * 2, "vf": [64, 64]},
            "log_std_init": settings.log_std,
        },
        device="cpu",
    )
    with torch.no_grad():
        # It begins as the expected saving itself: every multiplier is 1.
        model.policy.action_net.weight.zero_()
        model.policy.action_net.bias.zero_()
    return model


def layers_of(model: Any) -> tuple[Dense, ...]:
    """Return the layers between a model's observation and its mean action."""
    import torch

    linear = [
        module for module in model.policy.mlp_extractor.policy_net if isinstance(module, torch.nn.Linear)
    ]
    return layers_of_modules([*linear, model.policy.action_net])


def layers_of_modules(linear: Sequence[Any]) -> tuple[Dense, ...]:
    """Return torch's linear modules as layers with a Tanh between them."""
    layers = tuple(
        Dense(
            weight=module.weight.detach().numpy().T.copy(),
            bias=module.bias.detach().numpy().copy(),
            activation="Tanh" if at < len(linear) - 1 else None,
        )
        for at, module in enumerate(linear)
    )
    for one, other in pairwise(layers):
        assert one.weight.shape[1] == other.weight.shape[0]
    return layers


def judge_on(player: Player, settings: PpoSettings, constants: ExpectedSettings) -> Any:
    """Return a function that says how long people wait under a network, relative to the untuned expected saving.

    Args:
        player: the validation sessions and their conditions.
        settings: for the scale.
        constants: of the expected saving below the network.
    """
    reference = player.expected()

    def judge(layers: Sequence[Dense]) -> float:
        return float(np.mean(player.learned(layers, settings.scale, constants) / reference))

    return judge


def _save(path: Path, layers: Sequence[Dense]) -> None:
    arrays = {}
    for at, layer in enumerate(layers):
        arrays[f"weight_{at}"], arrays[f"bias_{at}"] = layer.weight, layer.bias
    np.savez(path, **arrays)


def _load(path: Path) -> tuple[Dense, ...]:
    with np.load(path, allow_pickle=False) as file:
        count = len(file.files) // 2
        return tuple(
            Dense(
                weight=file[f"weight_{at}"],
                bias=file[f"bias_{at}"],
                activation="Tanh" if at < count - 1 else None,
            )
            for at in range(count)
        )
