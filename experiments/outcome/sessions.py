"""Sessions on held-out datasets: from a weak configuration, follow the first recommendation again and again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from experiments.outcome.data import Floats, Ints, Outcomes
from experiments.outcome.rows import Chooser
from mile_rl.recommend.outcome import Size

STEPS = 10
"""Recommendations followed."""

STARTS = 5
"""Sessions a dataset."""

WEAK = 0.7
"""A start is weak where so large a share of all configurations does better."""

ENOUGH = 0.95
"""The share of the possible gain that counts as having reached the best."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """The sessions of one row on some datasets.

    Args:
        regrets: (datasets, steps + 1): the share of the possible gain still missing, mean over the starts.
        seconds: (datasets,): the waiting until ``ENOUGH`` of it is reached, geometric mean over the starts.
        actions: dataset -> the configurations tried, one list a start, so that all can be re-derived.
    """

    regrets: Floats
    seconds: Floats
    actions: dict[str, list[list[int]]]


def play(outcomes: Outcomes, choose: Chooser, *, starts: int = STARTS, to_the_end: bool = True) -> Played:
    """Play the sessions.

    Args:
        outcomes: the held-out datasets.
        choose: the row.
        starts: sessions a dataset; the starts are the same for every row.
        to_the_end: whether a session goes on after the counted steps until ``ENOUGH`` is reached.
    """
    regrets, seconds, actions = [], [], {}
    for at, name in enumerate(outcomes.names):
        errors, times = outcomes.errors[at], outcomes.seconds[at]
        size = Size(rows=int(outcomes.sizes[at][0]), columns=int(outcomes.sizes[at][1]))
        own_regrets, own_seconds, own_actions = [], [], []
        for number, start in enumerate(weak_starts(errors, name, starts)):
            rng = np.random.default_rng([_seed(name), number, 1])
            order = _session(errors, times, size, start, choose, rng, to_the_end)
            own_actions.append(order)
            curve = _regret(errors, order)
            own_regrets.append(curve[: STEPS + 1])
            own_seconds.append(_waiting(times, order, curve))
        regrets.append(np.mean(own_regrets, axis=0))
        seconds.append(np.exp(np.mean(np.log(own_seconds))))
        actions[name] = own_actions
    return Played(regrets=np.array(regrets), seconds=np.array(seconds), actions=actions)


def weak_starts(errors: Floats, name: str, count: int) -> Ints:
    """Return configurations that do badly on a dataset, drawn by its name."""
    order = np.argsort(errors, kind="stable")
    weak = [at for at in order[int(WEAK * len(order)) :] if errors[at] > errors.min()]
    rng = np.random.default_rng([_seed(name), 0])
    return rng.choice(np.array(weak or order[-1:]), size=count, replace=len(weak) < count)


def any_starts(errors: Floats, name: str, count: int) -> Ints:
    """Return configurations of a dataset, all equally likely, drawn by its name."""
    return np.random.default_rng([_seed(name), 2]).choice(len(errors), size=count, replace=False)


def _session(
    errors: Floats,
    times: Floats,
    size: Size,
    start: int,
    choose: Chooser,
    rng: np.random.Generator,
    to_the_end: bool,
) -> list[int]:
    order = [int(start)]
    goal = errors[start] - ENOUGH * (errors[start] - errors.min())
    while len(order) < len(errors):
        values = np.array(
            choose([(at, float(errors[at]), float(times[at])) for at in order], size, rng), dtype=float
        )
        values[order] = -np.inf
        order.append(int(values.argmax()))
        reached = errors[order].min() <= goal
        if len(order) > STEPS and (reached or not to_the_end):
            break
    return order


def _regret(errors: Floats, order: list[int]) -> Floats:
    best = np.minimum.accumulate(errors[order])
    regret: Floats = (best - errors.min()) / (errors[order[0]] - errors.min())
    return regret


def _waiting(times: Floats, order: list[int], curve: Floats) -> float:
    waited = np.cumsum(times[order[1:]])
    reached = np.flatnonzero(curve[1:] <= 1 - ENOUGH + 1e-12)
    return float(waited[reached[0]] if len(reached) else waited[-1])


def _seed(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
