"""Logistic regression on the rows that the forests read, evaluated from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIMIT = 8.0
"""Raw scores are cut off here: a line goes on for ever where nothing was seen, and nobody is that sure."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A raw score a row and class, linear in the features.

    Args:
        weights: shape (features, classes); one class stands for the log-odds of yes.
        bias: shape (classes,).
    """

    weights: Floats
    bias: Floats

    def raw(self, rows: Floats) -> Floats:
        """Return the raw scores of ``rows``, shape (rows, classes)."""
        scores: Floats = np.clip(rows @ self.weights + self.bias, -LIMIT, LIMIT)
        return scores

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as a JSON object."""
        return {
            "weights": [[float(f"{number:.6g}") for number in row] for row in self.weights],
            "bias": self.bias.tolist(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(weights=np.asarray(record["weights"]), bias=np.asarray(record["bias"]))
