"""The factors of a history as numbers: which versions have what in common, and which contrasts they settle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from mile_rl.report.impact.states import Factor

_DECADES_SPANNED = 8.0
"""A positive number tried over at least this ratio counts by its logarithm."""

_AROUND_LINE = 0.35
"""How far the effects of a number's values may lie beside their line, as a share of the line's own size."""


class Design:
    """The factors of a history as numbers.

    Args:
        factors: of the versions.
        rows: the indices of the versions whose metric is known.
    """

    def __init__(self, factors: Sequence[Factor], rows: Sequence[int]) -> None:
        import numpy as np

        self.factors = tuple(factors)
        self.rows = tuple(rows)
        self._starts = np.cumsum([0, *(len(factor.levels) for factor in factors)])
        blocks = [_incidence(factor, rows) for factor in factors]
        self.incidence: np.ndarray[Any, Any] = np.hstack(blocks) if blocks else np.zeros((len(rows), 0))
        loadings = [_loading(factor) for factor in factors]
        self._loadings = loadings
        self.features: np.ndarray[Any, Any] = (
            np.hstack([block @ loading for block, loading in zip(blocks, loadings)])
            if blocks
            else np.zeros((len(rows), 0))
        )
        self.interactions = _interactions(
            [block @ loading for block, loading in zip(blocks, loadings)], len(rows)
        )
        self._row_space = _row_space(self.incidence)

    def step(self, factor: int, old: int, new: int) -> np.ndarray[Any, Any]:
        """Return the contrast of moving one factor from one level to another.

        Args:
            factor: its index.
            old: the index of the level before.
            new: the one after.
        """
        contrast = self.nothing()
        contrast[self._starts[factor] + old] -= 1.0
        contrast[self._starts[factor] + new] += 1.0
        return contrast

    def trend(self, factor: int) -> np.ndarray[Any, Any]:
        """Return the contrast of a number's line: the least-squares slope, a tenfold or a unit at a time."""
        import numpy as np

        contrast = self.nothing()
        scale = axis(self.factors[factor])
        centred = scale - scale.mean()
        place = slice(self._starts[factor], self._starts[factor + 1])
        contrast[place] = centred / np.square(centred).sum()
        return contrast

    def nothing(self) -> np.ndarray[Any, Any]:
        """Return the contrast of no change."""
        import numpy as np

        return np.zeros(self._starts[-1])

    def in_features(self, contrasts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return contrasts of levels as contrasts of features."""
        import numpy as np

        parts = [
            contrasts[:, self._starts[index] : self._starts[index + 1]] @ loading
            for index, loading in enumerate(self._loadings)
        ]
        return np.hstack(parts) if parts else np.zeros((len(contrasts), 0))

    def partners(self, contrast: np.ndarray[Any, Any], own: set[int]) -> tuple[int, ...] | None:
        """Return the factors that a contrast cannot be told apart from; None where the versions settle it alone.

        An empty tuple: the versions say nothing about it, though nothing in particular stands in the way.

        Args:
            contrast: of levels.
            own: the factors that it is about.
        """
        import numpy as np

        unseen = contrast - self._row_space @ (self._row_space.T @ contrast)
        if np.abs(unseen).max(initial=0.0) <= 1e-7 * np.abs(contrast).max(initial=1.0):
            return None
        sizes = [
            np.abs(unseen[self._starts[index] : self._starts[index + 1]]).max(initial=0.0)
            for index in range(len(self.factors))
        ]
        return tuple(index for index, size in enumerate(sizes) if size > 1e-6 and index not in own)


def axis(factor: Factor) -> np.ndarray[Any, Any]:
    """Return where a number's levels lie on its axis: its logarithm to base 10, or itself."""
    import numpy as np

    values = np.array([float(level) for level in factor.levels])
    return np.log10(values) if is_logarithmic(factor) else values


def is_logarithmic(factor: Factor) -> bool:
    """Tell whether a number counts by its logarithm: it is positive and was tried over a wide range."""
    if not factor.numeric:
        return False
    values = [float(level) for level in factor.levels]
    return min(values) > 0 and max(values) / min(values) >= _DECADES_SPANNED


def has_trend(factor: Factor) -> bool:
    """Tell whether a factor is a number that was tried at enough values for a line."""
    return factor.numeric and len(factor.levels) >= 3


def _incidence(factor: Factor, rows: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return which version has which level; versions without the factor have zeros.

    A level counts against the mean of all, so that what a node's presence does is what it does at the mean of
    its parameters' levels.
    """
    import numpy as np

    count = len(factor.levels)
    block = np.zeros((len(rows), count))
    for row, index in enumerate(rows):
        if factor.at[index] >= 0:
            block[row] = -1.0 / count
            block[row, factor.at[index]] += 1.0
    return block


def _interactions(parts: Sequence[np.ndarray[Any, Any]], count: int) -> np.ndarray[Any, Any]:
    """Return how alike versions are in pairs of factors: the sum of the products of two factors' likenesses."""
    import numpy as np

    total, squares = np.zeros((count, count)), np.zeros((count, count))
    for part in parts:
        likeness = part @ part.T
        total += likeness
        squares += np.square(likeness)
    both: np.ndarray[Any, Any] = (np.square(total) - squares) / 2.0
    return both


def _loading(factor: Factor) -> np.ndarray[Any, Any]:
    """Return how a factor's levels load on its features; a move has a prior variance of about one."""
    import numpy as np

    count = len(factor.levels)
    if not has_trend(factor):
        return np.eye(count) / math.sqrt(2.0)
    scale = axis(factor)
    line = (scale - scale.mean()) / (scale.max() - scale.min())
    return np.hstack([line[:, None] * math.sqrt(2.0), np.eye(count) * _AROUND_LINE])


def _row_space(incidence: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an orthonormal basis of the contrasts that the versions tell anything about, apart from all others."""
    import numpy as np

    centred = incidence - incidence.mean(axis=0) if len(incidence) else incidence
    if not centred.size:
        return np.zeros((incidence.shape[1], 0))
    _, sizes, basis = np.linalg.svd(centred, full_matrices=False)
    kept: np.ndarray[Any, Any] = basis[sizes > 1e-9 * max(sizes.max(), 1.0)].T
    return kept
