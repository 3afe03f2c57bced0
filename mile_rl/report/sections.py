"""The sections of a workflow's page, each from a piece of what was gathered."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import accumulate

from mile_rl.engine.report import NodeReport, Report
from mile_rl.policies.words import duration, size
from mile_rl.report.charts import Line, line_chart
from mile_rl.report.gather import Suggestion, WorkflowHistory
from mile_rl.report.html_text import legend, scrolled, table
from mile_rl.report.impact.effects import Effect, Impact
from mile_rl.report.impact.text import interval_words, shared_words
from mile_rl.report.picture import LARGEST
from mile_rl.report.shapes import anchor, report_svg
from mile_rl.store.records import Artifact, Iteration

_MOST_ARTIFACTS, _SHOWN_ARTIFACTS = 200, 10
_MOST_EFFECTS = 8

STATES = (
    ("compute", "computed (thick border)"),
    ("load", "loaded from the store"),
    ("prune", "pruned: not needed (dotted)"),
)


def tiles(history: WorkflowHistory) -> str:
    """Return the figures at the head of the page."""
    records = [one.record for one in history.iterations]
    waited = sum(record.waited_ns for record in records)
    everything = sum(record.everything_ns or record.waited_ns for record in records)
    versions = len({record.version for record in records})
    entries = [("iterations", str(len(records) + history.older), f"{versions} versions")]
    entries.append(("waited", duration(waited), f"everything: {duration(everything)}"))
    if everything > waited:
        entries.append(
            ("saved", duration(everything - waited), f"{everything / max(waited, 1):.1f} times faster")
        )
    values = [record.metrics[history.metric] for record in records if history.metric in record.metrics]
    if values:
        span = f"from {min(values):.4g} to {max(values):.4g} so far"
        entries.append((f"latest {history.metric}", f"{values[-1]:.6g}", span))
    entries.append(("in the store", size(history.store.used_bytes), f"of {size(history.store.budget_bytes)}"))
    return (
        '<dl class="m-tiles">'
        + "".join(
            f'<div class="m-tile"><dt>{html.escape(name)}</dt><dd>{html.escape(value)}'
            f"<small>{html.escape(note)}</small></dd></div>"
            for name, value, note in entries
        )
        + "</dl>"
    )


def suggestions(found: Sequence[Suggestion]) -> str:
    """Return what to try next, "" where there is nothing."""
    if not found:
        return ""
    items = []
    for one in found:
        facts = "".join(
            f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in one.facts.items()
        )
        code = f"<details><summary>the code to change</summary><pre>{html.escape(one.code)}</pre></details>"
        items.append(
            f'<li><strong>{html.escape(one.title)}</strong><dl class="m-facts">{facts}</dl>'
            f"{code if one.code else ''}</li>"
        )
    return f'<ol class="m-suggestions">{"".join(items)}</ol>'


def charts(history: WorkflowHistory) -> str:
    """Return the metric over time beside the waiting so far."""
    records = [one.record for one in history.iterations]
    numbers = [one.id for one in history.iterations]
    waited = [total / 1e9 for total in accumulate(record.waited_ns for record in records)]
    everything = [
        total / 1e9 for total in accumulate(record.everything_ns or record.waited_ns for record in records)
    ]
    cards = []
    if history.metric:
        values = [_finite(record.metrics.get(history.metric)) for record in records]
        known = [value for value in values if value is not None]
        title = f"{history.metric} from run to run" + (
            f": {known[0]:.4g} at first, {known[-1]:.4g} at last, {max(known):.4g} at most" if known else ""
        )
        chart = line_chart(
            [Line(name=history.metric, values=values)],
            numbers=numbers,
            title=title,
            text=lambda x: f"{x:.6g}",
        )
        cards.append(_card(history.metric, chart, "The figures stand in the history below."))
    title = (
        f"Waiting so far: {duration(int(waited[-1] * 1e9))}; computing everything would have taken "
        f"{duration(int(everything[-1] * 1e9))}"
    )
    chart = line_chart(
        [
            Line(name="waited so far", values=waited, filled=True),
            Line(name="everything so far", values=everything),
        ],
        numbers=numbers,
        title=title,
        text=lambda x: duration(int(x * 1e9)) if x else "0",
        from_zero=True,
    )
    note = "Solid: with MILE-RL. Dashed: if everything had been computed each time."
    cards.append(_card("waiting so far", chart, note))
    return f'<div class="m-two">{"".join(cards)}</div>'


def latest(report: Report) -> str:
    """Return the latest iteration: its DAG, and a row a node."""
    label = f"The DAG of iteration {report.iteration}"
    kinds = {node.state for node in report.nodes}
    entries = [(look, meaning) for look, meaning in STATES if look in kinds]
    if "failed" in kinds:
        entries.append(("failed", "failed"))
    note = f"<p>The picture shows the first {LARGEST} nodes.</p>" if len(report.nodes) > LARGEST else ""
    wide, narrow = (report_svg(report, anchors=True, narrow=narrow) for narrow in (False, True))
    return (
        f"{note}{legend(entries)}{scrolled(wide, narrow, label)}"
        '<p class="m-muted">Each box leads to its row in the table below; a wide picture scrolls sideways.</p>'
        f"{nodes_table(report.nodes, planned=report.status == 'planned')}"
    )


def nodes_table(nodes: Sequence[NodeReport], *, planned: bool = False, anchors: bool = True) -> str:
    """Return a row a node: state, time, size, kept and why.

    Args:
        nodes: what to list.
        planned: whether times are expected ones.
        anchors: whether the picture's boxes lead to the rows.
    """
    rows = []
    for node in nodes:
        time_ns = node.expected_ns if planned or node.elapsed_ns is None else node.elapsed_ns
        total = sum(output.size_bytes or 0 for output in node.outputs)
        rows.append(
            (
                f"<strong>{html.escape(node.name)}</strong>",
                node.stage,
                node.state,
                "" if node.state in ("prune", "skipped") or not time_ns else duration(time_ns),
                size(total) if total else "",
                html.escape(_kept(node)),
            )
        )
    return table(
        ("node", "stage", "state", "expected" if planned else "time", "size", "kept"),
        rows,
        caption="Nodes",
        numbers=(3, 4),
        ids=[anchor(place) for place in range(len(rows))] if anchors else (),
    )


def impact(found: Impact) -> str:
    """Return the largest effects of what was changed, with their intervals."""
    effects = [one for one in (*found.parameters, *found.changes) if one.times]
    effects.sort(key=lambda one: -abs(one.estimate.mean))
    if not effects:
        return ""
    shared = "".join(f"<p>{html.escape(line)}</p>" for line in shared_words(effects))
    return (
        f"<p>Effects on {html.escape(found.metric)} over {found.versions} versions, each corrected for what else "
        f"changed, with {found.share:.0%} intervals. <code>mile impact</code> lists all.</p>"
        f"{_effects_table(effects[:_MOST_EFFECTS])}{shared}"
    )


def store(history: WorkflowHistory) -> str:
    """Return what the store holds of this workflow, the largest first."""
    told = history.store
    share = min(1.0, told.used_bytes / told.budget_bytes) if told.budget_bytes else 0.0
    words = f"{size(told.used_bytes)} of {size(told.budget_bytes)} used ({share:.1%})"
    bar = (
        f'<div class="m-bar-track" role="img" aria-label="{html.escape(words)}">'
        f'<div class="m-bar-fill" style="width:{share:.2%}"></div></div>'
    )
    artifacts = sorted(history.artifacts, key=lambda one: -one.size_bytes)
    if not artifacts:
        return f"<p>{html.escape(words)}; nothing of this workflow is kept.</p>{bar}"
    rows = [_artifact_row(artifact, history) for artifact in artifacts[:_MOST_ARTIFACTS]]
    listed = _artifacts_table(rows[:_SHOWN_ARTIFACTS])
    if further := rows[_SHOWN_ARTIFACTS:]:
        listed += (
            f"<details><summary>{len(further)} smaller ones</summary>{_artifacts_table(further)}</details>"
        )
    if (more := len(artifacts) - len(rows)) > 0:
        listed += f"<p>… and {more} smaller still (<code>mile store ls</code> lists all).</p>"
    words += f"; {len(artifacts)} artifacts of this workflow, the largest first"
    return f"<p>{html.escape(words)}.</p>{bar}{listed}"


def parameters(latest_one: Iteration) -> str:
    """Return the arguments and metrics of an iteration as a list."""
    record = latest_one.record
    groups = (
        ("arguments", [(name, str(value)) for name, value in record.parameters.items()]),
        ("metrics", [(name, f"{value:.6g}") for name, value in record.metrics.items()]),
    )
    blocks = []
    for title, entries in groups:
        rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in entries)
        if rows:
            blocks.append(f'<section><h3>{title}</h3><dl class="m-facts">{rows}</dl></section>')
    return f'<div class="m-two">{"".join(blocks)}</div>' if blocks else ""


def _effects_table(effects: Sequence[Effect]) -> str:
    rows = [
        (
            html.escape(one.what) + (" <em>(shared)</em>" if one.confounded else ""),
            html.escape(interval_words(one.estimate)),
            f"{one.estimate.positive:.0%}",
            str(one.times),
        )
        for one in effects
    ]
    return table(("change", "effect", "rises", "times"), rows, caption="Effects", numbers=(1, 2, 3))


def _artifacts_table(rows: Sequence[Sequence[str]]) -> str:
    header = ("output", "size", "recreating", "loads", "codec", "signature")
    return table(header, rows, caption="Artifacts", numbers=(1, 2, 3))


def _artifact_row(artifact: Artifact, history: WorkflowHistory) -> tuple[str, ...]:
    used = {output.signature for node in history.latest.nodes for output in node.outputs}
    node, output = artifact.meta.node, artifact.meta.output
    name = output if output == node or output.startswith(f"{node}.") else f"{node}.{output}"
    name = node if output == "result" else name
    old = "" if artifact.signature in used else ' <span class="m-muted">(an earlier version\'s)</span>'
    return (
        html.escape(name) + old,
        size(artifact.size_bytes),
        duration(artifact.meta.recreation_ns),
        str(artifact.loads),
        html.escape(artifact.codec),
        f"<code>{html.escape(artifact.signature[:10])}</code>",
    )


def _card(title: str, chart: str, note: str) -> str:
    return (
        f'<section class="m-card"><h3>{html.escape(title)}</h3>{chart}'
        f'<p class="m-muted">{html.escape(note)}</p></section>'
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _kept(node: NodeReport) -> str:
    parts = []
    for output in node.outputs:
        word = ("yes" if output.kept else "no") + (f": {output.reason}" if output.reason else "")
        parts.append(word if len(node.outputs) == 1 else f"{output.name.rpartition('.')[2]} {word}")
    return "; ".join(parts)
