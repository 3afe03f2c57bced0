import numpy as np
import pytest
from made_histories import first, node, tuned, version

from mile_rl.prediction.base import CLASS_INDEX, PastIteration, PastNode
from mile_rl.prediction.features import CLASS_NAMES, alone, class_row
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.node_features import NODE_NAMES, node_rows
from mile_rl.prediction.parameters import NEVER, same
from mile_rl.prediction.state import HistoryState
from mile_rl.workflows.edits import ChangeClass, Edit, change_class

EVEN = np.full(8, 1 / 8)


def followed(records, **options):
    state = HistoryState(**options)
    for record in records:
        state.observe(record)
    return state


def column(rows, name):
    return rows[..., NODE_NAMES.index(name)]


def test_rows_have_a_column_a_name(grid):
    state = followed(grid)
    assert class_row(state).shape == (len(CLASS_NAMES),)
    assert node_rows(state, EVEN).shape == (4, len(NODE_NAMES))
    assert np.isfinite(class_row(state)).all()
    assert np.isfinite(node_rows(state, EVEN)).all()


def test_a_node_counts_how_lately_and_how_often_it_was_touched(grid):
    state = followed(grid)
    table = state.table
    fit = table.names.index("fit")
    assert table.since[fit] == 0
    assert table.count[fit] == 4
    assert table.since[table.names.index("load")] == NEVER
    assert table.recent[:, fit].tolist() == [1, 1, 1]


def test_shares_decay_while_a_node_rests(grid):
    rerun = PastIteration(nodes=grid[-1].nodes, change=ChangeClass.NOTHING)
    state = followed([*grid, rerun, rerun])
    fit = state.table.names.index("fit")
    assert state.table.since[fit] == 2
    assert state.table.fast[fit] == pytest.approx((1 - 0.5**4) / 4)


def test_nodes_keep_what_is_known_of_them_when_another_is_added_before_them(grid):
    added = node("split", "preprocess")
    edits = (Edit(kind="add", node="split", stage="preprocess", operator="split"),)
    record = PastIteration(nodes=(added, *version(5.0)), edits=edits, change=change_class(edits))
    state = followed([*grid, record])
    assert state.table.names == ("split", "load", "clean", "fit", "score")
    assert state.table.count.tolist() == [1, 0, 0, 4, 0]
    assert state.table.born.tolist() == [5, 0, 0, 0, 0]
    assert state.table.depth.tolist() == [0, 0, 1, 2, 3]


def test_a_fork_goes_its_own_way(grid):
    state = followed(grid)
    before = (class_row(state), node_rows(state, EVEN))
    fork = state.fork(state.memory.fork())
    fork.observe(tuned(5.0, 9.0))
    np.testing.assert_array_equal(class_row(state), before[0])
    np.testing.assert_array_equal(node_rows(state, EVEN), before[1])
    assert state.traces["fit", "C"].values == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert fork.traces["fit", "C"].values[-1] == 9.0
    assert state.memory.hand == 4


def test_two_ways_to_the_same_history_give_the_same_rows(grid):
    whole = followed(grid)
    part = followed(grid[:3])
    part = part.fork(part.memory.fork())
    for record in grid[3:]:
        part.observe(record)
    np.testing.assert_array_equal(class_row(whole), class_row(part))
    np.testing.assert_array_equal(node_rows(whole, EVEN), node_rows(part, EVEN))


def test_what_a_loop_launched_is_no_edit_of_the_person():
    looped = [first(), *(tuned(float(i), float(i + 1), looped=True, gap_s=1.0) for i in range(1, 6))]
    state = followed(looped)
    assert state.hand == 0
    assert state.memory.hand == 0
    assert state.loop_share > 0.6
    assert state.traces["fit", "C"].moves == 5


def test_histories_of_one_person_share_their_memory(grid):
    state = followed(grid)
    other = HistoryState(memory=state.memory)
    other.observe(first())
    assert other.memory.hand == 4
    assert other.memory.counts[CLASS_INDEX[ChangeClass.MODEL_PARAMETER]] == 4
    assert other.hand == 0


def test_a_node_is_known_from_the_persons_other_histories(grid):
    memory = PersonMemory()
    followed(grid, memory=memory)
    rows = node_rows(followed(grid[:1], memory=memory), EVEN)
    rate, since = column(rows, "name_rate"), column(rows, "name_since")
    assert rate[2] > 0.8 > 0.1 > rate[0]
    assert (since[2], since[0]) == pytest.approx((np.log1p(0), np.log1p(500)))
    assert column(rows, "operator_rate")[2] > 0.8


def test_who_forks_a_memory_of_nodes_does_not_change_it(grid):
    memory = PersonMemory()
    followed(grid, memory=memory.fork())
    assert memory.nodes.of(["fit"]).tolist() == [[0.0, 0.0, 500.0]]


def test_an_operators_record_counts_its_nodes_together():
    one, other = node("fit@a", C=1), node("fit@b", C=1)
    nodes = tuple(PastNode(name=each.name, stage="learn", operator="fit") for each in (one, other))
    edit = Edit(kind="code", node="fit@a", stage="learn", operator="fit")
    state = followed([PastIteration(nodes=nodes), PastIteration(nodes=nodes, edits=(edit,))])
    assert state.memory.operators.of(["fit"])[0].tolist() == [0.5, 1.0, 0.0]


def test_a_cycle_in_a_mined_graph_is_survived():
    nodes = (node("a", "learn", ("b",)), node("b", "learn", ("a",)), node("c", "learn", ("c",)))
    state = followed([PastIteration(nodes=nodes)])
    assert np.isfinite(node_rows(state, EVEN)).all()


def test_a_workflow_without_nodes_has_rows():
    state = followed([PastIteration(nodes=()), PastIteration(nodes=(), change=ChangeClass.NOTHING)])
    assert node_rows(state, EVEN).shape == (0, len(NODE_NAMES))
    assert np.isfinite(class_row(state)).all()


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(1, 1, True), (1, 1.0, False), (True, 1, False), (float("nan"), float("nan"), True), (None, None, True)],
)
def test_values_are_the_same_by_type_and_value(left, right, equal):
    assert same(left, right) is equal


def test_a_version_made_again_is_known_unless_its_code_may_differ():
    code = PastIteration(
        nodes=version(2.0),
        edits=(Edit(kind="code", node="fit", stage="learn", operator="fit"),),
        change=ChangeClass.MODEL,
        version="other code",
    )
    state = followed([first(1.0), tuned(1.0, 2.0)])
    assert state.seen_before(version(1.0)) == 1
    assert state.seen_before(version(2.0)) is None
    assert state.seen_before(version(3.0)) is None
    state.observe(code)
    assert state.seen_before(version(1.0)) is None
    state.observe(tuned(2.0, 1.0, returns_to=2))
    assert state.seen_before(version(2.0)) == 2


def test_a_history_alone_has_neither_loops_nor_others(grid):
    memory = PersonMemory()
    followed(grid, memory=memory)
    looped = [first(), *(tuned(float(i), float(i + 1), looped=i < 3) for i in range(1, 5))]
    busy = class_row(followed(looped, memory=memory))[None]
    hand = class_row(followed([first(), *(tuned(float(i), float(i + 1)) for i in range(3, 5))]))[None]
    names = (
        "iterations",
        "hand",
        "looped_last",
        "looped_second",
        "loop_share",
        "person_hand",
        "person_histories",
    )
    columns = [CLASS_NAMES.index(name) for name in (*names, "person_model_parameter")]
    np.testing.assert_allclose(alone(busy)[:, columns], hand[:, columns])
