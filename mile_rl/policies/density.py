"""Saving per byte."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Stateless
from mile_rl.policies.room import make_room


class Density(Stateless):
    """Keeps what saves most per byte: (recreation time - load time) / size; evicts the lowest.

    A candidate displaces only artifacts of a lower density, and only if together they save less than it does.
    """

    name = "density"

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep it if there is room for it among what saves less per byte."""
        why = words.comparison(candidate)
        if not candidate.saving_ns:
            return Decision(keep=False, reason=why)
        victims = make_room(candidate.size_bytes, kept, budget, density, below=density(candidate))
        if victims is None:
            return Decision(keep=False, reason=f"{why}, but what is kept saves more per byte")
        lost_ns = sum(victim.saving_ns for victim in victims)
        if lost_ns >= candidate.saving_ns:
            return Decision(
                keep=False, reason=f"{why}, but what it would displace saves {words.duration(lost_ns)}"
            )
        return Decision(
            keep=True,
            evict=tuple(victim.signature for victim in victims),
            reason=f"{why}{words.displaced(victims)}",
        )


def density(value: Candidate | Kept) -> float:
    """Return what a reuse saves per byte, in nanoseconds."""
    return value.saving_ns / max(value.size_bytes, 1)
