"""Whom to let go so that a candidate fits: shared by the policies that rank artifacts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mile_rl.policies.base import Budget, Kept


def make_room(
    size_bytes: int,
    kept: Sequence[Kept],
    budget: Budget,
    rank: Callable[[Kept], float],
    *,
    below: float | None = None,
) -> tuple[Kept, ...] | None:
    """Choose the lowest-ranked artifacts whose eviction makes room, and no more than necessary.

    Going up the ranks (ties by age, then by signature) artifacts are taken until the candidate fits; going
    back down, those that turn out to be superfluous are spared, the most valuable first. O(n log n).

    Args:
        size_bytes: the candidate's size.
        kept: what the store holds.
        budget: the store's bytes.
        rank: an artifact's worth.
        below: only artifacts that rank lower than this may go; None for all.

    Returns:
        Whom to let go, lowest rank first; None where that does not make enough room.
    """
    missing = size_bytes - (budget.total_bytes - budget.used_bytes)
    chosen: list[Kept] = []
    for artifact in sorted(kept, key=lambda artifact: (rank(artifact), artifact.kept_at, artifact.signature)):
        if missing <= 0 or (below is not None and rank(artifact) >= below):
            break
        chosen.append(artifact)
        missing -= artifact.size_bytes
    if missing > 0:
        return None
    for artifact in reversed(tuple(chosen)):
        if missing + artifact.size_bytes <= 0:
            chosen.remove(artifact)
            missing += artifact.size_bytes
    return tuple(chosen)
