import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mile_rl.prediction.memory import Habits, ValueMemory, value_key
from mile_rl.prediction.parameters import ParameterTrace
from mile_rl.prediction.proposals import RULES, rules
from mile_rl.prediction.values import MAX_CANDIDATES, VALUE_NAMES, candidates, lookup, rows

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.integers(),
    st.just(10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=12),
)


def proposed(*values):
    return {RULES[rule]: value for value, rule in rules(list(values))}


@pytest.mark.parametrize(
    ("values", "rule", "value"),
    [
        ((1, 2), "the same step again", 3),
        ((0.1, 0.2), "the same step again", 0.3),
        ((0.1, 0.01), "the same factor again", 0.001),
        ((10, 20), "half a step back", 15),
        ((64,), "twice as much", 128),
        ((64,), "half as much", 32),
        ((0.01,), "ten times as much", 0.1),
        ((0.01,), "a tenth", 0.001),
        ((7,), "one more", 8),
        ((0.5,), "a tenth more on the scale", 0.6),
        ((60,), "the next round number up", 100),
        ((0.3,), "the next round number down", 0.2),
        ((True,), "the switch thrown", False),
        (("False",), "the switch thrown", "True"),
        (("run_09.yaml",), "the number in the name counted up", "run_10.yaml"),
        ((5,), "not set", None),
    ],
)
def test_a_rule_proposes_what_its_name_says(values, rule, value):
    assert proposed(*values)[rule] == value
    assert type(proposed(*values)[rule]) is type(value)


def test_whole_numbers_are_never_proposed_as_fractions():
    assert all(value is None or type(value) is int for value, _ in rules([3, 10]))


@given(st.lists(SCALARS, min_size=1, max_size=30), st.lists(SCALARS, max_size=20))
@example([5e-324], [])
@example([1e308, -1e308], [1.7e308])
def test_candidates_differ_from_the_present_value_and_their_rows_are_finite(values, elsewhere):
    memory = ValueMemory()
    for old, new in itertools.pairwise(elsewhere):
        memory.moved("C", old, new)
    common = {"C": [(value, 0.5) for value in elsewhere]}
    trace = ParameterTrace(values=values)
    found = candidates("C", trace, memory, common)
    assert value_key(values[-1]) not in found
    assert len(found) <= MAX_CANDIDATES
    table = rows([("C", trace, found)], memory, common)
    assert table.shape == (len(found), len(VALUE_NAMES))
    assert all(math.isfinite(number) for number in table.ravel())


def test_what_followed_the_present_value_before_is_told_from_what_did_not():
    trace = ParameterTrace(values=[1, 5, 9, 1, 5, 9, 1])
    found = candidates("k", trace, ValueMemory(), {})
    table = rows([("k", trace, found)], ValueMemory(), {})
    followed = {key[1]: row[VALUE_NAMES.index("own_followed")] for key, row in zip(found, table)}
    assert followed[5] == 2
    assert followed[9] == 0


def test_a_memory_forgets_the_rarest_values_and_stays_small():
    memory = ValueMemory()
    for value in range(1000):
        memory.took("k", value)
        memory.took("k", 7)
    assert len(memory.used["k"]) <= 129
    assert memory.used["k"].most_common(1)[0][0] == ("int", 7)


def test_a_fork_of_a_memory_goes_its_own_way():
    memory = ValueMemory()
    memory.moved("k", 1, 2)
    fork = memory.fork()
    fork.moved("k", 1, 3)
    assert ("int", 3) not in memory.used["k"]


def all_proposed(*values):
    return {value for value, _ in rules(list(values))}


def test_gaps_in_a_persons_own_grid_are_proposed():
    assert {0.3, 0.4} <= all_proposed(0.1, 0.2, 0.6, 0.5)


def test_a_step_taken_before_the_last_is_proposed_once_more():
    assert 45 in all_proposed(10, 20, 25, 35)


def test_values_that_never_changed_propose_no_grid():
    assert all_proposed(5, 5, 5) >= {10, 6, 4}


def test_the_common_values_of_a_name_are_found_behind_its_leading_words():
    common = {"learning_rate": ((0.1, 0.5),), "C": ((1.0, 0.9),)}
    assert lookup(common, "xgb_learning_rate") == common["learning_rate"]
    assert lookup(common, "clf__C") == common["C"]
    assert lookup(common, "registered learning_rate") == common["learning_rate"]
    assert lookup(common, "nothing_known") == ()


def test_a_rule_that_was_right_before_makes_its_candidates_stand_out():
    habits, doubling, halving = Habits(), 6, 7
    for value in (2, 4, 8, 16):
        found = {
            value_key(2 * value): (2 * value, 1 << doubling),
            value_key(value // 2): (value // 2, 1 << halving),
        }
        habits.learn(found, value_key(2 * value))
    assert habits.records()[doubling] > 0.7 > 0.1 > habits.records()[halving]
    missed, seen = habits.overall()
    habits.learn({}, value_key(1))
    assert habits.overall()[0] > missed
    assert habits.overall()[1] > seen


def test_a_forked_memory_of_values_teaches_the_first_nothing():
    memory = ValueMemory()
    memory.moved("C", 1.0, 2.0)
    other = memory.fork()
    other.moved("C", 2.0, 4.0)
    other.habits.learn({}, value_key(4.0))
    assert value_key(4.0) not in memory.values
    assert memory.used["C"].total() == 1
    assert memory.habits.total == 0.0


def test_one_table_for_some_parameters_is_the_tables_of_each_one_after_the_other():
    memory = ValueMemory()
    memory.moved("C", 1.0, 2.0)
    asked = []
    for name, values in (("C", [1.0, 2.0]), ("k", ["a1", "a2"]), ("none", [True]), ("C", [5, None, 7])):
        trace = ParameterTrace(values=values, moves=len(values) - 1)
        asked.append((name, trace, candidates(name, trace, memory, {"C": [(3.0, 0.5)]})))
    together = rows(asked, memory, {"C": [(3.0, 0.5)]})
    apart = [rows([each], memory, {"C": [(3.0, 0.5)]}) for each in asked]
    assert (together == np.concatenate(apart)).all()
