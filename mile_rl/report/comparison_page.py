"""Two iterations side by side: what ``mile diff --html`` writes."""

from __future__ import annotations

import html

from mile_rl._version import __version__
from mile_rl.engine.history import Comparison
from mile_rl.engine.node_changes import NodeChange
from mile_rl.engine.text import edits_in_words
from mile_rl.policies.words import duration
from mile_rl.report.html_text import legend, page, scrolled, table
from mile_rl.report.shapes import MARKS, anchor, comparison_svg
from mile_rl.report.timeline import delta
from mile_rl.store.records import Iteration

LEGEND = (
    ("added", "+ added"),
    ("removed", "− removed (dashed)"),
    ("changed", "~ changed"),
    ("affected", "› not edited, but its result differs"),
    ("unchanged", "unchanged"),
)


def comparison_page(comparison: Comparison) -> str:
    """Return a self-contained page: the edits, the picture, what they did to metrics, times and intermediates.

    Args:
        comparison: what to tell.
    """
    a, b = comparison.a, comparison.b
    title = f"{b.record.workflow}: iteration {a.id} to {b.id}"
    body = "\n".join(
        (
            f"<header><h1>{html.escape(title)}</h1><p class='m-muted'>version <code>{a.record.version[:10]}</code> "
            f"to <code>{b.record.version[:10]}</code></p></header>",
            '<main id="main" tabindex="-1">',
            f"<h2>What changed</h2>{_edits(comparison)}{picture(comparison, anchors=True)}",
            f"<h2>What it did</h2>{_figures(comparison)}{_nodes(comparison)}",
            "</main>",
            f"<footer>Made by MILE-RL {html.escape(__version__)}. This page needs no network and holds no script."
            "</footer>",
        )
    )
    return page(f"{title} · MILE-RL", body)


def picture(comparison: Comparison, *, anchors: bool = False) -> str:
    """Return the drawn difference with its legend as HTML.

    Args:
        comparison: what to draw.
        anchors: whether each box leads to its row.
    """
    kinds = {node.change for node in comparison.nodes}
    entries = [(look, meaning) for look, meaning in LEGEND if look in kinds]
    wide, narrow = (comparison_svg(comparison, anchors=anchors, narrow=narrow) for narrow in (False, True))
    return legend(entries) + scrolled(wide, narrow, "The DAG of both versions")


def _edits(comparison: Comparison) -> str:
    words = edits_in_words(comparison.edits)
    if not words:
        return "<p>Nothing: both are the same version.</p>"
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in words)}</ul>"


def _figures(comparison: Comparison) -> str:
    rows = [
        (html.escape(name), _number(old), _number(new), _moved(old, new))
        for name, (old, new) in comparison.metrics.items()
    ]
    for name, values in (
        ("waited", (_waited(comparison.a), _waited(comparison.b))),
        ("everything would take", (_everything(comparison.a), _everything(comparison.b))),
    ):
        old_ns, new_ns = values
        if old_ns is not None and new_ns is not None:
            ratio = f"× {new_ns / old_ns:.2g}" if old_ns else ""
            rows.append((name, duration(old_ns), duration(new_ns), ratio))
    header = ("", f"iteration {comparison.a.id}", f"iteration {comparison.b.id}", "change")
    return table(header, rows, caption="Metrics and times", numbers=(1, 2, 3))


def _nodes(comparison: Comparison) -> str:
    rows = [
        (
            f"<strong>{html.escape(node.name)}</strong>",
            html.escape(MARKS.get(node.change, node.change)),
            html.escape("; ".join(node.edits)),
            _time(node.before_state, node.before_ns),
            _time(node.after_state, node.after_ns),
            _differs(node),
        )
        for node in comparison.nodes
    ]
    header = ("node", "change", "edits", "before", "after", "result")
    ids = [anchor(place) for place in range(len(rows))]
    return table(header, rows, caption="Nodes of both versions", numbers=(3, 4), ids=ids)


def _differs(node: NodeChange) -> str:
    return {"removed": "gone", "added": "new", "unchanged": "the same"}.get(node.change, "differs")


def _time(state: str, elapsed_ns: int | None) -> str:
    return state if elapsed_ns is None else f"{state} {duration(elapsed_ns)}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _moved(old: float | None, new: float | None) -> str:
    return delta(new - old) if old is not None and new is not None else ""


def _waited(one: Iteration) -> int | None:
    return one.record.waited_ns


def _everything(one: Iteration) -> int | None:
    return one.record.everything_ns
