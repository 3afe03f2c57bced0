"""Logistic regression on the rows that the forests read, evaluated from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = 4.0
"""Features are cut off so many standard deviations from their mean: a line goes on for ever where nothing was seen,
and a graph of thousands of nodes lies a hundred of them out."""

LIMIT = 8.0
"""Raw scores are cut off here: nobody is that sure."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A raw score a row and class, linear in the features.

    Args:
        mean, spread: of each feature, by which it is standardised.
        weights: of the standardised features, shape (features, classes); one class stands for the log-odds of yes.
        bias: shape (classes,).
    """

    mean: Floats
    spread: Floats
    weights: Floats
    bias: Floats

    def raw(self, rows: Floats) -> Floats:
        """Return the raw scores of ``rows``, shape (rows, classes)."""
        scores: Floats = standardised(rows, self.mean, self.spread) @ self.weights + self.bias
        return scores.clip(-LIMIT, LIMIT)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as a JSON object."""
        return {
            "mean": self.mean.tolist(),
            "spread": self.spread.tolist(),
            "weights": [[float(f"{number:.6g}") for number in row] for row in self.weights],
            "bias": self.bias.tolist(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(**{name: np.asarray(record[name]) for name in ("mean", "spread", "weights", "bias")})


def standardised(rows: Floats, mean: Floats, spread: Floats) -> Floats:
    """Return features less their mean, in standard deviations, cut off at ``REACH``."""
    table: Floats = ((rows - mean) / spread).clip(-REACH, REACH)
    return table
