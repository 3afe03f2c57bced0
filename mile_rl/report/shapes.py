"""What a picture shows of a report, of a comparison or of a workflow: its boxes and arrows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mile_rl.policies.words import duration, size
from mile_rl.report.picture import Edge, Shape, dag_svg

if TYPE_CHECKING:
    from mile_rl.engine.history import Comparison
    from mile_rl.engine.node_changes import NodeChange
    from mile_rl.engine.report import NodeReport, Report
    from mile_rl.workflows.dag import Dag

MARKS = {"added": "+ added", "removed": "− removed", "changed": "~ changed", "affected": "› affected"}
"""How a change is written; "unchanged" has no mark."""


def report_svg(report: Report, *, anchors: bool = False, alone: bool = False, narrow: bool = False) -> str:
    """Return the picture of a plan or an iteration: computed, loaded or pruned, with times and sizes.

    Args:
        report: what to draw.
        anchors: whether each box leads to ``#node-…`` (see :func:`anchor`).
        alone: whether it is a file of its own.
        narrow: whether it is for a phone.
    """
    planned = report.status == "planned"
    shapes = [
        Shape(
            name=node.name,
            kind=node.state,
            note=_note(node, planned=planned),
            said=said(node, planned=planned),
            href=f"#{anchor(place)}" if anchors else "",
        )
        for place, node in enumerate(report.nodes)
    ]
    what = "The plan" if planned else "What was done with each node"
    title = f"{what} of {report.workflow}"
    return dag_svg(shapes, _edges(report.nodes), title=title, alone=alone, narrow=narrow)


def comparison_svg(
    comparison: Comparison, *, anchors: bool = False, alone: bool = False, narrow: bool = False
) -> str:
    """Return the picture of two versions: nodes added, removed, changed, affected and unchanged.

    Args:
        comparison: what to draw.
        anchors: whether each box leads to ``#node-…``.
        alone: whether it is a file of its own.
        narrow: whether it is for a phone.
    """
    shapes = [
        Shape(
            name=node.name,
            kind=node.change,
            note=_change_note(node),
            said=change_said(node),
            href=f"#{anchor(place)}" if anchors else "",
        )
        for place, node in enumerate(comparison.nodes)
    ]
    edges = _edges(comparison.nodes)
    edges += [
        Edge(source=node.name, target=taker, gone=True) for node in comparison.nodes for taker in node.takers
    ]
    title = f"What changed from iteration {comparison.a.id} to {comparison.b.id}"
    return dag_svg(shapes, edges, title=title, alone=alone, narrow=narrow)


def workflow_svg(dag: Dag, *, alone: bool = False) -> str:
    """Return the picture of a captured workflow, each node with its stage.

    Args:
        dag: what to draw; nodes that no result needs are left out.
        alone: whether it is a file of its own.
    """
    nodes = [node for node in dag.nodes.values() if node.name in dag.needed]
    shapes = [
        Shape(
            name=node.name,
            kind="plain",
            note=node.stage if node.operator.name == node.name else f"{node.operator.name} · {node.stage}",
            said=f"{node.name}: operator {node.operator.name}, stage {node.stage}"
            + _takes([str(parent) for parent in node.parents]),
        )
        for node in nodes
    ]
    edges = [Edge(source=parent.node, target=node.name) for node in nodes for parent in node.parents]
    return dag_svg(shapes, edges, title=f"The workflow {dag.workflow}", alone=alone)


def anchor(place: int) -> str:
    """Return the id of the row that tells about the node at a place of a picture."""
    return f"node-{place}"


def said(node: NodeReport, *, planned: bool = False) -> str:
    """Return a node of a report in a sentence."""
    words = {"compute": "computed", "load": "loaded", "prune": "pruned: not needed"}
    state = f"to {node.state}" if planned else words.get(node.state, node.state)
    time_ns = node.expected_ns if planned or node.elapsed_ns is None else node.elapsed_ns
    text = f"{node.name}: {state}"
    if node.state in ("compute", "load") and time_ns:
        text += f" in {duration(time_ns)}"
    if total := sum(output.size_bytes or 0 for output in node.outputs):
        text += f", {size(total)}"
    if any(output.kept for output in node.outputs):
        text += ", kept in the store"
    return text + f"; {node.stage}" + _takes([str(parent) for parent in node.parents])


def change_said(node: NodeChange) -> str:
    """Return a node of a comparison in a sentence."""
    if node.edits:
        return f"{node.name}: {node.change}: {'; '.join(node.edits)}"
    text = {"affected": "not edited, but its result differs", "unchanged": "the same result"}
    return f"{node.name}: {text.get(node.change, node.change)}"


def _note(node: NodeReport, *, planned: bool) -> str:
    if node.state in ("prune", "skipped"):
        return node.state
    time_ns = node.expected_ns if planned or node.elapsed_ns is None else node.elapsed_ns
    total = sum(output.size_bytes or 0 for output in node.outputs)
    # A search is recorded as a whole: nobody knows what one of its steps took.
    times = [duration(time_ns)] if time_ns else []
    return " · ".join([node.state, *times, *([size(total)] if total else [])])


def _change_note(node: NodeChange) -> str:
    mark = MARKS.get(node.change, node.change)
    if node.before_state == node.after_state == "compute" and node.before_ns and node.after_ns:
        return f"{mark} · {duration(node.before_ns)} → {duration(node.after_ns)}"
    return mark


def _takes(parents: Sequence[str]) -> str:
    return f"; takes {', '.join(parents)}" if parents else ""


def _edges(nodes: Iterable[NodeReport | NodeChange]) -> list[Edge]:
    return [
        Edge(source=parent.node, target=node.name, gone=getattr(node, "change", "") == "removed")
        for node in nodes
        for parent in node.parents
    ]
