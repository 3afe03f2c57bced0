"""The regressors of scikit-learn that stand for a kind of learner; there are no outcomes that compare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Regressor:
    """A class that predicts numbers.

    Args:
        module: where it is imported from.
        kind: what does much the same; one of a kind is tried before another of it.
        says: what it is, in a sentence for a novice.
        scaled: whether its result depends on the columns' scales.
        dense: whether it refuses sparse matrices.
        random: whether it takes ``random_state``.
        abilities: what code may ask of it beyond ``predict``.
        suggested: whether it is the one of its kind to begin with.
        fit_ms: what fitting 5,000 rows of 20 columns took with its defaults, on one core: an order of magnitude.
        growth: the power of the number of cells that this grows with, from 500 rows of 10 columns on.
    """

    module: str
    kind: str
    says: str
    scaled: bool = False
    dense: bool = False
    random: bool = True
    abilities: frozenset[str] = frozenset()
    suggested: bool = False
    fit_ms: float = 1.0
    growth: float = 0.2

    def fit_ns(self, rows: int, columns: int) -> int:
        """Return about how long fitting it takes."""
        return int(1e6 * self.fit_ms * float(rows * columns / _CELLS) ** self.growth)


_CELLS = 5_000 * 20
_LINEAR = frozenset(("coef_", "intercept_"))
_TREES = frozenset(("feature_importances_",))

REGRESSORS: Mapping[str, Regressor] = {
    "Ridge": Regressor(
        module="sklearn.linear_model",
        kind="linear",
        says="Ridge regression weighs the columns and adds up; large weights are drawn towards zero.",
        scaled=True,
        abilities=_LINEAR,
        suggested=True,
    ),
    "RandomForestRegressor": Regressor(
        module="sklearn.ensemble",
        kind="forest",
        says="A random forest averages many decision trees, each grown on a random part of the data.",
        abilities=_TREES,
        suggested=True,
        fit_ms=3_500,
        growth=1.0,
    ),
    "HistGradientBoostingRegressor": Regressor(
        module="sklearn.ensemble",
        kind="boosting",
        says="Gradient boosting grows small trees one after the other, each correcting those before it.",
        dense=True,
        suggested=True,
        fit_ms=220,
        growth=0.4,
    ),
    "KNeighborsRegressor": Regressor(
        module="sklearn.neighbors",
        kind="neighbours",
        says="Nearest neighbours gives a row the mean of the most similar rows.",
        scaled=True,
        random=False,
        suggested=True,
        fit_ms=15,
        growth=0.8,
    ),
    "SVR": Regressor(
        module="sklearn.svm",
        kind="kernel",
        says="Support vector regression fits a smooth curve that may miss each row by a little.",
        scaled=True,
        random=False,
        suggested=True,
        fit_ms=630,
        growth=1.6,
    ),
    "LinearRegression": Regressor(
        module="sklearn.linear_model",
        kind="linear",
        says="Linear regression weighs the columns and adds up.",
        random=False,
        abilities=_LINEAR,
    ),
    "Lasso": Regressor(
        module="sklearn.linear_model",
        kind="linear",
        says="The lasso weighs few columns and sets the weights of the others to zero.",
        scaled=True,
        abilities=_LINEAR,
    ),
    "ElasticNet": Regressor(
        module="sklearn.linear_model",
        kind="linear",
        says="The elastic net is between ridge regression and the lasso.",
        scaled=True,
        abilities=_LINEAR,
    ),
    "ExtraTreesRegressor": Regressor(
        module="sklearn.ensemble",
        kind="forest",
        says="Extra trees are a forest whose trees split at random places.",
        abilities=_TREES,
    ),
    "GradientBoostingRegressor": Regressor(
        module="sklearn.ensemble",
        kind="boosting",
        says="Gradient boosting grows small trees one after the other, each correcting those before it.",
        abilities=_TREES,
    ),
    "DecisionTreeRegressor": Regressor(
        module="sklearn.tree",
        kind="tree",
        says="A decision tree asks one question about one column after the other.",
        abilities=_TREES,
    ),
    "MLPRegressor": Regressor(
        module="sklearn.neural_network",
        kind="network",
        says="A multi-layer perceptron is a small neural network.",
        scaled=True,
    ),
}
