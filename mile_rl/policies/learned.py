"""The expected saving, corrected by a trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mile_rl.policies.base import Budget, Candidate, Decision, Kept
from mile_rl.policies.expected import Expected

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mile_rl.policies.appraisal import ExpectedSettings
    from mile_rl.policies.network import Network

SHIPPED: Final = Path(__file__).with_name("learned.onnx")


class Learned(Expected):
    """Keeps what saves most per byte by a trained network's estimate.

    The network sees a decision (``mile_rl.policies.observation``) and answers with a multiplier of the
    candidate's expected saving. It is remembered for what is kept, so that it counts when that is weighed
    against later candidates too. A network that always answers 1 is the policy ``expected``.

    A file that is named is read when the policy is made, so a wrong one is refused before anything runs. The
    shipped one is read when it is first asked: a run without a decision does not pay for it.

    Args:
        path: an ONNX file; the shipped one where None.

    Raises:
        PolicyRefused: the file cannot be used; the message says why.
    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path or SHIPPED
        self._network: Network | None = None
        if path is not None:
            self._network = self.network
        self.name = "learned" if path is None else f"learned:{path}"
        self.observation: npt.NDArray[np.float32] | None = None
        """What the network saw of the last decision, None before the first."""
        self.multiplier = 1.0
        """What it answered."""
        self._multipliers: dict[str, float] = {}

    @property
    def network(self) -> Network:
        """The network."""
        if self._network is None:
            from mile_rl.policies.network import Network

            self._network = Network(self._path)
        return self._network

    @property
    def settings(self) -> ExpectedSettings:
        """The constants that the network was trained on."""
        return self.network.settings

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Keep it if, by the network's estimate, it is worth writing and worth more than what it displaces."""
        from mile_rl.policies.appraisal import observed, room_for

        appraised = self.appraise(candidate, kept, budget, multipliers=self._multipliers, everything=True)
        room = room_for(candidate, budget, appraised, view=self.view)
        self.observation = observed(candidate, budget, appraised, room, self.view)
        self.multiplier = self.network.multiplier(self.observation)
        if self.multiplier != 1.0:
            room = room_for(candidate, budget, appraised, view=self.view, multiplier=self.multiplier)
        decision = self.decide(candidate, appraised, room, multiplier=self.multiplier)
        if decision.keep:
            for victim in decision.evict:
                self._multipliers.pop(victim, None)
            self._multipliers[candidate.signature] = self.multiplier
        return decision

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Forget what the store does not hold any more; let nothing go."""
        held = {artifact.signature for artifact in kept}
        self._multipliers = {key: value for key, value in self._multipliers.items() if key in held}
        return super().on_iteration(iteration, code, kept)

    def state(self) -> dict[str, Any]:
        """Return the multipliers of what is kept."""
        return {"multipliers": dict(self._multipliers)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` returned; what is missing counts once."""
        self._multipliers = {str(key): float(value) for key, value in state.get("multipliers", {}).items()}
