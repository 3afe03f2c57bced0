"""Growing boosted trees with scikit-learn and taking them out as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from mile_rl.prediction.linear import Linear, standardised
from mile_rl.prediction.trees import Forest, sigmoid, softmax

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One fitted part of the model: trees, and a logistic regression beside them where the two answer together.

    It answers as the shipped part does, for many rows at once.
    """

    trees: HistGradientBoostingClassifier
    line: Linear | None
    n_classes: int

    def raw(self, rows: Floats) -> Floats:
        """Return the raw scores, shape (rows, n_classes); of two classes one score, the log-odds of the second."""
        scores: Floats = self.trees.decision_function(rows)
        if scores.ndim == 1:
            scores = (
                scores[:, None] if self.n_classes == 2 else np.stack([np.zeros(len(rows)), scores], axis=1)
            )
        if self.n_classes > 2:
            full = np.full((len(rows), self.n_classes), NEVER_SEEN)
            full[:, self.trees.classes_] = scores
            scores = full
        return scores if self.line is None else (scores + self.line.raw(rows)) / 2

    @property
    def ruler(self) -> Linear:
        """Return the line, by which features are standardised; a part that answers alone has none."""
        assert self.line is not None
        return self.line

    def chances(self, rows: Floats) -> Floats:
        """Return P(each class), or P(yes) of two, shape (rows,)."""
        scores = self.raw(rows)
        return softmax(scores) if self.n_classes > 2 else sigmoid(scores)[:, 0]


def fit_part(
    rows: Floats,
    y: NDArray[np.int64],
    weights: Floats,
    settings: TreeSettings,
    seed: int,
    *,
    ridge: float | None = None,
    n_classes: int = 2,
) -> Part:
    """Return trees, and where ``ridge`` is given a logistic regression beside them; arguments as below."""
    line = None if ridge is None else draw_line(rows, y, weights, ridge, n_classes)
    return Part(trees=grow(rows, y, weights, settings, seed), line=line, n_classes=n_classes)


def draw_line(rows: Floats, y: NDArray[np.int64], weights: Floats, ridge: float, n_classes: int) -> Linear:
    """Return a logistic regression fitted to weighted rows; the weights are scaled to a mean of 1.

    Args:
        rows, y, weights: as in :func:`grow`.
        ridge: scikit-learn's C, on standardised features: the smaller, the flatter.
        n_classes: how many classes the answer has; 2 gives one score, the log-odds of the second.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0
    fitted = LogisticRegression(C=ridge, solver="newton-cholesky", max_iter=50)
    fitted.fit(standardised(rows, mean, spread), y, sample_weight=weights / weights.mean())
    slopes, start = fitted.coef_.T, fitted.intercept_
    if n_classes == 2:
        return Linear(mean=mean, spread=spread, weights=slopes, bias=start)
    labels = fitted.classes_
    if len(labels) == 2:  # scikit-learn scores the second of two against 0 for the first
        slopes, start = np.hstack([0 * slopes, slopes]), np.array([0.0, start[0]])
    full, bias = np.zeros((rows.shape[1], n_classes)), np.full(n_classes, NEVER_SEEN)
    full[:, labels], bias[labels] = slopes, start
    return Linear(mean=mean, spread=spread, weights=full, bias=bias)


def draw_choice(
    rows: Floats, hit: NDArray[np.int64], weights: Floats, owner: NDArray[np.int64], ridge: float
) -> Linear:
    """Return the line by which one of several candidates is chosen: a softmax over those of one owner.

    Args:
        rows: of the candidates.
        hit: 1 for the one that was chosen; owners that chose none teach nothing here.
        weights: of the candidates; those of one owner weigh the same.
        owner: whose candidate each is, ascending.
        ridge: what the squares of the slopes, on standardised features, cost.
    """
    from scipy.optimize import minimize

    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0
    taught = np.bincount(owner, weights=hit)[owner] > 0
    own = np.unique(owner[taught], return_inverse=True)[1]
    table = standardised(rows[taught], mean, spread)
    starts = np.searchsorted(own, np.arange(own.max() + 1))
    chosen = weights[taught] * hit[taught]
    mass = np.add.reduceat(chosen, starts)[own] / chosen.sum()

    def loss(slopes: Floats) -> tuple[float, Floats]:
        scores = table @ slopes
        scores -= np.maximum.reduceat(scores, starts)[own]
        odds = np.exp(scores)
        sums = np.add.reduceat(odds, starts)[own]
        gap = mass * odds / sums - chosen / chosen.sum()
        cost = float((chosen / chosen.sum()) @ (np.log(sums) - scores)) + ridge * float(slopes @ slopes) / 2
        return cost, table.T @ gap + ridge * slopes

    best = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    return Linear(mean=mean, spread=spread, weights=best[:, None], bias=np.zeros(1))


def centred(line: Linear, scores: Floats, rows: Floats, hit: NDArray[np.int64], weights: Floats) -> Linear:
    """Return the line shifted so that, together with the trees' ``scores``, it expects as many hits as there are."""
    from scipy.optimize import brentq

    def excess(shift: float) -> float:
        moved = replace(line, bias=line.bias + shift)
        expected = sigmoid((scores + moved.raw(rows)[:, 0]) / 2)
        return float(np.average(expected - hit, weights=weights))

    return replace(line, bias=line.bias + brentq(excess, -40.0, 40.0, xtol=1e-4))


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
    baseline[columns] = np.asarray(fitted._baseline_prediction).ravel()
    return Forest(
        feature=np.asarray(features, dtype=np.int64),
        threshold=np.asarray(thresholds),
        children=np.array([left, right], dtype=np.int64).T.copy(),
        value=np.asarray(values),
        roots=roots,
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
