"""Runs one grid search with one system, in a process of its own, and prints one JSON line a phase.

``python -m experiments.bench.search_child SYSTEM GRID FOLDER PHASE``: SYSTEM is plain, memory, dask or mile;
GRID is prefixes, balanced or cheap; FOLDER is where the system may keep what it likes; PHASE is "cold" or "one more"
(the grid with one more classifier setting) or "alone" (that setting by itself).
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

FOLDS = 5
SETTINGS = 20


def data(grid: str) -> tuple[Any, Any]:
    """Return what is searched on: digits, as they ship with scikit-learn; every second one where that will do."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X[::2], y[::2]) if grid == "balanced" else (X, y)


def estimator(system: str, grid: str, folder: Path) -> Any:
    """Return the pipeline whose steps are searched over."""
    from sklearn.pipeline import Pipeline

    memory = str(folder / "joblib") if system == "memory" else None
    return Pipeline([("scale", None), ("reduce", None), ("classify", _classifier(grid))], memory=memory)


def _classifier(grid: str) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    return LogisticRegression(max_iter=2000, tol=1e-3) if grid == "balanced" else RidgeClassifier()


def grid_of(grid: str, phase: str) -> dict[str, list[Any]]:
    """Return 3 scalers x 4 decompositions x 20 settings of a classifier, or as many as the phase has."""
    from sklearn.decomposition import NMF, PCA, FactorAnalysis, FastICA, TruncatedSVD
    from sklearn.kernel_approximation import Nystroem
    from sklearn.preprocessing import (
        MaxAbsScaler,
        MinMaxScaler,
        QuantileTransformer,
        RobustScaler,
        StandardScaler,
    )
    from sklearn.random_projection import GaussianRandomProjection

    values = [10 ** (-3 + 5 * number / SETTINGS) for number in range(SETTINGS + 1)]
    chosen = {"cold": values[:SETTINGS], "one more": values, "alone": values[SETTINGS:]}[phase]
    nystroem = Nystroem(n_components=150, gamma=0.01, random_state=0)
    if grid == "prefixes":
        scale: list[Any] = [MinMaxScaler(), MaxAbsScaler(), QuantileTransformer(random_state=0)]
        reduce: list[Any] = [
            FastICA(20, random_state=0, whiten="unit-variance", tol=1e-2, max_iter=2000),
            NMF(16, random_state=0, init="nndsvda", max_iter=150),
            FactorAnalysis(20, random_state=0, max_iter=200),
            nystroem,
        ]
    else:
        scale = [StandardScaler(), MinMaxScaler(), RobustScaler()]
    if grid == "cheap":
        reduce = [
            PCA(20, svd_solver="full"),
            TruncatedSVD(20, random_state=0),
            GaussianRandomProjection(20, random_state=0),
            Nystroem(n_components=50, gamma=0.01, random_state=0),
        ]
    elif grid == "balanced":
        reduce = [
            PCA(20, svd_solver="full"),
            TruncatedSVD(20, random_state=0),
            FactorAnalysis(20, random_state=0, max_iter=200),
            nystroem,
        ]
    return {
        "scale": scale,
        "reduce": reduce,
        "classify__C" if grid == "balanced" else "classify__alpha": chosen,
    }


def search(system: str, grid: str, folder: Path, phase: str) -> Any:
    """Return the system's search, not fitted yet."""
    pipeline, space = estimator(system, grid, folder), grid_of(grid, phase)
    if system == "mile":
        from mile_rl.sklearn import GridSearchCV

        return GridSearchCV(pipeline, space, cv=FOLDS, refit=False, store=str(folder))
    if system == "dask":
        from dask_ml.model_selection import GridSearchCV as DaskSearch

        return DaskSearch(pipeline, space, cv=FOLDS, refit=False, n_jobs=1, scheduler="sync", iid=False)
    from sklearn.model_selection import GridSearchCV as PlainSearch

    return PlainSearch(pipeline, space, cv=FOLDS, refit=False)


def main(system: str, grid: str, folder: str, phase: str) -> None:
    """Run the search and print how long it took, by the clock and of the processor, and what it found."""
    warnings.simplefilter("ignore")
    X, y = data(grid)
    searching = search(system, grid, Path(folder), phase)
    gc.collect()
    clock_ns, processor_ns = time.perf_counter_ns(), time.process_time_ns()
    searching.fit(X, y)
    clock_ns, processor_ns = time.perf_counter_ns() - clock_ns, time.process_time_ns() - processor_ns
    results = searching.cv_results_
    scores = [results[f"split{fold}_test_score"].tolist() for fold in range(FOLDS)]
    found = hashlib.sha256(json.dumps(scores).encode()).hexdigest()[:12]
    counts = getattr(searching, "counts_", None)
    said = {
        "clock_ns": clock_ns,
        "processor_ns": processor_ns,
        "found": found,
        "counts": repr(counts) if counts else "",
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
