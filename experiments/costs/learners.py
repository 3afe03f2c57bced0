"""The estimators that learn, from scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.costs import Scalar
from envs.costs.outputs import number
from experiments.costs.spec import Spec, sklearn

SEEDED = {"random_state": 0}
C = (1.0, 0.01, 0.1, 10.0)
DEPTH = (None, 4, 8, 16)
CLASSES = (2, 10)


def learner(
    name: str, path: str, family: str, parameters: Mapping[str, tuple[Scalar, ...]], **more: Any
) -> Spec:
    """Return the spec of an estimator whose output is a column of predictions."""
    of_data = ("n_classes",) if "n_classes" in parameters else ()
    return sklearn(name, path, family, stage="learn", parameters=parameters, of_data=of_data, **more)


def _linear() -> tuple[Spec, ...]:
    def linear(name: str, kind: str, parameters: Mapping[str, tuple[Scalar, ...]], **more: Any) -> Spec:
        return learner(name, f"linear_model:{kind}", "linear", parameters, **{"sparse": True, **more})

    return (
        linear(
            "logistic_regression", "LogisticRegression",
            {"C": C, "max_iter": (100, 30, 300), "n_classes": CLASSES}, growth=1.3,
        ),
        linear("ridge", "Ridge", {"alpha": (1.0, 0.1, 10.0)}),
        linear("ridge_classifier", "RidgeClassifier", {"alpha": (1.0, 0.1, 10.0), "n_classes": CLASSES}),
        linear("linear_regression", "LinearRegression", {}, sparse=False),
        linear("lasso", "Lasso", {"alpha": (0.1, 0.01, 1.0)}, sparse=False),
        linear("elastic_net", "ElasticNet", {"alpha": (0.1, 0.01, 1.0)}, sparse=False),
        linear(
            "sgd_classifier", "SGDClassifier",
            {"max_iter": (20, 5, 50), "n_classes": CLASSES}, fixed={**SEEDED, "tol": None},
        ),
        linear("perceptron", "Perceptron", {"max_iter": (20, 5, 50), "n_classes": CLASSES},
               fixed={**SEEDED, "tol": None}),
        learner(
            "linear_discriminant_analysis", "discriminant_analysis:LinearDiscriminantAnalysis", "linear",
            {}, growth=1.3,
        ),
        learner("gaussian_nb", "naive_bayes:GaussianNB", "bayes", {"n_classes": CLASSES}),
        learner(
            "multinomial_nb", "naive_bayes:MultinomialNB", "bayes", {"n_classes": CLASSES}, sparse=True,
            input="nonnegative",
        ),
    )  # fmt: skip


def _trees() -> tuple[Spec, ...]:
    def tree(name: str, kind: str, family: str, **more: Any) -> Spec:
        path = f"tree:{kind}" if family == "tree" else f"ensemble:{kind}"
        parameters: dict[str, tuple[Scalar, ...]] = {"max_depth": DEPTH, "min_samples_leaf": (1, 5, 20)}
        if family == "forest":
            parameters = {"n_estimators": (100, 20, 50, 200), **parameters}
        return learner(name, path, family, parameters, fixed=SEEDED, growth=1.2, bounds=("leaves",), **more)

    return (
        tree("decision_tree_classifier", "DecisionTreeClassifier", "tree"),
        tree("decision_tree_regressor", "DecisionTreeRegressor", "tree"),
        tree("random_forest_classifier", "RandomForestClassifier", "forest"),
        tree("random_forest_regressor", "RandomForestRegressor", "forest"),
        tree("extra_trees_classifier", "ExtraTreesClassifier", "forest"),
    )


def _boosting() -> tuple[Spec, ...]:
    def boosting(name: str, kind: str, parameters: Mapping[str, tuple[Scalar, ...]], **more: Any) -> Spec:
        fixed = {**SEEDED, **more.pop("fixed", {})}
        return learner(name, f"ensemble:{kind}", "boosting", parameters, fixed=fixed, growth=1.2, **more)

    trees = (100, 30, 300)
    # early stopping is said outright: by itself it sets in above 10,000 rows and makes larger data cheaper
    histograms: dict[str, Any] = {
        "fixed": {"early_stopping": False},
        "numeric": ("max_iter", "max_leaf_nodes<rows/20"),
    }
    return (
        boosting(
            "gradient_boosting_classifier", "GradientBoostingClassifier",
            {"n_estimators": (100, 30, 200), "max_depth": (3, 2, 5), "n_classes": (2, 5)},
        ),
        boosting("gradient_boosting_regressor", "GradientBoostingRegressor",
                 {"n_estimators": (100, 30, 200), "max_depth": (3, 2, 5)}),
        boosting(
            "hist_gradient_boosting_classifier", "HistGradientBoostingClassifier",
            {"max_iter": trees, "max_leaf_nodes": (31, 7, 15, 63), "n_classes": (2, 5)},
            **{**histograms, "numeric": (*histograms["numeric"], "n_classes")},
        ),
        boosting(
            "hist_gradient_boosting_regressor", "HistGradientBoostingRegressor",
            {"max_iter": trees, "max_leaf_nodes": (31, 7, 15, 63)}, **histograms,
        ),
        boosting("ada_boost_classifier", "AdaBoostClassifier", {"n_estimators": (50, 20, 100)}),
    )  # fmt: skip


def _others() -> tuple[Spec, ...]:
    def svm(name: str, kind: str, **more: Any) -> Spec:
        parameters: Mapping[str, tuple[Scalar, ...]] = {
            "C": (1.0, 0.1, 10.0),
            "kernel": ("rbf", "poly", "linear"),
        }
        return learner(name, f"svm:{kind}", "svm", parameters, growth=2.3, fixed={"max_iter": 20000}, **more)

    def mlp(name: str, kind: str) -> Spec:
        # tolerance zero: the work is that of max_iter epochs, not of the data's luck
        return learner(
            name, f"neural_network:{kind}", "mlp",
            {"hidden": (100, 20, 50, 200), "max_iter": (20, 10, 50)},
            fixed={**SEEDED, "tol": 0.0, "n_iter_no_change": 10**6},
            convert=lambda given: {"hidden_layer_sizes": (number(given, "hidden"),)}, renamed=("hidden",),
        )  # fmt: skip

    def neighbours(name: str, kind: str) -> Spec:
        # above 15 columns scikit-learn compares all pairs instead of building a tree
        return learner(
            name, f"neighbors:{kind}", "neighbours", {"n_neighbors": (5, 1, 15, 50)}, growth=2.0,
            bounds=("columns>15", "rows*columns>15"),
        )  # fmt: skip

    return (
        neighbours("k_neighbors_classifier", "KNeighborsClassifier"),
        neighbours("k_neighbors_regressor", "KNeighborsRegressor"),
        svm("svc", "SVC"),
        svm("svr", "SVR"),
        learner(
            "linear_svc", "svm:LinearSVC", "svm",
            {"C": C, "max_iter": (1000, 100, 300), "n_classes": CLASSES}, sparse=True, growth=1.3, fixed=SEEDED,
        ),
        mlp("mlp_classifier", "MLPClassifier"),
        mlp("mlp_regressor", "MLPRegressor"),
    )  # fmt: skip


LEARNERS: tuple[Spec, ...] = (*_linear(), *_trees(), *_boosting(), *_others())
