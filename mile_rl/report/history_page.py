"""The page of a workflow: what ``mile report`` writes."""

from __future__ import annotations

import html
from datetime import UTC, datetime

from mile_rl._version import __version__
from mile_rl.report import sections
from mile_rl.report.gather import WorkflowHistory
from mile_rl.report.html_text import page
from mile_rl.report.timeline import timeline


def history_page(history: WorkflowHistory) -> str:
    """Return the page as one self-contained HTML text: no script, no request to anywhere.

    Args:
        history: what it tells.
    """
    last = history.iterations[-1]
    blocks = [
        ("next", "What to try next", sections.suggestions(history.suggestions)),
        ("progress", "Progress", sections.charts(history)),
        (
            "latest",
            f"Iteration {last.id}: what was done",
            f"{sections.parameters(last)}{sections.latest(history.latest)}",
        ),
        ("effects", "What changes did", sections.impact(history.impact) if history.impact else ""),
        ("history", "History", _history(history)),
        ("store", "The store", sections.store(history)),
    ]
    blocks = [block for block in blocks if block[2]]
    links = "".join(f'<li><a href="#{name}">{html.escape(title)}</a></li>' for name, title, _ in blocks)
    body = "\n".join(
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{html.escape(title)}</h2>'
        f"{inner}</section>"
        for name, title, inner in blocks
    )
    span = f"{_moment(history.iterations[0].record.started_ns)} to {_moment(last.record.started_ns)}"
    return page(
        f"{history.workflow} · MILE-RL",
        f"<header><h1>{html.escape(history.workflow)}</h1>"
        f'<p class="m-muted">{span}</p>{sections.tiles(history)}'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f'<main id="main" tabindex="-1">\n{body}\n</main>\n'
        f"<footer>Made by MILE-RL {html.escape(__version__)}, {_moment(history.made_ns)}. "
        "This page needs no network and holds no script.</footer>",
    )


def _history(history: WorkflowHistory) -> str:
    older = ""
    if history.older:
        older = f"<p>{history.older} older iterations are not shown (<code>mile log</code> lists them).</p>"
    intro = (
        '<p class="m-muted">A version a row, the newest first; a line leads to the version it was edited from and '
        "branches where an earlier one was taken up again.</p>"
    )
    return intro + timeline(history.iterations, history.metric) + older


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
