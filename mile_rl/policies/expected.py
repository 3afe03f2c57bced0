"""Expected saving: what an artifact is worth in what may be run next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mile_rl.policies import words
from mile_rl.policies.base import Budget, Candidate, Decision, Kept

if TYPE_CHECKING:
    from mile_rl.policies.appraisal import Appraisal, ExpectedSettings, Room, View
    from mile_rl.policies.outlook import Outlook

TUNED: Final[Mapping[str, float]] = {}
"""Constants of ``ExpectedSettings`` chosen on validation sessions, where they differ from the defaults."""


class Expected:
    """Keeps what saves most per byte in the likeliest next iterations.

    An artifact's value is the sum over the scenarios of the outlook of the chance x (the least cost of that
    iteration without the artifact - with it), its worth what it goes on saving until it is invalidated or the
    person stops (``mile_rl.policies.value``). A candidate displaces what is worth least per byte, and it has to be
    worth more than that together with writing it. All kept artifacts are valued anew in every decision.

    Without an outlook it falls back on what a reuse saves, less with every iteration without use.

    Source: MILE-RL's prototype (docs/policies.md); the replans are Helix's (Xin et al. 2018).

    Args:
        settings: the constants; the tuned ones where None.
    """

    name: str = "expected"
    needs_outlook = True

    def __init__(self, settings: ExpectedSettings | None = None) -> None:
        self._settings = settings
        self._view: View | None = None
        self._iteration = 0

    @property
    def settings(self) -> ExpectedSettings:
        """The constants."""
        if self._settings is None:
            from mile_rl.policies.appraisal import ExpectedSettings

            self._settings = ExpectedSettings(**TUNED)
        return self._settings

    @property
    def view(self) -> View:
        """What may be run next."""
        if self._view is None:
            from mile_rl.policies.appraisal import View
            from mile_rl.policies.outlook import no_outlook

            self._view = View(no_outlook(), self.settings)
        return self._view

    def on_outlook(self, outlook: Outlook) -> None:
        """Take it up for the decisions of this iteration."""
        from mile_rl.policies.appraisal import View

        self._view = View(outlook, self.settings)

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep it if it is worth more than writing it and what it displaces together."""
        from mile_rl.policies.appraisal import room_for

        appraised = self.appraise(candidate, kept, budget)
        return self.decide(candidate, appraised, room_for(candidate, budget, appraised, view=self.view))

    def appraise(
        self,
        candidate: Candidate,
        kept: Sequence[Kept],
        budget: Budget,
        *,
        multipliers: Mapping[str, float] | None = None,
        everything: bool = False,
    ) -> Appraisal:
        """Value a candidate and what is kept; see :func:`mile_rl.policies.appraisal.appraisal`."""
        from mile_rl.policies.appraisal import appraisal

        return appraisal(
            candidate,
            kept,
            budget,
            view=self.view,
            settings=self.settings,
            iteration=self._iteration,
            multipliers=multipliers or {},
            everything=everything,
        )

    def decide(
        self, candidate: Candidate, appraised: Appraisal, room: Room, *, multiplier: float = 1.0
    ) -> Decision:
        """Answer, with the reason in words.

        Args:
            candidate: the output that was just computed.
            appraised: what it and the others are worth.
            room: whom it would displace.
            multiplier: what its worth is to be multiplied by.
        """
        worth_ns = float(appraised.worth_ns[-1]) * multiplier
        why = self._why(candidate, appraised, worth_ns)
        if multiplier != 1.0:
            why += f" (the network takes that for {multiplier:.2g} times its expected worth)"
        if worth_ns <= self.settings.write_weight * candidate.write_ns:
            cost = f"writing it takes {words.duration(candidate.write_ns)}"
            return Decision(keep=False, reason=f"{why}, which is not worth writing: {cost}")
        if not room.enough:
            return Decision(keep=False, reason=f"{why}, but it is larger than the budget")
        if room.victims and room.displaced_ns + self.settings.write_weight * candidate.write_ns >= worth_ns:
            lost, cost = words.duration(room.displaced_ns), words.duration(candidate.write_ns)
            return Decision(
                keep=False,
                reason=f"{why}, but what it would displace saves {lost}, and writing it takes {cost}",
            )
        saves = f" worth {words.duration(room.displaced_ns)}" if room.victims else ""
        return Decision(
            keep=True,
            evict=tuple(victim.signature for victim in room.victims),
            reason=f"{why}{words.displaced(room.victims)}{saves}",
        )

    def _why(self, candidate: Candidate, appraised: Appraisal, worth_ns: float) -> str:
        size = words.size(candidate.size_bytes)
        if not self.view.outlook.scenarios:
            return f"{words.comparison(candidate)}, {size}"
        value_ns, reuse = float(appraised.savings.value_ns[-1]), float(appraised.savings.reuse[-1])
        return (
            f"{words.chance(reuse)} to be used next time, it saves {words.duration(value_ns)} then on average "
            f"and {words.duration(worth_ns)} in the long run, for {size}"
        )

    def on_load(self, signature: str) -> None:
        """Take no note: what counts is what comes."""

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Forget the last outlook; let nothing go."""
        self._iteration = iteration
        self._view = None
        return ()

    def state(self) -> dict[str, Any]:
        """Return an empty object: the engine remembers all that is needed."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up nothing."""
