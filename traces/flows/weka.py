"""Flows of weka: classifiers, what they wrap, and the filters that stand in their options."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mile_rl.workflows.edits import Scalar
from traces.errors import BadRow
from traces.flows.flow import Flow, SetupValues, own_values
from traces.operators import known_stage
from traces.schema import Component
from traces.values import scalar

_FILTER_OPTIONS = {"FilteredClassifier": ("F",), "AttributeSelectedClassifier": ("E", "S")}
"""Classifier -> the options that hold what is done to the data before its inner classifier sees it."""


def is_weka(flow: Flow) -> bool:
    """Tell whether a flow is one of weka's."""
    return flow.name.lower().startswith("weka.")


def read_weka(flow: Flow, values: SetupValues) -> tuple[Component, ...]:
    """Return the filters, the inner and the outer classifiers of a flow, innermost first.

    FilteredClassifier and AttributeSelectedClassifier dissolve into what they chain; any other meta
    classifier is a component behind the classifiers that it wraps.

    Raises:
        BadRow: an option holds a filter that cannot be read.
    """
    found: list[Component] = []
    _read(flow, values, (), found)
    return tuple(found)


def _read(
    flow: Flow, values: SetupValues, inputs: tuple[str, ...], found: list[Component]
) -> tuple[str, ...]:
    class_name, short = flow.class_name, _short(flow)
    texts = own_values(flow, values)
    inner = [
        nested for nested in flow.components.values() if not _is_filter(nested) and not _is_kernel(nested)
    ]
    filters = _FILTER_OPTIONS.get(short)
    if filters:
        inputs = _read_filters(flow, texts, filters, values, inputs, found)
    ends = [end for nested in inner for end in _read(nested, values, inputs, found)]
    if filters and ends:
        return tuple(dict.fromkeys(ends))
    own: dict[str, Scalar] = {}
    for nested in flow.components.values():
        if _is_kernel(nested):
            own[f"{_short(nested)}"] = True
            own |= {
                f"{_short(nested)}.{key}": scalar(text) for key, text in own_values(nested, values).items()
            }
    own |= {name: scalar(text) for name, text in texts.items() if not (filters and name in filters)}
    name = _unused(short, found)
    found.append(
        Component(
            name=name,
            operator=short,
            class_name=class_name,
            stage="learn",
            parameters=own,
            parents=tuple(dict.fromkeys(ends)) or inputs,
        )
    )
    return (name,)


def _read_filters(
    flow: Flow,
    texts: dict[str, str],
    options: Sequence[str],
    values: SetupValues,
    inputs: tuple[str, ...],
    found: list[Component],
) -> tuple[str, ...]:
    """Append a component a filter in the options, else one a nested flow that is a filter."""
    for option in options:
        for class_name, settings in _calls(texts.get(option, "")):
            inputs = (_filter(class_name, settings, inputs, found),)
    if not any(texts.get(option) for option in options):
        for nested in flow.components.values():
            if _is_filter(nested):
                settings = {key: scalar(text) for key, text in own_values(nested, values).items()}
                inputs = (_filter(nested.class_name, settings, inputs, found),)
    return inputs


def _filter(
    class_name: str, settings: dict[str, Scalar], inputs: tuple[str, ...], found: list[Component]
) -> str:
    short = class_name.rpartition(".")[2]
    name = _unused(short, found)
    found.append(
        Component(
            name=name,
            operator=short,
            class_name=class_name,
            stage="preprocess",
            parameters=settings,
            parents=inputs,
        )
    )
    return name


def _calls(text: str) -> list[tuple[str, dict[str, Scalar]]]:
    """Return the classes and options in ``weka.filters.A -R 1`` and in a MultiFilter around several.

    Raises:
        BadRow: the text is no class with options.
    """
    if not text.strip():
        return []
    try:
        words = shlex.split(text)
    except ValueError:
        raise BadRow("options of weka that cannot be read", text) from None
    class_name, *rest = words
    if "." not in class_name:
        raise BadRow("options of weka that cannot be read", text)
    options = _options(rest)
    if class_name.endswith(".MultiFilter"):
        return [call for name, value in options if name == "F" for call in _calls(str(value))]
    return [(class_name, {name: scalar(value) if value is not None else True for name, value in options})]


def _options(words: Sequence[str]) -> list[tuple[str, str | None]]:
    options: list[tuple[str, str | None]] = []
    for word in words:
        is_flag = word.startswith("-") and len(word) > 1 and not _is_number(word)
        if is_flag:
            options.append((word.lstrip("-"), None))
        elif options and options[-1][1] is None:
            options[-1] = (options[-1][0], word)
        elif word != "--":
            options.append((word, None))
    return [(name, value) for name, value in options if name]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _short(flow: Flow) -> str:
    """Return the class's own name; "weka.Bagging_J48" lists what it wraps behind underscores."""
    short = flow.class_name.rpartition(".")[2]
    return short.split("_", 1)[0] if flow.components or "_" in short else short


def _is_filter(flow: Flow) -> bool:
    lowered = flow.class_name.lower()
    return (
        ".filters." in lowered
        or ".attributeselection." in lowered
        or ("classifiers" not in lowered and known_stage(_short(flow)) == "preprocess")
        or _short(flow) in _SEARCHES
    )


_SEARCHES = frozenset(
    "BestFirst GreedyStepwise Ranker CfsSubsetEval WrapperSubsetEval InfoGainAttributeEval".split()
)


def _is_kernel(flow: Flow) -> bool:
    return _short(flow).endswith("Kernel")


def _unused(name: str, found: Sequence[Component]) -> str:
    taken = {component.name for component in found}
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}#{number}", number + 1
    return candidate
