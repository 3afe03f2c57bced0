"""The digest of traces: equal for equal histories, whatever their order, the process or the file layout."""

from __future__ import annotations

import xxhash

from mile_rl.workflows.edits import Edit
from traces.schema import SCHEMA_VERSION, History, Iteration
from traces.texts import object_text

_MODULUS = 2**128


def history_digest(history: History) -> int:
    """Return a 128-bit digest of everything in a history.

    An iteration's ``version`` is a digest of its components already, all but what is added here.
    """
    fields = [getattr(history, name) for name in _HISTORY_FIELDS]
    state = xxhash.xxh3_128(f"history {SCHEMA_VERSION} ".encode())
    state.update(object_text([*fields, dict(history.facts), len(history.iterations)]).encode())
    for iteration in history.iterations:
        record = [
            [getattr(iteration, name) for name in _ITERATION_FIELDS],
            dict(iteration.metrics),
            [[getattr(edit, name) for name in _EDIT_FIELDS] for edit in iteration.edits],
            [[getattr(component, name) for name in _COMPONENT_FIELDS] for component in iteration.components],
        ]
        state.update(object_text(record).encode())
    return state.intdigest()


_HISTORY_FIELDS = tuple(name for name in History.__slots__ if name not in ("iterations", "facts"))
_ITERATION_FIELDS = tuple(
    name for name in Iteration.__slots__ if name not in ("components", "edits", "metrics")
)
_EDIT_FIELDS = Edit.__slots__
_COMPONENT_FIELDS = ("name", "operator", "category", "compute_ns", "size_bytes")


class TraceDigest:
    """The digest of a set of histories: their digests added up, so that their order does not count.

    ``add`` each history once; ``hexdigest()`` may be asked at any time.
    """

    def __init__(self) -> None:
        self._sum = 0
        self._count = 0

    def add(self, history: History) -> None:
        """Count one more history in."""
        self._sum = (self._sum + history_digest(history)) % _MODULUS
        self._count += 1

    def hexdigest(self) -> str:
        """Return 32 hex digits."""
        text = f"traces {SCHEMA_VERSION} {self._count} {self._sum}"
        return xxhash.xxh3_128_hexdigest(text.encode())
