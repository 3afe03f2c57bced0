import json
import sys
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_contract import artifact, candidate

from mile_rl.engine.project import Settings
from mile_rl.errors import SettingsError
from mile_rl.policies import Budget, Decision, Guard, Ledger, Terms, make_policy
from mile_rl.policies.guard import settled_ns

MS = 1_000_000
WIDE = Budget(total_bytes=10**15, used_bytes=0)


class Eager:
    """The worst policy that a guard can have: it wants everything."""

    name = "eager"
    needs_outlook = False

    def __init__(self):
        self.asked = 0

    def admit(self, candidate, kept, budget):
        self.asked += 1
        return Decision(keep=True, reason="it is there")

    def on_load(self, signature):
        pass

    def on_iteration(self, iteration, code, kept):
        return ()

    def state(self):
        return {"asked": self.asked}

    def restore(self, state):
        self.asked = state.get("asked", 0)


def guard_after(*, runs=1, computed_ns=0, saved_ns=0, terms=None, policy=None):
    guard = Guard(policy or Eager(), terms=terms)
    for _ in range(runs):
        guard.begin_run()
    guard.computed(computed_ns)
    guard.saved(saved_ns)
    return guard


@pytest.mark.parametrize(("run_ms", "allowance_ms"), [(0, 1), (500, 10), (2_500, 46), (60_000, 1_081)])
def test_a_first_run_may_write_for_a_small_stated_share_of_its_time(run_ms, allowance_ms):
    assert guard_after(computed_ns=run_ms * MS).allowance_ns() == allowance_ms * MS


def test_half_of_what_was_saved_may_be_spent_and_what_was_written_is_taken_off():
    guard = guard_after(saved_ns=100 * MS)
    assert guard.allowance_ns() == 51 * MS
    guard.written("a", 30 * MS)
    assert guard.allowance_ns() == 21 * MS
    guard.written("b", 25 * MS)
    assert guard.allowance_ns() == 0
    guard.saved(-60 * MS)
    guard.saved(60 * MS)
    guard.saved(20 * MS)
    assert guard.allowance_ns() == 6 * MS


def test_losses_by_slow_loads_give_nothing_to_spend_and_have_to_be_made_up_for():
    guard = guard_after(saved_ns=-100 * MS)
    assert guard.allowance_ns() == MS
    guard.saved(100 * MS)
    assert guard.allowance_ns() == MS
    guard.saved(10 * MS)
    assert guard.allowance_ns() == 6 * MS


def test_an_output_no_dearer_to_recreate_than_to_load_is_not_kept():
    guard = guard_after(computed_ns=10**12)
    refused = guard.admit(candidate(recreation_ns=5 * MS, load_ns=5 * MS), (), WIDE)
    assert not refused.keep
    assert refused.reason == "guard: no gain, recreating takes 5.0 ms, loading 5.0 ms"
    assert guard.admit(candidate(recreation_ns=5 * MS + 1, load_ns=5 * MS), (), WIDE).keep
    assert guard.policy.asked == 1


def test_an_output_larger_than_the_budget_is_not_kept():
    guard = guard_after(computed_ns=10**12)
    budget = Budget(total_bytes=99, used_bytes=0)
    assert "100 B is more than the whole budget of 99 B" in guard.admit(candidate(), (), budget).reason


def test_a_write_longer_than_what_is_left_is_refused_with_both_figures():
    guard = guard_after()
    assert guard.admit(candidate(write_ns=1 * MS), (), WIDE).keep
    guard = guard_after()
    refused = guard.admit(candidate(write_ns=1 * MS + 1), (), WIDE)
    assert refused.reason == "guard: writing takes 1.0 ms, 1.0 ms may be spent on it now"


def test_decided_writes_are_taken_off_until_they_end():
    guard = guard_after(runs=2)
    assert guard.admit(candidate("a", write_ns=MS), (), WIDE).keep
    assert guard.admit(candidate("b", write_ns=MS), (), WIDE).keep
    assert not guard.admit(candidate("c", write_ns=1), (), WIDE).keep
    assert guard.allowance_ns() == 2 * MS
    guard.written("a", 0)
    assert guard.admit(candidate("c", write_ns=MS), (), WIDE).keep


def test_a_write_that_was_never_reported_does_not_block_the_next_run():
    guard = guard_after()
    guard.admit(candidate("a", write_ns=MS), (), WIDE)
    guard.begin_run()
    assert guard.admit(candidate("b", write_ns=2 * MS), (), WIDE).keep


def test_the_guard_holds_for_every_policy_and_tells_it_all_else():
    guard = guard_after(policy=make_policy("all"))
    assert guard.name == "all"
    assert not guard.admit(candidate(recreation_ns=1, load_ns=2), (), WIDE).keep
    helix = guard_after(policy=make_policy("helix"))
    assert helix.on_iteration(1, {"fit": "c1"}, [artifact("old", node="fit")]) == ("old",)
    gdsf = guard_after(policy=make_policy("gdsf"))
    gdsf.on_load("a")
    assert gdsf.state()["policy"] == {"gdsf": {"inflation": 0.0, "base": {"a": 0.0}}}


def test_ledger_and_policy_survive_the_process():
    guard = guard_after(runs=3, computed_ns=7 * MS, saved_ns=9 * MS)
    guard.written("a", 4 * MS)
    guard.admit(candidate(write_ns=0), (), WIDE)
    returned = Guard(Eager())
    returned.restore(json.loads(json.dumps(guard.state())))
    assert returned.state() == guard.state()
    assert returned.allowance_ns() == guard.allowance_ns()
    other = Guard(make_policy("lru"))
    other.restore(guard.state())
    assert other.allowance_ns() == guard.allowance_ns()


def test_changes_of_several_processes_add_up():
    start = guard_after(runs=2, saved_ns=50 * MS).state()
    sums = dict(start["ledger"])
    for write_ns in (3, 4):
        process = Guard(Eager())
        process.restore(start)
        process.begin_run()
        process.written("a", write_ns)
        for name, change in process.changes().items():
            sums[name] += change
    assert sums == {"runs": 4, "computed_ns": 0, "saved_ns": 50 * MS, "written_ns": 7}


@pytest.mark.parametrize("wrong", [{"share": 1.1}, {"share": -0.1}, {"fraction": -1.0}, {"allowance_ns": -1}])
def test_terms_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Terms(**wrong)
    with pytest.raises(SettingsError):
        Terms(fraction=float("nan"))


def test_negative_times_are_refused():
    guard = guard_after()
    with pytest.raises(ValueError, match="compute_ns"):
        guard.computed(-1)
    with pytest.raises(ValueError, match="write_ns"):
        guard.written("a", -1)


@dataclass
class Clock:
    """What a simulated session has cost, with and without MILE."""

    mile_ns: int = 0
    plain_ns: int = 0
    written_ns: int = 0
    slow_loads_ns: int = 0
    gained_ns: int = 0
    computed_ns: int = 0
    runs: int = 0


TIME = st.one_of(st.integers(0, 10 * MS), st.integers(0, 100_000 * MS))
WRONG = st.sampled_from([Fraction(1, 100), Fraction(1, 3), Fraction(1), Fraction(5), Fraction(100)])
EVENTS = st.one_of(
    st.tuples(st.just("run")),
    # compute: its time; writing's true time; how wrong the estimates of writing, recreating and loading are
    st.tuples(st.just("compute"), TIME, TIME, WRONG, WRONG, WRONG),
    # reuse: what recreating would really take, and what loading takes
    st.tuples(st.just("reuse"), TIME, TIME),
)


def simulate(events, terms, chunk_ns, check):
    """Play a session with a writer that obeys the deadline up to one chunk; ``check`` after every event."""
    guard, clock = Guard(Eager(), terms=terms), Clock()
    for place, (kind, *figures) in enumerate([("run",), *events]):
        if kind == "run":
            guard.begin_run()
            clock.runs += 1
        elif kind == "reuse":
            recreation_ns, load_ns = figures
            clock.plain_ns += recreation_ns
            clock.mile_ns += load_ns
            clock.slow_loads_ns += max(0, load_ns - recreation_ns)
            clock.gained_ns += max(0, recreation_ns - load_ns)
            guard.saved(recreation_ns - load_ns)
        else:
            compute_ns, write_ns, *wrong = figures
            clock.plain_ns += compute_ns
            clock.mile_ns += compute_ns
            clock.computed_ns += compute_ns
            guard.computed(compute_ns)
            guessed = [int(true * factor) for true, factor in zip((write_ns, compute_ns, write_ns), wrong)]
            new = candidate(f"s{place}", write_ns=guessed[0], recreation_ns=guessed[1], load_ns=guessed[2])
            if guard.admit(new, (), WIDE).keep:
                deadline_ns = guard.allowance_ns()
                spent_ns = write_ns if write_ns <= deadline_ns else min(write_ns, deadline_ns + chunk_ns)
                clock.mile_ns += spent_ns
                clock.written_ns += spent_ns
                guard.written(new.signature, spent_ns)
        check(clock)
    return clock


@settings(max_examples=300, deadline=None)
@given(
    events=st.lists(EVENTS, max_size=60),
    share=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    fraction=st.sampled_from([0.0, 0.025, 0.1]),
    allowance_ns=st.sampled_from([0, MS, 50 * MS]),
    chunk_ns=st.sampled_from([0, 4 * MS]),
)
def test_caching_never_costs_more_than_it_saves(events, share, fraction, allowance_ns, chunk_ns):
    """However wrong the estimates are, whatever is reused and when: both bounds hold throughout."""
    terms = Terms(share=share, fraction=fraction, allowance_ns=allowance_ns)

    def check(clock):
        granted_ns = clock.runs * allowance_ns + Fraction(str(fraction)) * clock.computed_ns
        rounding_ns = 2  # the terms are floats
        limit_ns = granted_ns + chunk_ns + rounding_ns
        assert clock.written_ns <= Fraction(str(share)) * clock.gained_ns + limit_ns
        assert clock.mile_ns <= clock.plain_ns + clock.slow_loads_ns + limit_ns

    simulate(events, terms, chunk_ns, check)


@settings(max_examples=100, deadline=None)
@given(runs=st.lists(st.lists(st.tuples(TIME, TIME, WRONG), max_size=6), min_size=1, max_size=12))
def test_without_any_reuse_every_session_costs_at_most_its_allowance(runs):
    events = []
    for run in runs:
        events += [("run",), *(("compute", compute, write, w, Fraction(1), w) for compute, write, w in run)]

    def check(clock):
        over_ns = clock.mile_ns - clock.plain_ns
        assert over_ns <= clock.runs * MS + clock.computed_ns * 18 // 1000 + 1

    simulate(events, Terms(), 0, check)


def test_the_bound_is_reached_so_the_proof_is_not_empty():
    events = [("compute", 40 * MS, 10 * MS, Fraction(1, 100), Fraction(1), Fraction(1, 100))]
    clock = simulate(events, Terms(), 0, lambda clock: None)
    assert clock.mile_ns - clock.plain_ns == 1.72 * MS
    unguarded = Terms(share=1.0, fraction=10.0)
    assert simulate(events, unguarded, 0, lambda clock: None).written_ns == 10 * MS


def test_a_writer_that_overran_pays_for_it_before_the_next_write():
    guard = guard_after()
    guard.written("a", 5 * MS)
    assert guard.allowance_ns() == 0
    for _ in range(4):
        guard.begin_run()
        assert not guard.admit(candidate(write_ns=1), (), WIDE).keep
    guard.begin_run()
    assert guard.allowance_ns() == MS


@given(st.lists(st.tuples(st.sampled_from(["computed_ns", "saved_ns", "written_ns"]), TIME), max_size=20))
def test_what_is_left_is_never_negative(changes):
    ledger = Ledger()
    for name, by in changes:
        setattr(ledger, name, getattr(ledger, name) + by)
        assert ledger.left_ns(Terms()) >= 0
        ledger.saved_ns -= by
        assert ledger.left_ns(Terms()) >= 0


class Ahead(Eager):
    """The same, but it has to look ahead."""

    needs_outlook = True


@pytest.mark.parametrize(("recreation_ms", "asked"), [(19, 0), (20, 1), (149, 1)])
def test_what_is_quickly_made_again_is_settled_without_looking_ahead(recreation_ms, asked):
    guard = guard_after(computed_ns=10_000 * MS, policy=Ahead())
    small = candidate(recreation_ns=recreation_ms * MS, load_ns=MS, write_ns=MS)
    assert guard.admit(small, (), WIDE).keep
    assert guard.policy.asked == asked


def test_a_process_that_has_not_looked_ahead_yet_does_so_for_more_than_150_ms_only(monkeypatch):
    import mile_rl.policies.appraisal  # noqa: F401

    assert settled_ns() == 20 * MS
    monkeypatch.delitem(sys.modules, "mile_rl.policies.appraisal")
    assert settled_ns() == 150 * MS
    guard = Guard(Ahead(), settled_ns=settled_ns())
    guard.begin_run()
    guard.computed(10_000 * MS)
    for recreation_ms, asked in ((149, 0), (150, 1)):
        guard.admit(candidate(recreation_ns=recreation_ms * MS, load_ns=MS, write_ns=MS), (), WIDE)
        assert guard.policy.asked == asked


def test_a_project_without_settings_has_the_default_terms():
    terms, settings_ = Terms(), Settings()
    assert settings_.write_share == terms.share
    assert settings_.write_fraction == terms.fraction
    assert settings_.write_allowance_ms * 1e6 == terms.allowance_ns


@given(runs=st.integers(1, 100), run_ms=st.integers(500, 60_000))
def test_without_any_reuse_no_session_of_runs_from_half_a_second_on_waits_over_one_fiftieth_longer(
    runs, run_ms
):
    assert guard_after(runs=runs, computed_ns=runs * run_ms * MS).allowance_ns() <= 0.02 * runs * run_ms * MS
