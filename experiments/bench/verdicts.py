"""Rows of the report: a figure, the bar beside it, and whether it is passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        note: anything that a reader must know.
    """

    section: str
    system: str
    what: str
    value: float
    plain: float | None = None
    bar: float | None = None
    note: str = ""

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
    """Return the rows as text, a block a section."""
    lines: list[str] = []
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", section, "-" * len(section)]
        ratio = "" if row.ratio is None else f"{row.ratio:7.2f} x plain"
        bar = "" if row.bar is None else f"  bar {row.bar:.1f}  {'pass' if row.passed else 'MISS'}"
        note = f"  ({row.note})" if row.note else ""
        lines.append(f"{row.what:44} {row.system:15} {row.value:10.1f}{ratio:16}{bar}{note}")
    return "\n".join(lines).lstrip("\n")


def with_bars(rows: Sequence[Row], bar: Callable[[Row], float | None]) -> list[Row]:
    """Return the rows with the bars that a function knows."""
    return [Row(**{**asdict(row), "bar": known}) if (known := bar(row)) is not None else row for row in rows]
