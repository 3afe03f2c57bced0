"""Writing to the terminal or into a pipe: width, colours and JSON."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}
_STATES = {"compute": "yellow", "load": "green", "prune": "dim", "skipped": "dim", "failed": "red"}
_STATE_CELL = re.compile(r"(?<=  )(compute|load|prune|skipped|failed)(?=  |$)")
_NARROWEST_LAST_COLUMN = 20


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person reads the stream as it is written."""
    return stream.isatty()


def has_colours(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether to colour: only on a terminal that can, and not where ``NO_COLOR`` is set."""
    return is_terminal(stream) and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def width(stream: TextIO | None = None) -> int:
    """Return how many columns to fill: those of the terminal, 80 in a pipe."""
    if not is_terminal(stream or sys.stdout):
        return 80
    return shutil.get_terminal_size().columns


def coloured(text: str, colour: str) -> str:
    """Return the text in a colour of standard output, as it is where that has none."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if has_colours(sys.stdout) else text


def out(text: str = "") -> None:
    """Write text to standard output: fitted to the width of a terminal, whole lines into a pipe."""
    if is_terminal(sys.stdout):
        text = fit(text, width())
    if has_colours(sys.stdout):
        text = _STATE_CELL.sub(lambda found: coloured(found[1], _STATES[found[1]]), text)
    sys.stdout.write(f"{text}\n")


def err(text: str) -> None:
    """Write text to standard error."""
    if is_terminal(sys.stderr):
        text = fit(text, width(sys.stderr))
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def out_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
    import json

    from mile_rl.cli.values import to_json

    # A metric may be no number or without bounds, which JSON cannot say; values.to_json says it in words.
    plain = to_json(value)
    sys.stdout.write(json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def fit(text: str, columns: int) -> str:
    """Return the text with long lines wrapped; in a table, the last column goes on below itself.

    Args:
        text: lines; columns of a table are two or more spaces apart.
        columns: the width.

    Example:
        >>> print(fit("scale  yes: recreating takes 2.1 s, loading 20 ms", 32))
        scale  yes: recreating takes
               2.1 s, loading 20 ms
    """
    return "\n".join(_fit_line(line, columns) for line in text.split("\n"))


def _fit_line(line: str, columns: int) -> str:
    if len(line) <= columns or "\x1b" in line:
        return line
    indent = len(line) - len(line.lstrip())
    gap = line.rfind("  ", indent)
    start = gap + 2 if gap > 0 else indent
    if columns - start < _NARROWEST_LAST_COLUMN:
        start = indent + 2
    return "\n".join(
        textwrap.wrap(
            line,
            columns,
            subsequent_indent=" " * start,
            drop_whitespace=True,
            replace_whitespace=False,
            expand_tabs=False,
            break_on_hyphens=False,
        )
    )


@contextlib.contextmanager
def prints_go_to_stderr(wanted: bool) -> Iterator[None]:
    """Send what the person's code prints to standard error, so that standard output is the JSON alone."""
    if not wanted:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield
