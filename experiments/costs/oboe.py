"""Compares predicted estimator times with the public runtimes of Oboe, on machines and libraries of others.

Source: Yang, Akimoto, Kim, Udell, "OBOE: Collaborative Filtering for AutoML Model Selection", KDD 2019; runtimes in
seconds of cross-validating 219 configurations on some hundred OpenML datasets. Only ranks can agree: the machine,
the version of scikit-learn and the data differ.
"""

from __future__ import annotations

import ast
import csv
import gzip
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.costs import CostError, CostModel, Scalar, Shape

FOLDS = 5
MEASURED_COLUMNS = 150
"""Datasets of at most so many columns lie about within the measured shapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far predicted and public times are in the same order.

    Args:
        algorithm: Oboe's name, "pooled" for all.
        operator: ours.
        pairs: (dataset, configuration) pairs compared.
        rank_correlation: Spearman's, over all pairs.
        across_datasets: the median of Spearman's over the configurations, each across its datasets.
        within_range: Spearman's over the pairs whose dataset lies within the measured shapes.
    """

    algorithm: str
    operator: str
    pairs: int
    rank_correlation: float
    across_datasets: float
    within_range: float


def _split(given: Mapping[str, Any], shape: Shape) -> dict[str, Scalar]:
    """Take a smallest node to split for twice a smallest leaf."""
    smallest = given.get("min_samples_split", 2)
    rows = smallest * shape.rows if isinstance(smallest, float) else smallest
    return {"min_samples_leaf": max(round(rows / 2), 1)}


Translate = Callable[[Mapping[str, Any], Shape], dict[str, Scalar]]
OPERATORS: dict[str, tuple[str, Translate]] = {
    "AB": ("ada_boost_classifier", lambda given, shape: {"n_estimators": given["n_estimators"]}),
    "DT": ("decision_tree_classifier", _split),
    "ExtraTrees": ("extra_trees_classifier", _split),
    "GBT": ("gradient_boosting_classifier", lambda given, shape: {"max_depth": given["max_depth"]}),
    "GNB": ("gaussian_nb", lambda given, shape: {}),
    "KNN": ("k_neighbors_classifier", lambda given, shape: {"n_neighbors": given["n_neighbors"]}),
    "Logit": ("logistic_regression", lambda given, shape: {"C": given["C"]}),
    "MLP": ("mlp_classifier", lambda given, shape: {"max_iter": 200}),
    "Perceptron": ("perceptron", lambda given, shape: {}),
    "RF": ("random_forest_classifier", _split),
    "kSVM": ("svc", lambda given, shape: {"C": given["C"], "kernel": given["kernel"]}),
    "lSVM": ("linear_svc", lambda given, shape: {"C": given["C"]}),
}


def compare(folder: Path, model: CostModel) -> list[Agreement]:
    """Return the agreement of each algorithm family, the pooled one last.

    Args:
        folder: holds ``oboe_runtime_matrix.csv.gz`` and ``oboe_dataset_sizes.csv``.
        model: whose predictions are compared.

    Raises:
        CostError: the files are not there.
    """
    try:
        shapes = _shapes(folder / "oboe_dataset_sizes.csv")
        configurations, runtimes = _runtimes(folder / "oboe_runtime_matrix.csv.gz")
    except OSError as error:
        raise CostError(
            f"the public runtimes cannot be read ({error}); give their folder by --oboe"
        ) from error
    datasets = [name for name in runtimes if name in shapes]
    predicted = np.array(
        [[_predicted_ns(model, one, shapes[name]) for one in configurations] for name in datasets]
    )
    public = np.array([runtimes[name] for name in datasets])
    narrow = np.array([shapes[name].columns <= MEASURED_COLUMNS for name in datasets])
    algorithms = np.array([one["algorithm"] for one in configurations])
    found = []
    for algorithm in dict.fromkeys(algorithms.tolist()):
        chosen = algorithms == algorithm
        found.append(
            _agreement(algorithm, OPERATORS[algorithm][0], predicted[:, chosen], public[:, chosen], narrow)
        )
    return [*found, _agreement("pooled", "", predicted, public, narrow)]


def _predicted_ns(model: CostModel, configuration: Mapping[str, Any], shape: Shape) -> float:
    """Return the predicted time of a cross-validation."""
    operator, translate = OPERATORS[configuration["algorithm"]]
    given = configuration["hyperparameters"]
    columns = shape.columns
    if given.get("max_features") == "log2":
        columns = max(round(math.log2(columns)), 1)
    trained = Shape(rows=max(shape.rows * (FOLDS - 1) // FOLDS, 1), columns=columns)
    cost = model.cost(operator, trained, translate(given, trained))
    return FOLDS * cost.fit_ns + cost.apply_ns


def _agreement(algorithm: str, operator: str, predicted: Any, public: Any, narrow: Any) -> Agreement:
    columns = [_spearman(predicted[:, i], public[:, i]) for i in range(predicted.shape[1])]
    return Agreement(
        algorithm=algorithm,
        operator=operator,
        pairs=int(np.isfinite(public).sum()),
        rank_correlation=_spearman(predicted.ravel(), public.ravel()),
        across_datasets=float(np.median(columns)),
        within_range=_spearman(predicted[narrow].ravel(), public[narrow].ravel()),
    )


def _spearman(first: Any, second: Any) -> float:
    from scipy.stats import spearmanr

    both = np.isfinite(first) & np.isfinite(second)
    return float(spearmanr(first[both], second[both]).statistic)


def _shapes(path: Path) -> dict[int, Shape]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {int(name): Shape(rows=int(n), columns=int(columns)) for name, n, columns in rows}


def _runtimes(path: Path) -> tuple[list[Mapping[str, Any]], dict[int, list[float]]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    configurations = [ast.literal_eval(cell) for cell in head[1:]]
    return configurations, {int(name): [float(c) if c else math.nan for c in cells] for name, *cells in rows}


def table(found: Sequence[Agreement]) -> str:
    """Return the agreements as a Markdown table."""
    lines = [
        "| Oboe's algorithm | operator here | pairs | rank correlation | across datasets | within measured shapes |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        lines.append(
            f"| {one.algorithm} | {one.operator} | {one.pairs:,} | {one.rank_correlation:.2f} | "
            f"{one.across_datasets:.2f} | {one.within_range:.2f} |"
        )
    return "\n".join(lines)
