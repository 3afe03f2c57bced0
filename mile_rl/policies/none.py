"""Keep nothing: the baseline that recomputes everything."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Stateless


class KeepNone(Stateless):
    """Keeps nothing. Source: KeystoneML, as Helix (2018) compares itself to it."""

    name = "none"

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Refuse."""
        return Decision(keep=False, reason="the policy 'none' keeps nothing")
