"""Gradient-boosted trees evaluated in NumPy: all trees at once, one level a step, from plain arrays.

No pickle and no scikit-learn at inference: parameters are JSON. Equality with scikit-learn's own answer is
tested where the trees are fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Boosted regression trees with one raw score a row and class.

    Args:
        feature: per tree node, the feature that it splits on; a leaf splits on 0 and leads to itself.
        threshold: per tree node, go left where the feature is at most this; +inf at leaves.
        children: per tree node, its left and its right child, shape (nodes, 2); nodes are put in another order, in
            which the two lie side by side.
        value: per tree node, the leaf's value, in units of the raw score.
        roots: the trees' roots, shape (rounds, classes); kept with the deepest rounds first.
        baseline: raw score before any tree, shape (classes,).
    """

    feature: NDArray[np.int64]
    threshold: Floats
    children: NDArray[np.int64]
    value: Floats
    roots: NDArray[np.int64]
    baseline: Floats
    _going_on: tuple[int, ...] = field(init=False, repr=False)
    """Per level, how many trees have a split there: always the first ones."""
    _left: NDArray[np.int64] = field(init=False, repr=False)
    """Per tree node its left child, which the right one follows; a leaf itself."""

    def __post_init__(self) -> None:
        splits = ~np.isinf(self.threshold)
        heights = _heights(splits, self.children)[self.roots].max(axis=1, initial=0)
        deepest_first = np.argsort(-heights, kind="stable")
        order = np.concatenate([np.unique(self.roots), self.children[splits].ravel()])
        place = np.zeros(len(splits), dtype=np.int64)
        place[order] = np.arange(len(order))
        own = np.arange(len(order))
        left = np.where(splits[order], place[self.children[order, 0]], own)
        width = self.roots.shape[1]
        for name, value in (
            ("feature", self.feature[order]),
            ("threshold", self.threshold[order]),
            ("children", np.stack([left, left + splits[order]], axis=1)),
            ("value", self.value[order]),
            ("roots", place[self.roots[deepest_first]]),
            (
                "_going_on",
                tuple(width * int((heights > level).sum()) for level in range(heights.max(initial=0))),
            ),
            ("_left", left),
        ):
            object.__setattr__(self, name, value)

    def raw(self, rows: Floats) -> Floats:
        """Return the raw scores of ``rows``, shape (rows, classes).

        Takes time proportional to rows x trees x their mean depth. Rows must not hold NaN.
        """
        values = np.ascontiguousarray(rows).ravel()
        start = np.arange(len(rows)) * rows.shape[1]
        at = np.repeat(self.roots.ravel(), len(rows)).reshape(self.roots.size, len(rows))
        for trees in self._going_on:
            # take() on flat arrays costs a third of the same look-ups by index arrays
            here = at[:trees]
            asked = self.feature.take(here)
            asked += start
            go_right = values.take(asked) > self.threshold.take(here)
            np.add(self._left.take(here), go_right, out=here)
        scores: Floats = (
            self.value.take(at).reshape(*self.roots.shape, len(rows)).sum(axis=0).T + self.baseline
        )
        return scores

    def to_json(self) -> dict[str, Any]:
        """Return the trees as a JSON object; thresholds and values keep every bit that counts."""
        leaf = np.isinf(self.threshold)
        return {
            "feature": self.feature.tolist(),
            "threshold": [None if is_leaf else number for is_leaf, number in zip(leaf, self.threshold)],
            "left": self.children[:, 0].tolist(),
            "right": self.children[:, 1].tolist(),
            "value": [float(f"{number:.6g}") for number in self.value],
            "roots": self.roots.tolist(),
            "baseline": self.baseline.tolist(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        threshold = [np.inf if number is None else number for number in record["threshold"]]
        return cls(
            feature=np.asarray(record["feature"], dtype=np.int64),
            threshold=np.asarray(threshold, dtype=np.float64),
            children=np.array([record["left"], record["right"]], dtype=np.int64).T.copy(),
            value=np.asarray(record["value"], dtype=np.float64),
            roots=np.asarray(record["roots"], dtype=np.int64),
            baseline=np.asarray(record["baseline"], dtype=np.float64),
        )


def _heights(splits: NDArray[np.bool_], children: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of each tree node how many splits lie on the way down to the deepest leaf below it."""
    heights = splits.astype(np.int64)
    while True:
        taller = np.where(splits, 1 + heights[children].max(axis=1), 0)
        if np.array_equal(taller, heights):
            return heights
        heights = taller


def softmax(scores: Floats) -> Floats:
    """Return the probabilities of raw scores, along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def sigmoid(scores: Floats) -> Floats:
    """Return the probabilities of log-odds."""
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30)))
    return probabilities
