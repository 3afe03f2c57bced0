"""Greedy dual size frequency: saving per byte, times uses, with ageing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept
from mile_rl.policies.density import density
from mile_rl.policies.room import make_room

if TYPE_CHECKING:
    from mile_rl.policies.outlook import Outlook


class Gdsf:
    """Keeps what has the highest priority L + uses x saving / size.

    Uses are loads plus one. L is the inflation at the artifact's last use; whenever something is evicted,
    inflation rises to its priority, so what is not used any more ages against what is. A candidate displaces
    only artifacts of a lower priority. Where it loses, it counts as evicted, but inflation never rises above
    what stays. An artifact that this policy has never heard of counts as one from before the first inflation.

    Source: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy",
    HP Labs HPL-98-69R1, 1998; with (recreation time - load time) as the cost.
    """

    name = "gdsf"
    needs_outlook = False

    def __init__(self) -> None:
        self._inflation = 0.0
        self._base: dict[str, float] = {}

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep it if there is room for it among what has a lower priority."""
        why = words.comparison(candidate)
        if not candidate.saving_ns:
            return Decision(keep=False, reason=why)
        priority = self._inflation + density(candidate)
        victims = make_room(candidate.size_bytes, kept, budget, self.priority, below=priority)
        if victims is None:
            if candidate.size_bytes <= budget.total_bytes:
                lowest = min(map(self.priority, kept), default=self._inflation)
                self._inflation = max(self._inflation, min(priority, lowest))
            return Decision(keep=False, reason=f"{why}, but what is kept saves more per byte and use")
        self._base[candidate.signature] = self._inflation
        if victims:
            self._inflation = max(self.priority(victim) for victim in victims)
        for victim in victims:
            self._base.pop(victim.signature, None)
        return Decision(
            keep=True,
            evict=tuple(victim.signature for victim in victims),
            reason=f"{why}{words.displaced(victims)}",
        )

    def priority(self, artifact: Kept) -> float:
        """Return an artifact's priority now."""
        return self._base.get(artifact.signature, 0.0) + (artifact.loads + 1) * density(artifact)

    def on_outlook(self, outlook: Outlook) -> None:
        """Take no note of it: the past is all that counts here."""

    def on_load(self, signature: str) -> None:
        """Renew the artifact's inflation: it is in use."""
        self._base[signature] = self._inflation

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Forget what the store does not hold any more; let nothing go."""
        held = {artifact.signature for artifact in kept}
        self._base = {signature: base for signature, base in self._base.items() if signature in held}
        return ()

    def state(self) -> dict[str, Any]:
        """Return the inflation now, and at each artifact's last use."""
        return {"inflation": self._inflation, "base": dict(self._base)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` returned; what is missing starts from 0."""
        self._inflation = float(state.get("inflation", 0.0))
        self._base = {str(signature): float(base) for signature, base in state.get("base", {}).items()}
