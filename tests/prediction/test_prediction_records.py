"""From mined histories to decisions: who took them, and what was known before them."""

from experiments.prediction.dataset import build
from experiments.prediction.records import records_of, transitions
from mile_rl.prediction.own_features import touched_nodes
from mile_rl.prediction.state import HistoryState
from traces.link import Seen, link
from traces.schema import Component, History


def commits(*versions, name="a", times=None):
    """Return a history of commits; a version is (code of its one stage, index of the parent or None)."""
    runs = [
        Seen(
            components=(
                Component(name="clean", operator="clean", stage="preprocess", parts={"code a": code}),
            ),
            parent=parent,
            start_ms=1000 * (index if times is None else times[index]),
        )
        for index, (code, parent) in enumerate(versions)
    ]
    return History(id=name, source="dvc-table", person="p", group="g", iterations=link(runs))


def test_a_change_repeated_on_another_line_is_no_decision():
    history = commits(("1", None), ("2", 0), ("1", None), ("2", 2), ("3", 3))
    assert [record.looped for record in records_of(history)] == [False, False, False, True, False]
    assert (build([history]).y >= 0).sum() == 2


def test_a_change_made_again_on_the_same_line_is_one():
    history = commits(("1", None), ("2", 0), ("1", 1), ("2", 2))
    assert not any(record.looped for record in records_of(history))


def test_what_the_same_commit_did_to_another_history_is_not_known():
    one = commits(("1", None), ("2", 0), ("3", 1), name="one", times=(0, 10, 20))
    other = commits(("1", None), ("2", 0), ("3", 1), name="other", times=(0, 10, 30))
    seen = [
        (step.history, step.record is None, step.seen, step.state.memory.nodes.now)
        for step in transitions([one, other])
    ]
    # at 10 both were changed at once; at 30 the other history's person has seen three changes
    assert seen == [
        (0, False, 0, 0),
        (1, False, 0, 0),
        (0, False, 2, 2),
        (0, True, 3, 3),
        (1, False, 3, 3),
        (1, True, 4, 4),
    ]


def test_a_node_that_goes_on_under_another_name_was_touched():
    def version(name, code):
        return Seen(
            components=(
                Component(name="load", operator="load", stage="preprocess"),
                Component(
                    name=name, operator=f"fit{code}", stage="learn", parents=("load",), parts={"code a": code}
                ),
            )
        )

    history = History(
        id="h",
        source="mlflow-table",
        person="p",
        group="g",
        iterations=link([version("fit", "1"), version("train", "2")]),
    )
    before, after = records_of(history)
    assert {edit.node for edit in after.edits} == {"train"}
    state = HistoryState()
    state.observe(before)
    assert touched_nodes(state, after).tolist() == [False, True]
