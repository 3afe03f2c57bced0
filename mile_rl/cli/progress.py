"""A bar for what takes over a second: elapsed and expected time, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from mile_rl.cli import console

Progress = Callable[[int, int, str], None]

_WAIT_NS = 1_000_000_000
_REDRAW_S = 0.2
_BAR_COLUMNS = 24
_CLEAR = "\r\x1b[K"


class Bar:
    """Draws one line on a terminal and takes it away again; safe to tell from any thread.

    Args:
        stream: the terminal.
        clock_ns: a clock.
        columns: the terminal's width.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        columns: int = 80,
    ) -> None:
        self._stream = stream
        self._clock_ns = clock_ns
        self._columns = columns
        self._lock = threading.RLock()
        self._start_ns = self._told_ns = clock_ns()
        self._done_ns, self._total_ns, self._note = 0, 0, ""
        self._is_drawn = False

    def tell(self, done_ns: int, total_ns: int, note: str) -> None:
        """Hear how far the work is: ``on_progress`` of the engine."""
        with self._lock:
            self._done_ns, self._total_ns, self._note = done_ns, total_ns, note
            self._told_ns = self._clock_ns()

    def line(self) -> str:
        """Return what to show now; "" while it is too early to bother anybody."""
        now_ns = self._clock_ns()
        elapsed_ns = now_ns - self._start_ns
        if elapsed_ns < _WAIT_NS or not self._total_ns:
            return ""
        # Between two reports the node that runs is assumed to go on as expected.
        done_ns = min(self._done_ns + now_ns - self._told_ns, self._total_ns)
        full = round(_BAR_COLUMNS * done_ns / self._total_ns)
        bar = "█" * full + "░" * (_BAR_COLUMNS - full)
        elapsed, expected = f"{elapsed_ns / 1e9:.0f} s", f"about {self._total_ns / 1e9:.0f} s"
        return f"{bar} {elapsed} of {expected}  {self._note}"[: self._columns - 1]

    def draw(self) -> None:
        """Draw the line anew."""
        with self._lock:
            line = self.line()
            if line:
                self._stream.write(_CLEAR + line)
                self._stream.flush()
                self._is_drawn = True

    def clear(self) -> None:
        """Take the line away."""
        with self._lock:
            if self._is_drawn:
                self._stream.write(_CLEAR)
                self._stream.flush()
                self._is_drawn = False

    def write_beside(self, stream: TextIO, text: str) -> int:
        """Write to another stream of the same terminal, so that the line does not get in the way."""
        with self._lock:
            self.clear()
            return stream.write(text)


class _Beside:
    """A stream of the same terminal: clears the bar before it writes."""

    def __init__(self, stream: TextIO, bar: Bar) -> None:
        self._stream = stream
        self._bar = bar

    def write(self, text: str) -> int:
        return self._bar.write_beside(self._stream, text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextlib.contextmanager
def bar() -> Iterator[Progress | None]:
    """Yield what to give the engine as ``on_progress``: a bar on a terminal, None elsewhere.

    What the person's code prints meanwhile appears above the bar.
    """
    if not console.is_terminal(sys.stderr):
        yield None
        return
    drawn = Bar(sys.stderr, columns=console.width(sys.stderr))
    ended = threading.Event()

    def redraw() -> None:
        while not ended.wait(_REDRAW_S):
            drawn.draw()

    thread = threading.Thread(target=redraw, name="mile-progress", daemon=True)
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Beside(stdout, drawn), _Beside(stderr, drawn)
    thread.start()
    try:
        yield drawn.tell
    finally:
        ended.set()
        thread.join()
        drawn.clear()
        sys.stdout, sys.stderr = stdout, stderr
