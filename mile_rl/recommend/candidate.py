"""A change that may be recommended, before it is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mile_rl.recommend.base import Change, Origin
from mile_rl.recommend.metrics import Metric
from mile_rl.workflows.edits import Stage

_QUANTILE_80 = 1.2815515655446004


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A change with what is expected of it.

    Args:
        change: what to change.
        stage: that it belongs to.
        metric: that it moves.
        expected, low, high: the change of the metric, with its 80 % interval.
        improves: the probability that the metric gets better.
        waiting_ns: how long trying it takes.
        origin: where it comes from.
        evidence: what that rests on.
        family: what it is a member of: a learner's family, a parameter, a node.
        untried: whether nothing of that family was tried by this person.
        plausible: how likely people in a like state make such a change, 0 to 1; 1 where that is not the point.
        draw: one draw of how much better the metric gets, for Thompson's rule.
    """

    change: Change
    stage: Stage
    metric: Metric
    expected: float
    low: float
    high: float
    improves: float
    waiting_ns: int
    origin: Origin
    evidence: str
    family: str
    untried: bool
    plausible: float = 1.0
    draw: float = 0.0

    def utility(self, waiting_power: float) -> float:
        """Return the expected gain, in shares of the metric's unit, a power of the waiting.

        Expected gain is an upper-confidence rule at heart: what is not known well can gain more.

        Args:
            waiting_power: as in ``mile_rl.recommend.outcome.Ranking``.
        """
        deviation = max((self.high - self.low) / (2 * _QUANTILE_80), 1e-12)
        off = self.metric.sign * self.expected / deviation
        density = math.exp(-0.5 * off**2) / math.sqrt(2 * math.pi)
        gain = deviation * (off * 0.5 * math.erfc(-off / math.sqrt(2)) + density) / self.metric.unit
        waiting: float = (1 + self.waiting_ns / 1e9) ** waiting_power
        utility: float = max(gain, 0.0) * (0.1 + 0.9 * self.plausible) / waiting
        return utility


def interval(mean: float, deviation: float) -> tuple[float, float, float]:
    """Return (mean, low, high) of the 80 % interval of a normal distribution."""
    return mean, mean - _QUANTILE_80 * deviation, mean + _QUANTILE_80 * deviation


def chance_better(mean: float, deviation: float, sign: int) -> float:
    """Return the probability that a normal change goes the way of ``sign``; never quite 0 or 1."""
    chance = 0.5 * math.erfc(-sign * mean / (max(deviation, 1e-12) * math.sqrt(2)))
    return min(max(chance, 0.005), 0.995)
