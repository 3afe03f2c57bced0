"""The guard before every policy: caching never costs more than it saves."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Policy
from mile_rl.policies.ledger import Ledger, Terms

if TYPE_CHECKING:
    from mile_rl.policies.outlook import Outlook

SETTLED_NS: Final = 20_000_000
"""What is made again in less is settled here, before a policy that has to look ahead: 20 ms."""

COLD_NS: Final = 150_000_000
"""The same in a process that has not looked ahead yet: importing what that needs takes 4 ms, 3 % of it."""


def settled_ns() -> int:
    """Return what is made again too quickly, in this process, to look ahead for it."""
    return SETTLED_NS if "mile_rl.policies.appraisal" in sys.modules else COLD_NS


class Guard:
    """A policy that asks another one, after the questions that no policy may answer otherwise.

    Refused, whatever the policy says ("all" included):

    (a) an output that takes no longer to recreate than to load, or that is larger than the whole budget;
    (b) an output whose writing would take longer than what is left to spend on writing. What is left follows
        from the ledger of facts and the :class:`Terms`; decided but unfinished writes are taken off by their
        estimates.

    What is made again in under 20 ms (150 ms in a process that has not looked ahead yet) is not worth looking ahead:
    where the policy would, it is kept if there is room for it, and displaces nothing.

    Estimates can be wrong, so (b) is not left to them: the writer asks :meth:`allowance_ns` when it starts
    and aborts the write that runs over. Whatever is estimated, requested and reused, in any order, at any
    time:

        written <= share x (the highest that the time saved has been) + allowances + one chunk,
        total under MILE <= total of plain runs + allowances + time lost to slow loads + one chunk,

    where the allowances are runs x ``allowance_ns`` + ``fraction`` x computing time, the time lost to slow
    loads is the sum of max(0, load - recreation) over the loads that really happened, and a chunk is what a
    writer writes between two looks at the clock. Both need the saved times to be measured ones, and one
    write at a time.

    The life of a run: :meth:`begin_run`; then, as they happen, :meth:`computed`, :meth:`saved`,
    :meth:`admit`, and :meth:`written` after each write that ``admit`` allowed, finished or not. All methods
    may be called from the engine's and the writer's threads.

    Args:
        policy: the policy to ask.
        terms: how much time may be spent on writing.
        settled_ns: what is made again in less is not looked ahead for.
    """

    def __init__(self, policy: Policy, *, terms: Terms | None = None, settled_ns: int = SETTLED_NS) -> None:
        self.policy = policy
        self.settled_ns = settled_ns
        self.terms = terms or Terms()
        self._ledger = Ledger()
        self._pending_ns: dict[str, int] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name of the policy behind the guard."""
        return self.policy.name

    def begin_run(self) -> None:
        """Hear that a run begins; it brings its allowance. Writes that were never reported are forgotten."""
        with self._lock:
            self._ledger.runs += 1
            self._pending_ns.clear()

    def computed(self, compute_ns: int) -> None:
        """Hear that an operator took ``compute_ns``; call it before ``admit`` for its outputs."""
        with self._lock:
            self._ledger.computed_ns += _not_negative("compute_ns", compute_ns)

    def saved(self, saved_ns: int) -> None:
        """Hear that reuse saved ``saved_ns``: measured time to compute what was not, minus the loads' time.

        Negative where a load took longer than recreating would have. Estimated times do not belong here: what
        is told to be saved may be spent.
        """
        with self._lock:
            self._ledger.saved_ns += saved_ns

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Refuse what would cost more than it saves, then ask the policy."""
        with self._lock:
            refusal = self._refusal(candidate, budget)
            if refusal:
                return Decision(keep=False, reason=refusal)
            if self.policy.needs_outlook and candidate.recreation_ns < self.settled_ns:
                decision = _settled(candidate, budget)
            else:
                decision = self.policy.admit(candidate, kept, budget)
            if decision.keep:
                self._pending_ns[candidate.signature] = candidate.write_ns
            return decision

    def _refusal(self, candidate: Candidate, budget: Budget) -> str:
        if candidate.recreation_ns <= candidate.load_ns:
            return f"guard: no gain, {words.comparison(candidate)}"
        if candidate.size_bytes > budget.total_bytes:
            return (
                f"guard: {words.size(candidate.size_bytes)} is more than "
                f"the whole budget of {words.size(budget.total_bytes)}"
            )
        left_ns = max(0, self._ledger.left_ns(self.terms) - sum(self._pending_ns.values()))
        if candidate.write_ns > left_ns:
            return (
                f"guard: writing takes {words.duration(candidate.write_ns)}, "
                f"{words.duration(left_ns)} may be spent on it now"
            )
        return ""

    def allowance_ns(self) -> int:
        """Return how long the write that starts now may take; one that runs over is to be aborted."""
        with self._lock:
            return self._ledger.left_ns(self.terms)

    def written(self, signature: str, write_ns: int) -> None:
        """Hear that a write has ended, finished or aborted, after ``write_ns`` (0 if it never started)."""
        with self._lock:
            self._ledger.written_ns += _not_negative("write_ns", write_ns)
            self._pending_ns.pop(signature, None)

    @property
    def needs_outlook(self) -> bool:
        """Whether the policy makes use of an outlook."""
        return self.policy.needs_outlook

    def on_outlook(self, outlook: Outlook) -> None:
        """Tell the policy."""
        with self._lock:
            self.policy.on_outlook(outlook)

    def on_load(self, signature: str) -> None:
        """Tell the policy."""
        with self._lock:
            self.policy.on_load(signature)

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Tell the policy."""
        with self._lock:
            return self.policy.on_iteration(iteration, code, kept)

    def state(self) -> dict[str, Any]:
        """Return the ledger's sums and the policy's state, as a JSON object."""
        with self._lock:
            return {"ledger": self._ledger.state(), "policy": {self.policy.name: self.policy.state()}}

    def changes(self) -> dict[str, int]:
        """Return what was added to the ledger's sums since :meth:`restore`; see ``Ledger.changes``."""
        with self._lock:
            return self._ledger.changes()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` returned; another policy's state is left aside, the ledger never is."""
        with self._lock:
            self._ledger.restore(state.get("ledger", {}))
            self.policy.restore(state.get("policy", {}).get(self.policy.name, {}))
            self._pending_ns.clear()


def _settled(candidate: Candidate, budget: Budget) -> Decision:
    """Decide on what is quickly made again: keep it where there is room, displace nothing for it."""
    keep = candidate.size_bytes <= budget.total_bytes - budget.used_bytes
    sizes = f"{words.size(candidate.size_bytes)}, {words.size(budget.free_bytes)} of the budget are free"
    return Decision(keep=keep, reason=f"quick: {words.comparison(candidate)}; {sizes}")


def _not_negative(name: str, value: int) -> int:
    if value < 0:
        raise ValueError(f"{name} is {value}; it cannot be negative")
    return value
