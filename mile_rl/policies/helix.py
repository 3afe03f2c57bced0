"""Helix's online materialization rule, with the right sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Stateless


class Helix(Stateless):
    """Keeps what costs more to recompute than twice its load, while the budget lasts; purges what changed.

    Keep iff c_i + sum of c_j (over the ancestors that this run really computed) > 2 l_i and the result fits
    in the remaining budget. Artifacts of a node whose operator's code or parameters changed are purged when
    the next iteration begins; nothing else is ever evicted, and nodes that are not in the new version are
    left alone.

    Source: Xin et al., "Helix: Holistic Optimization for Accelerating Iterative Machine Learning", PVLDB
    12(4), 2018, section 5.3. The earlier paper of the same year prints the rule as "keep if (c_i + sum of
    c_j) - 2 l_i is negative"; the sign is the wrong way round there.
    """

    name = "helix"

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Apply the rule."""
        run, twice = candidate.run_ancestors_ns, 2 * candidate.load_ns
        times = (
            f"computing it took {words.duration(run)} in this run, loading it twice {words.duration(twice)}"
        )
        if run <= twice:
            return Decision(keep=False, reason=times)
        if candidate.size_bytes > budget.total_bytes - budget.used_bytes:
            sizes = f"{words.size(candidate.size_bytes)}, {words.size(budget.free_bytes)} are free"
            return Decision(keep=False, reason=f"{times}, but it does not fit: {sizes}")
        return Decision(keep=True, reason=times)

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Purge the artifacts of nodes whose operator's code or parameters changed."""
        return tuple(
            artifact.signature for artifact in kept if code.get(artifact.node, artifact.code) != artifact.code
        )
