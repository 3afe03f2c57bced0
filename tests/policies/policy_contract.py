"""What every policy has to obey: a new policy inherits this class and supplies ``make``."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mile_rl.policies import Budget, Candidate, Kept, Policy

# Inherited by several classes without state of their own, so it does not matter which of them executes it.
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
SIZES = st.sampled_from([0, 1, 100, 10_000, 2_000_000])
TIMES = st.sampled_from([0, 1, 1_000, 2_000_000, 30_000_000_000])


def candidate(signature="new", **changes):
    figures = {
        "output": signature,
        "signature": signature,
        "node": signature,
        "operator": "fit",
        "stage": "learn",
        "size_bytes": 100,
        "compute_ns": 1_000_000,
        "recreation_ns": 1_000_000,
        "run_ancestors_ns": 1_000_000,
        "load_ns": 1_000,
        "write_ns": 1_000,
    }
    return Candidate(**(figures | changes))


def artifact(signature, **changes):
    figures = {
        "signature": signature,
        "output": signature,
        "node": signature,
        "size_bytes": 100,
        "load_ns": 1_000,
        "recreation_ns": 1_000_000,
        "loads": 0,
        "last_used": 0,
        "kept_at": 0,
        "code": "c0",
    }
    return Kept(**(figures | changes))


@st.composite
def situations(draw):
    """A store with a few artifacts, its budget (perhaps too full, perhaps zero) and a candidate."""
    kept = [
        artifact(
            f"a{place}",
            size_bytes=draw(SIZES),
            load_ns=draw(TIMES),
            recreation_ns=draw(TIMES),
            loads=draw(st.integers(0, 3)),
            last_used=draw(st.integers(0, 5)),
            kept_at=draw(st.integers(0, 5)),
        )
        for place in range(draw(st.integers(0, 6)))
    ]
    used = sum(each.size_bytes for each in kept)
    total = draw(st.sampled_from([0, used // 2, used, used + 50, used + 10_000, used + 5_000_000]))
    new = candidate(
        size_bytes=draw(SIZES),
        recreation_ns=draw(TIMES),
        run_ancestors_ns=draw(TIMES),
        load_ns=draw(TIMES),
        write_ns=draw(TIMES),
    )
    return new, kept, Budget(total_bytes=total, used_bytes=used)


def live(policy: Policy, rng: np.random.Generator, iterations: range, kept: dict[str, Kept]) -> list[object]:
    """Play iterations with a made-up store and return everything that the policy answers."""
    answers: list[object] = []
    for iteration in iterations:
        code = {f"n{node}": f"c{rng.integers(2)}" for node in range(3)}
        purged = policy.on_iteration(iteration, code, tuple(kept.values()))
        answers.append(purged)
        for signature in purged:
            del kept[signature]
        for signature in sorted(kept):
            if rng.random() < 0.5:
                policy.on_load(signature)
                kept[signature] = replace(
                    kept[signature], loads=kept[signature].loads + 1, last_used=iteration
                )
        for place in range(4):
            signature = f"{iteration}.{place}"
            size_bytes, recreation_ns = int(rng.integers(1, 600)), int(rng.integers(1, 10**9))
            new = candidate(
                signature, size_bytes=size_bytes, recreation_ns=recreation_ns, run_ancestors_ns=recreation_ns
            )
            used = sum(each.size_bytes for each in kept.values())
            decision = policy.admit(new, tuple(kept.values()), Budget(total_bytes=1_000, used_bytes=used))
            answers.append(decision)
            if decision.keep:
                for victim in decision.evict:
                    del kept[victim]
                kept[signature] = artifact(
                    signature,
                    node=f"n{rng.integers(3)}",
                    size_bytes=size_bytes,
                    recreation_ns=recreation_ns,
                    last_used=iteration,
                    kept_at=iteration,
                )
                assert sum(each.size_bytes for each in kept.values()) <= 1_000
    return answers


class PolicyContract:
    """Inherited by every policy's test class."""

    name: str

    def make(self) -> Policy:
        raise NotImplementedError

    def test_is_a_policy_of_the_right_name(self):
        assert isinstance(self.make(), Policy)
        assert self.make().name == self.name

    @settings(PROPERTY, max_examples=120)
    @given(situation=situations())
    def test_a_decision_is_lawful(self, situation):
        new, kept, budget = situation
        decision = self.make().admit(new, kept, budget)
        sizes = {each.signature: each.size_bytes for each in kept}
        assert set(decision.evict) <= set(sizes)
        assert len(set(decision.evict)) == len(decision.evict)
        assert decision.reason.strip()
        if decision.keep:
            freed = sum(sizes[signature] for signature in decision.evict)
            assert budget.used_bytes - freed + new.size_bytes <= budget.total_bytes

    @settings(PROPERTY, max_examples=60)
    @given(situation=situations())
    def test_nothing_is_evicted_that_need_not_be(self, situation):
        new, kept, budget = situation
        decision = self.make().admit(new, kept, budget)
        sizes = {each.signature: each.size_bytes for each in kept}
        freed = sum(sizes[signature] for signature in decision.evict)
        for signature in decision.evict:
            assert budget.used_bytes - (freed - sizes[signature]) + new.size_bytes > budget.total_bytes

    @settings(PROPERTY, max_examples=60)
    @given(situation=situations(), shuffle=st.randoms(use_true_random=False))
    def test_the_order_of_what_is_kept_does_not_matter(self, situation, shuffle):
        new, kept, budget = situation
        other = list(kept)
        shuffle.shuffle(other)
        assert self.make().admit(new, kept, budget) == self.make().admit(new, other, budget)

    @pytest.mark.parametrize("seed", range(5))
    def test_the_same_calls_give_the_same_decisions(self, seed):
        first, second = (live(self.make(), np.random.default_rng(seed), range(1, 15), {}) for _ in range(2))
        assert first == second

    @pytest.mark.parametrize("seed", range(5))
    def test_decisions_are_the_same_in_a_later_process(self, seed):
        staying, rng, kept = self.make(), np.random.default_rng(seed), {}
        live(staying, rng, range(1, 15), kept)
        returning = self.make()
        returning.restore(json.loads(json.dumps(staying.state())))
        assert returning.state() == staying.state()
        for_both = rng.bit_generator.state, dict(kept)
        continued = live(staying, rng, range(15, 25), kept)
        rng.bit_generator.state = for_both[0]
        assert live(returning, rng, range(15, 25), for_both[1]) == continued

    def test_unknown_signatures_are_tolerated(self):
        policy = self.make()
        policy.on_load("never heard of")
        assert policy.on_iteration(1, {"nowhere": "c"}, ()) == ()
        strangers = [artifact("stranger", size_bytes=1_000)]
        policy.on_iteration(2, {}, strangers)
        decision = policy.admit(candidate(), strangers, Budget(total_bytes=1_000, used_bytes=1_000))
        assert set(decision.evict) <= {"stranger"}

    def test_what_it_remembers_does_not_grow_with_what_is_gone(self):
        policy = self.make()
        live(policy, np.random.default_rng(0), range(1, 15), {})
        for stranger in range(500):
            policy.on_load(f"s{stranger}")
        policy.on_iteration(100, {}, ())
        assert len(json.dumps(policy.state())) < 400

    def test_an_empty_output_in_an_empty_budget_is_no_problem(self):
        decision = self.make().admit(candidate(size_bytes=0), (), Budget(total_bytes=0, used_bytes=0))
        assert decision.evict == ()

    def test_nothing_is_kept_in_a_zero_budget(self):
        decision = self.make().admit(candidate(), (), Budget(total_bytes=0, used_bytes=0))
        assert not decision.keep

    def test_arguments_are_left_as_they_are(self):
        kept = [artifact("b"), artifact("a")]
        before = list(kept)
        self.make().admit(candidate(size_bytes=150), kept, Budget(total_bytes=200, used_bytes=200))
        assert kept == before
