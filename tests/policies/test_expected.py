"""The expected saving: cases by hand, properties, and that it obeys every policy's contract."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlooks import outlook_of, planned_ns, random_outlook
from policy_contract import PolicyContract, artifact, candidate, live

from mile_rl.errors import SettingsError
from mile_rl.policies import Budget
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings, View, appraisal, observed, room_for
from mile_rl.policies.expected import TUNED, Expected
from mile_rl.policies.observation import NAMES
from mile_rl.policies.outlook import EDIT, NOTHING, no_outlook

MS = 1_000_000
S = 1_000 * MS
ROOMY = Budget(total_bytes=10_000, used_bytes=0)
SEEDS = st.integers(0, 2**32 - 1)


def expecting(outlook, constants=UNTUNED, iteration=3):
    policy = Expected(constants)
    policy.on_iteration(iteration, {}, ())
    policy.on_outlook(outlook)
    return policy


def chain(*scenarios, **more):
    """read (10 s) -> clean (5 s) -> fit (20 s), outputs o0, o1, o2."""
    return outlook_of(
        [[], [0], [1]], compute_ns=[10 * S, 5 * S, 20 * S], scenarios=scenarios, **({"stop": 0.5} | more)
    )


class TestExpected(PolicyContract):
    name, make = "expected", staticmethod(Expected)

    def test_it_asks_for_an_outlook(self):
        assert Expected().needs_outlook


class TestExpectedForesees(PolicyContract):
    """The same contract where it knows some of the artifacts."""

    name = "expected"

    def make(self):
        return expecting(known_outlook())


def known_outlook():
    outlook = outlook_of(
        [[], [0], [1], [0, 2]],
        compute_ns=[S, 5 * MS, 30 * S, 1],
        scenarios=((EDIT, (2,), 0.6), (NOTHING, (), 0.3), (EDIT, (0,), 0.1)),
    )
    return replace(outlook, position={"a0": 0, "a1": 1, "a2": 2, "new": 3})


class TestByHand:
    def test_what_the_likely_edit_needs_is_kept(self):
        policy = expecting(chain((EDIT, (2,), 1.0)))
        clean = candidate("o1", recreation_ns=15 * S, load_ns=MS, write_ns=2 * MS)
        decision = policy.admit(clean, (), ROOMY)
        # It saves 15 s - 1 ms; it is valid for ever, the person stops with 0.5: 0.5 / (1 - 0.5) = 1 time that;
        # and 0.02 x 15 s because anything may come up.
        assert decision.keep
        assert decision.reason == (
            "100 % likely to be used next time, it saves 15 s then on average and 15 s in the long run, for 100 B"
        )

    def test_what_the_likely_edit_invalidates_is_not(self):
        policy = expecting(chain((EDIT, (1,), 1.0)))
        clean = candidate("o1", recreation_ns=15 * S, load_ns=MS, write_ns=400 * MS)
        decision = policy.admit(clean, (), ROOMY)
        assert not decision.keep
        assert decision.reason.endswith("which is not worth writing: writing it takes 400 ms")
        assert decision.reason.startswith("0 % likely to be used next time, it saves 0 s")

    def test_writing_has_to_be_worth_its_while(self):
        outlook = chain((EDIT, (2,), 1.0))
        clean = candidate("o1", recreation_ns=15 * S, load_ns=MS, write_ns=15 * S)
        alone = ExpectedSettings(background=0.0)
        # Worth 0.5 / (1 - 0.5) x (15 s - 1 ms).
        assert not expecting(outlook, alone).admit(clean, (), ROOMY).keep
        assert expecting(outlook, alone).admit(replace(clean, write_ns=15 * S - MS - 1), (), ROOMY).keep
        assert not expecting(outlook, alone).admit(replace(clean, write_ns=15 * S - MS), (), ROOMY).keep

    def test_less_worth_per_byte_goes_first_and_only_as_far_as_needed(self):
        outlook = chain((EDIT, (2,), 0.5), (NOTHING, (), 0.5))
        kept = [
            artifact("o0", size_bytes=400, recreation_ns=10 * S),  # of no use once clean is kept
            artifact("o2", size_bytes=100, recreation_ns=35 * S),  # 20 s of a re-run
            artifact(
                "old", size_bytes=500, recreation_ns=S, last_used=2, output="old"
            ),  # known to no scenario
        ]
        clean = candidate("o1", size_bytes=600, recreation_ns=5 * S, load_ns=1_000, write_ns=MS)
        decision = expecting(outlook).admit(clean, kept, Budget(total_bytes=1_000, used_bytes=1_000))
        assert (decision.keep, decision.evict) == (True, ("old", "o0"))
        assert "; displaces old (500 B), o0 (400 B) worth " in decision.reason
        smaller = replace(clean, size_bytes=500)
        decision = expecting(outlook).admit(smaller, kept, Budget(total_bytes=1_000, used_bytes=1_000))
        assert decision.evict == ("old",)

    def test_what_is_worth_more_stays(self):
        outlook = chain((EDIT, (2,), 0.1), (NOTHING, (), 0.9))
        kept = [artifact("o2", size_bytes=100, recreation_ns=35 * S)]
        clean = candidate("o1", size_bytes=100, recreation_ns=15 * S, load_ns=MS, write_ns=MS)
        decision = expecting(outlook).admit(clean, kept, Budget(total_bytes=150, used_bytes=100))
        assert not decision.keep
        assert "but what it would displace saves" in decision.reason

    def test_more_per_byte_is_not_enough_if_it_displaces_more(self):
        outlook = chain((EDIT, (2,), 0.4), (NOTHING, (), 0.6))
        # 400 bytes of clean against 1,000 of fit: more per byte, less in all.
        kept = [artifact("o2", size_bytes=1_000, recreation_ns=35 * S)]
        clean = candidate("o1", size_bytes=400, recreation_ns=15 * S, load_ns=MS, write_ns=MS)
        decision = expecting(outlook).admit(clean, kept, Budget(total_bytes=1_000, used_bytes=1_000))
        assert not decision.keep
        assert "but what it would displace saves" in decision.reason

    def test_a_little_that_is_worth_more_per_byte_does_not_keep_out_what_is_worth_much_more(self):
        outlook = chain((EDIT, (2,), 0.5), (NOTHING, (), 0.5))
        # 10 bytes of fit are worth more per byte than 1,000 of clean, and far less in all.
        kept = [artifact("o2", size_bytes=10, recreation_ns=S, load_ns=MS)]
        clean = candidate("o1", size_bytes=1_000, recreation_ns=15 * S, load_ns=MS, write_ns=MS)
        outlook = replace(outlook, compute_ns=np.array([10 * S, 5 * S, S], dtype=np.float64))
        decision = expecting(outlook).admit(clean, kept, Budget(total_bytes=1_000, used_bytes=10))
        assert (decision.keep, decision.evict) == (True, ("o2",))

    def test_an_outlook_holds_for_its_iteration_only(self):
        policy = expecting(chain((EDIT, (2,), 1.0)))
        assert policy.view.outlook.scenarios == 1
        policy.on_iteration(4, {}, ())
        assert policy.view.outlook.scenarios == 0

    def test_without_an_outlook_it_goes_by_what_a_reuse_saves_and_by_age(self):
        policy = Expected(UNTUNED)
        policy.on_iteration(10, {}, ())
        kept = [artifact("fresh", last_used=10), artifact("stale", last_used=1)]
        decision = policy.admit(candidate(), kept, Budget(total_bytes=200, used_bytes=200))
        assert decision.evict == ("stale",)

    @pytest.mark.parametrize(
        "wrong",
        [{"discount": 1.5}, {"least_end": 0.0}, {"write_weight": -1.0}, {"background": float("nan")}],
    )
    def test_constants_out_of_range_are_refused(self, wrong):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            ExpectedSettings(**wrong)

    def test_the_tuned_constants_are_constants(self):
        assert Expected().settings == ExpectedSettings(**TUNED)


def situation(seed):
    rng = np.random.default_rng(seed)
    outlook, load_ns = random_outlook(rng, nodes=int(rng.integers(1, 8)))
    outputs = rng.permutation(outlook.output_node.size).tolist()
    kept = [
        artifact(
            f"o{o}" if rng.random() < 0.9 else f"stranger{o}",
            size_bytes=int(rng.integers(0, 500)),
            load_ns=int(load_ns[o]),
            recreation_ns=int(rng.integers(0, 5_000)),
            last_used=int(rng.integers(0, 4)),
            kept_at=int(rng.integers(0, 3)),
        )
        for o in outputs[1:]
        if rng.random() < 0.6
    ]
    new = candidate(
        f"o{outputs[0]}",
        size_bytes=int(rng.integers(0, 500)),
        load_ns=int(load_ns[outputs[0]]),
        recreation_ns=int(rng.integers(0, 5_000)),
        write_ns=int(rng.integers(0, 300)),
    )
    used = sum(each.size_bytes for each in kept)
    total = used + int(rng.integers(-100, 400))
    return outlook, new, kept, Budget(total_bytes=max(total, 0), used_bytes=used)


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS)
def test_a_decision_never_loses_by_its_own_reckoning(seed):
    """With nothing but the next iteration in mind, keeping makes it faster on average than not keeping."""
    outlook, new, kept, budget = situation(seed)
    constants = ExpectedSettings(discount=0.0, background=0.0)
    decision = expecting(outlook, constants).admit(new, kept, budget)
    if not decision.keep:
        return
    load_ns = np.zeros(outlook.output_node.size)
    before, after = (np.zeros(outlook.output_node.size, dtype=np.bool_) for _ in range(2))
    for each in (*kept, new):
        if each.signature in outlook.position:
            load_ns[outlook.position[each.signature]] = each.load_ns
            before[outlook.position[each.signature]] = each is not new
            after[outlook.position[each.signature]] = each.signature not in decision.evict
    gain = sum(
        p * (planned_ns(outlook, load_ns, j, before) - planned_ns(outlook, load_ns, j, after))
        for j, p in enumerate(outlook.p)
    )
    assert (1 - outlook.stop) * gain > new.write_ns - 1e-6


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_valuing_everything_changes_no_decision(seed):
    outlook, new, kept, budget = situation(seed)
    policy = expecting(outlook)
    appraised = policy.appraise(new, kept, budget, everything=True)
    room = room_for(new, budget, appraised, view=policy.view)
    assert policy.decide(new, appraised, room) == expecting(outlook).admit(new, kept, budget)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_decisions_are_the_same_in_a_later_process_that_has_the_same_outlook(seed):
    outlook, new, kept, budget = situation(seed)
    staying = expecting(outlook)
    live(staying, np.random.default_rng(seed), range(1, 5), {})
    returning = Expected(UNTUNED)
    returning.restore(json.loads(json.dumps(staying.state())))
    for policy in (staying, returning):
        policy.on_iteration(5, {}, ())
        policy.on_outlook(outlook)
    assert staying.admit(new, kept, budget) == returning.admit(new, kept, budget)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_what_is_observed_is_finite_and_named(seed):
    outlook, new, kept, budget = situation(seed)
    for seen in (outlook, no_outlook()):
        view = View(seen, UNTUNED)
        appraised = appraisal(
            new,
            kept,
            budget,
            view=view,
            settings=UNTUNED,
            iteration=3,
            multipliers={},
            everything=True,
        )
        features = observed(new, budget, appraised, room_for(new, budget, appraised, view=view), view)
        assert features.shape == (len(NAMES),)
        assert np.isfinite(features).all()
