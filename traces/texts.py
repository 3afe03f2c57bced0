"""The texts that a component is written, compared and digested by, worked out once a component."""

from __future__ import annotations

import json
from typing import NamedTuple

from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import Scalar
from mile_rl.workflows.version import VersionNode
from traces.schema import Component

_CACHE_SIZE = 20_000
# plain data without cycles is written: looking for them would cost a fifth of the time
_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


class Texts(NamedTuple):
    """What is made of a component.

    Args:
        parameters: JSON object.
        parts: JSON object.
        key: text that is equal for two components if and only if they are the same in one version.
        node: the component as the engine's catalog would remember it, for the engine's ``diff``.
    """

    parameters: str
    parts: str
    key: str
    node: VersionNode


_cache: dict[int, tuple[Component, Texts]] = {}


def texts(component: Component) -> Texts:
    """Return the component's texts; asked again for the same object it costs a look-up.

    The cache holds the component too, so that its ``id`` cannot pass to another.
    """
    known = _cache.get(id(component))
    if known is not None and known[0] is component:
        return known[1]
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    parameters = _dumps(dict(component.parameters))
    parts = _dumps(dict(component.parts)) if component.parts else "{}"
    name = component.class_name or component.operator
    key = _dumps([component.name, name, component.stage, component.parents, parameters, parts])
    made = Texts(parameters, parts, key, _version_node(component))
    _cache[id(component)] = (component, made)
    return made


def _version_node(component: Component) -> VersionNode:
    parts = {f"argument {name}": _typed(value) for name, value in component.parameters.items()}
    parts.update(component.parts)
    arguments: dict[str, object] = dict(component.parameters)
    if component.parents:
        arguments["inputs"] = ", ".join(component.parents)
    return VersionNode(
        name=component.name,
        operator=component.operator,
        stage=component.stage,
        parents=tuple(Output(parent) for parent in component.parents),
        arguments=arguments,
        parts=parts,
    )


def _typed(value: Scalar) -> str:
    """Return a text that tells 1, 1.0, True and "1" apart and equals itself for NaN."""
    return f"{type(value).__name__} {value!r}"


def object_text(values: object) -> str:
    """Return a JSON text with sorted keys, without spaces."""
    return _dumps(values)
