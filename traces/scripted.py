"""Which histories a program drove, not a person: the one rule, used by reports and by fitting alike."""

from __future__ import annotations

from traces.schema import History
from traces.tracked import LOOP_GAP_MS

LEAST_FOLLOWING = 4
"""A history with fewer iterations behind the first is too short to tell and counts as a person's."""

RULE = (
    f"A history is called scripted if it has at least {LEAST_FOLLOWING} iterations behind the first and at least "
    f"half of these either were started by a loop or an automatic account by the source's own evidence, or "
    f"started less than {LOOP_GAP_MS / 1000:g} s after the end of the one before (its start, where the end is "
    "unknown)."
)


def is_scripted(history: History) -> bool:
    """Tell whether a program drove this history; see ``RULE``."""
    following = history.iterations[1:]
    if len(following) < LEAST_FOLLOWING:
        return False
    quick = sum(
        iteration.scripted or (iteration.think_ms is not None and iteration.think_ms < LOOP_GAP_MS)
        for iteration in following
    )
    return 2 * quick >= len(following)
