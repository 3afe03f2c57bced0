"""Fits sums of power laws to measurements; see :mod:`envs.costs.posynomial`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.costs.posynomial import Posynomial

TERMS = (1, 2, 3)
FOLDS = 4
STEEPEST = 3.5
"""No cost grows faster than the data to this power."""
PULL = 0.02
"""How strongly exponents are pulled to 0 where the measurements do not tell."""
GROWING = ("rows", "columns", "density", "output_rows", "output_columns")
"""Features that a cost may only grow with; so are "leaves" and parameters bounded by the rows."""


def _grows(name: str) -> bool:
    return (
        name in GROWING or name == "leaves" or "<rows/" in name or name.startswith(("rows*", "output_cells>"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Measurements of one figure of one operator.

    Args:
        names: of the features.
        x: their logarithms, measurements × features.
        log_y: logarithm of the figure.
        shape: for each measurement, the number of its shape; a fold holds whole shapes.
    """

    names: tuple[str, ...]
    x: Any
    log_y: Any
    shape: Any

    def only(self, rows: Any) -> Sample:
        """Return some of the measurements."""
        return Sample(names=self.names, x=self.x[rows], log_y=self.log_y[rows], shape=self.shape[rows])


def fit(sample: Sample, *, terms: Sequence[int] = TERMS, seed: int = 0) -> Posynomial:
    """Return the sum of power laws, its number of terms chosen on shapes left out of the fit.

    Args:
        sample: the measurements.
        terms: numbers of terms to choose from.
        seed: of the folds and of the starting points.
    """
    if len(set(sample.shape.tolist())) < 2 * FOLDS or len(terms) == 1:
        return fit_terms(sample, terms[0] if len(terms) == 1 else 1, seed)
    losses = [_left_out_loss(sample, count, seed) for count in terms]
    best = min(range(len(terms)), key=lambda i: losses[i] * (1 + 0.03 * i))
    return fit_terms(sample, terms[best], seed)


def _left_out_loss(sample: Sample, count: int, seed: int) -> float:
    """Return the mean |log error| on shapes left out, whole shapes at a time."""
    rng = np.random.default_rng(seed)
    numbers = np.unique(sample.shape)
    fold_of = dict(zip(rng.permutation(numbers).tolist(), (np.arange(len(numbers)) % FOLDS).tolist()))
    folds = np.array([fold_of[number] for number in sample.shape.tolist()])
    errors = []
    for fold in range(FOLDS):
        fitted = fit_terms(sample.only(folds != fold), count, seed)
        errors.append(np.abs(log_values(fitted, sample.x[folds == fold]) - sample.log_y[folds == fold]))
    return float(np.concatenate(errors).mean())


def log_values(fitted: Posynomial, x: Any) -> Any:
    """Return the logarithm of a sum of power laws at many points."""
    terms = np.array(fitted.terms).reshape(len(fitted.terms), 1 + x.shape[1])
    powers = np.column_stack([np.full(len(x), max(fitted.overhead, -1e3)), terms[:, 0] + x @ terms[:, 1:].T])
    top = powers.max(axis=1)
    return top + np.log(np.exp(powers - top[:, None]).sum(axis=1))


def fit_terms(sample: Sample, count: int, seed: int = 0) -> Posynomial:
    """Return the sum of an overhead and ``count`` power laws that fits best.

    Least squares of log errors, large ones counting less (soft L1); several starting points.
    """
    from scipy.optimize import least_squares

    features = sample.x.shape[1]
    low, high = _bounds(sample.names, count)
    best, best_cost = None, math.inf
    for start in _starts(sample, count, seed):
        found = least_squares(
            _residuals, np.clip(start, low + 1e-6, high - 1e-6), jac=_jacobian, bounds=(low, high),
            loss="soft_l1", f_scale=0.2, args=(sample.x, sample.log_y, count), max_nfev=60,
        )  # fmt: skip
        if found.cost < best_cost:
            best, best_cost = found.x, float(found.cost)
    assert best is not None
    rows = best[1:].reshape(count, 1 + features)
    return Posynomial(overhead=float(best[0]), terms=tuple(tuple(map(float, row)) for row in rows))


def _bounds(names: Sequence[str], count: int) -> tuple[Any, Any]:
    low = [-60.0, *([-60.0, *(0.0 if _grows(name) else -4.0 for name in names)] * count)]
    high = [60.0, *([60.0, *(STEEPEST if _grows(name) else 4.0 for name in names)] * count)]
    return np.array(low), np.array(high)


def _starts(sample: Sample, count: int, seed: int) -> list[Any]:
    """Return starting points: the plain power law, its terms set apart in different ways."""
    x = np.column_stack([np.ones(len(sample.x)), sample.x])
    beta = np.linalg.lstsq(x.T @ x + 1e-3 * np.eye(x.shape[1]), x.T @ sample.log_y, rcond=None)[0]
    overhead = float(sample.log_y.min()) - 0.7
    rng = np.random.default_rng(seed)
    found = []
    for trial in range(1 if count == 1 else 2):
        terms = []
        for number in range(count):
            term = beta.copy()
            if number:
                tilt = rng.normal(0.0, 0.4, len(term)) if trial else np.full(len(term), 0.4)
                term[1:] += np.where(np.arange(1, len(term)) <= 2, tilt[1:], 0.0)
                # through the middle of the data, a little below the main term
                term[0] = float((sample.log_y - sample.x @ term[1:]).mean()) - 1.0
            terms.append(term)
        found.append(np.concatenate([[overhead], *terms]))
    return found


def _shares(theta: Any, x: Any, count: int) -> tuple[Any, Any]:
    """Return the log of the sum at each point, and each summand's share of it."""
    terms = theta[1:].reshape(count, 1 + x.shape[1])
    powers = np.column_stack([np.full(len(x), theta[0]), terms[:, 0] + x @ terms[:, 1:].T])
    top = powers.max(axis=1)
    parts = np.exp(powers - top[:, None])
    total = parts.sum(axis=1)
    return top + np.log(total), parts / total[:, None]


def _residuals(theta: Any, x: Any, log_y: Any, count: int) -> Any:
    value, _ = _shares(theta, x, count)
    exponents = theta[1:].reshape(count, 1 + x.shape[1])[:, 1:]
    return np.concatenate([value - log_y, math.sqrt(PULL) * exponents.ravel()])


def _jacobian(theta: Any, x: Any, log_y: Any, count: int) -> Any:
    _, shares = _shares(theta, x, count)
    ones = np.column_stack([np.ones(len(x)), x])
    blocks = [shares[:, :1], *(shares[:, k + 1 : k + 2] * ones for k in range(count))]
    pulls = np.delete(
        math.sqrt(PULL) * np.eye(len(theta)), [0, *range(1, len(theta), 1 + x.shape[1])], axis=0
    )
    return np.vstack([np.hstack(blocks), pulls])
