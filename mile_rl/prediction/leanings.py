"""Corrections of what is drawn.

The forecasts are right of real histories' next iterations, with a smaller vote for each where a person has many, and
mostly of people who have other histories. What is drawn has to be right of whole histories, by people of whom nothing
is known, in states that only drawing leads to. So histories are drawn from the first versions of those that the model
was fitted on, and what sets them apart from these is taken off.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASSES

Floats = NDArray[np.float64]

BINS: tuple[int, ...] = (0, 1, 2, 3, 5, 8, 13, 21, 41)
"""A history's end is corrected by how many iterations it has after the first; here each bin begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leanings:
    """What is added to log-odds while histories of one granularity are drawn.

    Args:
        ends: to those of the end, by the bins of ``BINS``.
        classes: to those of each change class, in the order of ``CLASSES``.
    """

    ends: tuple[float, ...] = (0.0,) * len(BINS)
    classes: tuple[float, ...] = (0.0,) * len(CLASSES)

    def __post_init__(self) -> None:
        if (len(self.ends), len(self.classes)) != (len(BINS), len(CLASSES)):
            raise ValueError(f"{len(self.ends)} bins and {len(self.classes)} classes are corrected")

    def end(self, chance: float, iterations: int) -> float:
        """Return P(end), corrected.

        Args:
            chance: as it is foreseen.
            iterations: after the first.
        """
        odds = chance * math.exp(self.ends[bin_of(iterations)])
        return odds / (1.0 - chance + odds)

    def of_classes(self, chances: Floats) -> Floats:
        """Return P(change class), corrected."""
        odds = chances * np.exp(self.classes)
        corrected: Floats = odds / odds.sum()
        return corrected

    def to_json(self) -> dict[str, Any]:
        """Return the corrections as a JSON object."""
        return {"ends": list(self.ends), "classes": list(self.classes)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(ends=tuple(record["ends"]), classes=tuple(record["classes"]))


def bin_of(iterations: int) -> int:
    """Return the bin of ``BINS`` that a number of iterations after the first lies in."""
    return bisect_right(BINS, iterations) - 1
