"""What a person sees of an iteration: what is computed, loaded, kept, noticed and said."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from mile_rl.engine.history import compare, log
from mile_rl.engine.iteration import plan
from mile_rl.engine.loading import load_workflow
from mile_rl.errors import OperatorFailed, WorkflowError
from mile_rl.store.store import Store
from mile_rl.workflows.edits import ChangeClass

CHAIN = """
    import time
    from mile_rl import op, workflow

    @op
    def read(n):
        time.sleep(0.01)
        return list(range(n))

    @op(outputs=("train", "test"))
    def split(rows, seed=0):
        time.sleep(0.01)
        return rows[::2], rows[1::2]

    @op(stage="learn")
    def fit(rows, C=1.0):
        time.sleep(0.01)
        return {"weight": sum(rows) * C}

    @op(stage="evaluate")
    def score(model, rows):
        time.sleep(0.01)
        return model["weight"] - sum(rows)

    @workflow
    def chain(n=10, C=1.0):
        train, test = split(read(n))
        return {"score": score(fit(train, C), test)}
"""


def test_a_second_run_loads_the_result_and_computes_nothing(person, states):
    person.writes(CHAIN)
    first = person.runs()
    again = person.runs()
    assert set(states(first).values()) == {"compute"}
    assert states(again) == {"read": "prune", "split": "prune", "fit": "prune", "score": "load"}
    assert again.outputs == first.outputs == {"score": -5.0}
    assert again.report.change_class is ChangeClass.NOTHING


def test_a_parameter_edit_computes_from_its_node_on(person, states):
    person.writes(CHAIN)
    person.runs()
    edited = person.runs(C=2.0)
    assert states(edited) == {"read": "prune", "split": "load", "fit": "compute", "score": "compute"}
    assert [edit.words() for edit in edited.report.edits] == ["fit: C 1.0 -> 2.0"]
    assert edited.outputs == {"score": 15.0}


def test_going_back_finds_the_earlier_artifacts(person, states):
    person.writes(CHAIN)
    first = person.runs()
    person.runs(C=2.0)
    back = person.runs(C=1.0)
    assert "compute" not in states(back).values()
    assert back.report.returned_to == first.report.iteration
    assert back.report.change_class is ChangeClass.RETURN


def test_a_code_edit_computes_from_its_operator_on(person, states):
    person.writes(CHAIN)
    person.runs()
    person.writes(CHAIN.replace("sum(rows) * C", "sum(rows) * C + 1"))
    edited = person.runs()
    assert states(edited)["split"] == "load"
    assert states(edited)["fit"] == "compute"
    assert [(edit.kind, edit.node) for edit in edited.report.edits] == [("code", "fit")]


def test_an_inserted_use_of_an_operator_leaves_the_names_of_the_others(person):
    person.writes(CHAIN)
    person.runs()
    person.writes(
        CHAIN.replace(
            'return {"score": score(fit(train, C), test)}',
            'return {"before": fit(test, 3.0), "score": score(fit(train, C), test)}',
        )
    )
    edited = person.runs()
    assert [(edit.kind, edit.node) for edit in edited.report.edits] == [("add", "fit[test,C=3.0]")] or [
        edit.kind for edit in edited.report.edits
    ] == ["add"]
    assert {node.name for node in edited.report.nodes} >= {"read", "split", "fit", "score"}


def test_a_replaced_operator_is_one_edit(person):
    person.writes(CHAIN)
    person.runs()
    person.writes(CHAIN.replace("def fit(", "def train_it(").replace("score(fit(", "score(train_it("))
    edited = person.runs()
    assert [(edit.kind, edit.before, edit.operator) for edit in edited.report.edits] == [
        ("replace", "fit", "train_it")
    ]


def test_a_plan_tells_what_a_run_does_and_records_nothing(person, states, project):
    person.writes(CHAIN)
    person.runs()
    flow = load_workflow(str(project.root / "flow_under_test.py"))
    planned = plan(flow, (), {"C": 2.0}, project=project)
    assert {node.name: node.state for node in planned.nodes} == states(person.runs(C=2.0))
    assert planned.status == "planned"
    assert len(log(project)) == 2


def test_two_iterations_can_be_compared(person, project):
    person.writes(CHAIN)
    person.runs()
    person.runs(C=2.0)
    comparison = compare(project, "1", "2")
    assert [edit.words() for edit in comparison.edits] == ["fit: C 1.0 -> 2.0"]
    assert comparison.metrics == {"score": (-5.0, 15.0)}
    assert comparison.differing == ("fit", "score")


MUTATOR = """
    import time
    import numpy as np
    from mile_rl import op, workflow

    @op
    def make(seed):
        time.sleep(0.01)
        return np.arange(6.0) + seed

    @op
    def spoil(x):
        time.sleep(0.01)
        x *= 100
        return x.sum()

    @op
    def read_only(x):
        time.sleep(0.01)
        return x.sum()

    @workflow
    def flow(seed=0):
        x = make(seed)
        return [spoil(x), read_only(x)]
"""


def test_an_operator_that_changes_its_input_is_named_and_others_do_not_see_it(person, states):
    person.writes(MUTATOR)
    first = person.runs()
    assert first.outputs == [1500.0, 15.0]
    assert any("spoil changed its input make in place" in note for note in first.report.notes)
    kept = {output.name: output.kept for node in first.report.nodes for output in node.outputs}
    assert not kept["make"]
    assert not kept["spoil"]
    again = person.runs(seed=1)
    assert again.outputs == [2100.0, 21.0]
    assert any("spoil changes its inputs in place" in note for note in again.report.notes)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_frame_changed_in_place_stays_with_the_operator_that_changed_it(person, jobs, project):
    person.writes(
        """
        import time
        import pandas as pd
        from mile_rl import op, workflow

        @op
        def make():
            return pd.DataFrame({"a": [1.0, 2.0], "b": [["x"], ["y"]]})

        @op
        def spoil(frame):
            time.sleep(0.01)
            frame["a"] = 0.0
            frame.iloc[0, 1].append("z")
            return len(frame)

        @op
        def rows(frame):
            time.sleep(0.02)
            return frame.to_dict("list")

        @workflow
        def flow():
            frame = make()
            return [spoil(frame), rows(frame)]
        """
    )
    done = person.runs(project=_with(project, jobs=jobs))
    assert done.outputs == [2, {"a": [1.0, 2.0], "b": [["x"], ["y"]]}]
    named = any("spoil changed its input make in place" in note for note in done.report.notes)
    assert named == (jobs == 1), (
        "beside others it has a copy of its own, and what it does to that harms nobody"
    )


def test_global_random_generators_are_seeded_for_a_node_and_restored_after(person, project):
    person.writes(
        """
        import random
        import numpy as np
        from mile_rl import op, workflow

        @op
        def draw(k):
            return random.random(), np.random.rand(3).tolist()

        @workflow
        def flow():
            return [draw(i) for i in range(4)]
        """
    )
    random.seed(7)
    np.random.seed(7)
    before = random.getstate(), np.random.get_state()[1].copy()
    first = person.runs(project=_with(project, policy="none"))
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    again = person.runs(project=_with(project, policy="none"))
    threaded = person.runs(project=_with(project, policy="none", jobs=4))
    assert first.outputs == again.outputs == threaded.outputs
    assert len({outcome[0] for outcome in first.outputs}) == 4


def test_an_undeclared_file_is_named_and_counts_from_then_on(person, states, project):
    data = project.root / "limits.txt"
    data.write_text("3")
    person.writes(
        f"""
        import time
        from pathlib import Path
        from mile_rl import op, workflow

        @op
        def limit():
            time.sleep(0.01)
            return int(Path({str(data)!r}).read_text())

        @op
        def twice(x):
            time.sleep(0.01)
            return 2 * x

        @workflow
        def flow():
            return twice(limit())
        """
    )
    first = person.runs()
    assert any("limit read limits.txt without declaring it" in note for note in first.report.notes)
    assert states(person.runs()) == {"limit": "prune", "twice": "load"}
    data.write_text("4")
    changed = person.runs()
    assert changed.outputs == 8
    assert states(changed) == {"limit": "compute", "twice": "compute"}
    assert [edit.kind for edit in changed.report.edits] == ["data"]
    data.write_text("3")
    assert "compute" not in states(person.runs()).values()


def test_a_folder_that_an_operator_lists_counts_by_its_names(person, states, project):
    (project.root / "parts").mkdir()
    (project.root / "parts" / "a.txt").write_text("1")
    person.writes(
        f"""
        import time
        from pathlib import Path
        from mile_rl import op, workflow

        @op
        def total():
            time.sleep(0.01)
            return sum(int(part.read_text()) for part in Path({str(project.root / "parts")!r}).glob("*.txt"))

        @workflow
        def flow():
            return total()
        """
    )
    assert person.runs().outputs == 1
    assert states(person.runs()) == {"total": "load"}
    (project.root / "parts" / "b.txt").write_text("2")
    assert person.runs().outputs == 3
    (project.root / "parts" / "b.txt").write_text("5")
    assert person.runs().outputs == 6


def test_an_iterator_is_refused_with_the_remedy(person):
    person.writes(
        """
        from mile_rl import op, workflow

        @op
        def numbers():
            return iter([1, 2])

        @workflow
        def flow():
            return numbers()
        """
    )
    with pytest.raises(WorkflowError, match="return a list"):
        person.runs()


def test_a_value_that_cannot_be_serialised_is_computed_as_usual(person, states):
    person.writes(
        """
        import threading, time
        from mile_rl import op, workflow

        @op
        def lock():
            time.sleep(0.01)
            return threading.Lock()

        @op
        def name(lock):
            return type(lock).__name__

        @workflow
        def flow():
            return name(lock())
        """
    )
    done = person.runs()
    assert done.outputs == "lock"
    assert any("cannot be serialised" in note for note in done.report.notes)


def test_a_failing_operator_is_named_and_what_was_earned_is_kept(person, states, project):
    person.writes(CHAIN.replace("return model[", "raise ValueError('no luck')\n        return model["))
    with pytest.raises(OperatorFailed, match="'score' failed: ValueError: no luck") as failure:
        person.runs()
    assert isinstance(failure.value.__cause__, ValueError)
    assert log(project)[0].record.status == "failed"
    person.writes(CHAIN)
    mended = person.runs()
    assert states(mended) == {"read": "prune", "split": "load", "fit": "load", "score": "compute"}


def test_an_interrupted_run_keeps_what_was_earned(person, states, project):
    person.writes(CHAIN.replace("return model[", "raise KeyboardInterrupt\n        return model["))
    with pytest.raises(KeyboardInterrupt):
        person.runs()
    assert log(project)[0].record.status == "interrupted"
    person.writes(CHAIN)
    assert states(person.runs())["fit"] == "load"


@pytest.mark.parametrize("damage", ["truncate", "corrupt", "remove"])
def test_a_damaged_artifact_is_noticed_and_made_again(person, states, project, damage):
    person.writes(CHAIN)
    first = person.runs()
    for path in (project.store_root / "objects").rglob("*"):
        if path.is_file():
            _damage(path, damage)
    again = person.runs()
    assert again.outputs == first.outputs
    assert states(again)["score"] == "compute"
    assert any("cannot be used" in note for note in again.report.notes)
    assert "compute" not in states(person.runs()).values()


def test_a_volatile_operator_and_what_depends_on_it_are_always_computed(person, states):
    person.writes(CHAIN.replace("@op\n    def read", "@op(volatile=True)\n    def read"))
    person.runs()
    again = person.runs()
    assert set(states(again).values()) == {"compute"}
    assert again.report.change_class is ChangeClass.NOTHING


def test_a_declared_file_that_changes_while_it_is_read_keeps_nothing(person, project):
    (project.root / "data.txt").write_text("1")
    person.writes(
        """
        import time
        from mile_rl import File, op, workflow

        @op
        def read(path):
            time.sleep(0.01)
            text = path.read_text()
            path.write_text("changed")
            return text

        @workflow
        def flow(path=File("data.txt")):
            return read(path)
        """
    )
    done = person.runs()
    assert done.outputs == "1"
    assert not any(output.kept for node in done.report.nodes for output in node.outputs)
    assert any("data.txt changed while read ran" in note for note in done.report.notes)


def test_a_text_that_names_a_file_is_asked_to_be_declared(person, project):
    data = project.root / "data.txt"
    data.write_text("1")
    person.writes(
        f"""
        from pathlib import Path
        from mile_rl import op, workflow

        @op
        def read(path):
            return Path(path).read_text()

        @workflow
        def flow(path={str(data)!r}):
            return read(path)
        """
    )
    assert any("write File(" in note for note in person.runs().report.notes)


def test_independent_nodes_run_at_once_and_give_the_same(person, project):
    source = """
        import time
        from mile_rl import op, workflow

        @op
        def nap(k):
            time.sleep(0.2)
            return k

        @op
        def total(values):
            return sum(values)

        @workflow
        def flow():
            return total([nap(k) for k in range(4)])
    """
    person.writes(source)
    together = person.runs(project=_with(project, policy="none", jobs=4))
    alone = person.runs(project=_with(project, policy="none"))
    assert together.outputs == alone.outputs == 6
    assert together.report.waited_ns < 0.75 * alone.report.waited_ns


def _with(project, **settings):
    from dataclasses import replace

    return replace(project, settings=replace(project.settings, **settings))


def _damage(path: Path, how: str) -> None:
    if how == "remove":
        path.unlink()
        return
    data = bytearray(path.read_bytes())
    if how == "truncate":
        path.write_bytes(data[: len(data) // 2])
        return
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def test_what_is_interrupted_while_it_is_written_is_recorded_and_the_rest_is_given_up(
    person, states, project, monkeypatch
):
    puts = []

    def put(self, signature, value, **others):
        puts.append(signature)
        raise KeyboardInterrupt

    person.writes(CHAIN)
    with monkeypatch.context() as broken:
        broken.setattr(Store, "put", put)
        with pytest.raises(KeyboardInterrupt):
            person.runs()
    assert len(puts) == 1
    (entry,) = log(project)
    assert entry.record.status == "interrupted"
    assert not any(output.kept for output in entry.record.outputs)
    again = person.runs()
    assert set(states(again).values()) == {"compute"}
    assert states(person.runs())["score"] == "load"
