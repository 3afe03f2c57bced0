"""A small simulation: which policy makes people wait least where a few results are asked for most often?"""

import numpy as np
import pytest
from policy_contract import artifact, candidate

from mile_rl.policies import Budget, make_policy

BUDGET_BYTES = 2_000


def waiting_ns(name: str, seed: int) -> int:
    """Ask 2,000 times for one of 100 results; few are popular, and size says nothing about their cost."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(10, 1_000, 100).tolist()
    costs = (10 ** rng.uniform(3, 7, 100)).astype(int).tolist()
    popularity = 1 / (1 + rng.permutation(100)) ** 1.1
    asked = rng.choice(100, 2_000, p=popularity / popularity.sum()).tolist()
    policy, kept, waited_ns = make_policy(name), {}, 0
    for iteration, item in enumerate(asked):
        signature = str(item)
        for purged in policy.on_iteration(iteration, {}, tuple(kept.values())):
            del kept[purged]
        figures = {"size_bytes": sizes[item], "load_ns": 100 + sizes[item], "recreation_ns": costs[item]}
        if signature in kept:
            policy.on_load(signature)
            loads = kept[signature].loads + 1
            kept[signature] = artifact(signature, **figures, loads=loads, last_used=iteration)
            waited_ns += figures["load_ns"]
            continue
        waited_ns += costs[item]
        used = sum(each.size_bytes for each in kept.values())
        new = candidate(signature, **figures, run_ancestors_ns=costs[item])
        decision = policy.admit(new, tuple(kept.values()), Budget(total_bytes=BUDGET_BYTES, used_bytes=used))
        for victim in decision.evict:
            del kept[victim]
        if decision.keep:
            kept[signature] = artifact(signature, **figures, last_used=iteration, kept_at=iteration)
    return waited_ns


@pytest.fixture(scope="module")
def waiting():
    names = ("none", "all", "helix", "lru", "density", "gdsf")
    return {name: np.array([waiting_ns(name, seed) for seed in range(5)]) for name in names}


def test_every_policy_that_keeps_something_beats_keeping_nothing(waiting):
    for name in ("all", "helix", "lru", "density", "gdsf"):
        assert (waiting[name] < waiting["none"]).all(), name


@pytest.mark.parametrize(("name", "at_most"), [("density", 0.85), ("gdsf", 0.75)])
def test_saving_per_byte_beats_recency(waiting, name, at_most):
    assert (waiting[name] < at_most * waiting["lru"]).all()


def test_counting_uses_and_ageing_beat_saving_per_byte_alone(waiting):
    assert (waiting["gdsf"] < waiting["density"]).all()


def test_eviction_by_value_beats_helix(waiting):
    assert waiting["gdsf"].sum() < 0.75 * waiting["helix"].sum()
