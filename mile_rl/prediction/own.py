"""What a person does otherwise than the model expects: lines of their own, added to the model's raw scores.

The slopes are normally distributed about zero at first and are updated after each iteration that the person made
(Laplace's approximation, one step of Newton an iteration), so nothing is refitted and a few numbers are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.trees import sigmoid, softmax

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DRIFT = 0.02
"""People change: before each update the slopes grow as much more uncertain as this part of the variance at first."""

JITTER = 1e-9
"""Added to an information matrix, that rounding may not make it indefinite."""

LEAST_DOUBT = 1e-3
"""An answer held certain still teaches so much."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnLine:
    """What is known of one person's slopes.

    Args:
        first: their variances before anything was seen, shape (features,).
        mean: what they are now, shape (features,).
        covariance: how uncertain that is, shape (features, features).
    """

    first: Floats
    mean: Floats
    covariance: Floats

    @classmethod
    def unknown(cls, first: Floats) -> Self:
        """Return the line of a person of whom nothing was seen."""
        return cls(first=first, mean=np.zeros(len(first)), covariance=np.diag(first))

    def shift(self, features: Floats) -> Floats:
        """Return what is added to the raw scores of rows with these features, shape (rows,)."""
        added: Floats = features @ self.mean
        return added

    def chosen(self, features: Floats, scores: Floats, index: int) -> Self:
        """Return the line after one of several classes occurred.

        Args:
            features: a row a class.
            scores: the model's raw scores, shape (classes,).
            index: the class that occurred.
        """
        chances = softmax(scores + self.shift(features))
        expected = chances @ features
        return self._moved(features[index] - expected, (features - expected) * np.sqrt(chances)[:, None])

    def answered(self, features: Floats, scores: Floats, hit: Flags) -> Self:
        """Return the line after several yes-or-no questions were answered at once; n of them count as sqrt(n).

        Args:
            features: a row a question.
            scores: the model's raw scores, shape (questions,).
            hit: the answers.
        """
        if not len(hit):
            return self
        chances, weight = sigmoid(scores + self.shift(features)), len(hit) ** -0.5
        spread = weight * np.maximum(chances * (1 - chances), LEAST_DOUBT)
        return self._moved(weight * (hit - chances) @ features, features * np.sqrt(spread)[:, None])

    def _moved(self, gradient: Floats, root: Floats) -> Self:
        """Return the line after one step of Newton.

        Args:
            gradient: of the log-likelihood, shape (features,).
            root: rows whose products sum up to the information, ``root.T @ root``.
        """
        if len(root) > len(gradient):
            summed = root.T @ root + JITTER * np.eye(len(gradient))
            root = np.asarray(np.linalg.cholesky(summed).T, dtype=np.float64)
        wide = self.covariance + DRIFT * np.diag(self.first)
        reached = wide @ root.T
        narrow = wide - reached @ np.linalg.solve(np.eye(len(root)) + root @ reached, reached.T)
        narrow = (narrow + narrow.T) / 2
        return replace(self, mean=self.mean + narrow @ gradient, covariance=narrow)
