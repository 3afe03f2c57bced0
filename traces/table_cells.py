"""Cells of the CC0 table: texts of Python sets -> components."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from mile_rl.workflows.edits import Scalar, Stage
from traces.errors import BadRow
from traces.schema import Component
from traces.values import scalar

_PAIR = re.compile(r"\('([^'\\]*)', (?:'([^'\\]*)'|\"([^\"\\]*)\")\)")
_NAME = re.compile(r"'([^'\\]*)'")
_EMPTY = frozenset({"set()", "", "{}", "nan", "[]"})
_CACHE_SIZE = 100_000
UNPLACED = "?."
"""Prefix of a parameter of which the table does not say whose it is, where its stage has several classes."""


class CellReader:
    """Turns the four cells of a row into components; equal cells are read once.

    A component stands for each class in ``ppr`` (preprocess) and ``model`` (learn). The sets have no order,
    so the only edges known are from every preprocessing class to every model class. A stage's parameters
    belong to its class; where it has several, to the one that the parameter's name names or that alone has
    such a parameter in the installed scikit-learn, else they stand with the first under ``UNPLACED``.
    """

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        self._stages: dict[tuple[str, str, str], tuple[Component, ...]] = {}
        self._values: dict[str, Scalar] = {}
        self._signatures: dict[str, frozenset[str]] = {}

    def components(self, model: str, model_params: str, ppr: str, ppr_params: str) -> tuple[Component, ...]:
        """Return the row's components, preprocessing first.

        Raises:
            BadRow: a cell is no set of texts, or the row has no model.
        """
        before = self._stage("preprocess", ppr, ppr_params, ())
        learners = self._stage("learn", model, model_params, tuple(component.name for component in before))
        if not learners:
            raise BadRow("no model", model)
        return before + learners

    def _stage(
        self, stage: Stage, classes: str, params: str, parents: tuple[str, ...]
    ) -> tuple[Component, ...]:
        key = (classes, params, "\0".join(parents))
        known = self._stages.get(key)
        if known is not None:
            return known
        names = self._names.get(classes)
        if names is None:
            names = self._names[classes] = tuple(sorted(read_names(classes)))
        placed = self._place(names, read_pairs(params))
        components = tuple(
            Component(
                name=name if name_is_unique else class_name,
                operator=name,
                class_name=class_name if "." in class_name else "",
                stage=stage,
                parameters=parameters,
                parents=parents,
            )
            for class_name, name, name_is_unique, parameters in _named(names, placed)
        )
        if len(self._stages) >= _CACHE_SIZE:
            self._stages.clear()
        self._stages[key] = components
        return components

    def _place(
        self, classes: Sequence[str], pairs: Sequence[tuple[str, str]]
    ) -> dict[str, dict[str, Scalar]]:
        placed: dict[str, dict[str, Scalar]] = {name: {} for name in classes}
        if not classes:
            return placed
        for name, text in sorted(pairs):
            if len(self._values) >= _CACHE_SIZE:
                self._values.clear()
            value = (
                self._values[text] if text in self._values else self._values.setdefault(text, scalar(text))
            )
            if len(classes) == 1:
                placed[classes[0]][name] = value
                continue
            owner, short = self._owner(name, classes)
            if owner is None:
                owner, short = classes[0], f"{UNPLACED}{name}"
            placed[owner][short] = value
        return placed

    def _owner(self, parameter: str, classes: Sequence[str]) -> tuple[str | None, str]:
        for class_name in classes:
            if parameter.startswith(class_name):
                return class_name, re.sub(r"^\(\d+\)", "", parameter.removeprefix(class_name)).lstrip("_.")
        owners = [name for name in classes if parameter in self._signature(name)]
        return (owners[0] if len(owners) == 1 else None), parameter

    def _signature(self, class_name: str) -> frozenset[str]:
        short = class_name.rpartition(".")[2]
        if short not in self._signatures:
            self._signatures[short] = _sklearn_parameters().get(short, frozenset())
        return self._signatures[short]


def _named(
    classes: Sequence[str], placed: Mapping[str, dict[str, Scalar]]
) -> list[tuple[str, str, bool, dict[str, Scalar]]]:
    shorts = [class_name.rpartition(".")[2] for class_name in classes]
    return [
        (class_name, short, shorts.count(short) == 1, placed[class_name])
        for class_name, short in zip(classes, shorts, strict=True)
    ]


_KNOWN: dict[str, frozenset[str]] = {}


def _sklearn_parameters() -> Mapping[str, frozenset[str]]:
    """Return scikit-learn's class names -> the names of their parameters."""
    if not _KNOWN:
        import inspect

        from sklearn.utils import all_estimators

        for name, estimator in all_estimators():
            _KNOWN[name] = frozenset(inspect.signature(estimator).parameters)
    return _KNOWN


def read_names(text: str) -> list[str]:
    """Return the class names in a cell ("{'SVC'}", "set()").

    Raises:
        BadRow: the cell is no set of texts.
    """
    if text in _EMPTY:
        return []
    if text[:1] == "{":
        names = _NAME.findall(text)
        if sum(map(len, names)) + 4 * len(names) == len(text):
            return names
    value = _literal(text)
    if isinstance(value, str):
        return [value]
    if isinstance(value, set | list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    raise BadRow("the cell is no set of class names", text)


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Return the (name, value) texts in a cell.

    The tokeniser's answer counts only if, written back, it has the length of the cell, so nothing is skipped.

    Raises:
        BadRow: the cell is no set of pairs of texts.
    """
    if text in _EMPTY:
        return []
    if text[:1] == "{":
        pairs = [(name, single or double) for name, single, double in _PAIR.findall(text)]
        if sum(len(name) + len(value) for name, value in pairs) + 10 * len(pairs) == len(text):
            return pairs
    value = _literal(text)
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, set | list | tuple) and all(
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value
    ):
        return [(name, item if isinstance(item, str) else repr(item)) for name, item in value]
    raise BadRow("the cell is no set of parameters", text)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise BadRow("the cell is no Python literal", text) from None
