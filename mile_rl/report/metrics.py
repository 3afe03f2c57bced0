"""Which of the metrics that a workflow returns to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mile_rl.errors import StoreError
from mile_rl.store.records import Iteration

WHAT_IF = " (what-if)"
"""How the names of trials end; ``mile_rl.recommend.gather`` says it too, which is too heavy to import for it."""


def choose_metric(iterations: Sequence[Iteration], wanted: str | None = None) -> str:
    """Return the metric to look at: the one asked for, else what most iterations recorded.

    Args:
        iterations: the oldest first; of several metrics the one that the latest names first is taken.
        wanted: a metric's name.

    Returns:
        Its name, "" where no iteration recorded any.

    Raises:
        StoreError: no iteration recorded the one asked for.
    """
    counts: Counter[str] = Counter()
    for one in reversed(iterations):
        counts.update(one.record.metrics.keys())
    if wanted is not None and wanted not in counts:
        known = f"these are: {', '.join(counts)}" if counts else "the workflow returned no number"
        raise StoreError(f"no iteration recorded a metric {wanted!r}; {known}.")
    return wanted or max(counts, key=counts.__getitem__, default="")
