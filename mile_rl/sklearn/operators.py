"""The operators that a pipeline's workflow is made of: a fitted step, what it makes of rows, a score."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from mile_rl.sklearn.steps import Link, share, shareable, unshare


def data(X: Any, y: Any) -> tuple[Any, Any]:
    """Return the data; every other node takes them from here."""
    return X, y


def rows(estimator_is_pairwise: bool, X: Any, indices: Any, columns: Any = None) -> Any:
    """Return rows of the data, or where they are distances the rows' distances to others.

    Args:
        estimator_is_pairwise: whether ``X`` holds distances or kernels between rows.
        X: the data.
        indices: of the rows.
        columns: where ``X`` is pairwise, of the rows to which distances are meant.
    """
    import numpy as np
    from sklearn.utils import _safe_indexing

    if X is None:
        return None
    if estimator_is_pairwise:
        return X[np.ix_(indices, indices if columns is None else columns)]
    return _safe_indexing(X, indices)


def columns_of(X: Any, columns: Any) -> Any:
    """Return the columns that a column transformer hands to one of its transformers."""
    from sklearn.utils import _safe_indexing

    return _safe_indexing(X, columns(X) if callable(columns) else columns, axis=1)


def make_and_fit_transform(estimator_class: type, X: Any, y: Any, **parameters: Any) -> tuple[Any, Any]:
    """Return a fitted step made from its parameters, and what it made of the rows that it was fitted on."""
    return fit_transform(estimator_class(**parameters), X, y)


def make_and_fit(estimator_class: type, X: Any, y: Any, **parameters: Any) -> Any:
    """Return a fitted predictor made from its parameters."""
    return fit(estimator_class(**parameters), X, y)


def fit_transform(step: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return a fitted clone of a step, and what it made of the rows that it was fitted on."""
    from sklearn.base import clone

    fitted = clone(step)
    if hasattr(fitted, "fit_transform"):
        transformed = fitted.fit_transform(X, y)
    else:
        transformed = fitted.fit(X, y).transform(X)
    return _with_own_generators(fitted), transformed


def join(container: Any, X: Any, y: Any, members: Mapping[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return a fitted union or column transformer, and its result, from what its members are and made.

    Args:
        container: not fitted.
        X: the rows.
        y: their targets.
        members: path of a step in the container -> (fitted, what it made of its rows).
    """
    from sklearn.base import clone

    fitted = clone(container)
    answers = _Answers(members)
    for path, step in shareable_in(fitted):
        if path in members:
            share(step, answers, path)
    try:
        return fitted, fitted.fit_transform(X, y)
    finally:
        unshare(fitted)


def shareable_in(container: Any) -> list[tuple[str, Any]]:
    """Return (path, step) of the transformers in a union or column transformer."""
    return list(shareable(container))


def transform(fitted: Any, X: Any) -> Any:
    """Return what a fitted step makes of other rows."""
    return fitted.transform(X)


def fit(estimator: Any, X: Any, y: Any) -> Any:
    """Return a fitted clone of a predictor."""
    from sklearn.base import clone

    return _with_own_generators(clone(estimator).fit(X) if y is None else clone(estimator).fit(X, y))


def predict(model: Any, X: Any) -> Any:
    """Return a predictor's predictions."""
    return _asked(model).predict(X)


def score(model: Any, X: Any, y: Any, scorer: Callable[..., Any] | None) -> Any:
    """Return the score, or the scores by name, of a fitted predictor; its own where there is no scorer."""
    model = _asked(model)
    if scorer is None:
        return float(model.score(X) if y is None else model.score(X, y))
    found = scorer(model, X) if y is None else scorer(model, X, y)
    return dict(found) if isinstance(found, dict) else float(found)


def mean(scores: list[Any]) -> Any:
    """Return the mean of the folds' scores, by name where there are several."""
    import numpy as np

    if isinstance(scores[0], dict):
        return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
    return float(np.mean(scores))


def _with_own_generators(fitted: Any) -> Any:
    """Return a fitted estimator; a copy where it (or a part of it) holds NumPy's global generator, which goes on."""
    import numpy as np

    held = any(value is np.random.mtrand._rand for value in vars(fitted).values())
    return copy.deepcopy(fitted) if held else fitted


def _asked(model: Any) -> Any:
    """Return a model to ask: a copy of one with a search tree, which counts in itself what it is asked."""
    return copy.deepcopy(model) if getattr(model, "_tree", None) is not None else model


class _Answers:
    """Answers the calls of steps in a container with what their own nodes made."""

    def __init__(self, members: Mapping[str, tuple[Any, Any]]) -> None:
        self._members = members

    def call(
        self, link: Link, method: str, plain: Callable[..., Any], step: Any, args: Any, kwargs: Any
    ) -> Any:
        """Make the step what its node made, and return what the node returned."""
        fitted, result = self._members[str(link.owner)]
        if method != "transform":
            vars(step).update(vars(fitted))
        return step if method == "fit" else result
