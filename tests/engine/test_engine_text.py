"""Reports in words."""

from mile_rl.engine.report import NodeReport, OutputReport
from mile_rl.engine.text import _nodes, edits_in_words
from mile_rl.workflows.edits import Edit


def nodes(count, state="compute"):
    return [
        NodeReport(
            name=f"fit[fold{number}]",
            operator="fit",
            stage="learn",
            state=state,
            signature="s",
            expected_ns=0,
            elapsed_ns=10_000_000,
            outputs=(OutputReport(name="fit", signature="s", size_bytes=1000, kept=number % 2 == 0),),
            parents=(),
        )
        for number in range(count)
    ]


def test_an_edit_of_several_nodes_is_said_once():
    edits = [
        Edit(
            kind="parameter",
            node=f"fit[fold{n}]",
            stage="learn",
            operator="fit",
            parameter="C",
            old=1,
            new=10,
        )
        for n in (1, 2, 3)
    ]
    other = Edit(
        kind="parameter", node="fit[fold1]", stage="learn", operator="fit", parameter="C", old=1, new=9
    )
    assert edits_in_words([*edits, other]) == ["fit: C 1 -> 10 (in 3 nodes)", "fit[fold1]: C 1 -> 9"]


def test_nodes_of_a_large_workflow_are_told_together_by_operator_and_state():
    text = _nodes([*nodes(30), *nodes(20, "load"), *nodes(5, "prune")], planned=False, full=False)
    lines = text.splitlines()
    assert lines[1].split() == [
        "fit",
        "×",
        "30",
        "learn",
        "compute",
        "300",
        "ms",
        "30",
        "kB",
        "15",
        "of",
        "30",
    ]
    assert lines[2].startswith("fit × 20")
    assert lines[3:] == ["… and 5 more nodes", "(--full lists every node)"]
    assert len(_nodes(nodes(50), planned=False, full=True).splitlines()) == 51
    assert len(_nodes(nodes(24), planned=False, full=False).splitlines()) == 25
