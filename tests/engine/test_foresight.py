"""A person's session through the engine, and what the shipped model then says of it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mile_rl.engine import foresight_text, iteration
from mile_rl.engine.foresight import foresee, foresee_last
from mile_rl.engine.history import opened
from mile_rl.engine.loading import load_workflow
from mile_rl.engine.past import past
from mile_rl.errors import OperatorFailed, StoreError
from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.prediction.errors import PredictionError
from mile_rl.prediction.live import predict
from mile_rl.store.records import IterationRecord, NodeRecord
from mile_rl.workflows.edits import ChangeClass, Edit, change_class

FLOW = """
from mile_rl import op, workflow

SCALE = 2

@op(stage="preprocess")
def read(n):
    return list(range(n))

@op(stage="preprocess")
def clean(rows, width=3):
    return [row * SCALE for row in rows][:width]

@op(stage="learn")
def fit(rows, C=1.0):
    return sum(rows) * C

@op(stage="evaluate")
def score(model):
    return model / 10

@workflow
def flow_under_test(n=9, width=3, C=1.0):
    return score(fit(clean(read(n), width), C))
"""


class Session:
    """A person who runs a workflow at moments that the test decides on."""

    def __init__(self, person, monkeypatch):
        self.person, self.now_ns = person, 10**18
        clock = SimpleNamespace(time_ns=lambda: self.now_ns, perf_counter_ns=time.perf_counter_ns)
        monkeypatch.setattr(iteration, "time", clock)
        person.writes(FLOW)

    def runs(self, *each, after_s=60.0, name="flow_under_test.py"):
        """Run once for each set of arguments, so long after the end of the run before."""
        for arguments in each:
            done = self.person.runs(name, **arguments)
            self.now_ns += done.report.waited_ns + int(after_s * 1e9)

    def last(self, **options):
        return foresee_last(self.person.project, **options)

    def now(self, name="flow_under_test.py", **arguments):
        """Ask about the file as it is."""
        self.person.forgets()
        flow = load_workflow(str(self.person.project.root / name))
        return foresee(flow, (), arguments, project=self.person.project)

    def past(self, **options):
        with opened(self.person.project) as catalog:
            return past(catalog, "flow_under_test", **options)


@pytest.fixture
def session(person, monkeypatch):
    return Session(person, monkeypatch)


def nodes(n=9, width=3, c=1.0):
    """The workflow's nodes as the model should see them, written down by hand."""
    return (
        PastNode(name="read", stage="preprocess", operator="read", parameters={"n": n}),
        PastNode(
            name="clean",
            stage="preprocess",
            operator="clean",
            parents=("read",),
            parameters={"width": width},
        ),
        PastNode(name="fit", stage="learn", operator="fit", parents=("clean",), parameters={"C": c}),
        PastNode(name="score", stage="evaluate", operator="score", parents=("fit",)),
    )


def tuned(old, new, **more):
    edits = (
        Edit(kind="parameter", node="fit", stage="learn", operator="fit", parameter="C", old=old, new=new),
    )
    change = change_class(edits, returned=more.get("returns_to") is not None)
    return PastIteration(nodes=nodes(c=new), edits=edits, change=change, gap_s=60.0, **more)


class TestPast:
    def test_it_is_what_the_person_did(self, session):
        session.runs({}, {"C": 10.0}, {"C": 10.0}, {"C": 1.0})
        line, records = session.past()
        assert [one.id for one in line] == [1, 2, 3, 4]
        assert [record.change.name for record in records] == ["START", "MODEL_PARAMETER", "NOTHING", "RETURN"]
        assert [record.returns_to for record in records] == [None, None, None, 2]
        assert [record.nodes for record in records] == [nodes(), nodes(c=10.0), nodes(c=10.0), nodes()]
        assert [record.gap_s for record in records] == [None, *[pytest.approx(60.0)] * 3]
        assert records[0].version == records[3].version != records[1].version == records[2].version

    def test_the_model_says_of_it_what_it_says_of_the_same_history_written_by_hand(self, session):
        session.runs({}, {"C": 10.0}, {"C": 100.0}, {"C": 10.0})
        by_hand = [
            PastIteration(nodes=nodes(), version="a"),
            tuned(1.0, 10.0, version="b"),
            tuned(10.0, 100.0, version="c"),
            tuned(100.0, 10.0, version="b", returns_to=1),
        ]
        assert session.last().prediction == predict(by_hand)

    def test_what_a_loop_launched_is_no_edit_of_the_person(self, session):
        session.runs(*({"C": float(c)} for c in range(1, 5)), after_s=4.9)
        session.runs({"C": 9.0}, after_s=5.1)
        session.runs({"C": 8.0})
        said = session.last()
        assert (said.iterations, said.looped, said.prediction.edits_seen) == (6, 4, 1)

    def test_only_the_latest_are_read_where_there_are_many(self, session):
        session.runs({}, {"C": 2.0}, {"C": 3.0})
        line, records = session.past(limit=2)
        assert [one.id for one in line] == [2, 3]
        assert [record.gap_s for record in records] == [None, pytest.approx(60.0)]

    def test_what_another_process_ran_meanwhile_stands_beside_the_line(self, session):
        session.runs({}, {"C": 2.0})
        with opened(session.person.project) as catalog:
            beside = IterationRecord(
                workflow="flow_under_test",
                version="c0ffee",
                parent=1,
                started_ns=session.now_ns,
                waited_ns=1,
                change_class="M",
                nodes=(
                    NodeRecord(name="fit", operator="fit", stage="learn", state="compute", signature="1"),
                ),
            )
            catalog.record_iteration(beside)
        assert [one.id for one in session.past()[0]] == [1, 3]

    def test_a_failed_iteration_is_part_of_it(self, session):
        session.runs({})
        with pytest.raises(OperatorFailed):
            session.runs({"n": None})
        line, records = session.past()
        assert [one.record.status for one in line] == ["ok", "failed"]
        assert records[1].nodes[0].parameters == {"n": None}


class TestForesight:
    @pytest.mark.parametrize(
        ("parameter", "node", "change"),
        [("C", "fit", ChangeClass.MODEL_PARAMETER), ("width", "clean", ChangeClass.PREPROCESS_PARAMETER)],
    )
    def test_it_learns_what_this_person_turns(self, session, parameter, node, change):
        session.runs(*({parameter: value} for value in (1, 2, 3, 5, 8, 4)))
        said = session.last()
        assert said.likeliest[0] == change
        assert max(said.prediction.touched, key=said.prediction.touched.__getitem__) == node
        assert (said.prediction.parameters[0].node, said.prediction.parameters[0].parameter) == (
            node,
            parameter,
        )
        assert said.values[node][parameter] == 4
        assert said.prediction.edits_seen == 5

    def test_returns_name_the_iterations_of_other_versions_and_add_up(self, session):
        session.runs({}, {"C": 2.0}, {"C": 3.0}, {"C": 3.0})
        said = session.last()
        assert {number for number, _ in said.returns} == {1, 2}
        total = sum(chance for _, chance in said.returns)
        assert total == pytest.approx(said.prediction.classes[ChangeClass.RETURN])

    def test_the_file_as_it_ran_says_what_the_catalog_says(self, session):
        session.runs({}, {"C": 2.0})
        assert session.now(C=2.0) == session.last()

    def test_what_was_edited_but_not_run_counts_code_included(self, session):
        session.runs({}, {"C": 2.0}, {"C": 3.0})
        session.person.writes(FLOW.replace("SCALE = 2", "SCALE = 4"))
        before, said = session.last(), session.now(C=3.0)
        assert [(edit.kind, edit.node) for edit in said.pending] == [("code", "clean")]
        assert said.latest == 3
        assert said.prediction.touched["clean"] > before.prediction.touched["clean"]
        assert {number for number, _ in said.returns} == {1, 2, 3}

    def test_a_look_ahead_records_nothing(self, session):
        session.runs({})
        session.now(C=7.0)
        assert [one.id for one in session.past()[0]] == [1]

    def test_without_a_history_the_traces_alone_speak(self, session):
        said = session.now()
        assert (said.latest, said.iterations, said.pending, said.returns) == (None, 0, (), ())
        assert said.prediction == predict([], nodes())
        assert said.prediction.edits_seen == 0

    def test_what_the_person_did_in_other_workflows_counts(self, session):
        session.person.writes(FLOW.replace("flow_under_test(", "other("), "other.py")
        alone = session.now()
        session.runs({}, {"C": 7.25}, {"C": 1.0}, {"C": 7.25}, name="other.py")
        said = session.now()
        assert (said.elsewhere, said.prediction.edits_seen) == (4, 3)

        def proposed(foresight):
            found = [guess for guess in foresight.prediction.parameters if guess.parameter == "C"]
            return {value.value: value.why for value in found[0].values}

        assert proposed(said)[7.25] == "used before by you elsewhere"
        assert 7.25 not in proposed(alone)

    def test_of_other_workflows_only_the_latest_iterations_are_read(self, session, monkeypatch):
        monkeypatch.setattr("mile_rl.engine.foresight.MOST_OTHERS", 3)
        for name in ("one", "two"):
            session.person.writes(FLOW.replace("flow_under_test(", f"{name}("), f"{name}.py")
            session.runs({}, {"C": 2.0}, name=f"{name}.py")
        said = session.now()
        assert (said.elsewhere, said.prediction.edits_seen) == (3, 1)

    def test_of_a_large_workflow_fewer_iterations_are_read(self, session, monkeypatch):
        monkeypatch.setattr("mile_rl.engine.past.MOST_NODES", 12)
        session.runs({}, {"C": 2.0}, {"C": 3.0}, {"C": 4.0})
        assert [one.id for one in session.past()[0]] == [2, 3, 4]
        monkeypatch.setattr("mile_rl.engine.past.MOST_NODES", 1)
        assert [one.id for one in session.past()[0]] == [3, 4]

    def test_a_workflow_that_is_too_large_is_refused_and_does_not_harm_others(self, session, monkeypatch):
        session.person.writes(FLOW.replace("score(fit(clean(read(n), width), C))", "read(n)"), "tiny.py")
        session.runs({}, {"C": 2.0})
        session.runs({}, {"n": 5}, name="tiny.py")
        monkeypatch.setattr("mile_rl.engine.foresight.LARGEST", 3)
        with pytest.raises(PredictionError, match="has 4 nodes, and predictions are made for 3 at most"):
            session.last(workflow="flow_under_test")
        said = session.last()
        assert (said.iterations, said.elsewhere, said.prediction.edits_seen) == (2, 0, 1)

    def test_as_many_parameters_and_values_are_told_as_asked_for(self, session):
        session.runs({}, {"C": 2.0})
        assert [len(guess.values) for guess in session.last(top=1).prediction.parameters] == [1]
        assert len(session.last(top=9).prediction.parameters) == 3

    def test_a_workflow_that_never_ran_is_an_error_that_names_those_that_did(self, session):
        with pytest.raises(StoreError, match=r"name a workflow's file, as in `mile predict"):
            session.last()
        session.runs({})
        with pytest.raises(StoreError, match="these did: flow_under_test"):
            session.last(workflow="flow")


class TestText:
    def test_a_beginner_is_told_that_it_knows_nothing_of_them(self, session):
        text = session.now().text()
        assert text.startswith("flow_under_test  not run yet\n")
        assert "knows no edits of yours yet" in text
        assert "in 10" not in text

    @pytest.mark.parametrize(("edits", "claims"), [(4, False), (5, True)])
    def test_it_claims_a_share_that_came_true_only_from_five_edits_on(self, session, edits, claims):
        session.runs(*({"C": float(c)} for c in range(edits + 1)))
        said = session.last()
        text = said.text()
        assert f"It knows {edits} edits of yours" in text
        assert (f"about {10 * said.likeliest[1]:.0f} in 10 first guesses" in text) == claims

    def test_pending_edits_loops_and_earlier_iterations_are_told(self, session):
        session.runs({}, {"C": 2.0}, after_s=1.0)
        session.runs({"C": 3.0})
        text = session.now(C=4.0).text(top=1)
        assert "counted as changed, though not run yet:\n  fit: C 3.0 -> 4.0\n" in text
        assert "where it may go back to\n" in text
        assert "%  iteration 3\n" in text
        assert "%  iteration 1\n" not in text
        assert "Not among them: 2 of the 3 iterations" in text

    def test_every_class_has_words(self):
        assert set(foresight_text.CHANGES) == set(ChangeClass) - {ChangeClass.START}


class TestClaims:
    """What the text promises stands in the model card."""

    CARD = (Path(__file__).parents[2] / "docs" / "model_card_prediction.md").read_text(encoding="utf-8")
    CLASS_SECTIONS = re.findall(r"\*\*Change class\.\*\*.*?(?=\*\*Nodes touched)", CARD, re.DOTALL)

    def test_the_calibration_error_is_the_worst_that_the_card_gives_for_change_classes(self):
        rows = [row for section in self.CLASS_SECTIONS for row in re.findall(r"\| ece \|(.*)\|", section)]
        errors = [float(cell) for row in rows for cell in row.split("|")]
        assert len(self.CLASS_SECTIONS) == 2
        assert len(errors) == 6
        assert max(errors) <= foresight_text.CALIBRATION_POINTS / 100 < max(errors) + 0.01

    def test_from_so_many_own_edits_on_the_card_gives_a_gain_that_excludes_zero(self):
        for section in self.CLASS_SECTIONS:
            (worth,) = re.findall(rf"Worth of {foresight_text.ENOUGH} or more own edits(.*)", section)
            lows = [float(low) for low in re.findall(r"\[(-?[\d.]+),", worth)]
            assert len(lows) == 3
            assert min(lows) > 0
