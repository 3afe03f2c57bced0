"""The chart of a played session as a picture: SVG in a self-contained HTML page, or PNG by matplotlib."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from mile_rl.cli.demo.play import Played
from mile_rl.cli.demo.telling import changes, summary
from mile_rl.errors import MileError

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 20, 40
_TICKS = 5
_MILE, _PLAIN = "#1b6ca8", "#b8b8b8"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
svg { max-width: 100%; height: auto; }
""".strip()


def write_html(path: Path, name: str, runs: Sequence[Played]) -> None:
    """Write a page with the chart and the table; it needs no other file and no network.

    Args:
        path: where to.
        name: of the session.
        runs: at least one.

    Raises:
        MileError: it cannot be written.
    """
    title = f"MILE-RL: {name}, {len(runs)} runs"
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n{svg(runs)}\n"
        f"<p>{html.escape(_last_words(runs))}</p>\n{_table(runs)}\n</body></html>\n"
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise MileError(f"{path} cannot be written: {error}.") from error


def write_png(path: Path, name: str, runs: Sequence[Played]) -> None:
    """Write the chart as PNG.

    Args:
        path: where to.
        name: of the session.
        runs: at least one.

    Raises:
        MileError: matplotlib is missing, or the file cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    waited, reference, label = _series(runs)
    numbers = range(1, len(runs) + 1)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(numbers, reference, color=_PLAIN, alpha=0.3)
    axes.plot(numbers, reference, color=_PLAIN, marker="o", label=label)
    axes.fill_between(numbers, waited, color=_MILE, alpha=0.3)
    axes.plot(numbers, waited, color=_MILE, marker="o", label="with MILE-RL")
    axes.set(xlabel="run", ylabel="seconds waited so far", title=f"{name}: {len(runs)} runs")
    axes.set_xlim(1, max(2, len(runs)))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png", dpi=150)
    except OSError as error:
        raise MileError(f"{path} cannot be written: {error}.") from error


def require_matplotlib() -> None:
    """Make sure that a PNG can be drawn, before a session is played for it.

    Raises:
        MileError: matplotlib is missing.
    """
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise MileError(
            "--png needs matplotlib: pip install 'mile-rl[plot]'; --html needs nothing and draws the same."
        )


def svg(runs: Sequence[Played]) -> str:
    """Return the chart as an SVG element: seconds waited so far, with MILE-RL and for everything.

    Args:
        runs: at least one.
    """
    waited, reference, label = _series(runs)
    step = _nice(max(*waited, *reference, 1e-9) / _TICKS)
    top = step * math.ceil(max(*waited, *reference, 1e-9) / step)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">'
        "<title>Seconds waited so far, run by run</title>"
    ]
    for tick in range(round(top / step) + 1):
        y = _y(tick * step, top)
        lines.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#e5e5e5"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{tick * step:g} s</text>')
    for number in range(1, len(runs) + 1):
        x = _x(number - 1, len(runs))
        lines.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{number}</text>')
    for values, colour, name in ((reference, _PLAIN, label), (waited, _MILE, "with MILE-RL")):
        lines.extend(_curve(values, top, colour, name))
    lines.append("</svg>")
    return "\n".join(lines)


def _curve(values: Sequence[float], top: float, colour: str, name: str) -> list[str]:
    points = [(_x(i, len(values)), _y(value, top)) for i, value in enumerate(values)]
    path = " ".join(f"{x},{y}" for x, y in points)
    area = f"{points[0][0]},{_y(0, top)} {path} {points[-1][0]},{_y(0, top)}"
    x, y = points[-1]
    return [
        f'<polygon points="{area}" fill="{colour}" fill-opacity="0.25"/>',
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{cx}" cy="{cy}" r="3" fill="{colour}"/>' for cx, cy in points),
        f'<text x="{x + 10}" y="{y + 4}">{html.escape(name)}: {values[-1]:.3g} s</text>',
    ]


def _series(runs: Sequence[Played]) -> tuple[list[float], list[float], str]:
    waited = [total / 1e9 for total in accumulate(run.waited_ns for run in runs)]
    reference = [total / 1e9 for total in accumulate(run.reference_ns for run in runs)]
    return waited, reference, "run plainly" if all(run.plainly for run in runs) else "everything"


def _nice(step: float) -> float:
    """Return the round number (1, 2 or 5 times a power of ten) that is not below a step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-12))


def _x(position: int, count: int) -> float:
    return round(_LEFT + position / max(1, count - 1) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, top: float) -> float:
    return round(_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM), 1)


def _table(runs: Sequence[Played]) -> str:
    from mile_rl.policies.words import duration

    rows = [
        f'<tr><td class="n">{run.step.number}</td><td>{html.escape(run.step.say)}</td>'
        f"<td>{'<br>'.join(map(html.escape, changes(run)))}</td>"
        f'<td class="n">{duration(run.waited_ns)}</td><td class="n">{duration(run.reference_ns)}</td></tr>'
        for run in runs
    ]
    head = (
        '<tr><th class="n">run</th><th>what the person says</th><th>what changed</th>'
        '<th class="n">waited</th><th class="n">everything</th></tr>'
    )
    return "\n".join(("<table>", head, *rows, "</table>"))


def _last_words(runs: Sequence[Played]) -> str:
    return summary(runs, columns=200).rpartition("\n\n")[2].replace("\n", " · ")
