"""What a source of histories has to do, and how it accounts for what it could not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from traces.errors import BadRow
from traces.schema import History

OnProgress = Callable[[int, int | None, str], None]
"""Called with (done, total or None where unknown, what is counted). It must be quick and must not raise."""

_EXAMPLES = 3


def no_progress(done: int, total: int | None, note: str) -> None:
    """Report nothing."""


@dataclass(slots=True)
class Tally:
    """Counts what a source read, what it left out on purpose, and what it could not read, by cause.

    Args:
        read: rows, runs or versions read, good and bad.
        bad: cause -> how many could not be read.
        left_out: reason -> how many were left out on purpose (duplicates, nested runs, …).
        unread: kind of thing -> its name -> how often it was met and could not be understood.
        notes: what else a source found out about itself, JSON values.
    """

    read: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unread: dict[str, Counter[str]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)

    def count_bad(self, row: BadRow) -> None:
        """Count one unreadable row under its cause, and keep the first few as examples."""
        self.bad[row.cause] += 1
        examples = self._examples.setdefault(row.cause, [])
        if row.example and len(examples) < _EXAMPLES:
            examples.append(row.example[:200])

    def count_unread(self, kind: str, name: str) -> None:
        """Count something met in a good row that nobody could make sense of ("flow", "mystery(1)")."""
        self.unread.setdefault(kind, Counter())[name[:200]] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the counts as a JSON object."""
        return {
            "read": self.read,
            "bad": {
                cause: {"count": count, "examples": self._examples.get(cause, [])}
                for cause, count in sorted(self.bad.items())
            },
            "left_out": dict(sorted(self.left_out.items())),
            "unread": {
                kind: {"count": names.total(), "different": len(names), "most": dict(names.most_common(20))}
                for kind, names in sorted(self.unread.items())
            },
            "notes": self.notes,
        }


class Source(Protocol):
    """One place that histories are mined from.

    ``histories`` may be called more than once and yields the same histories in the same order each time; it
    reads lazily and holds at most one history (or an index of ids) in memory. What it yields belongs to the
    caller. A row that cannot be read is counted in the tally and skipped; only what makes the whole source
    unreadable raises. Sources are used from one thread.
    """

    @property
    def name(self) -> str:
        """The source's name, as it stands in ``History.source``."""

    @property
    def place(self) -> str:
        """Where it reads, for people and the manifest; without secrets and home directories."""

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield the histories, counting into ``tally``.

        Raises:
            TraceError: the source as a whole cannot be read; ``NotWhatItClaims`` where it is something else.
        """
