"""Tasks of which only the end is new: the predictor, on data that the steps before it have made already."""

from __future__ import annotations

from typing import Any, NamedTuple

from mile_rl.sklearn.contents import private
from mile_rl.sklearn.rebind import rebound
from mile_rl.workflows.scalars import SCALARS


class Tail(NamedTuple):
    """The predictor at the end of a pipeline whose other steps can all be shared.

    Args:
        name: of its step.
        final: the predictor, not fitted.
    """

    name: str
    final: Any


class Given(NamedTuple):
    """What a predictor is fitted and scored on, in one fold, and how long the steps before it took to make it."""

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any
    made_ns: int = 0


def tail_of(estimator: Any) -> Tail | None:
    """Return a pipeline's tail; None where something about the steps before it cannot be shared.

    Args:
        estimator: with its parameters set; nobody may fit it.
    """
    from sklearn.pipeline import Pipeline

    if type(estimator) is not Pipeline or estimator.verbose or len(estimator.steps) < 2:
        return None
    name, final = estimator.steps[-1]
    if not hasattr(final, "fit") or not _is_open(estimator):
        return None
    return Tail(name, final)


def is_container(step: Any) -> bool:
    """Tell whether a step consists of others and has parameters of its own, such as weights or columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    return type(step) in (Pipeline, FeatureUnion, ColumnTransformer)


def suits(tail: Tail, options: dict[str, Any]) -> bool:
    """Tell whether a task that is asked for in this way can be done by its tail alone, with the same result.

    Scorers of scikit-learn's ask a pipeline for what its predictor answers; others may look at its steps.
    """
    from sklearn import get_config

    if options.get("return_estimator") or options.get("return_train_score"):
        # Scoring on the training rows transforms them once more, which is not what fitting made of them.
        return False
    if getattr(options.get("caller"), "_skl_callbacks", None):
        return False
    if get_config().get("enable_metadata_routing"):
        return False
    prefix = f"{tail.name}__"
    return all(name.startswith(prefix) for name in options.get("fit_params") or ()) and _is_plain(
        options.get("scorer")
    )


def fit_and_score(tail: Tail, given: Given, X: Any, y: Any, options: dict[str, Any]) -> Any:
    """Do scikit-learn's ``_fit_and_score`` for the predictor alone, on private copies of what it is given."""
    from sklearn.model_selection._validation import _fit_and_score

    copies = iter(
        (
            (private(given.x_train), private(given.y_train)),
            (private(given.x_test), private(given.y_test)),
        )
    )
    run = rebound(_fit_and_score, _safe_split=lambda *_: next(copies))
    weights = {name.partition("__")[2]: value for name, value in (options.get("fit_params") or {}).items()}
    return run(_unfitted(tail.final), X, y, **{**options, "fit_params": weights})


def _unfitted(final: Any) -> Any:
    """Return a clone of a predictor that nobody has fitted; quickly where it holds nothing but plain values."""
    from sklearn.base import BaseEstimator, clone

    kind, values = type(final), vars(final)
    as_any = getattr(kind, "__sklearn_clone__", None) is BaseEstimator.__sklearn_clone__
    if not as_any or not all(type(value) in SCALARS for value in values.values()):
        return clone(final)
    copied = object.__new__(kind)
    copied.__dict__.update(values)
    return copied


def given_by(estimator: Any, X: Any, y: Any, options: dict[str, Any]) -> Given:
    """Return what the steps before the predictor make of a fold.

    Args:
        estimator: a pipeline of shared steps; they are fitted.
        X: all data.
        y: all targets.
        options: the task's, with the fold in them.
    """
    from sklearn.utils.metaestimators import _safe_split

    x_train, y_train = _safe_split(estimator, X, y, options["train"])
    x_test, y_test = _safe_split(estimator, X, y, options["test"], options["train"])
    prefix = estimator[:-1]
    return Given(prefix.fit_transform(x_train, y_train), y_train, prefix.transform(x_test), y_test)


def _is_open(estimator: Any, *, final: bool = True) -> bool:
    """Tell whether all transformers in an estimator are steps that can be looked at one by one."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    kind = type(estimator)
    if estimator is None or isinstance(estimator, str):
        return True
    if kind is Pipeline:
        plain = estimator.memory is None and getattr(estimator, "transform_input", None) is None
        last = len(estimator.steps) - 1
        return plain and all(
            _is_open(step, final=final and position == last)
            for position, (_, step) in enumerate(estimator.steps)
        )
    if kind is FeatureUnion:
        return all(_is_open(step[1], final=False) for step in estimator.transformer_list)
    if kind is ColumnTransformer:
        inner = (*(step[1] for step in estimator.transformers), estimator.remainder)
        return all(_is_open(step, final=False) for step in inner)
    return final or (hasattr(estimator, "get_params") and hasattr(estimator, "transform"))


def _is_plain(scorer: Any) -> bool:
    from sklearn.metrics import _scorer

    if isinstance(scorer, _scorer._MultimetricScorer):
        return all(map(_is_plain, scorer._scorers.values()))
    return isinstance(scorer, _scorer._PassthroughScorer | _scorer._BaseScorer)
