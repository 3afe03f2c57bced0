import pytest
from policy_contract import PolicyContract, artifact, candidate

from mile_rl.errors import SettingsError
from mile_rl.policies import POLICIES, Budget, Decision, Guard, make_policy
from mile_rl.policies.all import KeepAll
from mile_rl.policies.density import Density
from mile_rl.policies.gdsf import Gdsf
from mile_rl.policies.helix import Helix
from mile_rl.policies.lru import Lru
from mile_rl.policies.none import KeepNone
from mile_rl.policies.room import make_room

MS = 1_000_000
FULL = Budget(total_bytes=300, used_bytes=300)


class TestNone(PolicyContract):
    name, make = "none", staticmethod(KeepNone)

    def test_keeps_nothing(self):
        budget = Budget(total_bytes=10**9, used_bytes=0)
        assert not KeepNone().admit(candidate(recreation_ns=10**12), (), budget).keep


class TestAll(PolicyContract):
    name, make = "all", staticmethod(KeepAll)

    @pytest.mark.parametrize(("size_bytes", "keep"), [(100, True), (101, False)])
    def test_keeps_what_fits_and_never_evicts(self, size_bytes, keep):
        budget = Budget(total_bytes=300, used_bytes=200)
        decision = KeepAll().admit(
            candidate(size_bytes=size_bytes, recreation_ns=10**12), [artifact("a", size_bytes=200)], budget
        )
        assert (decision.keep, decision.evict) == (keep, ())


class TestHelix(PolicyContract):
    name, make = "helix", staticmethod(Helix)

    @pytest.mark.parametrize(
        ("run_ancestors_ns", "load_ns", "keep"),
        [(10 * MS, 1 * MS, True), (2 * MS + 1, MS, True), (2 * MS, MS, False), (MS, 10 * MS, False)],
    )
    def test_keeps_what_costs_more_to_recompute_than_twice_its_load(self, run_ancestors_ns, load_ns, keep):
        """The sign printed in the 2018 paper would keep exactly the others."""
        new = candidate(run_ancestors_ns=run_ancestors_ns, load_ns=load_ns)
        assert Helix().admit(new, (), FULL).keep is False
        assert Helix().admit(new, (), Budget(total_bytes=100, used_bytes=0)).keep is keep

    def test_counts_what_this_run_computed_not_what_recreation_would_take(self):
        new = candidate(run_ancestors_ns=3_000, load_ns=1_000, recreation_ns=0)
        assert Helix().admit(new, (), Budget(total_bytes=100, used_bytes=0)).keep

    def test_never_evicts_for_a_better_candidate(self):
        new = candidate(run_ancestors_ns=10**12)
        assert Helix().admit(new, [artifact("a", size_bytes=300)], FULL) == Decision(
            keep=False,
            reason="computing it took 1000 s in this run, loading it twice 2.0 µs, "
            "but it does not fit: 100 B, 0 B are free",
        )

    def test_purges_only_what_was_changed(self):
        kept = [
            artifact("old", node="fit", code="c0"),
            artifact("new", node="fit", code="c1"),
            artifact("same", node="read", code="c0"),
            artifact("removed", node="gone", code="c0"),
        ]
        assert Helix().on_iteration(5, {"fit": "c1", "read": "c0", "added": "c9"}, kept) == ("old",)


class TestLru(PolicyContract):
    name, make = "lru", staticmethod(Lru)

    def test_evicts_what_was_not_used_for_longest(self):
        kept = [
            artifact("a", last_used=3),
            artifact("b", last_used=1, recreation_ns=10**12),
            artifact("c", last_used=2),
        ]
        assert Lru().admit(candidate(size_bytes=150), kept, FULL).evict == ("b", "c")

    def test_of_one_iteration_what_was_kept_earlier_goes_first(self):
        kept = [artifact("a", last_used=3, kept_at=2), artifact("b", last_used=3, kept_at=1)]
        budget = Budget(total_bytes=200, used_bytes=200)
        assert Lru().admit(candidate(), kept, budget).evict == ("b",)

    def test_refuses_what_is_larger_than_the_budget(self):
        assert not Lru().admit(candidate(size_bytes=301), [artifact("a", size_bytes=300)], FULL).keep


class TestDensity(PolicyContract):
    name, make = "density", staticmethod(Density)

    def test_evicts_the_lowest_saving_per_byte(self):
        kept = [
            artifact("dense", size_bytes=100, recreation_ns=900, load_ns=100),  # 8 ns per byte
            artifact("heavy", size_bytes=200, recreation_ns=900, load_ns=100),  # 4 ns per byte
        ]
        new = candidate(size_bytes=100, recreation_ns=1_000, load_ns=100)  # 9 ns per byte
        decision = Density().admit(new, kept, FULL)
        assert decision.evict == ("heavy",)
        assert decision.reason == "recreating takes 1.0 µs, loading 100 ns; displaces heavy (200 B)"

    def test_does_not_displace_more_than_it_saves(self):
        kept = [artifact("a", size_bytes=300, recreation_ns=2_900, load_ns=100)]  # saves 2800, 9.3 a byte
        dense = candidate(size_bytes=100, recreation_ns=1_100, load_ns=100)  # saves 1000, 10 a byte
        assert not Density().admit(dense, kept, FULL).keep
        assert Density().admit(candidate(size_bytes=100, recreation_ns=2_950, load_ns=100), kept, FULL).keep

    def test_does_not_displace_what_saves_more_per_byte(self):
        kept = [artifact("dense", size_bytes=100, recreation_ns=1_100, load_ns=100)]  # 10 ns per byte
        bulky = candidate(size_bytes=300, recreation_ns=1_600, load_ns=100)  # 5 ns per byte, 1500 in all
        assert not Density().admit(bulky, kept, Budget(total_bytes=300, used_bytes=100)).keep

    def test_does_not_keep_what_saves_nothing(self):
        budget = Budget(total_bytes=300, used_bytes=0)
        assert not Density().admit(candidate(recreation_ns=100, load_ns=100), (), budget).keep


class TestGdsf(PolicyContract):
    name, make = "gdsf", staticmethod(Gdsf)

    def test_priority_is_inflation_plus_uses_times_saving_per_byte(self):
        policy = Gdsf()
        policy.restore({"inflation": 7.0, "base": {"a": 2.0}})
        kept = artifact("a", loads=2, size_bytes=100, recreation_ns=600, load_ns=100)
        assert policy.priority(kept) == 2 + 3 * 5
        policy.on_load("a")
        assert policy.priority(kept) == 7 + 3 * 5

    def test_inflation_rises_to_what_was_evicted_and_counts_for_newcomers(self):
        policy = Gdsf()
        old = artifact("old", size_bytes=300, recreation_ns=700, load_ns=100)  # 2 ns per byte
        new = candidate("new", size_bytes=300, recreation_ns=1_000, load_ns=100)  # 3 ns per byte
        assert policy.admit(new, [old], FULL).evict == ("old",)
        assert policy.state() == {"inflation": 2.0, "base": {"new": 0.0}}
        kept = artifact("new", size_bytes=300, recreation_ns=1_000, load_ns=100)
        weak = candidate("weak", size_bytes=300, recreation_ns=550, load_ns=100)  # 2 + 1.5 > 3
        assert policy.admit(weak, [kept], FULL).evict == ("new",)

    def test_what_is_used_often_stays_and_what_is_not_ages(self):
        policy = Gdsf()
        often = artifact("often", size_bytes=150, loads=9, recreation_ns=250, load_ns=100)  # 10 uses
        once = artifact("once", size_bytes=150, loads=0, recreation_ns=550, load_ns=100)
        new = candidate(size_bytes=150, recreation_ns=700, load_ns=100)
        assert policy.admit(new, [often, once], FULL).evict == ("once",)

    def test_inflation_never_rises_above_what_stays_when_a_candidate_loses(self):
        policy = Gdsf()
        cheap = artifact("cheap", size_bytes=100, recreation_ns=200, load_ns=100)  # 1 ns per byte
        dear = artifact("dear", size_bytes=200, recreation_ns=100_000, load_ns=100)
        new = candidate(
            size_bytes=250, recreation_ns=25_100, load_ns=100
        )  # 100 ns per byte: cannot displace dear
        assert not policy.admit(new, [cheap, dear], FULL).keep
        assert policy.state()["inflation"] == 1.0


class TestGuardedAll(PolicyContract):
    """The guard is a policy as well."""

    name = "all"

    def make(self):
        guard = Guard(KeepAll())
        guard.begin_run()
        return guard


def test_room_is_made_from_the_lowest_rank_without_a_superfluous_victim():
    kept = [artifact("a", size_bytes=10), artifact("b", size_bytes=20), artifact("c", size_bytes=200)]
    rank = {"a": 1.0, "b": 2.0, "c": 3.0}
    budget = Budget(total_bytes=230, used_bytes=230)

    def victims(size_bytes, below=None):
        chosen = make_room(size_bytes, kept, budget, lambda each: rank[each.signature], below=below)
        return None if chosen is None else [each.signature for each in chosen]

    assert victims(0) == []
    assert victims(30) == ["a", "b"]
    assert victims(100) == ["c"]
    assert victims(215) == ["b", "c"]
    assert victims(31, below=3.0) is None
    assert victims(231) is None


def test_every_policy_can_be_had_by_the_name_that_it_bears():
    for name in POLICIES:
        assert make_policy(name).name == name
    assert make_policy().name == "expected"


def test_an_unknown_policy_suggests_the_closest():
    with pytest.raises(SettingsError, match=r"no policy 'gsdf'.*mean 'gdsf'.*none, all, helix"):
        make_policy("gsdf")
    with pytest.raises(SettingsError, match="Choose one of"):
        make_policy("xyzzy")


def test_a_refusal_cannot_evict():
    with pytest.raises(ValueError, match="keeps nothing"):
        Decision(keep=False, evict=("a",), reason="")


@pytest.mark.parametrize("field", ["size_bytes", "recreation_ns", "load_ns"])
def test_negative_figures_are_refused(field):
    with pytest.raises(ValueError, match=field):
        candidate(**{field: -1})
    with pytest.raises(ValueError, match=field):
        artifact("a", **{field: -1})
