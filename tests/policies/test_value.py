"""The value of artifacts against the planner, scenario by scenario, and against hand-computed cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlooks import outlook_of, planned_ns, random_outlook, version_outputs
from policy_contract import artifact

from mile_rl.policies import Budget
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN
from mile_rl.policies.questions import answer
from mile_rl.policies.replan import Graph, replan
from mile_rl.policies.room import make_room
from mile_rl.policies.savings import Scenarios
from mile_rl.policies.value import chances, choose_victims, worths

SEEDS = st.integers(0, 2**32 - 1)
MS = 1_000_000
S = 1_000 * MS


def graph_of(outlook):
    return outlook.output_node, outlook.take_ptr, outlook.take_output


def appraised(outlook, load_ns, place, *, everything=True):
    scenarios = Scenarios(outlook, outlook.p)
    found = scenarios.savings(load_ns, np.array(place, dtype=np.int64), everything=everything)
    return found.value_ns, found.survival, found.reuse, found.cost_ns


def displaced(outlook, load_ns, place, worth, weight, victims):
    scenarios, place = Scenarios(outlook, outlook.p), np.array(place, dtype=np.int64)
    found = scenarios.savings(load_ns, place, everything=True)
    return scenarios.displaced_worth(load_ns, place, found, worth, weight, victims)


def drawn(seed, *, nodes=8):
    """A random outlook and rows: outputs of it in any order, now and then an artifact that it does not know."""
    rng = np.random.default_rng(seed)
    outlook, load_ns = random_outlook(rng, nodes=int(rng.integers(1, nodes + 1)))
    outputs = outlook.output_node.size
    place = rng.permutation(outputs)[: int(rng.integers(1, outputs + 1))].tolist()
    for row in range(len(place) - 1):
        if rng.random() < 0.15:
            place[row] = -1
    return rng, outlook, load_ns, place


def held_by(outlook, place, without=()):
    held = np.zeros(outlook.output_node.size, dtype=np.bool_)
    held[[o for row, o in enumerate(place) if o >= 0 and row not in without]] = True
    return held


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS)
def test_replanning_costs_what_the_planner_says_and_loads_what_it_costs(seed):
    rng, outlook, load_ns, place = drawn(seed, nodes=12)
    held = held_by(outlook, place)
    for j in range(outlook.scenarios):
        offered = held & ~outlook.invalid[j][outlook.output_node]
        load = np.where(offered, load_ns, -1.0)
        loaded = rng.random(load.size) < 0.5  # whatever stood there before
        cost = replan(outlook.compute_ns, load, *graph_of(outlook), outlook.requested[j], loaded)
        assert cost == planned_ns(outlook, load_ns, j, held)
        assert not np.any(loaded & ~offered)
        # With nothing but what it says it loads, it is as cheap.
        assert planned_ns(outlook, load_ns, j, held & loaded) == cost


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_many_questions_at_once_are_answered_as_each_by_itself(seed):
    rng = np.random.default_rng(seed)
    outlook, load_ns = random_outlook(rng, nodes=int(rng.integers(1, 20)), dear_loads=rng.choice([0.1, 0.6]))
    outputs, count = outlook.output_node.size, int(rng.integers(1, 70))
    offered = rng.random((count, outputs)) < rng.random()
    requested = rng.random((count, outputs)) < rng.choice([0.05, 0.3])
    graph = Graph.of(*graph_of(outlook))
    asked = answer(
        graph, outlook.compute_ns, load_ns, list(enumerate(masks(requested))), masks(offered), count
    )
    for question in range(count):
        load = np.where(offered[question], load_ns, -1.0)
        loaded = np.zeros(outputs, dtype=np.bool_)
        arguments = outlook.compute_ns, load, *graph_of(outlook), requested[question], loaded
        assert asked.cost_ns[question] == replan(*arguments)
        loads = [of >> question & 1 for of in (asked.loaded.get(output, 0) for output in range(outputs))]
        assert not np.any(np.array(loads, dtype=np.bool_) & ~offered[question])
        # With nothing but what it says it loads, it is as cheap.
        assert (
            replan(outlook.compute_ns, np.where(loads, load_ns, -1.0), *arguments[2:])
            == asked.cost_ns[question]
        )


def masks(flags):
    return [sum(1 << int(row) for row in np.flatnonzero(column)) for column in flags.T]


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_value_is_what_the_planner_saves_on_average(seed):
    _, outlook, load_ns, place = drawn(seed)
    value, survival, reuse, cost = appraised(outlook, load_ns, place)
    for j in range(outlook.scenarios):
        assert cost[j] == planned_ns(outlook, load_ns, j, held_by(outlook, place))
    for row, output in enumerate(place):
        expected = alive = used = 0.0
        for j, p in enumerate(outlook.p):
            without = planned_ns(outlook, load_ns, j, held_by(outlook, place, {row}))
            saved = without - planned_ns(outlook, load_ns, j, held_by(outlook, place))
            expected += p * saved
            used += p * (saved > 0)
            if output >= 0 and not outlook.invalid[j, outlook.output_node[output]]:
                alive += p * (output in version_outputs(outlook, j))
        assert value[row] == pytest.approx(expected, rel=1e-12, abs=1e-9)
        assert survival[row] == pytest.approx(alive, abs=1e-12)
        assert reuse[row] == pytest.approx(used, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_the_candidate_alone_is_valued_as_among_all(seed):
    _, outlook, load_ns, place = drawn(seed)
    all_value, all_survival, all_reuse, all_cost = appraised(outlook, load_ns, place)
    value, survival, reuse, cost = appraised(outlook, load_ns, place, everything=False)
    assert (value[-1], reuse[-1]) == (all_value[-1], all_reuse[-1])
    assert not value[:-1].any()
    np.testing.assert_array_equal(survival, all_survival)
    assert all(c in (0.0, full) for c, full in zip(cost, all_cost))


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS)
def test_several_victims_are_worth_what_losing_them_together_costs(seed):
    rng, outlook, load_ns, place = drawn(seed)
    value, survival, *_ = appraised(outlook, load_ns, place)
    rows = len(place)
    worth, weight = np.zeros(rows), np.zeros(rows)
    # Without stop, persistence and background, worth is value: what several are worth is then exact.
    nothing = np.zeros(rows)
    worths(value, survival, nothing, np.ones(rows), np.ones(rows), 0.0, 0.0, 1.0, 0.0, worth, weight)
    np.testing.assert_allclose(worth, value)
    victims = rng.random(rows) < 0.5
    victims[-1] = False
    lost = displaced(outlook, load_ns, place, worth, weight, victims)
    gone = set(np.flatnonzero(victims).tolist())
    expected = sum(
        p
        * (
            planned_ns(outlook, load_ns, j, held_by(outlook, place, gone))
            - planned_ns(outlook, load_ns, j, held_by(outlook, place))
        )
        for j, p in enumerate(outlook.p)
    )
    assert lost == pytest.approx(expected, rel=1e-9, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_victims_are_those_that_make_room_chooses(data):
    rows = data.draw(st.integers(1, 7))
    sizes = data.draw(st.lists(st.sampled_from([0, 1, 50, 100, 700]), min_size=rows, max_size=rows))
    worth = data.draw(
        st.lists(st.sampled_from([0.0, 1.0, 40.0, 100.0, 5_000.0]), min_size=rows, max_size=rows)
    )
    used = sum(sizes[:-1])
    total = data.draw(st.integers(0, used + 800))
    kept = [artifact(f"a{row}", size_bytes=size) for row, size in enumerate(sizes[:-1])]
    density = {f"a{row}": w / max(size, 1) for row, (w, size) in enumerate(zip(worth, sizes))}
    expected = make_room(
        sizes[-1],
        kept,
        Budget(total_bytes=total, used_bytes=used),
        lambda each: density[each.signature],
    )
    victims = np.ones(rows, dtype=np.bool_)
    room = choose_victims(sizes[-1] - (total - used), np.array(sizes), np.array(worth), victims)
    assert room is (expected is not None)
    named = {f"a{row}" for row in np.flatnonzero(victims)}
    assert named == {each.signature for each in expected or ()}


class TestByHand:
    """read (10 s) -> clean (5 s) -> fit (20 s); loading anything takes 1 ms."""

    takes, compute_ns = [[], [0], [1]], [10 * S, 5 * S, 20 * S]
    load_ns = np.array([MS, MS, MS], dtype=np.float64)

    def outlook(self, *scenarios, **more):
        return outlook_of(self.takes, compute_ns=self.compute_ns, scenarios=scenarios, **more)

    def test_a_rerun_loads_the_result_and_needs_nothing_else(self):
        value, survival, reuse, cost = appraised(self.outlook((NOTHING, (), 1.0)), self.load_ns, [0, 1, 2])
        # Without the result: load clean (1 ms) and fit (20 s). Clean and read stand behind it, unused.
        assert (value.tolist(), cost.tolist(), survival.tolist()) == ([0, 0, 20 * S], [MS], [1, 1, 1])
        assert reuse.tolist() == [0, 0, 1]

    def test_each_edit_needs_what_stands_before_it(self):
        outlook = self.outlook((EDIT, (2,), 0.25), (EDIT, (1,), 0.5), (EDIT, (0,), 0.25))
        value, survival, reuse, cost = appraised(outlook, self.load_ns, [0, 1])
        # Fit edited: clean is loaded; without it, read is loaded and clean made, 5 s more. Clean edited: read
        # is loaded; without it 10 s more, less the load. Read edited: nothing is valid.
        assert value.tolist() == [0.5 * (10 * S - MS), 0.25 * 5 * S]
        assert (survival.tolist(), reuse.tolist()) == ([0.75, 0.25], [0.5, 0.25])
        assert cost.tolist() == [MS + 20 * S, MS + 25 * S, 35 * S]

    def test_what_the_candidate_makes_superfluous_counts_as_superfluous(self):
        outlook = self.outlook((EDIT, (2,), 1.0))
        value, *_ = appraised(outlook, self.load_ns, [0])
        assert value.tolist() == [10 * S - MS]
        value, *_ = appraised(outlook, self.load_ns, [0, 1])
        assert value.tolist() == [0, 5 * S]

    def test_an_earlier_version_needs_its_own_nodes_only(self):
        # clean2 (4 s) stands beside clean; the current version is read -> clean2, the earlier one read -> clean.
        outlook = outlook_of(
            [[], [0], [0]],
            compute_ns=[10 * S, 5 * S, 4 * S],
            scenarios=((EDIT, (2,), 0.5), (RETURN, (), 0.5)),
            requested=[[2], [1]],
        )
        value, survival, reuse, cost = appraised(outlook, self.load_ns, [0, 1, 2])
        assert value.tolist() == [0.5 * (10 * S - MS), 0.5 * 5 * S, 0]
        assert (survival.tolist(), reuse.tolist()) == ([1, 0.5, 0], [0.5, 0.5, 0])
        assert cost.tolist() == [MS + 4 * S, MS]

    def test_two_that_stand_in_for_each_other_are_worth_more_together(self):
        outlook, load_ns = self.outlook((EDIT, (2,), 1.0)), np.array([MS, 6.0 * S, MS])
        place = np.array([0, 1, -1])
        value, *_ = appraised(outlook, load_ns, place)
        # Clean from read takes 5 s and 1 ms, loading it 6 s: so clean is not missed, and read by 1 s only.
        assert value.tolist() == [6 * S - 5 * S - MS, 0, 0]
        victims = np.array([True, True, False])
        worth, weight = value.copy(), np.ones(3)
        assert displaced(outlook, load_ns, place, worth, weight, victims) == 10 * S - MS
        victims[1] = False
        assert displaced(outlook, load_ns, place, worth, weight, victims) == value[0]

    def test_worth_goes_on_until_the_edit_or_the_end(self):
        value, survival = np.array([1e9, 1e9, 0.0]), np.array([0.5, 1.0, 0.0])
        saving, fading, multiplier = (
            np.array([2e9, 2e9, 2e9]),
            np.array([1.0, 0.5, 0.25]),
            np.array([1.0, 1.0, 3.0]),
        )
        worth, weight = np.zeros(3), np.zeros(3)
        worths(value, survival, saving, fading, multiplier, 0.2, 1.0, 0.25, 0.1, worth, weight)
        # 0.8 x 1 s / (1 - 0.8 x 0.5) + 0.1 x 2 s; the second would last 1 / 0.2, but 1 / 0.25 is the most.
        np.testing.assert_allclose(worth, [0.8e9 / 0.6 + 0.2e9, 0.8e9 / 0.25 + 0.1e9, 3 * 0.05e9])
        np.testing.assert_allclose(weight, [0.8 / 0.6, 0.8 / 0.25, 3 * 0.8])

    def test_returns_are_weighted_against_all_else(self):
        weighted = chances(np.array([0.5, 0.5]), np.array([EDIT, RETURN], dtype=np.int8), RETURN, 3.0)
        np.testing.assert_allclose(weighted, [0.25, 0.75])
        assert chances(np.array([1.0]), np.array([RETURN], dtype=np.int8), RETURN, 0.0).tolist() == [0.0]
