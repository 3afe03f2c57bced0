"""Workflows as people build them, drawn part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from envs.costs import CostModel, Shape
from envs.workload.data import draw_columns
from envs.workload.step import UDF, Role, Step
from mile_rl.workflows.edits import Scalar, Stage

FAMILIES: Final = ("linear", "fan", "join", "models", "text")
"""A linear pipeline; a ColumnTransformer's fan; several tables joined; several models compared; texts."""

CLASSIFIERS: Final = (
    *("logistic_regression",) * 3, *("random_forest_classifier",) * 4, *("gradient_boosting_classifier",) * 2,
    *("hist_gradient_boosting_classifier",) * 2, *("svc",) * 2, "linear_svc", "decision_tree_classifier",
    "extra_trees_classifier", "ada_boost_classifier", "k_neighbors_classifier", "mlp_classifier", "sgd_classifier",
    "gaussian_nb", "ridge_classifier",
)  # fmt: skip
REGRESSORS: Final = (
    *("ridge",) * 2, *("random_forest_regressor",) * 3, *("gradient_boosting_regressor",) * 2,
    *("hist_gradient_boosting_regressor",) * 2, "lasso", "elastic_net", "linear_regression", "svr",
    "decision_tree_regressor", "k_neighbors_regressor", "mlp_regressor",
)  # fmt: skip
TEXT_CLASSIFIERS: Final = (
    "logistic_regression", "logistic_regression", "linear_svc", "linear_svc", "multinomial_nb", "sgd_classifier",
    "ridge_classifier",
)  # fmt: skip
"""Learners, as often as they stand here. Popularity as in the CC0 table of OpenML workflows, coarsely."""

SCALERS: Final = ("standard_scaler",) * 4 + (
    "min_max_scaler",
    "robust_scaler",
    "quantile_transformer",
    "power_transformer",
)
IMPUTERS: Final = ("simple_imputer",) * 5 + ("iterative_imputer", "knn_imputer")
ENCODERS: Final = ("one_hot_encoder",) * 3 + ("ordinal_encoder", "target_encoder")
REDUCERS: Final = (
    "pca", "pca", "select_k_best", "select_k_best", "truncated_svd", "fast_ica", "factor_analysis",
    "select_from_model",
    "select_k_best_mutual_info", "variance_threshold", "polynomial_features", "nystroem", "rbf_sampler",
    "spline_transformer", "k_means",
)  # fmt: skip
CLASS_SCORES: Final = (
    "accuracy_score",
    "roc_auc_score",
    "f1_score",
    "log_loss",
    "classification_report",
    "confusion_matrix",
)
VALUE_SCORES: Final = ("mean_squared_error", "r2_score")

EXTRA_PARAMETERS: Final[Mapping[str, tuple[Scalar, ...]]] = {
    "random_forest_classifier": (("max_features", "sqrt"), ("random_state", 0)),  # type: ignore[dict-item]
    "svc": (("gamma", "scale"),),  # type: ignore[dict-item]
    "gradient_boosting_classifier": (("learning_rate", 0.1), ("subsample", 1.0)),  # type: ignore[dict-item]
    "hist_gradient_boosting_classifier": (("learning_rate", 0.1), ("l2_regularization", 0.0)),  # type: ignore[dict-item]
    "mlp_classifier": (("alpha", 0.0001), ("learning_rate_init", 0.001)),  # type: ignore[dict-item]
}
"""What people set besides what the cost was measured by."""


class Recipe:
    """Draws one workflow, step by step.

    Args:
        rng: where chance comes from.
        model: what operators cost.
    """

    def __init__(self, rng: np.random.Generator, model: CostModel) -> None:
        self.rng, self.model = rng, model
        self.steps: dict[str, Step] = {}
        self.regression = bool(rng.random() < 0.25)

    def workflow(self, family: str) -> dict[str, Step]:
        """Return the steps of a workflow, parents before children."""
        {
            "linear": self._linear,
            "fan": self._fan,
            "join": self._join,
            "models": self._models,
            "text": self._text,
        }[family]()
        return self.steps

    def _linear(self) -> None:
        self._learn(self._refined(self._cleaned(self._read("rows"), 0.5)), 1)

    def _models(self) -> None:
        self._learn(self._refined(self._cleaned(self._read("rows"), 0.6)), int(self.rng.integers(2, 5)))

    def _fan(self) -> None:
        table = self._cleaned(self._read("rows"), 0.5)
        parts = [self._numbers(table)]
        for _ in range(int(self.rng.integers(1, 4))):
            parts.append(self._categories(table))
        if self.rng.random() < 0.4:
            parts.append(self._udf("features", table, widening=0.3))
        merged = self._add("combine", "merge", "concatenate", "preprocess", tuple(parts))
        if self.rng.random() < 0.5:
            merged = self._reduced(merged)
        self._learn(merged, int(self.rng.integers(1, 3)))

    def _join(self) -> None:
        tables = [self._cleaned(self._read(f"table_{i}"), 0.7) for i in range(int(self.rng.integers(2, 5)))]
        joined = tables[0]
        for i, other in enumerate(tables[1:]):
            joined = self._add(f"join_{i}", "merge", "join", "preprocess", (joined, other))
        if self.rng.random() < 0.7:
            joined = self._udf("features", joined)
        self._learn(self._refined(joined), int(self.rng.integers(1, 3)))

    def _text(self) -> None:
        texts = Shape(rows=5_000, columns=1)
        source = self._add(
            "texts", "read", UDF, "preprocess", (), shape=texts, cell_ns=self._between(2e3, 2e5)
        )
        if self.rng.random() < 0.6:
            source = self._udf("normalise", source, widening=1.0, cell_ns=self._between(2e4, 2e6))
        vectoriser = str(self.rng.choice(("tfidf_vectorizer", "count_vectorizer", "hashing_vectorizer")))
        features = self._step("vectorise", vectoriser, source)
        if self.rng.random() < 0.4:
            features = self._step("topics", "truncated_svd", features)
        if self.rng.random() < 0.4:
            extra = self._udf("statistics", source, widening=8.0, cell_ns=self._between(1e4, 1e6))
            features = self._add("combine", "merge", "concatenate", "preprocess", (features, extra))
        self.regression = False
        self._learn(features, int(self.rng.integers(1, 4)), learners=TEXT_CLASSIFIERS)

    def _read(self, name: str) -> str:
        shape = Shape(rows=2_000, columns=draw_columns(self.rng))
        operator = "read_csv" if self.rng.random() < 0.8 else "read_parquet"
        return self._add(name, "read", operator, "preprocess", (), shape=shape)

    def _cleaned(self, table: str, chance: float) -> str:
        if self.rng.random() < chance:
            table = self._udf(
                f"clean_{table}" if len(self.steps) > 1 else "clean", table, widening=self._between(0.5, 1.3)
            )
        return table

    def _refined(self, table: str) -> str:
        if self.rng.random() < 0.7:
            table = self._step("impute", str(self.rng.choice(IMPUTERS)), table)
        if self.rng.random() < 0.4:
            table = self._udf("features", table) if "features" not in self.steps else table
        if self.rng.random() < 0.6:
            table = self._step("scale", str(self.rng.choice(SCALERS)), table)
        return self._reduced(table) if self.rng.random() < 0.5 else table

    def _reduced(self, table: str) -> str:
        return self._step("reduce", str(self.rng.choice(REDUCERS)), table)

    def _numbers(self, table: str) -> str:
        chosen = self._udf("numbers", table, widening=self._between(0.3, 0.8), cell_ns=3.0)
        imputed = self._step("impute_numbers", str(self.rng.choice(IMPUTERS)), chosen)
        return self._step("scale_numbers", str(self.rng.choice(SCALERS)), imputed)

    def _categories(self, table: str) -> str:
        number = 1 + sum(name.startswith("encode") for name in self.steps)
        chosen = self._udf(f"group_{number}", table, widening=self._between(0.05, 0.4), cell_ns=3.0)
        return self._step(f"encode_{number}", str(self.rng.choice(ENCODERS)), chosen)

    def _udf(
        self, name: str, parent: str, *, widening: float | None = None, cell_ns: float | None = None
    ) -> str:
        return self._add(
            name, "apply", UDF, "preprocess", (parent,),
            cell_ns=self._between(20.0, 5_000.0) if cell_ns is None else cell_ns,
            widening=self._between(0.5, 2.5) if widening is None else widening,
            parameters={"limit": 10} if self.rng.random() < 0.3 else {},
        )  # fmt: skip

    def _learn(self, features: str, learners_count: int, learners: tuple[str, ...] | None = None) -> None:
        rng = self.rng
        split = self._add(
            "split", "split", "train_test_split", "preprocess", (features,), parameters={"test_size": 0.25}
        )
        choices = learners or (REGRESSORS if self.regression else CLASSIFIERS)
        scores = VALUE_SCORES if self.regression else CLASS_SCORES
        explicit = rng.random() < 0.5
        for i in range(learners_count):
            suffix = f"_{i + 1}" if learners_count > 1 else ""
            fitted = self._step(f"model{suffix}", str(rng.choice(choices)), split, role="fit", stage="learn")
            taken: tuple[tuple[str, int], ...] = ((fitted, 0), (split, 1))
            if explicit:
                predicted = self._add(
                    f"predict{suffix}", "predict", self.steps[fitted].operator, "learn", taken
                )
                taken = ((predicted, 0),)
            for score in rng.choice(scores, min(len(scores), int(rng.integers(1, 4))), replace=False):
                self._add(f"{score}{suffix}", "score", str(score), "evaluate", taken)
        if rng.random() < 0.3:
            everything = tuple(
                (name, 0) for name, step in self.steps.items() if step.role in ("score", "predict")
            )
            self._add("report", "report", UDF, "evaluate", everything, cell_ns=self._between(1e8, 5e9))

    def _step(
        self, name: str, operator: str, parent: str, *, role: Role = "apply", stage: Stage = "preprocess"
    ) -> str:
        added = self._add(name, role, operator, stage, (parent,))
        self.steps[added] = with_parameters(self.steps[added], operator, self.rng, self.model)
        return added

    def _add(
        self,
        name: str,
        role: Role,
        operator: str,
        stage: Stage,
        parents: tuple[str | tuple[str, int], ...],
        **more: object,
    ) -> str:
        taken = tuple((parent, 0) if isinstance(parent, str) else parent for parent in parents)
        spread = 0.3 if operator == UDF else 0.2
        step = Step(
            name=name, role=role, operator=operator, stage=stage, parents=taken,
            time_factor=float(np.exp(self.rng.normal(0.0, spread))), **more,  # type: ignore[arg-type]
        )  # fmt: skip
        self.steps[name] = step
        return name

    def _between(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))


def with_parameters(step: Step, operator: str, rng: np.random.Generator, model: CostModel) -> Step:
    """Return a step that runs another operator, with parameters a person would begin with."""
    info = model.operators[operator]
    parameters: dict[str, Scalar] = {}
    of_data: dict[str, Scalar] = {}
    for name, plausible in info.parameters.items():
        value = plausible[0] if rng.random() < 0.6 else plausible[int(rng.integers(len(plausible)))]
        if name in info.of_data:
            of_data[name] = plausible[int(rng.integers(len(plausible)))]
        else:
            parameters[name] = value
    parameters.update(EXTRA_PARAMETERS.get(operator, ()))  # type: ignore[arg-type]
    return replace(step, operator=operator, parameters=parameters, of_data=of_data, label=operator)
