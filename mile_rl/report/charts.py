"""Line charts as SVG: a metric from run to run, the waiting so far."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 640, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 14, 14, 30
_TICKS = 4
_MOST_DOTS = 80
_MOST_NUMBERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve.

    Args:
        name: what it shows.
        values: a value a run; None where there is none.
        filled: whether the area below it is filled.
    """

    name: str
    values: Sequence[float | None]
    filled: bool = False


def line_chart(
    lines: Sequence[Line],
    *,
    numbers: Sequence[int],
    title: str,
    text: Callable[[float], str],
    from_zero: bool = False,
) -> str:
    """Return a chart as an SVG element: at most two lines, the first one stressed.

    Args:
        lines: the curves, all as long as ``numbers``.
        numbers: of the runs, for the horizontal axis.
        title: what the chart shows, with its main figures, for screen readers.
        text: turns a value into words, for the axis.
        from_zero: whether the vertical axis begins at 0.
    """
    known = [value for line in lines for value in line.values if value is not None and math.isfinite(value)]
    low, high, step = _range(known, from_zero=from_zero)
    said = html.escape(title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="m-pic m-chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{said}"><title>{said}</title>'
    ]
    for tick in range(round((high - low) / step) + 1):
        value = low + tick * step
        y = _y(value, low, high)
        parts.append(f'<line class="m-grid" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>')
        parts.append(
            f'<text class="m-sub" x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{html.escape(text(value))}</text>'
        )
    every = -(-len(numbers) // _MOST_NUMBERS)
    for place in range(0, len(numbers), max(every, 1)):
        x = _x(place, len(numbers))
        parts.append(
            f'<text class="m-sub" x="{x}" y="{_HEIGHT - 10}" text-anchor="middle">{numbers[place]}</text>'
        )
    for rank in reversed(range(len(lines))):
        parts.extend(_curve(lines[rank], rank + 1, numbers, low, high, text))
    parts.append("</svg>")
    return "".join(parts)


def _curve(
    line: Line, rank: int, numbers: Sequence[int], low: float, high: float, text: Callable[[float], str]
) -> list[str]:
    points = [
        (place, _x(place, len(numbers)), _y(value, low, high))
        for place, value in enumerate(line.values)
        if value is not None and math.isfinite(value)
    ]
    if not points:
        return []
    path = " ".join(f"{x},{y}" for _, x, y in points)
    parts = []
    if line.filled and len(points) > 1:
        base = _y(low, low, high)
        area = f"{points[0][1]},{base} {path} {points[-1][1]},{base}"
        parts.append(f'<polygon class="m-area m-f{rank}" points="{area}"/>')
    parts.append(f'<polyline class="m-curve m-c{rank}" points="{path}"/>')
    if len(points) <= _MOST_DOTS:
        for place, x, y in points:
            value = line.values[place]
            assert value is not None
            told = html.escape(f"run {numbers[place]}: {line.name} {text(value)}")
            parts.append(
                f'<circle class="m-f{rank}" cx="{x}" cy="{y}" r="3.2"><title>{told}</title></circle>'
            )
    return parts


def _range(values: Sequence[float], *, from_zero: bool) -> tuple[float, float, float]:
    """Return where the axis begins and ends, and the step between its ticks."""
    if not values:
        return 0.0, 1.0, 0.5
    low, high = (0.0 if from_zero else min(values)), max(values)
    if high <= low:
        pad = abs(high) * 0.05 or 1.0
        low, high = (low if from_zero else low - pad), high + pad
    step = _nice((high - low) / _TICKS)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def _nice(step: float) -> float:
    """Return the round number (1, 2 or 5 times a power of ten) that is not below a step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-12))


def _x(place: int, count: int) -> float:
    if count == 1:
        return round((_LEFT + _WIDTH - _RIGHT) / 2, 1)
    return round(_LEFT + 8 + place / (count - 1) * (_WIDTH - _LEFT - _RIGHT - 16), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(_HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM), 1)
