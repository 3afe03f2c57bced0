"""What the person's own iterations say: a Gaussian process over the versions that they ran."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mile_rl.recommend.gather import Past
from mile_rl.recommend.metrics import Metric
from mile_rl.workflows.edits import Scalar

Floats = NDArray[np.float64]

DECADES = 0.5
"""A number moved by so many powers of ten is as different as another operator."""

HEADROOM = 0.1
"""The share of what a metric can still gain that a change of an unknown kind moves it by (a deviation)."""

NOISE = 0.05
"""Of the deviation: what a repetition would differ by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a version is made of, as far as the metric depends on it.

    Args:
        values: (node, parameter) -> value.
        codes: node -> digest of its code.
    """

    values: Mapping[tuple[str, str], Scalar]
    codes: Mapping[str, str]

    def with_values(self, changed: Mapping[tuple[str, str], Scalar]) -> Version:
        """Return the version with other values."""
        return Version(values={**self.values, **changed}, codes=self.codes)

    def with_code(self, nodes: Sequence[str]) -> Version:
        """Return the version with code in some nodes that nobody has seen."""
        return Version(values=self.values, codes={**self.codes, **dict.fromkeys(nodes, "?")})


def version_of(one: Past, metric: Metric) -> Version:
    """Return the part of an iteration's version that a metric depends on."""
    return Version(
        values={
            (node, name): value
            for node, values in one.values.items()
            if node in metric.nodes
            for name, value in values.items()
        },
        codes={node: code for node, code in one.codes.items() if node in metric.nodes},
    )


class OwnHistory:
    """The person's iterations as evidence about versions not run yet. O(n³) in the iterations, n ≤ 120.

    Args:
        past: the iterations, the latest last.
        metric: what is to improve.
        now: the iteration that changes start from.
    """

    def __init__(self, past: Sequence[Past], metric: Metric, now: Past) -> None:
        ran = [
            one
            for one in past
            if one.status == "ok" and math.isfinite(one.metrics.get(metric.name, math.nan))
        ]
        self._versions = [version_of(one, metric) for one in ran]
        self._scores = np.array([one.metrics[metric.name] for one in ran])
        self.now = float(now.metrics[metric.name])
        self.version = version_of(now, metric)
        room = metric.unit - self.now if metric.higher else self.now
        least = HEADROOM * max(room, 0.02 * metric.unit) if metric.share else 0.02 * abs(self.now) + 1e-9
        self.deviation = max(float(self._scores.std()), least)
        own = np.array([[similarity(one, other) for other in self._versions] for one in self._versions])
        # Far from all that was run a change is expected to do nothing, or to fall back to the usual: never to
        # gain just because the present version is a poor one.
        self._level = metric.sign * min(metric.sign * float(self._scores.mean()), metric.sign * self.now)
        self._own = own + NOISE**2 * np.eye(len(own))

    def change(self, version: Version) -> tuple[float, float]:
        """Return the expected change of the metric from now, and its standard deviation."""
        across = np.array([similarity(version, other) for other in self._versions])
        solved = np.linalg.solve(self._own, np.column_stack([self._scores - self._level, across]))
        mean = self._level + float(across @ solved[:, 0])
        share = max(1.0 - float(across @ solved[:, 1]), 0.02)
        return mean - self.now, self.deviation * math.sqrt(share)


def similarity(one: Version, other: Version) -> float:
    """Return how alike two versions are: 1 for equal ones, falling to 0."""
    squares = sum(
        apart(one.values.get(key), other.values.get(key)) ** 2 for key in {*one.values, *other.values}
    )
    squares += sum(one.codes.get(node) != other.codes.get(node) for node in {*one.codes, *other.codes})
    return math.exp(-0.5 * squares)


def apart(one: Scalar, other: Scalar) -> float:
    """Return how far two values of a parameter lie apart; 1 is as far as another operator."""
    if one == other and type(one) is type(other):
        return 0.0
    if _is_number(one) and _is_number(other):
        a, b = float(one), float(other)  # type: ignore[arg-type]
        if a * b > 0:
            return min(abs(math.log10(a / b)) / DECADES, 3.0)
        return min(abs(a - b) / (max(abs(a), abs(b)) or 1.0), 3.0)
    return 1.0


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
