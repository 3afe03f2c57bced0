"""The scores of tasks on one data set, kept beyond the search; a few artifacts for thousands of tasks."""

from __future__ import annotations

import math
import threading
import time
from typing import Any, NamedTuple

from mile_rl.sklearn.shelf import Shelf, Worth

FLUSH_S = 5.0
"""How often new scores are written while a search runs, at first; less and less often later on."""

_SCORES = ("test_scores", "train_scores")
_KEPT = (*_SCORES, "n_test_samples", "fit_time", "score_time")


_PLAIN = "plain_ns"


class Known(NamedTuple):
    """What a task returned when it ran, and how long it takes without sharing anything."""

    scores: dict[str, Any]
    plain_ns: int


class Results:
    """Scores by the signature of their task. Safe from any thread.

    New ones are written together, as one more artifact under the next free name, so that neither 1,200 tasks
    make 1,200 files nor an artifact is ever changed.

    Args:
        shelf: where they are kept.
        name: of the data that they are of.
    """

    def __init__(self, shelf: Shelf, name: str) -> None:
        self._shelf = shelf
        self._name = name
        self._lock = threading.Lock()
        self._known: dict[bytes, dict[str, Any]] = {}
        self._new: dict[bytes, dict[str, Any]] = {}
        self._new_ns = 0
        self._begun = self._written = time.monotonic()
        for slot in shelf.slots(name):
            self._known.update(shelf.load(slot) or {})

    def get(self, task: bytes) -> Known | None:
        """Return what is known of a task; None if that is nothing."""
        known = self._known.get(task)
        if known is None:
            return None
        self._shelf.spared(int(1e9 * (known.get("fit_time", 0) + known.get("score_time", 0))))
        copied = {name: dict(value) if isinstance(value, dict) else value for name, value in known.items()}
        plain_ns: Any = copied.pop(_PLAIN, 0)
        return Known({"fit_error": None, **copied}, plain_ns)

    def add(self, task: bytes, result: dict[str, Any], elapsed_ns: int, plain_ns: int) -> None:
        """Take up what a task returned, if it went well.

        Args:
            task: its signature.
            result: what it returned.
            elapsed_ns: how long it took.
            plain_ns: how long it would have taken had it computed all that it needs.
        """
        self._shelf.computed(elapsed_ns)
        if result.get("fit_error") is not None or not all(map(_finite, (result.get(s) for s in _SCORES))):
            # Whoever runs it again shall see the failure again.
            return
        kept = {name: result[name] for name in _KEPT if name in result} | {_PLAIN: plain_ns}
        with self._lock:
            self._new[task] = kept
            self._new_ns += elapsed_ns
            now = time.monotonic()
            due = now - self._written > max(FLUSH_S, (now - self._begun) / 2)
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what is new."""
        with self._lock:
            new, made_ns = self._new, self._new_ns
            self._new, self._new_ns = {}, 0
            self._known.update(new)
            self._written = time.monotonic()
        if new:
            worth = Worth(node="tasks", output="scores", compute_ns=0, made_ns=made_ns, stage="evaluate")
            if not self._shelf.offer(self._shelf.free_slot(self._name), new, worth):
                with self._lock:
                    # Not worth it yet, or no time may be spent on writing now: perhaps with what comes.
                    self._new, self._new_ns = {**new, **self._new}, self._new_ns + made_ns


def _finite(scores: Any) -> bool:
    values = scores.values() if isinstance(scores, dict) else (scores,)
    return all(value is None or math.isfinite(value) for value in values)
