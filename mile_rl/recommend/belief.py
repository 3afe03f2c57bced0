"""What is believed of every configuration at one moment of a session, and the ranking that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGE = 0.01
"""How far errors of 0 and 1 are drawn inwards before the logistic scale would make them infinite."""

JITTER = 1e-6

LEAST_GAIN = 1e-4
"""A gain counts as at least this share of the largest one, so that neither view alone rules anything out."""

QUANTILE_80 = 1.2815515655446004
"""Of the normal distribution: 80 % lie within so many deviations."""


def to_scale(errors: Floats) -> Floats:
    """Return errors in [0, 1] on the logistic scale."""
    scaled: Floats = np.log((errors + EDGE) / (1 - errors + EDGE))
    return scaled


def from_scale(scores: Floats) -> Floats:
    """Return what :func:`to_scale` was given; whatever lies beyond its ends becomes 0 or 1."""
    share = 1 / (1 + np.exp(-scores))
    return np.clip(share * (1 + 2 * EDGE) - EDGE, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    """A Gaussian over all configurations.

    Args:
        mean: one a configuration.
        covariance: of each with each, what a configuration has for itself included.
        drift: how far what was seen lay from what was expected, 1 where as far as expected.
    """

    mean: Floats
    covariance: Floats
    drift: float = 1.0

    @classmethod
    def of(cls, mean: Floats, loadings: Floats, noise: Floats) -> Self:
        """Return the Gaussian of a factor model."""
        return cls(mean=mean, covariance=loadings @ loadings.T + np.diag(noise))

    @property
    def deviation(self) -> Floats:
        """The standard deviation of each configuration."""
        deviation: Floats = np.sqrt(np.maximum(np.diag(self.covariance), JITTER))
        return deviation

    def shifted(self, variance: float) -> Gaussian:
        """Return the Gaussian with a shift that all configurations share."""
        if not variance:
            return self
        return Gaussian(mean=self.mean, covariance=self.covariance + variance, drift=self.drift)

    def given(self, at: Ints, values: Floats, doubts: Floats, *, freedom: float | None = None) -> Gaussian:
        """Return the Gaussian given values of some configurations. O(k³ + k·n²) for k values, n configurations.

        Args:
            at: which configurations; one may occur several times.
            values: theirs.
            doubts: the variance of each value around its configuration's.
            freedom: of a Student-t scale that the values tell about; None for a plain Gaussian.
        """
        if not len(at):
            return self
        own = self.covariance[np.ix_(at, at)] + np.diag(doubts + JITTER)
        across = self.covariance[:, at]
        off = values - self.mean[at]
        solved = np.linalg.solve(own, np.column_stack([off, across.T]))
        drift = 1.0
        if freedom is not None:
            drift = (freedom + float(off @ solved[:, 0])) / (freedom + len(at))
        return Gaussian(
            mean=self.mean + across @ solved[:, 0],
            covariance=(self.covariance - across @ solved[:, 1:]) * drift,
            drift=drift,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What is believed of every configuration, and how to rank them.

    Args:
        errors: of the scaled errors, after what was seen.
        log_seconds: the expected logarithm of the seconds that fitting takes.
        seen: the configurations that were tried.
        scores: the scaled errors that they had.
        kinds: kinds of data known from the outcomes: (kinds, configurations), scaled errors.
        stretch: how much wider intervals are than the Gaussian's.
        sureness: (shift, slope) of the logit of an improvement in deviations of lead; what is recommended
            was chosen for its promise, so its lead promises less than a Gaussian's would.
        width, gaussian_share, waiting_power: see ``mile_rl.recommend.outcome.Ranking``.
        level_doubt: see ``mile_rl.recommend.outcome.OutcomeModel.belief``.
    """

    errors: Gaussian
    log_seconds: Floats
    seen: Ints
    scores: Floats
    kinds: Floats
    stretch: float
    sureness: tuple[float, float]
    width: float
    gaussian_share: float
    waiting_power: float
    level_doubt: float = 0.0

    @property
    def best(self) -> float:
        """The lowest scaled error so far; where nothing was seen, what is expected of a typical choice."""
        if len(self.scores):
            return float(self.scores.min())
        return float(np.median(self.errors.mean))

    def error(self, at: int) -> tuple[float, float, float]:
        """Return the median error of a configuration and the ends of its 80 % interval."""
        middle, spread = self.errors.mean[at], QUANTILE_80 * self.stretch * self.errors.deviation[at]
        low, median, high = from_scale(np.array([middle - spread, middle, middle + spread]))
        return float(median), float(low), float(high)

    def below(self, at: int, error: float) -> float:
        """Return the probability that a configuration's error lies below ``error``; never quite 0 or 1."""
        shift, slope = self.sureness
        logit = shift + slope * self.lead(at, error)
        return float(np.clip(1 / (1 + math.exp(-min(max(logit, -30.0), 30.0))), 0.005, 0.995))

    def lead(self, at: int, error: float) -> float:
        """Return by how many deviations ``error`` lies above what is expected of a configuration."""
        bound = float(to_scale(np.array([error]))[0])
        return float((bound - self.errors.mean[at]) / (self.stretch * self.errors.deviation[at]))

    def change_from(self, at: int, error: float) -> tuple[float, float, float]:
        """Return the median error of a recommended configuration and the ends of its 80 % interval.

        Unlike :meth:`error` it allows for the choice: what is recommended was chosen for its promise. The lead
        over the present error is what goes with the chance to improve, so that the two never contradict.

        Args:
            at: the configuration.
            error: the present one's error.
        """
        bound = float(to_scale(np.array([error]))[0])
        width = self.stretch * float(self.errors.deviation[at])
        middle = bound - width * NormalDist().inv_cdf(self.below(at, error))
        spread = QUANTILE_80 * width
        low, median, high = from_scale(np.array([middle - spread, middle, middle + spread]))
        return float(median), float(low), float(high)

    def gaussian_gain(self) -> Floats:
        """Return the gain over the best so far that the Gaussian expects, on the logistic scale."""
        return expected_gain(self.errors.mean, self.errors.deviation, self.best)

    def kind_weights(self) -> Floats:
        """Return how probable each kind of data is after what was seen; sums to 1."""
        off = self.kinds[:, self.seen] - self.scores
        if self.level_doubt and len(self.scores):
            common = off.sum(axis=1, keepdims=True) / (len(self.scores) + self.width**2 / self.level_doubt)
            off = off - common
        logs = -0.5 * (off**2).sum(axis=1) / self.width**2
        weights: Floats = np.exp(logs - logs.max())
        weights /= weights.sum()
        return weights

    def kind_gain(self) -> Floats:
        """Return the gain over the best so far in data of the kinds that fit, as a share of what can be gained."""
        errors = from_scale(self.kinds)
        best = errors.min(axis=1, keepdims=True)
        regret = (errors - best) / np.maximum(np.ptp(errors, axis=1, keepdims=True), JITTER)
        now = regret[:, self.seen].min(axis=1) if len(self.seen) else np.median(regret, axis=1)
        gain: Floats = self.kind_weights() @ np.maximum(now[:, None] - regret, 0.0)
        return gain

    def value(self) -> Floats:
        """Return what the ranking maximises: log(gain) with both views of gain weighed, less the waiting.

        A product of the two views wants both to be pleased; waiting counts by its logarithm, and less than a
        second of it hardly at all. What neither view expects to gain is still ordered by the other.
        """
        kinds, gaussian = self.kind_gain(), self.gaussian_gain()
        value: Floats = (
            np.log(kinds + LEAST_GAIN * kinds.max() + JITTER)
            + self.gaussian_share * np.log(gaussian + LEAST_GAIN * gaussian.max() + JITTER)
            - self.waiting_power * np.log1p(np.exp(np.minimum(self.log_seconds, 50.0)))
        )
        return value

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return one draw of all scaled errors from the belief (Thompson's rule tries its lowest)."""
        covariance = self.errors.covariance * self.stretch**2
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn: Floats = self.errors.mean + root @ rng.normal(size=len(values))
        return drawn


def expected_gain(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Return the expected value of max(best - x, 0) for Gaussian x (expected improvement).

    Source: Jones, Schonlau and Welch, "Efficient global optimization of expensive black-box functions" (1998),
    equation 15.
    """
    off = (best - mean) / deviation
    density = np.exp(-0.5 * off**2) / math.sqrt(2 * math.pi)
    # The distribution function by its complement's series would need scipy; erf of the C library will do.
    share = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in off])
    gain: Floats = deviation * np.maximum(off * share + density, 0.0)
    return gain
