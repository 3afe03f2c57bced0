"""What a notebook shows of a workflow, a plan and an iteration. Nothing is drawn before it is shown."""

from __future__ import annotations

import html
from dataclasses import fields
from typing import Any

from mile_rl.engine.report import Report
from mile_rl.workflows.flow import Flow

_STYLE = """
.m-note{background:var(--bg);color:var(--fg);border:1px solid var(--line);border-radius:6px;padding:10px 12px;
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-x:auto}
.m-note p{margin:2px 0}.m-note .m-muted{color:var(--muted)}.m-note ul{margin:2px 0 6px;padding-left:20px}
.m-note table{border-collapse:collapse;margin:6px 0;font-size:13px}
.m-note th,.m-note td{text-align:left;padding:2px 12px 2px 0;color:var(--fg);background:none}
.m-note th{color:var(--muted);font-weight:600}.m-note td.m-n,.m-note th.m-n{text-align:right}
.m-note pre{background:none;color:var(--fg);margin:2px 0;white-space:pre-wrap}
"""


class ShownReport(Report):
    """A report that a notebook shows as a picture with a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return report_html(self)


def shown(report: Report) -> ShownReport:
    """Return the report so that a notebook shows it."""
    return ShownReport(**{field.name: getattr(report, field.name) for field in fields(report)})


def report_html(report: Report, outputs: Any = None) -> str:
    """Return a plan or an iteration as a piece of HTML.

    Args:
        report: what to tell.
        outputs: what the workflow returned; None to leave that out.
    """
    from mile_rl.engine.text import edits_in_words, outputs_text, since_text, waiting_text
    from mile_rl.report.sections import nodes_table
    from mile_rl.report.shapes import report_svg

    number = "" if report.iteration is None else f", iteration {report.iteration}"
    edits = "".join(f"<li>{html.escape(words)}</li>" for words in edits_in_words(report.edits))
    parts = [
        f"<p><strong>{html.escape(report.workflow)}</strong>{number} "
        f'<span class="m-muted">version {html.escape(report.version[:10])}; '
        f"{html.escape(since_text(report))}</span></p>",
        f"<ul>{edits}</ul>" if edits else "",
        report_svg(report),
        f"<details><summary>the nodes</summary>"
        f"{nodes_table(report.nodes, planned=report.status == 'planned', anchors=False)}</details>",
        "" if outputs is None else f"<pre>{html.escape(outputs_text(outputs))}</pre>",
        f"<p>{html.escape(waiting_text(report))}</p>",
        *(f"<p>note: {html.escape(note)}</p>" for note in report.notes),
    ]
    return _fragment("".join(parts))


def workflow_html(flow: Flow[..., Any]) -> str | None:
    """Return a workflow's DAG with its parameters' defaults as a piece of HTML, None where it has none yet.

    Args:
        flow: the workflow; its function is called with operators that only add nodes.
    """
    from mile_rl.report.shapes import workflow_svg

    try:
        dag = flow.capture()
    except (
        Exception
    ):  # parameters without defaults, or a function under construction: the plain text has to do
        return None
    return _fragment(f"<p><strong>{html.escape(flow.name)}</strong></p>{workflow_svg(dag)}")


def _fragment(inner: str) -> str:
    from mile_rl.report.style import PICTURE, variables

    # It brings a background of its own: a notebook may be dark where the browser asks for light.
    return f'<div class="m-note"><style>{variables(".m-note")}{_STYLE}{PICTURE}</style>{inner}</div>'
