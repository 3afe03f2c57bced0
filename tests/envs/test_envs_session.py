from dataclasses import replace

import numpy as np
import pytest
from made_scripts import MB, MS, SECOND, chain, random_script

from envs.conditions import Conditions
from envs.session import play
from mile_rl.policies.guard import Guard
from mile_rl.policies.ledger import Terms
from mile_rl.policies.registry import POLICIES, make_policy

LATENCY = MS
FREE = Terms(share=1.0, fraction=1.0)


def calm(budget_mb=1_000, rate_mb=100):
    """No noise, 1 ms + 100 MB/s both ways, known from the start."""
    return Conditions.exact(
        budget_bytes=budget_mb * MB,
        read_bytes_per_s=rate_mb * 1e6,
        write_bytes_per_s=rate_mb * 1e6,
        latency_ns=LATENCY,
    )


def guarded(name, terms=FREE):
    return Guard(make_policy(name), terms=terms)


def test_without_a_store_every_iteration_takes_what_its_nodes_take():
    script = chain((3, 2, 1), (10, 20, 1), [(0, 0, 0), (0, 0, 1), (0, 0, 0)])
    played = play(script, calm(), guarded("none"))
    assert played.compute_ns == [6 * SECOND] * 3
    assert played.load_ns == played.write_ns == [0, 0, 0]


def test_what_is_kept_is_loaded_in_place_of_all_that_it_stands_on():
    script = chain((3, 2, 1), (10, 20, 1), [(0, 0, 0), (0, 0, 1), (0, 0, 0)])
    played = play(script, calm(), guarded("all"))
    # Writing 10, 20 and 1 MB takes 100, 200 and 10 ms, each and 1 ms.
    assert played.write_ns == [313 * MS, 11 * MS, 0]
    assert played.load_ns == [0, 201 * MS, 11 * MS]
    assert played.compute_ns == [6 * SECOND, 1 * SECOND, 0]
    assert played.used_bytes == [31 * MB, 32 * MB, 32 * MB]
    assert played.waiting_ns == 6_313 * MS + 1_212 * MS + 11 * MS


def test_the_first_write_of_an_iteration_takes_longer():
    script = chain((3, 2, 1), (10, 20, 1), [(0, 0, 0), (0, 0, 1), (0, 0, 0)])
    plain = play(script, calm(), guarded("all"))
    longer = play(script, replace(calm(), first_write_ns=5.0 * MS), guarded("all"))
    assert longer.write_ns == [plain.write_ns[0] + 5 * MS, plain.write_ns[1] + 5 * MS, 0]


def test_a_write_that_runs_over_is_given_up_and_counts():
    script = chain((3,), (100,), [(0,), (0,)])
    truth = calm()
    # The engine believes in ten times the speed: 101 ms; writing truly takes 1,001 ms of the 121 allowed.
    conditions = truth.believing(0.1)
    played = play(script, conditions, guarded("all", Terms(share=0.0, fraction=0.04, allowance_ns=MS)))
    assert played.write_ns[0] == 121 * MS
    assert played.used_bytes == [0, 0]
    assert played.compute_ns == [3 * SECOND, 3 * SECOND]


def test_a_given_up_write_teaches_the_channel():
    script = chain((3,), (100,), [(0,), (0,), (0,), (0,)])
    conditions = calm().believing(0.1)
    played = play(script, conditions, guarded("all", Terms(share=0.0, fraction=0.04, allowance_ns=MS)))
    assert played.write_ns[0] > 0
    assert sum(ns > 0 for ns in played.write_ns) < 4


def test_the_budget_is_kept_and_least_recently_used_goes_first():
    script = chain((3, 2, 1), (10, 20, 5), [(0, 0, 0), (0, 1, 0), (0, 1, 0)])
    played = play(script, calm(budget_mb=36), guarded("lru"))
    assert max(played.used_bytes) <= 36 * MB
    assert played.compute_ns == [6 * SECOND, 3 * SECOND, 0]


def test_what_takes_under_five_milliseconds_is_never_kept():
    script = chain((0.004,), (0.001,), [(0,), (0,)])
    assert play(script, calm(), guarded("all")).used_bytes == [0, 0]


def test_what_cannot_be_kept_is_computed_each_time():
    script = chain((3,), (1,), [(0,), (0,)], codec=-1)
    assert play(script, calm(), guarded("all")).compute_ns == [3 * SECOND] * 2


def test_what_the_guard_settles_is_not_looked_ahead_for():
    script = chain((3, 2, 1), (10, 20, 1), [(0, 0, 0), (0, 0, 1), (0, 0, 2)])
    policy = make_policy("expected")
    assert play(script, calm(), Guard(policy, terms=FREE)).decided
    quick = Guard(make_policy("expected"), terms=FREE, settled_ns=7 * SECOND)
    assert play(script, calm(), quick).decided == []
    assert not quick.policy.view.outlook.scenarios


def test_a_return_finds_its_artifacts_again():
    script = chain((3, 1), (1, 1), [(0, 0), (1, 0), (0, 0)])
    played = play(script, calm(), guarded("lru"))
    assert played.compute_ns == [4 * SECOND, 4 * SECOND, 0]


def test_helix_purges_what_changed():
    script = chain((3, 1), (1, 1), [(0, 0), (0, 1), (0, 0)])
    assert play(script, calm(), guarded("helix")).compute_ns == [4 * SECOND, SECOND, SECOND]
    assert play(script, calm(), guarded("lru")).compute_ns == [4 * SECOND, SECOND, 0]


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_noise_is_the_same_for_every_policy_and_every_time(policy):
    script = random_script(np.random.default_rng(3))
    conditions = Conditions.draw(np.random.default_rng(4), script)
    first, second = (play(script, conditions, guarded(policy, Terms())) for _ in range(2))
    assert first.waiting_ns == second.waiting_ns
    plain = play(script, conditions, guarded("none", Terms()))
    assert first.compute_ns[0] == plain.compute_ns[0]


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("seed", range(6))
def test_no_policy_overruns_the_budget_or_what_the_guard_grants(policy, seed):
    rng = np.random.default_rng(seed)
    script = random_script(rng)
    conditions = Conditions.draw(rng, script)
    played = play(script, conditions, guarded(policy, Terms()))
    assert max(played.used_bytes) <= conditions.budget_bytes
    plain = play(script, conditions, guarded("none", Terms()))
    assert sum(played.compute_ns) <= sum(plain.compute_ns)
