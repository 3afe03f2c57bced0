"""scikit-learn's searches, with every prefix that candidates have in common computed once a fold."""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import joblib
from sklearn import model_selection
from sklearn.base import clone

from mile_rl.sklearn.rebind import rebound
from mile_rl.sklearn.recording import caller
from mile_rl.sklearn.session import Session
from mile_rl.sklearn.sharing import Counts

_STORE: list[Any] = [str, os.PathLike, None]


class _Shared:
    """What both searches do differently from scikit-learn's; stands before one of them in the bases."""

    store: str | Path | None
    estimator: Any
    cv: Any
    scoring: Any
    n_splits_: int
    cv_results_: dict[str, Any]
    _session: Session | None = None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search; see scikit-learn. What was computed, shared and loaded stands in ``counts_``."""
        self._validate_params()  # type: ignore[attr-defined]
        plain: Callable[..., Any] = super().fit.__func__  # type: ignore[misc]
        with Session(self.store) as session, threads():
            started_ns, begun_ns = time.time_ns(), time.perf_counter_ns()
            self._session = session
            try:
                run = rebound(plain, _fit_and_score=session.fit_and_score, clone=session.clone)
                run(self, X, y, **params)
            finally:
                del self._session
            if (frame := caller()) is not None:
                best = self._best()
                how = {"folds": self.n_splits_, **_how(self.cv, self.scoring, params)}
                session.record(
                    frame,
                    called=type(self).__name__,
                    estimator=clone(self.estimator).set_params(**self.cv_results_["params"][best]),
                    space=_space(self),
                    X=X,
                    y=y,
                    how=how,
                    metrics=_means(self.cv_results_, best),
                    started_ns=started_ns,
                    waited_ns=time.perf_counter_ns() - begun_ns,
                    beside_ns=round(1e9 * getattr(self, "refit_time_", 0.0)),
                )
        self.counts_: Counts = session.counts
        return self

    def _best(self) -> int:
        """Return which candidate scored best; of several metrics, by the first, unless ``refit`` names one."""
        if hasattr(self, "best_index_"):
            return int(self.best_index_)
        ranks = next(value for name, value in self.cv_results_.items() if name.startswith("rank_test_"))
        return int(ranks.argmin())

    def _expecting(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, which tells the session first what it is asked to evaluate."""

        @functools.wraps(evaluate)
        def evaluating(candidate_params: Iterable[Mapping[str, Any]], *args: Any, **kwargs: Any) -> Any:
            candidates = list(candidate_params)
            if self._session is None:
                return evaluate(candidates, *args, **kwargs)
            self._session.expect(self.estimator, candidates)
            with self._session.evaluating():
                return evaluate(candidates, *args, **kwargs)

        return evaluating


class GridSearchCV(_Shared, model_selection.GridSearchCV):  # type: ignore[misc]
    """``sklearn.model_selection.GridSearchCV`` whose candidates share their pipelines' common prefixes.

    Signature, attributes and results are scikit-learn's: ``cv_results_`` is equal to the last bit, apart from
    times, for the same seeds, and for estimators without ``random_state`` too where ``n_jobs`` is 1 (these are
    computed each time, in scikit-learn's order). It is scikit-learn's own code that runs the search; the
    estimators it runs are told apart by their parameters, their code and the data that they are given.

    Args:
        estimator: as for scikit-learn. ``Pipeline`` (with ``memory=None``), ``FeatureUnion`` and
            ``ColumnTransformer`` are shared step by step, nested ones too; anything else as a whole.
        param_grid: as for scikit-learn.
        scoring: as for scikit-learn.
        n_jobs: as for scikit-learn, but always in threads: processes could not share.
        refit: as for scikit-learn; the refit itself is plain.
        cv: as for scikit-learn.
        verbose: as for scikit-learn; above 1, no score comes from the store.
        pre_dispatch: as for scikit-learn.
        error_score: as for scikit-learn.
        return_train_score: as for scikit-learn.
        store: where steps and scores are kept beyond this search, so that the next one computes only what is
            new: "project" for the project that the working directory belongs to, a folder of another one,
            or None for nowhere.

    Attributes:
        counts_: what was computed, shared and loaded; :class:`~mile_rl.sklearn.Counts`.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> pipe = make_pipeline(StandardScaler(), LogisticRegression())
        >>> search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1, 10]}, store=None)
        >>> search.fit(*load_iris(return_X_y=True)).best_params_
        {'logisticregression__C': 10}
        >>> search.counts_.computed  # a scaler's fit and its transform of the test rows, on 5 folds
        10
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **model_selection.GridSearchCV._parameter_constraints,
        "store": _STORE,
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = float("nan"),
        return_train_score: bool = False,
        store: str | Path | None = "project",
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.store = store

    @functools.wraps(model_selection.GridSearchCV._run_search)
    def _run_search(self, evaluate_candidates: Any, **kwargs: Any) -> Any:
        return super()._run_search(self._expecting(evaluate_candidates), **kwargs)


class RandomizedSearchCV(_Shared, model_selection.RandomizedSearchCV):  # type: ignore[misc]
    """``sklearn.model_selection.RandomizedSearchCV`` whose candidates share common prefixes.

    See :class:`GridSearchCV` for what is shared and what is equal.

    Args:
        estimator: see :class:`GridSearchCV`.
        param_distributions: as for scikit-learn.
        n_iter: as for scikit-learn.
        scoring: as for scikit-learn.
        n_jobs: see :class:`GridSearchCV`.
        refit: see :class:`GridSearchCV`.
        cv: as for scikit-learn.
        verbose: see :class:`GridSearchCV`.
        pre_dispatch: as for scikit-learn.
        random_state: as for scikit-learn.
        error_score: as for scikit-learn.
        return_train_score: as for scikit-learn.
        store: see :class:`GridSearchCV`.

    Attributes:
        counts_: what was computed, shared and loaded; :class:`~mile_rl.sklearn.Counts`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **model_selection.RandomizedSearchCV._parameter_constraints,
        "store": _STORE,
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = float("nan"),
        return_train_score: bool = False,
        store: str | Path | None = "project",
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.store = store

    @functools.wraps(model_selection.RandomizedSearchCV._run_search)
    def _run_search(self, evaluate_candidates: Any, **kwargs: Any) -> Any:
        return super()._run_search(self._expecting(evaluate_candidates), **kwargs)


def cross_validate(
    estimator: Any, X: Any, y: Any = None, *, store: str | Path | None = "project", **options: Any
) -> dict[str, Any]:
    """Do what ``sklearn.model_selection.cross_validate`` does, computing only what no earlier call has.

    Folds share nothing with one another, so a first call costs what scikit-learn's does. After a change of
    one step of a pipeline, what comes before it is taken from the store.

    Args:
        estimator: as for scikit-learn.
        X: as for scikit-learn.
        y: as for scikit-learn.
        store: see :class:`GridSearchCV`.
        **options: groups, scoring, cv, n_jobs, verbose, params, pre_dispatch, return_train_score,
            return_estimator, return_indices and error_score, as for scikit-learn.

    Returns:
        Scikit-learn's dict. The times are those of the call that computed the scores.
    """
    with Session(store) as session, threads():
        started_ns, begun_ns = time.time_ns(), time.perf_counter_ns()
        validate = rebound(model_selection.cross_validate, _fit_and_score=session.fit_and_score)
        scores: dict[str, Any] = validate(estimator, X, y, **options)
        if (frame := caller()) is not None:
            how = _how(options.get("cv"), options.get("scoring"), options.get("params") or {})
            session.record(
                frame,
                called="cross_validate",
                estimator=estimator,
                space={},
                X=X,
                y=y,
                how={"folds": len(scores["fit_time"]), **how},
                metrics=_means(scores),
                started_ns=started_ns,
                waited_ns=time.perf_counter_ns() - begun_ns,
            )
        return scores


def _how(cv: Any, scoring: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what scores depend on besides pipeline and data; the number of folds is told anyway."""
    plain = cv is None or isinstance(cv, int) or hasattr(cv, "__next__")
    return ({} if plain else {"cv": cv}) | {"scoring": scoring, **params}


def _means(scores: Mapping[str, Any], candidate: int | None = None) -> dict[str, float]:
    """Return the mean test scores that are numbers: of a cross-validation, or of a candidate of a search."""
    if candidate is None:
        found = {f"mean_{name}": float(value.mean()) for name, value in scores.items() if name[:5] == "test_"}
    else:
        found = {name: float(value[candidate]) for name, value in scores.items() if name[:10] == "mean_test_"}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _space(search: Any) -> dict[str, Any]:
    """Return what a search searches over: parameter -> values or distribution."""
    given = search.param_grid if hasattr(search, "param_grid") else search.param_distributions
    if isinstance(given, Mapping):
        return dict(given)
    return {f"{number}.{name}": value for number, one in enumerate(given, 1) for name, value in one.items()}


@contextmanager
def threads() -> Iterator[None]:
    """Have joblib run what it runs at once in threads of this process."""
    with joblib.parallel_config(backend="threading"):
        yield
