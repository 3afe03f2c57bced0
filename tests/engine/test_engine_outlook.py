"""What the engine tells a policy of the next iteration, from real runs, and when it asks the model."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mile_rl.engine import foresight_run
from mile_rl.engine.foresight_run import Lookout
from mile_rl.engine.loading import load_workflow
from mile_rl.engine.outlook import as_predicted, at_first_sight, make_outlook
from mile_rl.engine.prepare import prepare
from mile_rl.engine.project import find
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN

ROOT = Path(__file__).parents[2]

FLOW = """
import time
from mile_rl import op, workflow

@op(stage="preprocess")
def read(n):
    time.sleep({seconds})
    return list(range(n))

@op(stage="preprocess")
def clean(rows, width=3):
    time.sleep({seconds})
    return rows[:width]

@op(stage="learn")
def fit(rows, C=1.0):
    time.sleep({seconds})
    return sum(rows) * C

@workflow
def flow_under_test(n=9, width=3, C=1.0):
    return fit(clean(read(n), width), C)
"""


@pytest.fixture
def foreseeing(project):
    """The project under a policy that looks ahead, in a process that has done so before."""
    importlib.import_module("mile_rl.policies.appraisal")
    return replace(project, settings=replace(project.settings, policy="expected"))


@pytest.fixture
def prepared(person, foreseeing):
    """Prepare the workflow as it is, as the beginning of a run."""
    opened = []

    def now(**arguments):
        person.forgets()
        flow = load_workflow(str(foreseeing.root / "flow_under_test.py"))
        opened.append(prepare(flow, (), arguments, project=foreseeing, begin=True))
        return opened[-1]

    yield now
    for each in opened:
        each.close()


def output_of(prepared, node):
    return prepared.signatures[node].outputs["result"]


def test_at_first_sight_what_was_just_edited_is_edited_again(person, prepared):
    person.writes(FLOW.format(seconds=0))
    person.runs(C=1.0)
    now = prepared(C=2.0)
    outlook = make_outlook(now, at_first_sight(now), now.signatures)
    edits = {
        now.layout.nodes[int(np.flatnonzero(row)[0])]: p
        for row, p, kind in zip(outlook.edited, outlook.p, outlook.kind)
        if kind == EDIT
    }
    assert edits == pytest.approx({"read": 0.9 / 4, "clean": 0.9 / 4, "fit": 0.9 / 2})
    assert outlook.p[outlook.kind == NOTHING].tolist() == pytest.approx([0.1])
    # What an edit of clean leaves: read alone.
    row = next(j for j, roots in enumerate(outlook.edited) if roots[now.layout.node_at["clean"]])
    alive = {sign for sign, at in outlook.position.items() if outlook.alive[row, at]}
    assert alive == {output_of(now, "read")}


def test_the_model_is_told_the_history_and_earlier_versions_are_in_the_graph(person, foreseeing, prepared):
    person.writes(FLOW.format(seconds=0))
    for C in (1.0, 2.0, 3.0, 4.0):
        person.runs(project=foreseeing, C=C)
    first = prepared(C=1.0)
    old = output_of(first, "fit")
    now = prepared(C=4.0)
    expected = as_predicted(now)
    assert expected.iterations == 4
    assert sum(p for _, p in expected.returns) == pytest.approx(expected.returning)
    outlook = make_outlook(now, expected, now.signatures)
    returns = np.flatnonzero(outlook.kind == RETURN)
    assert len(returns) == 3
    assert outlook.nodes == 3 + 3  # read and clean are shared by all four versions
    assert old in outlook.position
    kept_for = [j for j in returns if outlook.alive[j, outlook.position[old]]]
    assert len(kept_for) == 1
    assert outlook.requested[kept_for[0]].sum() == 1
    assert outlook.alive[returns][:, outlook.position[output_of(now, "clean")]].all()
    assert not outlook.alive[returns][:, outlook.position[output_of(now, "fit")]].any()


def test_an_edit_that_has_not_run_yet_counts_as_the_latest(person, foreseeing, prepared):
    person.writes(FLOW.format(seconds=0))
    person.runs(project=foreseeing, C=1.0)
    person.runs(project=foreseeing, C=2.0)
    assert as_predicted(prepared(C=3.0)).iterations == 3
    assert as_predicted(prepared(C=2.0)).iterations == 2


def test_what_is_volatile_is_valid_in_no_scenario(person, prepared):
    person.writes(
        FLOW.format(seconds=0).replace('"preprocess")\ndef clean', '"preprocess", volatile=True)\ndef clean')
    )
    now = prepared()
    outlook = make_outlook(now, at_first_sight(now), now.signatures)
    for node, alive in (("read", True), ("clean", False), ("fit", False)):
        assert outlook.alive[:, outlook.position[output_of(now, node)]].any() == alive


def test_a_run_keeps_what_is_likely_to_be_used_and_says_why(person, foreseeing):
    person.writes(FLOW.format(seconds=0.03))
    done = person.runs(project=foreseeing)
    reasons = {output.name: output.reason for node in done.report.nodes for output in node.outputs}
    assert " % likely to be used next time, it saves " in reasons["clean"]
    assert all(output.kept for node in done.report.nodes[:2] for output in node.outputs)


def test_quick_results_are_settled_without_an_outlook(person, foreseeing, monkeypatch):
    monkeypatch.setattr(Lookout, "ready", lambda *a: pytest.fail("an outlook was made"))
    monkeypatch.setattr(
        "mile_rl.engine.prepare.settled_ns", lambda: 10**12
    )  # however slow this machine is now
    person.writes(FLOW.format(seconds=0.006))
    done = person.runs(project=foreseeing)
    reasons = {output.name: output.reason for node in done.report.nodes for output in node.outputs}
    assert reasons["read"].startswith("quick: recreating takes ")


class TestLookout:
    def told(self, prepared, monkeypatch):
        heard = []
        monkeypatch.setattr(prepared.guard, "on_outlook", heard.append)
        return Lookout(prepared), heard

    def test_the_model_is_asked_only_where_time_allows(self, person, prepared, monkeypatch):
        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        monkeypatch.setattr("mile_rl.engine.outlook.as_predicted", lambda _: pytest.fail("asked"))
        lookout.ready(1_000_000, now.signatures)
        lookout.ready(1_000_000, now.signatures)
        assert len(heard) == 1

    def test_what_the_model_says_replaces_the_first_sight(self, person, prepared, monkeypatch):
        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        lookout.ready(0, now.signatures)
        lookout.ready(10**9, now.signatures)
        lookout.ready(10**9, now.signatures)
        first, said = heard
        assert not np.allclose(first.p, said.p)

    def test_beside_a_long_node_it_is_asked_in_another_thread(self, person, prepared, monkeypatch):
        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        lookout.begins(foresight_run.LONG_NS - 1)
        assert lookout._asking is None
        lookout.begins(foresight_run.LONG_NS)
        lookout.close()
        lookout.ready(0, now.signatures)
        np.testing.assert_allclose(heard[0].p, make_outlook(now, as_predicted(now), now.signatures).p)

    def test_what_nodes_took_is_taken_up(self, person, prepared, monkeypatch):
        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        lookout.computed(1, 7)
        lookout.ready(0, now.signatures)
        lookout.computed(1, 7)
        assert heard[0].compute_ns[1] == 7

    def test_other_signatures_make_another_outlook(self, person, prepared, monkeypatch):
        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        lookout.ready(0, now.signatures)
        lookout.resigned()
        lookout.ready(0, now.signatures)
        assert len(heard) == 2

    def test_a_model_that_cannot_answer_leaves_the_first_sight(self, person, prepared, monkeypatch, caplog):
        from mile_rl.prediction.errors import PredictionError

        def refuse(_):
            raise PredictionError("there is no model")

        person.writes(FLOW.format(seconds=0))
        now = prepared()
        lookout, heard = self.told(now, monkeypatch)
        monkeypatch.setattr("mile_rl.engine.outlook.as_predicted", refuse)
        lookout.ready(10**9, now.signatures)
        assert len(heard) == 1
        assert "there is no model" in caplog.text

    def test_rule_policies_hear_nothing(self, person, project):
        person.writes(FLOW.format(seconds=0))
        flow = load_workflow(str(project.root / "flow_under_test.py"))
        with_rules = prepare(flow, (), {}, project=project)
        try:
            assert not Lookout(with_rules).wanted
        finally:
            with_rules.close()


LOADED = """
import sys
from pathlib import Path
from mile_rl.engine.iteration import run
from mile_rl.engine.loading import load_workflow
from mile_rl.engine.project import find
run(load_workflow("flow_under_test.py"), (), {}, project=find(Path("."), environ={}, policy="expected"))
print("|" + " ".join(sorted(name for name in sys.modules if name.startswith("mile_rl."))))
"""


@pytest.mark.parametrize(("seconds", "looks"), [(0, False), (0.03, False), (0.2, True)])
def test_a_run_loads_only_what_its_decisions_need(tmp_path, seconds, looks):
    (tmp_path / ".mile").mkdir()
    (tmp_path / "flow_under_test.py").write_text(FLOW.format(seconds=seconds))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MILE_")}
    said = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=kept | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = said.stdout.partition("|")[2].split()
    assert ("mile_rl.policies.appraisal" in loaded) == looks
    assert not any(name.startswith("mile_rl.prediction") for name in loaded)
    assert find(tmp_path, environ={}).root == tmp_path


def test_explain_tells_why_a_result_was_kept_or_let_go(person, foreseeing):
    from mile_rl.engine.explain import explain

    def explained(node):
        person.forgets()
        flow = load_workflow(str(foreseeing.root / "flow_under_test.py"))
        return explain(flow, (), {}, node, project=foreseeing)

    person.writes(FLOW.format(seconds=0.03))
    person.runs(project=foreseeing)
    person.runs(project=foreseeing)  # finds and loads: decides nothing
    clean = explained("clean").reasons[-1]
    assert clean.startswith("clean was kept in iteration 1: ")
    assert " % likely to be used next time, it saves " in clean
    assert " for " in clean
    from mile_rl.engine.history import opened_store

    with opened_store(foreseeing) as store:
        store.evict([artifact.signature for artifact in store.artifacts()])
    assert explained("clean").reasons[-1].startswith("clean was kept in iteration 1 and let go since")
