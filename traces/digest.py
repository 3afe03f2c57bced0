"""The digest of traces: equal for equal histories, whatever their order, the process or the file layout."""

from __future__ import annotations

import json
from typing import Any

import xxhash

from traces.schema import SCHEMA_VERSION, History, Iteration

_MODULUS = 2**128


def history_json(history: History) -> dict[str, Any]:
    """Return a history as one JSON object, complete and canonical up to the order of keys."""
    return {
        "schema": SCHEMA_VERSION,
        **{name: getattr(history, name) for name in History.__slots__ if name not in ("iterations", "facts")},
        "facts": dict(history.facts),
        "iterations": [
            {
                **{name: getattr(iteration, name) for name in _ITERATION_FIELDS},
                "metrics": dict(iteration.metrics),
                "edits": [edit.to_json() for edit in iteration.edits],
                "components": [
                    {name: getattr(component, name) for name in type(component).__slots__}
                    for component in iteration.components
                ],
            }
            for iteration in history.iterations
        ],
    }


_ITERATION_FIELDS = tuple(
    name for name in Iteration.__slots__ if name not in ("components", "edits", "metrics")
)


def history_digest(history: History) -> int:
    """Return a 128-bit digest of everything in a history."""
    text = json.dumps(history_json(history), sort_keys=True, separators=(",", ":"), default=dict)
    return xxhash.xxh3_128_intdigest(b"history\0" + text.encode())


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
