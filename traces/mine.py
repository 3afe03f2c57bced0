"""Mines sources into one folder of traces."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traces.sources.base import OnProgress, Source, Tally, no_progress
from traces.writer import TraceWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """What one source gave.

    Args:
        source: its name.
        place: where it was read.
        histories: how many it gave.
        iterations: how many iterations these have.
        tally: what was read, left out and unreadable, by cause.
    """

    source: str
    place: str
    histories: int
    iterations: int
    tally: Tally

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; the manifest holds one a source."""
        return {
            "source": self.source,
            "place": self.place,
            "histories": self.histories,
            "iterations": self.iterations,
            **self.tally.to_json(),
        }


def mine(sources: Sequence[Source], out: Path, on_progress: OnProgress = no_progress) -> list[Mined]:
    """Write the histories of all sources into one folder of traces.

    Args:
        sources: read one after the other, lazily.
        out: the folder; earlier traces in it are replaced when, and only when, all went well.
        on_progress: called with what the current source reports.

    Returns:
        What each source gave, in the same order.

    Raises:
        TraceError: a source cannot be read as a whole, or ``out`` holds something else.
    """
    results: list[Mined] = []
    with _rare_collections(), TraceWriter(out) as writer:
        for source in sources:
            tally = Tally()
            histories = iterations = 0
            for history in source.histories(tally, on_progress):
                writer.add(history)
                histories += 1
                iterations += len(history)
            mined = Mined(
                source=source.name,
                place=source.place,
                histories=histories,
                iterations=iterations,
                tally=tally,
            )
            writer.add_source(mined.to_json())
            results.append(mined)
    return results


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for reference cycles a thousand times less often.

    Mining makes millions of small objects without cycles; looking for some among them took 30 % of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
