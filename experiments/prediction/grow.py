"""Growing boosted trees with scikit-learn and taking them out as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from mile_rl.prediction.trees import Forest

Floats = NDArray[np.float64]

NEVER_SEEN = -12.0
"""Raw score of a class that never occurred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSettings:
    """How trees are grown; chosen on validation folds, see docs/adr/0011-prediction.md.

    Args:
        rounds: boosting rounds.
        rate: learning rate.
        leaves: most leaves a tree.
        min_rows: fewest rows a leaf.
        l2: ridge on the leaves' values.
        feature_share: share of the features that each split may choose from.
    """

    rounds: int
    rate: float
    leaves: int
    min_rows: int
    l2: float
    feature_share: float


def grow(
    rows: Floats, y: NDArray[np.int64], weights: Floats, settings: TreeSettings, seed: int
) -> HistGradientBoostingClassifier:
    """Return trees fitted to weighted rows; the weights are scaled to a mean of 1."""
    return HistGradientBoostingClassifier(
        max_iter=settings.rounds,
        learning_rate=settings.rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=min(settings.min_rows, max(len(rows) // 20, 1)),
        l2_regularization=settings.l2,
        max_features=settings.feature_share,
        early_stopping=False,
        random_state=seed,
    ).fit(rows, y, sample_weight=weights / weights.mean())


def to_forest(fitted: HistGradientBoostingClassifier, n_classes: int) -> Forest:
    """Return the trees as arrays.

    Args:
        fitted: what :func:`grow` returned.
        n_classes: how many classes the answer has; those that did not occur get a very low score. 2 gives one
            score, the log-odds of the second.
    """
    features: list[int] = []
    thresholds: list[float] = []
    left: list[int] = []
    right: list[int] = []
    values: list[float] = []
    labels = [int(label) for label in fitted.classes_]
    columns = [0] if n_classes == 2 else labels
    width = 1 if n_classes == 2 else n_classes
    baseline = np.full(width, NEVER_SEEN)
    if n_classes > 2 and len(labels) == 2:  # scikit-learn scores the second of two against 0 for the first
        columns = labels[1:]
        baseline[labels[0]] = 0.0
    leaf = _append_leaf(features, thresholds, left, right, values)
    roots = np.full((len(fitted._predictors), width), leaf, dtype=np.int64)
    depth = 0
    for number, trees in enumerate(fitted._predictors):
        for column, tree in zip(columns, trees):
            offset = len(features)
            roots[number, column] = offset
            for index, node in enumerate(tree.nodes):
                is_leaf = bool(node["is_leaf"])
                features.append(0 if is_leaf else int(node["feature_idx"]))
                thresholds.append(np.inf if is_leaf else float(node["num_threshold"]))
                left.append(offset + (index if is_leaf else int(node["left"])))
                right.append(offset + (index if is_leaf else int(node["right"])))
                values.append(float(node["value"]) if is_leaf else 0.0)
            depth = max(depth, int(tree.nodes["depth"].max()))
    baseline[columns] = np.asarray(fitted._baseline_prediction).ravel()
    return Forest(
        feature=np.asarray(features, dtype=np.int64),
        threshold=np.asarray(thresholds),
        children=np.array([left, right], dtype=np.int64).T.copy(),
        value=np.asarray(values),
        roots=roots,
        depth=depth,
        baseline=baseline,
    )


def _append_leaf(
    features: list[int], thresholds: list[float], left: list[int], right: list[int], values: list[float]
) -> int:
    """Append a leaf of value 0, for classes that never occurred, and return its place."""
    place = len(features)
    features.append(0)
    thresholds.append(np.inf)
    left.append(place)
    right.append(place)
    values.append(0.0)
    return place
