from collections import Counter

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.bank import Bank
from envs.conditions import Conditions
from envs.workload.generate import Plan, unfold
from experiments.agent.futures import Plays, ends, futures, likely_next
from experiments.agent.quick import Case, Player
from experiments.foresight import choice, planned, summary
from mile_rl.policies.outlook import EDIT, MOST_SCENARIOS, RETURN

PLAN = Plan(seed=51, most_turns=14)
FUTURES = 3


@pytest.fixture(scope="module")
def session():
    *_, session = unfold(PLAN, 2)
    return session


@pytest.fixture(scope="module")
def script(session):
    return session.script("whole")


@pytest.fixture(scope="module")
def conditions(script):
    return Conditions.draw(np.random.default_rng(3), script, budget=0.25)


@pytest.fixture(scope="module")
def expected_ns(script, conditions):
    return Player(Bank([script]), [Case(number=0, conditions=conditions)]).expected()[0] * 1e9


def test_futures_have_the_past_of_the_session_and_go_on_in_different_ways():
    plan = Plan(seed=51)
    for session in unfold(plan, 1):
        if session.turns == 8:
            break
    past = session.script("past")
    drawn = futures(session, plan, FUTURES, 4, np.random.default_rng(0))
    assert [each.turns for each in drawn] == [12] * FUTURES  # no session is shorter
    for each in drawn:
        assert all(np.array_equal(each.version(turn), past.version(turn)) for turn in range(8))
    assert len({each.version(11).tobytes() + each.node_ns.tobytes() for each in drawn}) == FUTURES


def test_what_is_likely_next_is_edited_in_the_present_version(session):
    found = likely_next(session, 40, np.random.default_rng(0))
    assert len(found) <= MOST_SCENARIOS
    assert sum(each.p for each in found) == pytest.approx(1)
    assert any(each.roots for each in found)
    for each in found:
        assert each.kind == EDIT or not each.roots
        assert set(each.roots) <= set(session.rows[-1].values())
        assert (each.turn < session.turns - 1) == (each.kind == RETURN)


def test_sessions_end_as_often_as_their_lengths_are_drawn():
    rng, plan = np.random.default_rng(0), Plan(seed=0)
    lengths = Counter(plan.draw_turns(rng) for _ in range(20_000))
    for turns in (12, 13, 20, 40):
        left = sum(count for length, count in lengths.items() if length >= turns)
        assert ends(plan, turns) == pytest.approx(lengths[turns] / left, rel=0.15)
    assert (ends(plan, 5), ends(plan, 80)) == (0.0, 1.0)


def test_trying_an_answer_leaves_the_play_as_it_was(script, conditions, expected_ns):
    plays = Plays([script])
    plays.begin(conditions)
    luck = np.array([conditions.seed])
    more = True
    while more:
        assert plays.tried_ns(1.0, luck) + plays.waited_ns == pytest.approx(expected_ns)
        plays.tried_ns(np.exp(-2.0), luck)
        more = plays.answer(1.0)
    assert plays.waited_ns == pytest.approx(expected_ns)


def test_one_who_sees_what_comes_gains_just_what_each_choice_brings(script, conditions, expected_ns):
    luck = np.full(FUTURES, conditions.seed)
    ahead = [(Plays([script] * FUTURES), luck)] * script.turns
    found = planned(script, conditions, ahead, FUTURES - 1, expected_ns)
    assert found["changed"] > 0
    assert found["planned"] < 1
    assert found["planned"] == pytest.approx(found["unseen"])


def test_another_answer_needs_to_be_better_by_more_than_a_standard_error():
    level = np.zeros(4)
    assert choice(np.array([[-1.0, -1.0, -1.0, -1.0], level, [1.0, 1.0, 1.0, 1.0]])) == 0
    assert choice(np.array([[-9.0, 3.0, 3.0, 2.0], level, [-1.0, -2.0, -2.0, -1.0]])) == 2
    assert choice(np.array([[-9.0, 3.0, 3.0, 2.0], level, [1.0, 1.0, 1.0, 1.0]])) == 1


def test_ratios_are_averaged_over_sessions():
    rows = [
        {"session": i // 2, "share": 0.1, "told": told}
        for i, told in enumerate((0.8, 1.0, 1.0, 1.0, 1.2, 1.0))
    ]
    mean, low, high = summary(rows)["told"]
    assert mean == pytest.approx(1.0)
    assert 0.9 <= low < mean < high <= 1.1
