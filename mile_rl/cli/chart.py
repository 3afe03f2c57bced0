"""Charts in the terminal: block characters, no dependency."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def cumulative(
    waited_ns: Sequence[int], everything_ns: Sequence[int], *, columns: int, rows: int = 12
) -> str:
    """Return a chart of the waiting so far (█) before that of running everything (░), an iteration a column.

    Args:
        waited_ns: how long each iteration was waited for.
        everything_ns: how long computing everything would have taken each time.
        columns: the width of the chart.
        rows: its height without the axis.

    Example:
        >>> print(cumulative([2_000_000_000, 0], [2_000_000_000, 2_000_000_000], columns=9, rows=2))
        4 s ┤  ░░
        2 s ┤████
            └────
             1 2
    """
    waited, everything = list(accumulate(waited_ns)), list(accumulate(everything_ns))
    top = max((*waited, *everything, 1))
    labels = [_seconds(top * (rows - row) / rows) for row in range(rows)]
    margin = max(map(len, labels))
    bar = max(1, min(6, (columns - margin - 2) // max(1, len(waited))))
    both = list(zip(waited, everything))
    lines = [
        f"{labels[row]:>{margin}} ┤"
        + "".join(_cell(mine, whole, rows - 1 - row, rows, top) * bar for mine, whole in both)
        for row in range(rows)
    ]
    lines.append(f"{'':{margin}} └" + "─" * bar * len(waited))
    lines.append(f"{'':{margin}}  " + _numbers(len(waited), bar))
    return "\n".join(line.rstrip() for line in lines)


def bars(rows: Sequence[tuple[str, int, str]], *, columns: int) -> str:
    """Return a bar a row, as long as its value.

    Args:
        rows: label, value (not negative), what to write behind the bar.
        columns: the width of the chart.

    Example:
        >>> print(bars([("hog", 4, "1.3 s"), ("scale", 1, "0.3 s")], columns=18))
        hog    ████  1.3 s
        scale  █     0.3 s
    """
    margin = max((len(label) for label, _, _ in rows), default=0)
    tail = max((len(text) for _, _, text in rows), default=0)
    room = max(4, columns - margin - tail - 4)
    top = max((value for _, value, _ in rows), default=0) or 1
    return "\n".join(
        f"{label:{margin}}  {_bar(value / top * room):{room}}  {text}".rstrip() for label, value, text in rows
    )


def _bar(length: float) -> str:
    # Left-aligned eighths exist too, and run the other way: ▏ is one, ▉ seven.
    whole, eighth = divmod(round(length * 8), 8)
    return "█" * whole + (" ▏▎▍▌▋▊▉"[eighth] if eighth else "")


def _cell(mine: int, everything: int, row: int, rows: int, top: int) -> str:
    """Return the character of one column in one row; row 0 is the lowest."""
    filled = mine * rows / top - row
    if filled >= 1:
        return "█"
    if everything * rows / top - row >= 0.5:
        return "░" if filled < 0.5 else "█"
    return _EIGHTHS[round(filled * 8)] if filled > 0 else " "


def _seconds(ns: float) -> str:
    seconds = ns / 1e9
    if seconds >= 10 or seconds == int(seconds):
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _numbers(count: int, bar: int) -> str:
    """Number the columns, every so many of them where they are narrow."""
    step = -(-(len(str(count)) + 1) // bar)
    line = ""
    for number in range(1, count + 1, step):
        line = line.ljust((number - 1) * bar) + str(number)
    return line
