"""OpenML's flows and mined iterations -> scikit-learn estimators, of the release that is installed here.

Nothing that a flow says is ever evaluated: a class is looked up among scikit-learn's own by its name, and a
value is read as JSON. What cannot be carried over is told, not guessed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from traces.errors import BadRow, TraceError
from traces.flows.flow import Flow, SetupValues, own_values, parse_flow
from traces.openml_http import NoResult, OpenmlApi, all_of, text_of
from traces.schema import Component
from traces.values import scalar

_RENAMED = {"Imputer": "SimpleImputer", "RandomizedPCA": "PCA", "ConditionalImputer": "SimpleImputer"}
"""Classes of old releases -> what does the same today."""

_RENAMED_PARAMETERS = {"base_estimator": "estimator", "sparse": "sparse_output"}

_STEPS = ("steps", "transformer_list", "transformers", "estimators")
_NO_STEPS = ("passthrough", "drop")
_TYPES = {"np.float64": "float64", "np.float32": "float32", "np.float": "float64", "float": "float64"}
_SERIALIZED = "oml-python:serialized_object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An estimator, and what of its description could not be carried over.

    Args:
        estimator: not fitted.
        notes: a line each for a parameter that this release of scikit-learn does not have, or not with that
            value; it keeps its default.
    """

    estimator: Any
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Builder:
    values: SetupValues
    notes: list[str] = field(default_factory=list)


def estimator_of(flow: Flow, values: SetupValues) -> Built:
    """Return the estimator that a flow of scikit-learn's describes under a setup.

    Args:
        flow: as :func:`traces.flows.flow.parse_flow` gives it.
        values: what the setup set, as text.

    Raises:
        BadRow: it is none of scikit-learn's, or holds something that scikit-learn does not have.

    Example:
        >>> flow = Flow(
        ...     id=1,
        ...     name="sklearn.svm.classes.SVC",
        ...     external_version="sklearn==0.19.1",
        ...     parameters={"C": "1.0", "kernel": '"rbf"'},
        ...     components={},
        ... )
        >>> estimator_of(flow, {(1, "C"): "10.0", (1, "kernel"): '"linear"'}).estimator
        SVC(C=10.0, kernel='linear')
    """
    builder = _Builder(values)
    return Built(estimator=_built(flow, builder), notes=tuple(builder.notes))


def fetch_estimator(api: OpenmlApi, flow_id: int, setup_id: int) -> Built:
    """Return the estimator of a flow and a setup on an OpenML server, by their ids.

    Raises:
        BadRow: the flow is none of scikit-learn's, or cannot be carried over.
        TraceError: the server does not answer, or has no such flow or setup.
    """
    try:
        flow, setup = parse_flow(api.get(f"flow/{flow_id}")), api.get(f"setup/{setup_id}")
    except NoResult as error:
        raise TraceError(f"{api.server} has nothing under {error}: check the ids asked for") from None
    values = {
        (int(text_of(one, "flow_id")), text_of(one, "parameter_name")): text_of(one, "value")
        for one in all_of(setup, "parameter")
    }
    return estimator_of(flow, values)


def estimator_of_trace(components: Sequence[Component]) -> Built:
    """Return the pipeline that an iteration of a mined history describes.

    A history says neither which columns a column transformer sent where nor which estimators nest in which,
    so only what is one chain of steps, or a union in one, can be carried over.

    Args:
        components: of the iteration, in topological order.

    Raises:
        BadRow: it is not such a chain, or holds something that scikit-learn does not have.
    """
    from sklearn.pipeline import FeatureUnion, Pipeline

    builder = _Builder({})
    kinds = {
        component.name: _class_of(component.class_name or component.operator) for component in components
    }
    joined = {
        parent: component.name
        for component in components
        if kinds[component.name] is FeatureUnion
        for parent in component.parents
    }
    steps: list[tuple[str, Any]] = []
    members: list[tuple[str, Any]] = []
    above: tuple[str, ...] = ()
    for component in components:
        kind, expected = kinds[component.name], above
        if kind.__name__ == "ColumnTransformer":
            raise BadRow("a column transformer whose columns are not recorded", component.name)
        parameters = dict(component.parameters)
        if kind is FeatureUnion:
            expected = tuple(name for name, _ in members)
            parameters["transformer_list"] = [(_step_name(name), member) for name, member in members]
            members = []
        elif steps and not hasattr(steps[-1][1], "transform") and "estimator" in _parameters_of(kind):
            # A predictor in the middle of a chain is one that the next wraps.
            parameters["estimator"] = steps.pop()[1]
        if component.parents != expected:
            raise BadRow("steps that are no chain", component.name)
        step = _made(kind, parameters, builder)
        if component.name in joined:
            members.append((component.name, step))
        else:
            steps.append((_step_name(component.name), step))
            above = (component.name,)
    if members or not steps:
        raise BadRow("steps that nothing joins", ", ".join(name for name, _ in members))
    estimator = steps[0][1] if len(steps) == 1 else Pipeline(steps)
    return Built(estimator=estimator, notes=tuple(builder.notes))


def _built(flow: Flow, builder: _Builder) -> Any:
    kind = _class_of(flow.class_name)
    parameters: dict[str, Any] = {}
    for name, text in own_values(flow, builder.values).items():
        parameters[name] = _value(_parsed(text), flow, builder)
    names = _parameters_of(kind)
    steps = next((name for name in _STEPS if name in names), None)
    for name, nested in flow.components.items():
        if steps is None and (name in names or _RENAMED_PARAMETERS.get(name) in names):
            parameters[name] = _built(nested, builder)
    if steps is not None and not parameters.get(steps):
        if steps == "transformers":
            raise BadRow("a column transformer whose columns are not recorded", flow.name)
        parameters[steps] = [
            (_step_name(name), _built(nested, builder)) for name, nested in flow.components.items()
        ]
    return _made(kind, parameters, builder)


def _made(kind: type, parameters: Mapping[str, Any], builder: _Builder) -> Any:
    """Make an estimator, leaving out what this release does not take."""
    from sklearn.utils._param_validation import InvalidParameterError

    known = _parameters_of(kind)
    wanted = {}
    for given, value in parameters.items():
        name = given if given in known else _RENAMED_PARAMETERS.get(given, given)
        if name not in known:
            builder.notes.append(f"{kind.__name__} has no {given} in this release")
            continue
        wanted[name] = value
    required = {name: value for name, value in wanted.items() if name in _required_by(kind)}
    for name, value in wanted.items():
        try:
            _check(kind(**{**required, name: value}))
        except InvalidParameterError:
            builder.notes.append(f"{kind.__name__} does not take {name}={value!r} in this release")
        else:
            required[name] = value
    try:
        return kind(**required)
    except TypeError as error:
        raise BadRow("an estimator that lacks what it needs", f"{kind.__name__}: {error}") from None


def _check(estimator: Any) -> None:
    """Have an estimator look at its parameters, as far as its class says what they may be."""
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()


def _value(value: Any, flow: Flow, builder: _Builder) -> Any:
    """Turn a value as ``openml`` serialises it into what scikit-learn takes."""
    if isinstance(value, list):
        found = [_value(item, flow, builder) for item in value]
        steps = [isinstance(item, dict) and _SERIALIZED in item for item in value]
        return found if not all(steps) else [step for step in found if step is not None]
    if not isinstance(value, dict) or _SERIALIZED not in value:
        return value
    kind, inside = value[_SERIALIZED], value.get("value")
    if kind == "component_reference" and isinstance(inside, dict):
        return _referenced(inside, flow, builder)
    if kind == "type" and inside in _TYPES:
        import numpy

        return getattr(numpy, _TYPES[inside])
    raise BadRow("a value that only running code could make", f"{kind} in {flow.name}")


def _referenced(inside: Mapping[str, Any], flow: Flow, builder: _Builder) -> Any:
    key = inside.get("key")
    if key in flow.components:
        estimator: Any = _built(flow.components[key], builder)
    elif key in _NO_STEPS:
        estimator = key
    elif key is None:
        estimator = "passthrough"
    else:
        raise BadRow("a step without a component", f"{key} in {flow.name}")
    step = inside.get("step_name")
    if step is None:
        return estimator
    if "argument_1" in inside:
        return (step, estimator, _value(inside["argument_1"], flow, builder))
    return (step, estimator)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return scalar(text)


def _class_of(path: str) -> type:
    """Return the class of scikit-learn's that an importable name of any release means.

    Raises:
        BadRow: there is none.
    """
    parts = path.split(".")
    name = _RENAMED.get(parts[-1], parts[-1])
    kind = _classes().get(name)
    outside = len(parts) > 1 and parts[0] != "sklearn"
    if kind is None or outside:
        raise BadRow("a class that scikit-learn does not have", path)
    return kind


@functools.lru_cache(maxsize=1)
def _classes() -> dict[str, type]:
    from sklearn.utils import all_estimators

    return dict(all_estimators())


@functools.lru_cache(maxsize=512)
def _parameters_of(kind: type) -> frozenset[str]:
    return frozenset(kind._get_param_names())  # type: ignore[attr-defined]


@functools.lru_cache(maxsize=512)
def _required_by(kind: type) -> frozenset[str]:
    import inspect

    parameters = inspect.signature(kind).parameters.values()
    return frozenset(
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    )


def _step_name(name: str) -> str:
    """Return a name that may stand for a step: scikit-learn keeps the double underscore for itself."""
    return name.replace("__", "_")
