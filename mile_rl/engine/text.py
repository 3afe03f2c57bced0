"""Reports as plain text: what ``mile run`` and ``Workflow.run`` print. No imports beyond the standard ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mile_rl.engine.report import NodeReport, Report
from mile_rl.policies.words import duration, size
from mile_rl.workflows.edits import Edit

_MOST_NODES = 40
_MOST_ALONE = 24
"""In a workflow of more nodes, those of one operator are told together."""

_LONGEST_VALUE = 400


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns; the last one is as long as it likes."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header) - 1)]
    lines = []
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        lines.append("  ".join((*cells, row[-1])).rstrip())
    return "\n".join(lines)


def edits_in_words(edits: Sequence[Edit]) -> list[str]:
    """Return the edits in words; one change that several nodes share is said once."""
    shared: dict[tuple[object, ...], list[Edit]] = {}
    for edit in edits:
        key: tuple[object, ...] = (edit.kind, edit.detail)
        if edit.kind not in ("code", "data", "environment"):
            key += (edit.operator, edit.before, edit.parameter, repr(edit.old), repr(edit.new))
        shared.setdefault(key, []).append(edit)
    lines = []
    for group in shared.values():
        first = group[0]
        if len(group) == 1:
            lines.append(first.words())
            continue
        names = [edit.node for edit in group]
        if first.kind not in ("code", "data", "environment"):
            lines.append(_said_of_all(first, names))
            continue
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        what = first.detail or f"the {first.kind}"
        said = what if what.endswith((" is new", " is gone")) else f"changed {what}"
        lines.append(f"{said}, in {listed}")
    return lines


def _said_of_all(edit: Edit, names: Sequence[str]) -> str:
    """Return an edit in words that was made in several nodes of one operator: "fit: C 1 -> 10 (in 5 nodes)"."""
    where = replace(edit, node=names[0].partition("[")[0]).words()
    return f"{where} (in {len(names)} nodes)"


def report_text(report: Report, outputs: Any = None, *, full: bool = False) -> str:
    """Return a report as text.

    Args:
        report: what to tell.
        outputs: the iteration's result, None for a plan.
        full: whether to list every node of a large workflow.
    """
    title = f"{report.workflow}  version {report.version[:10]}"
    if report.iteration is not None:
        title += f"  iteration {report.iteration}"
    lines = [title, since_text(report)]
    lines.extend(f"  {words}" for words in edits_in_words(report.edits))
    lines.extend(("", _nodes(report.nodes, planned=report.status == "planned", full=full)))
    if outputs is not None:
        lines.extend(("", outputs_text(outputs)))
    lines.extend(("", waiting_text(report)))
    lines.extend(f"note: {note}" for note in report.notes)
    return "\n".join(lines)


def since_text(report: Report) -> str:
    """Return what the edits of a report are against: "edits since iteration 3:"."""
    if report.previous is None:
        return "first iteration"
    if report.returned_to is not None:
        return f"back to the version of iteration {report.returned_to}; since iteration {report.previous}:"
    if not report.edits:
        return f"no edits since iteration {report.previous}"
    return f"edits since iteration {report.previous}:"


def _nodes(nodes: Sequence[NodeReport], *, planned: bool, full: bool) -> str:
    shown = [[node] for node in nodes]
    if len(nodes) > _MOST_ALONE and not full:
        alike: dict[tuple[str, str], list[NodeReport]] = {}
        for node in nodes:
            if node.state != "prune":
                alike.setdefault((node.operator, node.state), []).append(node)
        shown = list(alike.values())[:_MOST_NODES]
    rows = [_row(group, planned=planned) for group in shown]
    text = table(("node", "stage", "state", "expected" if planned else "time", "size", "kept"), rows)
    if left := len(nodes) - sum(map(len, shown)):
        text += f"\n… and {left} more nodes"
    return text if len(shown) == len(nodes) else f"{text}\n(--full lists every node)"


def _row(nodes: Sequence[NodeReport], *, planned: bool) -> tuple[str, ...]:
    """Return the row of a node, or of several of one operator and state that are told together."""
    first = nodes[0]
    times = [node.expected_ns if planned or node.elapsed_ns is None else node.elapsed_ns for node in nodes]
    sizes = sum(output.size_bytes or 0 for node in nodes for output in node.outputs)
    alone = len(nodes) == 1
    kept = sum(output.kept for node in nodes for output in node.outputs)
    return (
        first.name if alone else f"{first.operator} × {len(nodes)}",
        first.stage,
        first.state,
        "" if first.state in ("prune", "skipped") else duration(sum(times)),
        size(sizes) if sizes else "",
        _kept(first) if alone else f"{kept} of {sum(len(node.outputs) for node in nodes)}",
    )


def _kept(node: NodeReport) -> str:
    single = len(node.outputs) == 1
    parts = []
    for output in node.outputs:
        word = "yes" if output.kept else "no"
        reason = f": {output.reason}" if output.reason else ""
        parts.append(f"{word}{reason}" if single else f"{output.name.rpartition('.')[2]} {word}{reason}")
    if not single and len({(output.kept, output.reason) for output in node.outputs}) == 1:
        output = node.outputs[0]
        return ("yes" if output.kept else "no") + (f": {output.reason}" if output.reason else "")
    return "; ".join(parts)


def outputs_text(outputs: Any) -> str:
    """Return what a workflow returned, a line an output."""
    if isinstance(outputs, dict):
        return "\n".join(f"{key} = {_value(value)}" for key, value in outputs.items())
    if isinstance(outputs, tuple | list):
        return "\n".join(_value(value) for value in outputs)
    return _value(outputs)


def _value(value: Any) -> str:
    text = repr(value)
    if "\n" in text:
        text = "\n" + text
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def waiting_text(report: Report) -> str:
    """Return how long was waited, beside how long everything would have taken."""
    everything = duration(report.everything_ns)
    if report.status == "planned":
        return f"would take {duration(report.waited_ns)}; everything would take {everything}"
    line = f"waited {duration(report.waited_ns)}; everything would have taken {everything}"
    if report.status != "ok":
        return f"{report.status} after {duration(report.waited_ns)}"
    if report.everything_ns > report.waited_ns * 1.05:
        line += f" ({report.everything_ns / max(report.waited_ns, 1):.1f} times as long)"
    return line
