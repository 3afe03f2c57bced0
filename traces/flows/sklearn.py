"""Flows of scikit-learn (and of Python libraries in its manner), as ``openml`` uploads them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mile_rl.workflows.edits import Scalar
from traces.errors import BadRow
from traces.flows.flow import Flow, SetupValues, own_values
from traces.operators import known_stage, stage_of
from traces.schema import Component
from traces.values import scalar

_CHAINS = frozenset({"Pipeline"})
_JOINS = frozenset({"FeatureUnion", "ColumnTransformer"})
_STEPS = ("steps", "transformers", "transformer_list", "estimators")
_NO_STEP = frozenset({"passthrough", "drop", "null", "None", ""})


def is_sklearn(flow: Flow) -> bool:
    """Tell whether a flow is one of scikit-learn's or was uploaded by its extension."""
    return flow.name.startswith("sklearn.") or "sklearn" in flow.external_version


def read_sklearn(flow: Flow, values: SetupValues) -> tuple[Component, ...]:
    """Return the estimators of a flow.

    A pipeline is dissolved into its steps, one after the other. A feature union or column transformer is a
    component behind its transformers, which all start from the same. Any other estimator with others nested
    in it (a search, boosting, voting, calibration) is a component behind them.

    Raises:
        BadRow: a step names a component that the flow does not have.
    """
    found: list[Component] = []
    _read(flow, values, "", (), True, found)
    return tuple(found)


def _read(
    flow: Flow,
    values: SetupValues,
    path: str,
    inputs: tuple[str, ...],
    last: bool,
    found: list[Component],
) -> tuple[str, ...]:
    """Append the components of a flow to ``found``; return the names of those that yield its result."""
    short = flow.class_name.rpartition(".")[2]
    texts = own_values(flow, values)
    steps = _steps(flow, texts)
    if short in _CHAINS:
        for position, key in enumerate(steps):
            final = position == len(steps) - 1
            inputs = _read(flow.components[key], values, _join(path, key), inputs, last and final, found)
        return inputs
    if short in _JOINS:
        ends = [
            end
            for key in steps
            for end in _read(flow.components[key], values, _join(path, key), inputs, False, found)
        ]
        return (
            _append(flow, path or short.lower(), texts, tuple(dict.fromkeys(ends)) or inputs, False, found),
        )
    ends = [
        end
        for key in steps
        for end in _read(flow.components[key], values, _join(path, key), inputs, last, found)
    ]
    parents = tuple(dict.fromkeys(ends)) or inputs
    return (_append(flow, path or short.lower(), texts, parents, last, found),)


def _append(
    flow: Flow,
    name: str,
    texts: dict[str, str],
    parents: tuple[str, ...],
    last: bool,
    found: list[Component],
) -> str:
    class_name = flow.class_name
    parameters: dict[str, Scalar] = {
        parameter: scalar(text)
        for parameter, text in texts.items()
        if parameter not in _STEPS and parameter not in flow.components and not _is_reference(text)
    }
    stage = stage_of(class_name, last=last)
    if flow.components and last and known_stage(class_name) is None:
        stage = "learn"
    found.append(
        Component(
            name=name,
            operator=class_name.rpartition(".")[2],
            class_name=class_name,
            stage=stage,
            parameters=parameters,
            parents=parents,
        )
    )
    return name


def _steps(flow: Flow, texts: dict[str, str]) -> Sequence[str]:
    """Return the keys of the nested flows in their order: by the steps' parameter, the name, the description.

    Raises:
        BadRow: a step names a component that the flow does not have.
    """
    for parameter in _STEPS:
        keys = _referenced(texts.get(parameter, ""))
        if keys is not None:
            missing = [key for key in keys if key not in flow.components]
            if missing:
                raise BadRow("a step without a component", f"{missing[0]} in {flow.name}")
            return keys
    inside = flow.name.partition("(")[2]
    places = {key: _place(key, inside) for key in flow.components}
    return sorted(flow.components, key=lambda key: places[key])


def _place(key: str, inside: str) -> int:
    """Return where ``key=`` stands in a flow's name; keys that do not stand there keep their order."""
    for position in range(len(inside)):
        if inside.startswith(f"{key}=", position) and (position == 0 or inside[position - 1] in ",("):
            return position
    return len(inside)


def _referenced(text: str) -> list[str] | None:
    """Return the components that a serialised list of steps refers to; None where it is no such list."""
    try:
        steps = json.loads(text)
    except ValueError:
        return None
    if not isinstance(steps, list):
        return None
    keys = []
    for step in steps:
        if not isinstance(step, dict):
            return None
        value = step.get("value")
        if not isinstance(value, dict) or "key" not in value:
            return None
        if value["key"] is not None and str(value["key"]) not in _NO_STEP:
            keys.append(str(value["key"]))
    return keys


def _is_reference(text: str) -> bool:
    return "oml-python:serialized_object" in text and "component_reference" in text


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
