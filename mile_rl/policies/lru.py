"""Least recently used."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Stateless
from mile_rl.policies.room import make_room


class Lru(Stateless):
    """Keeps whatever it is given and evicts what was not used for longest.

    Time is counted in iterations: within one, what was kept earlier goes first.
    """

    name = "lru"

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep it, unless it is larger than the whole budget."""
        victims = make_room(candidate.size_bytes, kept, budget, lambda artifact: artifact.last_used)
        if victims is None:
            sizes = f"{words.size(candidate.size_bytes)} in a budget of {words.size(budget.total_bytes)}"
            return Decision(keep=False, reason=f"it does not fit: {sizes}")
        return Decision(
            keep=True,
            evict=tuple(victim.signature for victim in victims),
            reason=f"it was used last{words.displaced(victims)}",
        )
