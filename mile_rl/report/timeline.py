"""The history of versions as a list with a drawn graph beside it, readable at any width."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from mile_rl.engine.text import edits_in_words
from mile_rl.policies.words import duration
from mile_rl.report.lanes import Row, version_rows
from mile_rl.store.records import Iteration

_LANE, _DOT_Y = 18, 13
_MOST_LANES = 8
"""Lanes beyond are drawn in the last one: a phone has no room for more."""

_MOST_EDITS = 6


def timeline(iterations: Sequence[Iteration], metric: str) -> str:
    """Return the history as HTML: a version a row, the newest first, branching where the person went back.

    Args:
        iterations: of one workflow, the oldest first.
        metric: the metric to tell with each version, "" for none.
    """
    rows = version_rows(iterations)
    by_id = {one.id: one for one in iterations}
    widest = max((max((row.lane, *row.passing, *row.joining)) for row in rows), default=0)
    lanes = min(widest + 1, _MOST_LANES)
    items = "".join(_item(row, lanes, by_id, metric) for row in rows)
    return f'<ol class="m-versions" aria-label="Versions, the newest first">{items}</ol>'


def delta(change: float) -> str:
    """Return a change of a number as HTML, with its sign; whether a rise is good depends on the metric."""
    if change == 0:
        return '<span class="m-muted">±0</span>'
    return f'<span class="m-moved">{html.escape(f"{change:+.4g}")}</span>'


def _item(row: Row, lanes: int, by_id: Mapping[int, Iteration], metric: str) -> str:
    first = row.iterations[0]
    numbers = [str(one.id) for one in row.iterations]
    runs = f"run {numbers[0]}" if len(numbers) == 1 else f"runs {', '.join(numbers)}"
    title = f"<strong>{runs}</strong> <code>{html.escape(row.version[:10])}</code>"
    parent = by_id.get(first.record.parent) if first.record.parent is not None else None
    return (
        f'<li id="version-{html.escape(row.version)}">{_gutter(row, lanes)}<div class="m-what">'
        f"<p>{title}{_score(row, parent, metric)}</p>{_edits(first, parent)}"
        f'<p class="m-muted">{_waiting(row)}</p></div></li>'
    )


def _score(row: Row, parent: Iteration | None, metric: str) -> str:
    value = next((one.record.metrics[metric] for one in row.iterations if metric in one.record.metrics), None)
    if value is None:
        return ""
    text = f" · {html.escape(metric)} <strong>{value:.6g}</strong>"
    before = parent.record.metrics.get(metric) if parent else None
    return text if before is None else f"{text} ({delta(value - before)})"


def _edits(first: Iteration, parent: Iteration | None) -> str:
    record = first.record
    words = edits_in_words(record.edits)
    if not words:
        return f"<p>{'first iteration' if record.parent is None else 'no edits'}</p>"
    since = f"since run {record.parent}: " if parent is None or parent.id != first.id - 1 else ""
    if len(words) == 1:
        return f"<p>{since}{html.escape(words[0])}</p>"
    more = len(words) - _MOST_EDITS
    shown = [html.escape(text) for text in words[:_MOST_EDITS]] + ([f"and {more} more"] if more > 0 else [])
    return f"{f'<p>{since}</p>' if since else ''}<ul>{''.join(f'<li>{text}</li>' for text in shown)}</ul>"


def _waiting(row: Row) -> str:
    parts = []
    for one in row.iterations[:_MOST_EDITS]:
        record = one.record
        text = f"waited {duration(record.waited_ns)}"
        if record.everything_ns is not None and record.everything_ns > record.waited_ns:
            text += f" instead of {duration(record.everything_ns)}"
        if record.status != "ok":
            text = f"{record.status} after {duration(record.waited_ns)}"
        parts.append(text if len(row.iterations) == 1 else f"run {one.id}: {text}")
    return html.escape("; ".join(parts))


def _gutter(row: Row, lanes: int) -> str:
    """Draw a row's part of the graph: lines by boxes as high as the row, bends by a picture at its top."""
    width = lanes * _LANE
    centre = _centre(row.lane, lanes)
    pieces = [f'<i style="left:{_centre(lane, lanes) - 1}px;top:0;bottom:0"></i>' for lane in row.passing]
    if row.above:
        pieces.append(f'<i style="left:{centre - 1}px;top:0;height:{_DOT_Y}px"></i>')
    if row.below:
        pieces.append(f'<i style="left:{centre - 1}px;top:{_DOT_Y}px;bottom:0"></i>')
    if row.joining:
        starts = [_centre(lane, lanes) for lane in row.joining]
        curves = "".join(
            f'<path d="M{x} 0C{x} {_DOT_Y} {centre + 8} {_DOT_Y} {centre} {_DOT_Y}"/>' for x in starts
        )
        pieces.append(f'<svg width="{width}" height="{_DOT_Y + 2}">{curves}</svg>')
    bad = ' class="m-bad"' if all(one.record.status != "ok" for one in row.iterations) else ""
    pieces.append(f'<b{bad} style="left:{centre - 7}px;top:{_DOT_Y - 7}px"></b>')
    return f'<span class="m-gutter" aria-hidden="true" style="width:{width}px">{"".join(pieces)}</span>'


def _centre(lane: int, lanes: int) -> int:
    return min(lane, lanes - 1) * _LANE + _LANE // 2
