"""What the made workflows' data look like."""

from __future__ import annotations

from typing import Final

import numpy as np

from envs.costs import Shape

OPENML_COLUMNS: Final = (2, 6, 8, 12, 20, 27, 41, 55, 105)
"""Deciles (0 to 80 %) of the columns of 418 OpenML data sets; the rest are gene expressions and texts.

Source: the data sets of Oboe (Yang et al., "OBOE: Collaborative Filtering for AutoML Model Selection", KDD 2019).
Their rows (median 592, at most 9,989) are those of benchmarks; here rows follow from how long people wait.
"""

LEAST_ROWS: Final = 200
MOST_ROWS: Final = 2_000_000

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 1_200.0
"""How long a first iteration takes where waiting matters: a second to twenty minutes."""


def draw_columns(rng: np.random.Generator) -> int:
    """Draw a number of columns as data sets have them."""
    at = rng.uniform(0, len(OPENML_COLUMNS) - 1)
    low = int(at)
    left, right = np.log(OPENML_COLUMNS[low]), np.log(OPENML_COLUMNS[min(low + 1, len(OPENML_COLUMNS) - 1)])
    return max(2, round(float(np.exp(left + (at - low) * (right - left)))))


def draw_seconds(rng: np.random.Generator) -> float:
    """Draw how long everything takes once, in seconds: log-normal around half a minute, within the bounds."""
    while True:
        seconds = float(np.exp(rng.normal(np.log(30.0), 1.4)))
        if SHORTEST_S <= seconds <= LONGEST_S:
            return seconds


def with_rows(shape: Shape, times: float) -> Shape:
    """Return a shape of ``times`` as many rows."""
    return Shape(rows=max(1, round(shape.rows * times)), columns=shape.columns, density=shape.density)
