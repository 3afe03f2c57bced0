"""Parts of the page that a small project does not show."""

import pytest
from made_versions import Made, node

from mile_rl.engine.report import NodeReport, OutputReport, Report
from mile_rl.report import sections
from mile_rl.report.charts import Line, line_chart
from mile_rl.report.gather import Suggestion, WorkflowHistory
from mile_rl.report.history_page import history_page
from mile_rl.store.records import Artifact, ArtifactMeta
from mile_rl.store.results import StoreInfo
from mile_rl.workflows.edits import ChangeClass


def history(**values):
    made = Made(lambda nodes: 0.5)
    made.run([node("fit", C=1)])
    return WorkflowHistory(
        **{
            "workflow": "made",
            "iterations": tuple(made.iterations),
            "older": 0,
            "metric": "accuracy",
            "latest": report(),
            "artifacts": (),
            "store": StoreInfo(
                root="s", budget_bytes=100, used_bytes=25, reserved_bytes=0, artifacts=0, counters={}
            ),
        }
        | values
    )


def report(state="load"):
    output = OutputReport(name="fit", signature="aa", size_bytes=2000, kept=True, reason="loaded")
    return Report(
        workflow="made",
        version="v",
        iteration=1,
        previous=None,
        edits=(),
        change_class=ChangeClass.START,
        nodes=(
            NodeReport(
                name="fit",
                operator="fit",
                stage="learn",
                state=state,
                signature="aa",
                expected_ns=5,
                elapsed_ns=2_000_000,
                outputs=(output,),
            ),
        ),
        waited_ns=1,
        everything_ns=2,
        policy="gdsf",
        status="ok",
    )


def artifact(number):
    meta = ArtifactMeta(workflow="made", node="fit", output="result", operator="fit", stage="learn")
    return Artifact(
        signature=f"{number:032x}",
        content="c",
        suffix=".npy",
        size_bytes=number,
        codec="array",
        codec_version=1,
        meta=meta,
        created_ns=0,
    )


def test_suggestions_are_shown_with_their_facts_and_code():
    one = Suggestion(
        title="raise C to <10>", facts={"expected": "+0.01 [0, 0.02]", "waiting": "2 s"}, code="C=10"
    )
    page = history_page(history(suggestions=(one,)))
    assert "What to try next" in page
    assert "raise C to &lt;10&gt;" in page
    assert "<dt>expected</dt><dd>+0.01 [0, 0.02]</dd>" in page
    assert "<pre>C=10</pre>" in page
    assert history(suggestions=(one,)).to_json()["suggestions"][0]["code"] == "C=10"


def test_a_full_store_lists_the_largest_first_and_folds_the_rest():
    text = sections.store(history(artifacts=tuple(artifact(number) for number in range(1, 300))))
    assert "25 B of 100 B used (25.0%)" in text
    assert text.index(">299 B<") < text.index(">298 B<")
    assert "190 smaller ones" in text
    assert "99 smaller still" in text


def test_a_failed_node_is_in_the_legend():
    assert ">failed<" in sections.latest(report(state="failed"))


def test_a_history_without_metrics_has_a_page():
    made = Made(None)
    made.run([node("fit", C=1)])
    assert "waiting so far" in history_page(history(iterations=tuple(made.iterations), metric=""))


@pytest.mark.parametrize(
    "values", [[None], [0.5], [1.0, None, 2.0], [3.0, 3.0], [-1.0, 1e9], [float("nan"), 1.0], [0.0, 0.0]]
)
@pytest.mark.parametrize("from_zero", [False, True])
def test_a_chart_takes_any_values(values, from_zero):
    line = Line(name="m", values=values, filled=True)
    text = line_chart(
        [line], numbers=range(1, len(values) + 1), title="<t>", text=lambda x: f"{x:.3g}", from_zero=from_zero
    )
    assert "nan" not in text
    assert "inf" not in text
    assert "&lt;t&gt;" in text


def test_a_long_history_has_few_numbers_below_its_chart():
    values = [float(number) for number in range(500)]
    text = line_chart([Line(name="m", values=values)], numbers=range(500), title="t", text=str)
    assert text.count('y="220" text-anchor="middle"') <= 12
    assert "<circle" not in text
