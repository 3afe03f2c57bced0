"""Effects of changes, each corrected for the others: a Bayesian linear model of a metric over versions.

    metric(version) = level + Σ over factors of effect(factor, its level in the version)
                            + Σ over pairs of factors of what both levels do together beyond that + noise

The effects of a factor's levels are drawn from a normal distribution; those of a number tried at three or more
values lie around a straight line (in the logarithm where the values span decades). What pairs do together is
drawn from one too and not told: it is there so that an effect that depends on other factors makes its interval
wide instead of wrong. An effect is that at the mean over the levels that were tried of everything else. How
large effects and what pairs do are beside noise is not chosen but averaged over: on a grid of ratios, each
weighted by how well it explains the metric; the noise's variance is integrated out under Jeffreys' prior. So an
interval is finite however short the history is, and wide where it has to be.

Levels rather than differences between runs: the noise sits on a version's metric, so two differences that share
a version are not independent, and a history that goes back to an earlier version is no special case.

Source: Gelman et al., "Bayesian Data Analysis" (3rd ed.), chapters 14-15; Searle, Casella & McCulloch, "Variance
Components" (1992), for the likelihood that is left when the level is integrated out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from mile_rl.report.impact.design import Design

SHARE = 0.8
"""How much probability an interval holds."""

_RATIOS = 31
_SMALLEST_RATIO, _LARGEST_RATIO = -0.5, 3.0
"""Variance of an effect beside that of the noise, as powers of ten: from "a third of it" to "hardly any noise".

Chosen on synthetic histories of 4 to 40 versions (normal, sparse and heavy-tailed effects, noise of 5 and 50 %):
with 10^-2 as the lower end, intervals of short histories hold the truth less often, and errors are larger."""

_INTERACTIONS = (0.0, 0.05, 0.2, 0.8)
"""Variance of what two factors do together beyond their sum, beside that of an effect."""

_SAME = 1e-9
_NEGLIGIBLE = 1e-5
_NOTHING = 1e-6
"""Of the metric's spread: what arithmetic leaves over where the truth is zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An effect on the metric.

    Args:
        mean: what is expected.
        low: the lower end of the interval.
        high: the upper end.
        positive: the probability that the metric rises by it.
    """

    mean: float
    low: float
    high: float
    positive: float


def estimate(
    design: Design, metric: Sequence[float], contrasts: Sequence[np.ndarray[Any, Any]], share: float = SHARE
) -> list[Estimate]:
    """Estimate contrasts.

    Args:
        design: of the versions.
        metric: a value for each of the design's rows.
        contrasts: of levels, as the design makes them.
        share: how much probability an interval holds.

    Returns:
        An estimate a contrast; O(rows³ + contrasts × features × rows).
    """
    import numpy as np

    if not contrasts:
        return []
    y = np.asarray(metric, dtype=float)
    spread = float(y.std())
    if spread <= _SAME * max(1.0, float(np.abs(y).max())):
        return [Estimate(mean=0.0, low=0.0, high=0.0, positive=0.5) for _ in contrasts]
    means, scales, weights = _posterior(
        design, (y - y.mean()) / spread, design.in_features(np.stack(contrasts))
    )
    freedom = len(y) - 1
    low, high = (
        _quantile(means, scales, weights, freedom, level) for level in ((1 - share) / 2, (1 + share) / 2)
    )
    positive = 1.0 - _distribution(np.zeros(means.shape[1]), means, scales, weights, freedom)
    middle = weights @ means

    def told(value: float) -> float:
        return float(value * spread) if abs(value) > _NOTHING else 0.0

    return [
        Estimate(
            mean=told(middle[i]),
            low=told(low[i]),
            high=told(high[i]),
            positive=float(min(1.0, max(0.0, positive[i]))),
        )
        for i in range(means.shape[1])
    ]


def _posterior(
    design: Design, y: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return for each ratio the contrasts' means and scales (Student's t), and the ratios' weights."""
    import numpy as np

    freedom = len(y) - 1
    prior = np.square(wanted).sum(axis=1)
    means, scales, logs = [], [], []
    for share in _INTERACTIONS:
        covariance = design.features @ design.features.T + share * design.interactions
        values, vectors = _among_differences(covariance)
        data = vectors.T @ y
        cross = wanted @ design.features.T @ vectors
        for power in np.linspace(_SMALLEST_RATIO, _LARGEST_RATIO, _RATIOS):
            ratio = 10.0**power
            total = ratio * values + 1.0
            squares = float((np.square(data) / total).sum())
            means.append(ratio * (cross / total) @ data)
            variance = ratio * prior - ratio**2 * (np.square(cross) / total).sum(axis=1)
            scales.append(np.sqrt(np.clip(variance, 1e-15, None) * squares / freedom))
            logs.append(-0.5 * float(np.log(total).sum()) - 0.5 * freedom * math.log(squares))
    weights = np.exp(np.array(logs) - max(logs))
    counts = weights > _NEGLIGIBLE
    return np.stack(means)[counts], np.stack(scales)[counts], weights[counts] / weights[counts].sum()


def _among_differences(covariance: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the covariance's eigenvalues and eigenvectors within what is orthogonal to the constant.

    With the level integrated out, all that counts happens among the differences from the mean.
    """
    import numpy as np

    n = len(covariance)
    basis = np.linalg.qr(np.hstack([np.ones((n, 1)), np.eye(n)[:, : n - 1]]))[0][:, 1:]
    values, inner = np.linalg.eigh(basis.T @ covariance @ basis)
    return np.clip(values, 0.0, None), basis @ inner


def _distribution(
    at: np.ndarray[Any, Any],
    means: np.ndarray[Any, Any],
    scales: np.ndarray[Any, Any],
    weights: np.ndarray[Any, Any],
    freedom: int,
) -> np.ndarray[Any, Any]:
    from scipy.special import stdtr

    below: np.ndarray[Any, Any] = weights @ stdtr(freedom, (at - means) / scales)
    return below


def _quantile(
    means: np.ndarray[Any, Any],
    scales: np.ndarray[Any, Any],
    weights: np.ndarray[Any, Any],
    freedom: int,
    level: float,
) -> np.ndarray[Any, Any]:
    """Return a quantile of the mixture of Student's t, by bisection between those of its parts."""
    from scipy.special import stdtrit

    parts: np.ndarray[Any, Any] = means + scales * stdtrit(freedom, level)
    low: np.ndarray[Any, Any] = parts.min(axis=0)
    high: np.ndarray[Any, Any] = parts.max(axis=0)
    for _ in range(40):
        middle = (low + high) / 2
        below = _distribution(middle, means, scales, weights, freedom) < level
        low[below], high[~below] = middle[below], middle[~below]
    low += high
    return low / 2
