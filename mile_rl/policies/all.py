"""Keep everything that fits."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Stateless


class KeepAll(Stateless):
    """Keeps whatever fits in the remaining budget and never evicts.

    Source: DeepDive, as Helix (2018) compares itself to it. Under the guard, like every policy.
    """

    name = "all"

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep what fits."""
        sizes = f"{words.size(candidate.size_bytes)}, {words.size(budget.free_bytes)} of the budget are free"
        if candidate.size_bytes <= budget.total_bytes - budget.used_bytes:
            return Decision(keep=True, reason=f"it fits: {sizes}")
        return Decision(keep=False, reason=f"it does not fit: {sizes}")
