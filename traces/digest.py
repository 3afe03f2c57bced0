"""The digest of traces: equal for equal histories, whatever their order, the process or the file layout."""

from __future__ import annotations

from operator import attrgetter

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
        record = (
            _iteration_fields(iteration),
            dict(iteration.metrics),
            [_edit_fields(edit) for edit in iteration.edits],
            [_component_fields(component) for component in iteration.components],
        )
        state.update(object_text(record).encode())
    return state.intdigest()


_HISTORY_FIELDS = tuple(name for name in History.__slots__ if name not in ("iterations", "facts"))
_iteration_fields = attrgetter(
    *(name for name in Iteration.__slots__ if name not in ("components", "edits", "metrics"))
)
_edit_fields = attrgetter(*Edit.__slots__)
_component_fields = attrgetter("name", "operator", "category", "compute_ns", "size_bytes")


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
