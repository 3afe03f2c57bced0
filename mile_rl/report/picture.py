"""A DAG as SVG: boxes that a keyboard reaches, curves between them, words for screen readers."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from mile_rl.report.layered import NARROW, WIDE, Box, Layout, layered
from mile_rl.report.style import PICTURE, variables

LARGEST = 150
"""How many boxes a picture may have; beyond that nobody can read it."""

_CHARACTER = 8.3
_SMALL_CHARACTER = 6.8
_PADDING = 14
_NARROWEST, _WIDEST = 90, 230
_HEIGHT, _ROW = 46, 86
_MARGIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A box of the picture.

    Args:
        name: unique; its first line.
        kind: its look, one of the words that ``style.PICTURE`` has a rule for ("compute", "added", …).
        note: its second line; has to say in words what the look says.
        said: all of it in a sentence, for screen readers and as a tooltip.
        href: where a click or Enter leads, "" for nowhere.
    """

    name: str
    kind: str
    note: str
    said: str
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An arrow of the picture.

    Args:
        source: the name of a shape.
        target: likewise.
        gone: whether it is drawn as something that is no more.
    """

    source: str
    target: str
    gone: bool = False


def dag_svg(
    shapes: Sequence[Shape], edges: Sequence[Edge], *, title: str, alone: bool = False, narrow: bool = False
) -> str:
    """Return a picture of a DAG as an SVG element.

    Args:
        shapes: in topological order; at most ``LARGEST`` are drawn, and the title says so.
        edges: between them.
        title: what the picture shows, in words.
        alone: whether it is a file of its own, which has to bring its colours along.
        narrow: whether it is for a phone: taller, with few boxes side by side.
    """
    if len(shapes) > LARGEST:
        title = f"{title} (the first {LARGEST} of {len(shapes)} nodes)"
        shapes = shapes[:LARGEST]
    widths = {shape.name: _width(shape) for shape in shapes}
    drawn = [edge for edge in edges if edge.source in widths and edge.target in widths]
    boxes = [Box(name=shape.name, width=widths[shape.name]) for shape in shapes]
    layout = layered(boxes, [(edge.source, edge.target) for edge in drawn], full=NARROW if narrow else WIDE)
    width = round(layout.width + 2 * _MARGIN)
    height = max(0, layout.layers - 1) * _ROW + _HEIGHT + 2 * _MARGIN
    # A description goes before the boxes; a role of "img" would hide them from screen readers.
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="m-pic" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="group" aria-label="{html.escape(title)}">'
    ]
    if alone:
        background = ".m-pic{background:var(--bg)}"
        parts.append(f"<title>{html.escape(title)}</title>")
        parts.append(f"<style>{variables('.m-pic')}{PICTURE}{background}</style>")
    parts.extend(_edge(edge, layout) for edge in drawn if (edge.source, edge.target) in layout.bends)
    parts.extend(_shape(shape, layout, widths[shape.name], focusable=not alone) for shape in shapes)
    parts.append("</svg>")
    return "\n".join(parts)


def shortened(text: str, longest: int) -> str:
    """Return the text, its middle left out where it is too long.

    Example:
        >>> shortened("accuracy_of_logistic", 12)
        'accura…istic'
    """
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[len(text) - tail :]}"


def _width(shape: Shape) -> float:
    text = max(len(shape.name) * _CHARACTER, len(shape.note) * _SMALL_CHARACTER)
    return min(max(text + _PADDING + 1, _NARROWEST), _WIDEST)


def _shape(shape: Shape, layout: Layout, width: float, *, focusable: bool) -> str:
    centre = layout.centre[shape.name] + _MARGIN
    top = layout.layer[shape.name] * _ROW + _MARGIN
    name = shortened(shape.name, int((width - _PADDING) / _CHARACTER))
    note = shortened(shape.note, int((width - _PADDING) / _SMALL_CHARACTER))
    inner = (
        f"<title>{html.escape(shape.said)}</title>"
        f'<rect x="{centre - width / 2:.1f}" y="{top}" width="{width:.1f}" height="{_HEIGHT}" rx="7"/>'
        f'<text class="m-name" x="{centre:.1f}" y="{top + 19}" text-anchor="middle">{html.escape(name)}</text>'
        f'<text class="m-sub" x="{centre:.1f}" y="{top + 36}" text-anchor="middle">{html.escape(note)}</text>'
    )
    look = f"m-box m-{html.escape(shape.kind)}"
    if shape.href:
        href, said = html.escape(shape.href), html.escape(shape.said)
        return f'<a class="{look}" href="{href}" aria-label="{said}">{inner}</a>'
    focus = ' tabindex="0"' if focusable else ""
    return f'<g class="{look}" role="img" aria-label="{html.escape(shape.said)}"{focus}>{inner}</g>'


def _edge(edge: Edge, layout: Layout) -> str:
    first, last = layout.layer[edge.source], layout.layer[edge.target]
    x, y = layout.centre[edge.source] + _MARGIN, first * _ROW + _HEIGHT + _MARGIN
    path = [f"M{x:.1f} {y}"]
    # A bend is passed straight from the upper to the lower side of its layer, curves lie between layers.
    for passed, at in layout.bends[edge.source, edge.target]:
        top = passed * _ROW + _MARGIN
        path.append(_curve(x, y, at + _MARGIN, top))
        path.append(f"L{at + _MARGIN:.1f} {top + _HEIGHT}")
        x, y = at + _MARGIN, top + _HEIGHT
    end_x, end_y = layout.centre[edge.target] + _MARGIN, last * _ROW + _MARGIN
    path.append(_curve(x, y, end_x, end_y - 6))
    gone = " m-gone" if edge.gone else ""
    tip = f"M{end_x - 4:.1f} {end_y - 7}l4 7l4 -7z"
    return f'<path class="m-edge{gone}" d="{"".join(path)}"/><path class="m-tip" d="{tip}"/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (y + to_y) / 2
    return f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y}"
