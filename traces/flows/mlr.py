"""Flows of mlr (R): a learner inside wrappers, all named in one dotted name."""

from __future__ import annotations

import re
from typing import NamedTuple

from mile_rl.workflows.edits import Scalar, Stage
from traces.errors import BadRow
from traces.flows.flow import Flow, SetupValues, own_values
from traces.schema import Component
from traces.values import scalar

_NAME = re.compile(r"(?:mlr\.)?(classif|regr|surv|cluster|multilabel|costsens)\.(.+)")


class _Wrapper(NamedTuple):
    operator: str
    stage: Stage
    prefixes: tuple[str, ...]


_WRAPPERS = {
    "filtered": _Wrapper("FilterWrapper", "preprocess", ("fw.",)),
    "imputed": _Wrapper("ImputeWrapper", "preprocess", ("impute.",)),
    "dummied": _Wrapper("DummyFeaturesWrapper", "preprocess", ("dummy.",)),
    "preproc": _Wrapper("PreprocWrapper", "preprocess", ("ppc.", "preproc.")),
    "preprocCaret": _Wrapper("PreprocWrapperCaret", "preprocess", ("ppc.",)),
    "constantRemoved": _Wrapper(
        "RemoveConstantFeaturesWrapper", "preprocess", ("perc", "dont.rm", "na.ignore")
    ),
    "undersampled": _Wrapper("UndersampleWrapper", "preprocess", ("usw.",)),
    "oversampled": _Wrapper("OversampleWrapper", "preprocess", ("osw.",)),
    "overbagged": _Wrapper("OverBaggingWrapper", "learn", ("obw.",)),
    "smoted": _Wrapper("SMOTEWrapper", "preprocess", ("sw.",)),
    "bagged": _Wrapper("BaggingWrapper", "learn", ("bw.",)),
    "tuned": _Wrapper("TuneWrapper", "learn", ("tune.",)),
    "featsel": _Wrapper("FeatSelWrapper", "learn", ("featsel.",)),
    "multiclass": _Wrapper("MulticlassWrapper", "learn", ("mcw.",)),
    "weightedclasses": _Wrapper("WeightedClassesWrapper", "learn", ("wcw.",)),
    "downsampled": _Wrapper("DownsampleWrapper", "preprocess", ("dw.",)),
}
"""Last word of a wrapped learner's name -> the wrapper; prefixes tell its parameters from the learner's."""


def is_mlr(flow: Flow) -> bool:
    """Tell whether a flow is a learner of mlr."""
    return _NAME.fullmatch(flow.name) is not None


def read_mlr(flow: Flow, values: SetupValues) -> tuple[Component, ...]:
    """Return preprocessing wrappers (outermost first, as the data pass them), the learner, learning wrappers.

    Raises:
        BadRow: nothing but wrappers is left of the name.
    """
    match = _NAME.fullmatch(flow.name)
    if match is None:
        raise BadRow("a flow of no known family", flow.name)
    kind, name = match.groups()
    words = name.split(".")
    wrappers: list[_Wrapper] = []
    while len(words) > 1 and words[-1] in _WRAPPERS:
        wrappers.append(_WRAPPERS[words.pop()])
    learner = ".".join(words)
    if learner in _WRAPPERS:
        raise BadRow("a learner of mlr without a name", flow.name)
    settings = _settings(flow, values)
    before = [wrapper for wrapper in wrappers if wrapper.stage == "preprocess"]
    behind = [wrapper for wrapper in reversed(wrappers) if wrapper.stage == "learn"]
    found: list[Component] = []
    for wrapper in before:
        _append(found, wrapper.operator, "preprocess", wrapper.operator, _take(settings, wrapper.prefixes))
    inner = [_take(settings, wrapper.prefixes) for wrapper in behind]
    _append(found, "learner", "learn", f"{kind}.{learner}", settings)
    for wrapper, own in zip(behind, inner, strict=True):
        _append(found, wrapper.operator, "learn", wrapper.operator, own)
    return tuple(found)


def _settings(flow: Flow, values: SetupValues) -> dict[str, Scalar]:
    """Return all set parameters; those of nested package flows are the learner's."""
    settings: dict[str, Scalar] = {}
    for nested in flow.components.values():
        settings.update(_settings(nested, values))
    settings.update({name: scalar(text) for name, text in own_values(flow, values).items()})
    return settings


def _take(settings: dict[str, Scalar], prefixes: tuple[str, ...]) -> dict[str, Scalar]:
    taken = {name: value for name, value in settings.items() if name.startswith(prefixes)}
    for name in taken:
        del settings[name]
    return taken


def _append(
    found: list[Component], name: str, stage: Stage, operator: str, parameters: dict[str, Scalar]
) -> None:
    number = 2
    unique = name
    while any(component.name == unique for component in found):
        unique, number = f"{name}#{number}", number + 1
    parents = (found[-1].name,) if found else ()
    found.append(
        Component(name=unique, operator=operator, stage=stage, parameters=parameters, parents=parents)
    )
