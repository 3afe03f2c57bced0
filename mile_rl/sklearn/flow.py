"""A pipeline with data and a cross-validation as a workflow of the engine's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from mile_rl.api import Workflow
from mile_rl.errors import WorkflowError
from mile_rl.sklearn import operators
from mile_rl.workflows.edits import Stage
from mile_rl.workflows.maker import Maker, own_parameters
from mile_rl.workflows.operator import Operator
from mile_rl.workflows.version import CLASS


def pipeline_workflow(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    cv: Any = None,
    groups: Any = None,
    scoring: Any = None,
    name: str = "pipeline",
) -> Workflow[[], dict[str, Any]]:
    """Return the workflow that fits and scores a pipeline on each fold of a cross-validation.

    A node a fitted transformer a fold (those in unions and column transformers have their own), one for what
    it makes of the test rows, one for the predictor, its predictions and its score. The engine runs it as any
    other workflow: ``.run()`` loads what an earlier run has kept, ``mile log`` and ``mile diff`` know it by its
    name, and where it is made in a file, ``mile run FILE`` and ``mile recommend FILE`` find it there. After a
    change of one step, it is computed from that step on.

    A step without a ``random_state`` draws from the global generators, which the engine seeds for each node: the
    same numbers in every run, as long as nothing that it depends on has changed.

    Args:
        estimator: a ``Pipeline``, ``FeatureUnion`` or ``ColumnTransformer`` (nested as one likes, with
            ``memory=None``), or any predictor. Another meta-estimator is one node.
        X: the data.
        y: the targets.
        cv: as for ``sklearn.model_selection.cross_validate``; a list of one (train, test) pair is a split.
        groups: for the splitter.
        scoring: as for ``cross_validate``, where scorers look at predictions only.
        name: the workflow's name.

    Returns:
        A workflow without parameters that yields "mean_test_score" and, as lists fold by fold, "test_score" and
        "prediction".

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> flow = pipeline_workflow(
        ...     make_pipeline(StandardScaler(), LogisticRegression()), *load_iris(return_X_y=True), cv=3
        ... )
        >>> sorted(flow.capture().nodes)[:4]
        ['data', 'logisticregression[fold1]', 'logisticregression[fold2]', 'logisticregression[fold3]']
        >>> flow()["test_score"]
        [0.98, 0.96, 0.96]
    """
    from sklearn.base import is_classifier
    from sklearn.metrics import check_scoring
    from sklearn.model_selection import check_cv
    from sklearn.utils import get_tags, indexable

    X, y, groups = indexable(X, y, groups)
    splits = [
        (train, test)
        for train, test in check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups)
    ]
    # The predictor's own score belongs to the predictor; a scorer for it would hold the whole pipeline.
    scorer = check_scoring(estimator, scoring=scoring) if scoring is not None else None
    if scorer is None and not hasattr(estimator, "score"):
        raise WorkflowError(f"{type(estimator).__name__} has no score of its own: give scoring=.")
    pairwise = bool(get_tags(estimator).input_tags.pairwise)

    def wire() -> dict[str, Any]:
        rows_X, rows_y = _operator(operators.data, "data", outputs=("X", "y"))(X, y)
        scores, predictions = [], []
        for number, (train, test) in enumerate(splits, start=1):
            fold = _Fold(f"fold{number}")
            x_train = fold.operator(operators.rows, "train")(pairwise, rows_X, train)
            x_test = fold.operator(operators.rows, "test")(pairwise, rows_X, test, train)
            y_train = y_test = None
            if y is not None:
                y_train = fold.operator(operators.rows, "train.targets")(False, rows_y, train)
                y_test = fold.operator(operators.rows, "test.targets")(False, rows_y, test)
            model, x_test = fold.fit(estimator, x_train, y_train, x_test)
            if hasattr(estimator, "predict"):
                predictions.append(
                    fold.operator(operators.predict, "predict", stage="evaluate")(model, x_test)
                )
            scores.append(
                fold.operator(operators.score, "score", stage="evaluate")(model, x_test, y_test, scorer)
            )
        mean = _operator(operators.mean, "mean", stage="evaluate")(scores)
        return {"mean_test_score": mean, "test_score": scores, "prediction": predictions}

    return Workflow(_of_the_caller(wire, sys._getframe(1).f_globals), name=name)


def _of_the_caller(function: Any, caller: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """Return a function as if it had been written where it is made, so that it belongs to that file's project.

    Its own file is one of this package's, which lies in nobody's project.

    Args:
        function: the function.
        caller: the globals of whoever makes it; a notebook's name no file.
    """
    space = {name: value for name, value in function.__globals__.items() if name != "__file__"}
    space |= {name: caller[name] for name in ("__file__", "__name__") if name in caller}
    typed = FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, function.__closure__
    )
    typed.__annotations__ = dict(function.__annotations__)
    return typed


class _Fold:
    """Wires what is done in one fold.

    Args:
        name: its own; ``pca[fold1]`` is the node of a step in it.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def operator(self, function: Callable[..., Any], name: str, **options: Any) -> Callable[..., Any]:
        """Return an operator whose nodes in this fold have a name of their own."""
        return _operator(function, name, target=self._name, **options)

    def fit(self, estimator: Any, x_train: Any, y_train: Any, x_test: Any) -> tuple[Any, Any]:
        """Wire an estimator; return its fitted predictor and what that is to be tested on."""
        from sklearn.pipeline import Pipeline

        name, within = type(estimator).__name__.lower(), ""
        while type(estimator) is Pipeline and estimator.memory is None:
            *steps, (last, final) = estimator.steps
            for step_name, step in steps:
                x_train, x_test = self.step(f"{within}{step_name}", step, x_train, y_train, x_test)
            name, estimator = f"{within}{last}", final
            within = f"{name}."
        if not hasattr(estimator, "fit"):
            raise WorkflowError(f"the last step {name!r} is no estimator: end the pipeline with a predictor.")
        made = self.made(
            (operators.make_and_fit, operators.fit), name, estimator, x_train, y_train, stage="learn"
        )
        return made, x_test

    def made(
        self,
        functions: tuple[Callable[..., Any], Callable[..., Any]],
        name: str,
        estimator: Any,
        x: Any,
        y: Any,
        *,
        stage: Stage,
        outputs: tuple[str, ...] = ("result",),
    ) -> Any:
        """Wire what fits an estimator: one that is no more than its class and parameters is told by these.

        Args:
            functions: what takes class and parameters, and what takes the estimator.
            name: of the step.
            estimator: not fitted.
            x, y: what it is fitted on.
            stage, outputs: of the node.
        """
        told = own_parameters(estimator, (CLASS, "X", "y"))
        if told is None:
            return self.operator(functions[1], name, stage=stage, outputs=outputs)(estimator, x, y)
        maker = Maker(
            functions[0],
            makes=type(estimator),
            parameters=told,
            name=name,
            stage=stage,
            outputs=outputs,
            target=self._name,
        )
        return maker(type(estimator), x, y, **told)

    def step(self, name: str, step: Any, x_train: Any, y: Any, x_test: Any) -> tuple[Any, Any]:
        """Wire a transformer; return what it makes of the training and of the test rows."""
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import FeatureUnion, Pipeline

        if step is None or step == "passthrough":
            return x_train, x_test
        if type(step) is Pipeline and step.memory is None:
            for inner, each in step.steps:
                x_train, x_test = self.step(f"{name}.{inner}", each, x_train, y, x_test)
            return x_train, x_test
        if type(step) in (ColumnTransformer, FeatureUnion):
            members: dict[str, Any] = {}
            for inner, each, part in _members(step, x_train, self, name):
                self._inner(f"{name}.{inner}", f"|{inner}", each, part, y, members)
            joining = self.operator(operators.join, name, outputs=("fitted", "transformed"))
            fitted, transformed = joining(step, x_train, y, members)
        else:
            fitted, transformed = self._leaf(name, step, x_train, y)
        return transformed, self.operator(operators.transform, f"{name}.test")(fitted, x_test)

    def _leaf(self, name: str, step: Any, x: Any, y: Any) -> Any:
        functions = (operators.make_and_fit_transform, operators.fit_transform)
        return self.made(functions, name, step, x, y, stage="preprocess", outputs=("fitted", "transformed"))

    def _inner(self, name: str, path: str, step: Any, x: Any, y: Any, members: dict[str, Any]) -> Any:
        """Wire a member of a union, a chain of them too; note what stands for each under its path."""
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import FeatureUnion, Pipeline

        if step is None or isinstance(step, str):
            return x
        if type(step) is Pipeline and step.memory is None:
            for inner, each in step.steps:
                x = self._inner(f"{name}.{inner}", f"{path}/{inner}", each, x, y, members)
                if x is None:
                    break
            return x
        if type(step) in (ColumnTransformer, FeatureUnion) or not hasattr(step, "transform"):
            # A union in a union is computed where the outer one is joined.
            return None
        fitted, transformed = self._leaf(name, step, x, y)
        members[path] = (fitted, transformed)
        return transformed


def _members(container: Any, x: Any, fold: _Fold, name: str) -> Any:
    """Yield (name, transformer, the columns that it is given) of a union or column transformer."""
    if hasattr(container, "transformer_list"):
        for inner, step in container.transformer_list:
            yield inner, step, x
        return
    for inner, step, columns in container.transformers:
        if not isinstance(step, str):
            select = fold.operator(operators.columns_of, f"{name}.{inner}.columns")
            yield inner, step, select(x, columns)


def _operator(
    function: Callable[..., Any],
    name: str,
    *,
    stage: Stage = "preprocess",
    outputs: tuple[str, ...] = ("result",),
    target: str = "",
) -> Callable[..., Any]:
    return Operator(function, stage=stage, outputs=outputs, name=name, target=target)
