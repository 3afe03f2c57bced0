"""Rows of the report: a figure, the bar beside it, and whether it is passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure.

    Args:
        section: the benchmark that it belongs to.
        system: who was measured.
        what: what was measured, with its unit ("first run, in process, ms").
        value: the figure.
        plain: the figure of plain functions in the same session, if there is one.
        bar: the most that is allowed, in the same unit; None where nobody promised anything.
        quartiles: the first and the third quartile of the runs of which ``value`` is the median.
        note: anything that a reader must know.
    """

    section: str
    system: str
    what: str
    value: float
    plain: float | None = None
    bar: float | None = None
    quartiles: tuple[float, float] | None = None
    note: str = ""

    @property
    def noisy(self) -> bool:
        """Whether the middle half of the runs differ by more than a quarter: something else was running."""
        return self.quartiles is not None and self.quartiles[1] > 1.25 * self.quartiles[0]

    @property
    def ratio(self) -> float | None:
        """The figure as a share of plain's."""
        return self.value / self.plain if self.plain else None

    @property
    def passed(self) -> bool | None:
        """Whether it is within the bar; None without a bar."""
        return None if self.bar is None else self.value <= self.bar

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object, verdict included."""
        return {**asdict(self), "ratio": self.ratio, "passed": self.passed}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text: a block a section, a line a figure, a column a system.

    A cell is the figure and, where plain functions were measured too, its ratio to theirs; ``~`` marks noise.
    """
    blocks = []
    for section in dict.fromkeys(row.section for row in rows):
        block = [row for row in rows if row.section == section]
        systems = list(dict.fromkeys(row.system for row in block))
        width = max(len(row.what) for row in block)
        cells = {(row.what, row.system): row for row in block}
        lines = [f"{section:{width}}" + "".join(f"{system:>18}" for system in systems)]
        for what in dict.fromkeys(row.what for row in block):
            found = [cells.get((what, system)) for system in systems]
            lines.append(f"{what:{width}}" + "".join(f"{_cell(row):>18}" for row in found))
            lines[-1] += "".join(_verdict(row) for row in found if row)
        notes = [f"  {row.system}, {row.what}: {row.note}" for row in block if row.note]
        blocks.append("\n".join(lines + notes))
    return "\n\n".join(blocks)


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    figure = f"{'~' if row.noisy else ''}{row.value:.1f}"
    return figure if row.ratio is None else f"{figure} ({row.ratio:.2f})"


def _verdict(row: Row) -> str:
    return "" if row.bar is None else f"   bar {row.bar:.1f} {'pass' if row.passed else 'MISS'}"
