"""The operators that prepare data, from scikit-learn."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from envs.costs.outputs import number
from experiments.costs.spec import Parameters, Spec, sklearn

SEEDED = {"random_state": 0}
CARDINALITY = (10, 3, 50, 200)
COMPONENTS = (10, 2, 5, 20, 50)


def _scored(given: Parameters) -> Mapping[str, Any]:
    return {"score_func": getattr(importlib.import_module("sklearn.feature_selection"), str(given["score"]))}


def _forest(given: Parameters) -> Mapping[str, Any]:
    ensemble = importlib.import_module("sklearn.ensemble")
    trees = number(given, "n_estimators")
    return {
        "estimator": ensemble.ExtraTreesClassifier(n_estimators=trees, max_depth=8, random_state=0),
        "max_features": number(given, "k"),
        "threshold": -float("inf"),
    }


def _ngrams(given: Parameters) -> Mapping[str, Any]:
    return {"ngram_range": (1, number(given, "ngram_max"))}


def _missing() -> tuple[Spec, ...]:
    return (
        sklearn(
            "simple_imputer", "impute:SimpleImputer", "imputer", input="missing", output="dense",
            parameters={"strategy": ("mean", "median", "most_frequent")},
        ),
        sklearn(
            "knn_imputer", "impute:KNNImputer", "imputer", input="missing", output="dense", growth=2.0,
            parameters={"n_neighbors": (5, 2, 15)},
        ),
        sklearn(
            # by its own module: scikit-learn wants a switch thrown for the public name
            "iterative_imputer", "impute._iterative:IterativeImputer", "imputer", input="missing", output="dense",
            growth=2.0, parameters={"max_iter": (10, 3, 5)}, fixed={**SEEDED, "tol": 1e-9, "n_nearest_features": 10},
        ),
    )  # fmt: skip


def _scalers() -> tuple[Spec, ...]:
    def scaler(name: str, kind: str, **more: Any) -> Spec:
        return sklearn(name, f"preprocessing:{kind}", "scaler", **more)

    return (
        scaler("standard_scaler", "StandardScaler"),
        scaler("min_max_scaler", "MinMaxScaler"),
        scaler("max_abs_scaler", "MaxAbsScaler", sparse=True),
        scaler("robust_scaler", "RobustScaler"),
        scaler("normalizer", "Normalizer", sparse=True, parameters={"norm": ("l2", "l1", "max")}),
        scaler(
            "quantile_transformer", "QuantileTransformer",
            parameters={"n_quantiles": (1000, 100, 300), "output_distribution": ("uniform", "normal")},
            numeric=("n_quantiles<rows/1",),
            fixed=SEEDED,
        ),
        scaler("power_transformer", "PowerTransformer", growth=1.2),
        sklearn(
            "k_bins_discretizer", "preprocessing:KBinsDiscretizer", "encoder", output="bins",
            parameters={"n_bins": (5, 3, 10, 20)},
            fixed={**SEEDED, "quantile_method": "averaged_inverted_cdf", "subsample": None},
        ),
    )  # fmt: skip


def _encoders() -> tuple[Spec, ...]:
    def encoder(name: str, kind: str, **more: Any) -> Spec:
        return sklearn(
            name, f"preprocessing:{kind}", "encoder", input="categories",
            parameters={"cardinality": CARDINALITY}, of_data=("cardinality",), **more,
        )  # fmt: skip

    return (
        encoder("one_hot_encoder", "OneHotEncoder", output="one_hot", fixed={"handle_unknown": "ignore"}),
        encoder("ordinal_encoder", "OrdinalEncoder", output="dense"),
        encoder("target_encoder", "TargetEncoder", output="dense", fixed=SEEDED),
    )


def _selectors() -> tuple[Spec, ...]:
    def selector(name: str, kind: str, **more: Any) -> Spec:
        return sklearn(name, f"feature_selection:{kind}", "selection", **more)

    scored: dict[str, Any] = {"convert": _scored, "renamed": ("score",), "output": "selected"}
    return (
        selector("variance_threshold", "VarianceThreshold", sparse=True),
        selector(
            "select_k_best", "SelectKBest", **scored,
            parameters={"k": (10, 5, 20, 50), "score": ("f_classif", "f_regression")},
            numeric=("output_columns",),
        ),
        selector(
            "select_k_best_mutual_info", "SelectKBest", growth=1.3, **scored,
            parameters={"k": (10, 5, 20, 50), "score": ("mutual_info_classif",)}, numeric=("output_columns",),
        ),
        selector(
            "select_k_best_chi2", "SelectKBest", sparse=True, input="nonnegative", **scored,
            parameters={"k": (10, 5, 20, 50), "score": ("chi2",)}, numeric=("output_columns",),
        ),
        selector(
            "select_from_model", "SelectFromModel", output="selected", growth=1.2,
            parameters={"k": (10, 5, 20, 50), "n_estimators": (100, 30)},
            numeric=("output_columns", "n_estimators"), convert=_forest,
            renamed=("n_estimators", "k"),
        ),
    )  # fmt: skip


def _decompositions() -> tuple[Spec, ...]:
    def decomposition(name: str, kind: str, **more: Any) -> Spec:
        return sklearn(
            name, f"decomposition:{kind}", "decomposition", output="components",
            **{"parameters": {"n_components": COMPONENTS}, "growth": 1.4, "numeric": ("output_columns",), **more},
        )  # fmt: skip

    return (
        decomposition("pca", "PCA", fixed=SEEDED),
        decomposition("incremental_pca", "IncrementalPCA"),
        decomposition("fast_ica", "FastICA", fixed={**SEEDED, "whiten": "unit-variance", "max_iter": 100}),
        decomposition("factor_analysis", "FactorAnalysis", fixed={**SEEDED, "max_iter": 100}),
        decomposition(
            "truncated_svd", "TruncatedSVD", sparse=True, fixed=SEEDED,
            parameters={"n_components": (10, 5, 20, 50, 100)},
        ),
        decomposition(
            "nmf", "NMF", sparse=True, input="nonnegative",
            parameters={"n_components": COMPONENTS, "max_iter": (200, 50, 100)},
            fixed={**SEEDED, "tol": 1e-9, "init": "nndsvda"}, numeric=("output_columns", "max_iter"),
        ),
    )  # fmt: skip


def _features() -> tuple[Spec, ...]:
    mapped: dict[str, Any] = {
        "output": "mapped",
        "parameters": {"n_components": (100, 20, 300)},
        "fixed": SEEDED,
    }
    return (
        sklearn(
            "polynomial_features", "preprocessing:PolynomialFeatures", "features", output="polynomial",
            parameters={"degree": (2, 3), "interaction_only": (False, True)}, numeric=("output_columns",),
        ),
        sklearn(
            "spline_transformer", "preprocessing:SplineTransformer", "features", output="splines",
            parameters={"n_knots": (5, 3, 10), "degree": (3, 1, 2)},
        ),
        sklearn("rbf_sampler", "kernel_approximation:RBFSampler", "features", **mapped),
        sklearn(
            "nystroem", "kernel_approximation:Nystroem", "features",
            **{**mapped, "parameters": {"n_components": (100, 20, 50)}},
        ),
        sklearn(
            "gaussian_random_projection", "random_projection:GaussianRandomProjection", "features", **mapped
        ),
        sklearn(
            "k_means", "cluster:KMeans", "clustering", output="clusters", growth=1.4,
            parameters={"n_clusters": (8, 3, 20, 50)}, fixed={**SEEDED, "n_init": 1},
        ),
        sklearn(
            "mini_batch_k_means", "cluster:MiniBatchKMeans", "clustering", output="clusters",
            parameters={"n_clusters": (8, 3, 20, 50)}, fixed={**SEEDED, "n_init": 1},
        ),
    )  # fmt: skip


def _texts() -> tuple[Spec, ...]:
    words = {"words": (100, 30, 300), "ngram_max": (1, 2)}

    def text(name: str, kind: str, parameters: Mapping[str, Any], **more: Any) -> Spec:
        return sklearn(
            name, f"feature_extraction.text:{kind}", "text", input="documents", output="measured",
            parameters=parameters, of_data=("words",), convert=_ngrams, renamed=("ngram_max",), **more,
        )  # fmt: skip

    limited = {**words, "max_features": (10000, 300, 1000, 3000)}
    seen: dict[str, Any] = {"numeric": ("words", "ngram_max", "output_columns")}
    return (
        text("count_vectorizer", "CountVectorizer", limited, **seen),
        text("tfidf_vectorizer", "TfidfVectorizer", limited, **seen),
        text("hashing_vectorizer", "HashingVectorizer", {**words, "n_features": (1 << 18, 1 << 10, 1 << 14)}),
        sklearn("tfidf_transformer", "feature_extraction.text:TfidfTransformer", "text", input="counts", sparse=True),
    )  # fmt: skip


PREPROCESSING: tuple[Spec, ...] = (
    *_missing(),
    *_scalers(),
    *_encoders(),
    *_selectors(),
    *_decompositions(),
    *_features(),
    *_texts(),
)
