"""Improve a policy by twin rollouts: learn from what each decision's alternatives would have changed.

    python -m experiments.improve TRAINING VALIDATION [--out DIR] [--sessions N] [--rounds N]

Every decision of the policy in training sessions is also answered otherwise, with the same luck and all else as the
policy does it (``experiments.agent.twins``). A network is fitted to answer so that these differences add up to least:
one step of policy improvement without the noise that PPO's returns carry. Between the answers that were tried the
difference is taken as linear. The checkpoint with the least waiting on validation sessions is the next round's
policy; where none waits less than the expected saving itself, that stays.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from envs.bank import Bank
from envs.conditions import LARGEST_BUDGET, SMALLEST_BUDGET, Conditions
from experiments.agent.export import Dense, write_onnx
from experiments.agent.ppo import PpoSettings, layers_of_modules
from experiments.agent.quick import Case, Player, draw_cases
from experiments.agent.twins import Twins, twins
from experiments.train import CONDITIONS_SEED, JUDGED
from mile_rl.errors import MileError
from mile_rl.policies import observation
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.expected import TUNED
from mile_rl.policies.network import file_metadata

LOG = logging.getLogger("experiments.improve")

ACTIONS: Final = (-1.0, -0.4, 0.4, 1.0)
"""The other answers that are tried at each decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImproveSettings:
    """How a policy is improved.

    Args:
        sessions: of the training bank, the first so many, each under one budget a round.
        rounds: of rollouts and fits.
        epochs: of each fit; the network is looked at after each.
        batch: decisions a gradient step.
        learning_rate: of Adam.
        weight_decay: of Adam, so that it answers 0 where nothing speaks against it.
        hidden: width of the two hidden layers.
        clip: a decision's difference counts at most so much, in units of the session's waiting.
        seed: of conditions, network and batches.
    """

    sessions: int = 1_000
    rounds: int = 2
    epochs: int = 20
    batch: int = 2_048
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    hidden: int = 32
    clip: float = 0.2
    seed: int = 0


def run(training: Bank, validation: Bank, folder: Path, settings: ImproveSettings) -> dict[str, Any]:
    """Improve the expected saving; write DIR/improved.onnx and DIR/improved.json; return the figures."""
    started = time.monotonic()
    scale, constants = PpoSettings().scale, ExpectedSettings(**TUNED)
    player = Player(validation, draw_cases(validation, seed=CONDITIONS_SEED, shares=JUDGED))
    reference = player.expected(constants)

    def judge(layers: Sequence[Dense]) -> float:
        return float(np.mean(player.learned(layers, scale, constants) / reference))

    best: tuple[Dense, ...] = still(settings.hidden)
    figures: dict[str, Any] = {"rounds": []}
    for number in range(settings.rounds):
        found = twins(
            training,
            draw_training(training, settings, number),
            best,
            ACTIONS,
            scale=scale,
            settings=constants,
        )
        LOG.info("round %d: %d decisions, %.0f s", number, len(found.answered), time.monotonic() - started)
        reached, best = improved(found, best, judge, settings)
        figures["rounds"].append({"decisions": len(found.answered), "validation": reached, **room(found)})
        LOG.info("round %d: %s", number, figures["rounds"][-1])
    figures["seconds"] = round(time.monotonic() - started, 1)
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps([asdict(settings), training.facts, validation.facts], sort_keys=True)
    digest = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    metadata = file_metadata(action_scale=scale, settings=constants, training_digest=digest)
    write_onnx(folder / "improved.onnx", best, metadata)
    (folder / "improved.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def draw_training(bank: Bank, settings: ImproveSettings, number: int) -> list[Case]:
    """Draw one budget, disk and luck a session, others in each round."""
    cases = []
    for at in range(min(settings.sessions, len(bank))):
        rng = np.random.default_rng((settings.seed, number, at))
        conditions = Conditions.draw(rng, bank[at], budget=(SMALLEST_BUDGET, LARGEST_BUDGET))
        cases.append(Case(number=at, conditions=conditions))
    return cases


def still(hidden: int) -> tuple[Dense, ...]:
    """Return a network that always answers 0, the expected saving itself."""
    sizes = (observation.SIZE, hidden, hidden, 1)
    return tuple(
        Dense(
            weight=np.zeros((rows, columns), dtype=np.float32),
            bias=np.zeros(columns, dtype=np.float32),
            activation="Tanh" if columns > 1 else None,
        )
        for rows, columns in pairwise(sizes)
    )


def room(found: Twins) -> dict[str, float]:
    """Return what could be gained: how many decisions matter, and what the best single change of a case brings."""
    matters = np.abs(found.longer).max(axis=1) > 1e-6
    least = np.minimum(found.longer.min(axis=1), 0.0)
    best = np.zeros(int(found.case.max()) + 1)
    np.minimum.at(best, found.case, least)
    return {
        "matter": float(matters.mean()),
        "better": float((least < -1e-6).mean()),
        "best single change": float(best.mean()),
        **{f"always {action:g}": float(found.longer[:, k].mean()) for k, action in enumerate(ACTIONS)},
    }


def improved(
    found: Twins,
    start: tuple[Dense, ...],
    judge: Callable[[Sequence[Dense]], float],
    settings: ImproveSettings,
) -> tuple[float, tuple[Dense, ...]]:
    """Return the best network on validation, and what it reached there; the one to begin with is the first.

    Args:
        found: decisions of ``start`` and what others would have changed.
        start: the network to begin with.
        judge: returns the waiting of a network, relative to the expected saving.
        settings: how.
    """
    import torch

    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    module = _module(start, settings)
    seen = torch.from_numpy(found.observations)
    points, values = knots(found, settings.clip)
    position, longer = torch.from_numpy(points), torch.from_numpy(values)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best = (judge(start), start)
    rng = torch.Generator().manual_seed(settings.seed)
    for epoch in range(settings.epochs):
        order = torch.randperm(len(seen), generator=rng)
        for chosen in order.split(settings.batch):
            action = module(seen[chosen])[:, 0].clamp(-1.0, 1.0)
            loss = between(action, position[chosen], longer[chosen]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        layers = layers_of_modules([each for each in module if isinstance(each, torch.nn.Linear)])
        reached = judge(layers)
        LOG.info("epoch %d: %.5f", epoch, reached)
        best = min(best, (reached, layers), key=lambda each: each[0])
    return best


def knots(found: Twins, clip: float) -> tuple[Any, Any]:
    """Return per decision the answers and their differences, its own among them (0), in ascending order."""
    own = found.answered[:, None]
    points = np.hstack([np.tile(np.asarray(ACTIONS), (len(own), 1)), own])
    values = np.hstack([found.longer, np.zeros_like(own)]).clip(-clip, clip)
    order = np.argsort(points, axis=1, kind="stable")
    return (
        np.take_along_axis(points, order, axis=1).astype(np.float32),
        np.take_along_axis(values, order, axis=1).astype(np.float32),
    )


def between(action: Any, points: Any, values: Any) -> Any:
    """Return the differences at some answers, linear between the points: torch tensors [d], [d, k], [d, k]."""
    import torch

    right = (points <= action[:, None]).sum(dim=1).clamp(1, points.shape[1] - 1)[:, None]
    x0, x1 = points.gather(1, right - 1)[:, 0], points.gather(1, right)[:, 0]
    y0, y1 = values.gather(1, right - 1)[:, 0], values.gather(1, right)[:, 0]
    return y0 + (y1 - y0) * (action - x0) / torch.clamp(x1 - x0, min=1e-6)


def _module(start: Sequence[Dense], settings: ImproveSettings) -> Any:
    import torch

    parts: list[Any] = []
    sizes = (observation.SIZE, settings.hidden, settings.hidden, 1)
    for at, (rows, columns) in enumerate(pairwise(sizes)):
        linear = torch.nn.Linear(rows, columns)
        with torch.no_grad():
            if any(np.any(layer.weight) for layer in start):
                linear.weight.copy_(torch.from_numpy(start[at].weight.T.copy()))
                linear.bias.copy_(torch.from_numpy(start[at].bias.copy()))
            elif columns == 1:
                linear.weight.zero_()
                linear.bias.zero_()
        parts += [linear, torch.nn.Tanh()] if columns > 1 else [linear]
    return torch.nn.Sequential(*parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.improve", description=__doc__)
    parser.add_argument("training", type=Path, help="bank to learn from")
    parser.add_argument("validation", type=Path, help="bank to choose on")
    parser.add_argument("--out", type=Path, default=Path("build/improved"))
    parser.add_argument("--sessions", type=int, default=ImproveSettings().sessions)
    parser.add_argument("--rounds", type=int, default=ImproveSettings().rounds)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    settings = ImproveSettings(sessions=given.sessions, rounds=given.rounds, seed=given.seed)
    try:
        run(Bank.load(given.training), Bank.load(given.validation), given.out, settings)
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
