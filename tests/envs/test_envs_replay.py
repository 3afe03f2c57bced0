from dataclasses import replace

import numpy as np
import pytest

from envs.replay import MOST_NODES, replay_bank, replayed, unfit
from mile_rl.policies.outlook import RETURN
from mile_rl.workflows.edits import ChangeClass, Edit
from traces.schema import Component, History, Iteration

MS = 1_000_000


def iteration(index, components, version, *, returns_to=None, duration_ms=None, edits=(), think_ms=60_000):
    change = ChangeClass.START if not index else ChangeClass.NOTHING
    if edits:
        change = ChangeClass.MODEL_PARAMETER
    if returns_to is not None:
        change = ChangeClass.RETURN
    return Iteration(
        index=index,
        components=tuple(components),
        version=version,
        change=change,
        edits=tuple(edits),
        parent=index - 1 if index else None,
        returns_to=returns_to,
        duration_ms=duration_ms,
        think_ms=think_ms if index else None,
    )


def dvc(sizes=(1_000_000, 5_000)):
    def version(depth):
        return [
            Component(
                name="prepare", operator="prepare.py", stage="preprocess", size_bytes=sizes[0], parts={"code a": "0"}
            ),
            Component(
                name="train", operator="train.py", stage="learn", parents=("prepare",), size_bytes=sizes[1],
                parameters={"depth": depth},
            ),
        ]  # fmt: skip

    def move(old, new):
        return [
            Edit(
                kind="parameter",
                node="train",
                stage="learn",
                operator="train.py",
                parameter="depth",
                old=old,
                new=new,
            )
        ]

    turns = [
        (1, "v1", None),
        (2, "v2", None),
        (3, "v3", None),
        (1, "v1", 0),
        (1, "v1", None),
        (4, "v4", None),
    ]
    iterations, before = [], 1
    for index, (depth, text, back) in enumerate(turns):
        edits = move(before, depth) if depth != before else []
        iterations.append(iteration(index, version(depth), text, returns_to=back, edits=edits))
        before = depth
    return History(id="h1", source="dvc-table", person="p", group="g", iterations=tuple(iterations))


def runs(source, durations_ms=(4_000,) * 6, **more):
    iterations = []
    for index, duration in enumerate(durations_ms):
        component = Component(
            name="clf", operator="SVC", stage="learn", class_name="sklearn.svm._classes.SVC",
            parameters={"C": float(index)}, **more,
        )  # fmt: skip
        edits = [
            Edit(kind="parameter", node="clf", stage="learn", operator="SVC", parameter="C", old=0.0, new=1.0)
        ]
        iterations.append(
            iteration(index, [component], f"v{index}", duration_ms=duration, edits=edits if index else ())
        )
    return History(id=source, source=source, person="p", group="g", iterations=tuple(iterations))


def test_dvc_keeps_its_real_sizes_edges_and_versions():
    script = replayed(dvc(), seed=0)
    assert (script.source, script.group, script.turns) == ("dvc", "g", 6)
    assert sorted(script.output_bytes.tolist()) == [5_000] * 4 + [1_000_000]
    np.testing.assert_array_equal(script.version(0), script.version(3))
    train = int(script.version(1)[-1])
    assert script.output_node[script.takes(train)].tolist() == [int(script.version(0)[0])]


def test_a_return_that_people_made_is_expected_as_one():
    script = replayed(dvc(), seed=0)
    kinds = script.scenario_kind[script.scenario_ptr[5] : script.scenario_ptr[6]]
    assert RETURN in kinds


def test_a_run_of_mlflow_takes_what_it_really_took():
    script = replayed(runs("mlflow-table", (4_000, 9_000, 4_000, 4_000, 4_000, 4_000)), seed=0)
    assert script.plain_ns(0) == pytest.approx(4e9, rel=0.7)
    assert [script.names[script.node_name[row]] for row in script.version(0)] == ["read", "clf", "score"]
    assert script.version(0)[0] == script.version(5)[0]


def test_the_engines_own_times_and_sizes_are_taken_as_they_are():
    script = replayed(runs("catalog", compute_ns=700 * MS, size_bytes=123_456), seed=0)
    assert set(script.node_ns.tolist()) == {700 * MS}
    assert set(script.output_bytes.tolist()) == {123_456}


def test_openml_gets_times_of_the_operators_that_it_names():
    bank, left_out = replay_bank([runs("openml", (None,) * 6)], seed=1)
    assert left_out == {} or list(left_out) == ["takes under 0.5 s"]
    script = replayed(runs("openml", (None,) * 6), seed=1)
    assert script.source == "openml"
    assert len(bank) <= 1


def test_histories_are_replayed_the_same_whatever_stands_beside_them():
    alone, _ = replay_bank([dvc(sizes=(10**9, 10**9))], seed=3)
    among, _ = replay_bank([runs("mlflow-table"), dvc(sizes=(10**9, 10**9))], seed=3)
    assert alone[0].equals(among[1])


def test_what_is_left_out_is_counted_by_reason():
    short = History(id="s", source="dvc-table", person="p", group="g", iterations=dvc().iterations[:2])
    demo = History(id="d", source="dvc-table", person="p", group="g", iterations=dvc().iterations, demo=True)
    bank, left_out = replay_bank([short, demo, runs("mlflow-table")], source="dvc")
    assert len(bank) == 0
    assert left_out == {"fewer than 5 iterations": 1, "a demonstration": 1, "another source": 1}
    assert unfit(dvc()) == ""


def test_a_graph_too_large_to_play_is_left_out():
    wide = [Component(name=f"n{i}", operator="x.py", stage="preprocess") for i in range(MOST_NODES + 1)]
    versions = [iteration(index, wide[: MOST_NODES + (index == 3)], f"v{index}") for index in range(5)]
    history = History(id="w", source="dvc-table", person="p", group="g", iterations=tuple(versions))
    assert unfit(history) == f"more than {MOST_NODES} nodes"
    assert unfit(replace(history, iterations=(*versions[:3], *versions[:2]))) == ""
