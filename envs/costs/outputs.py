"""Which shape an operator's output has: known by rule, so that operators can be chained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from envs.costs.errors import CostError
from envs.costs.records import Scalar, Shape

Rule = Callable[[Shape, Mapping[str, Scalar]], Shape]


def number(parameters: Mapping[str, Scalar], name: str) -> int:
    """Return a parameter that has to be a whole number."""
    value = parameters[name]
    if isinstance(value, str) or value is None:
        raise CostError(f"{name} = {value!r} is no number; the operator's info lists plausible values")
    return max(int(value), 1)


def _at_most(name: str) -> Rule:
    return lambda shape, given: Shape(rows=shape.rows, columns=min(number(given, name), shape.columns))


def _exactly(name: str) -> Rule:
    return lambda shape, given: Shape(rows=shape.rows, columns=number(given, name))


def _selected(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    return Shape(rows=shape.rows, columns=min(number(given, "k"), shape.columns), density=shape.density)


def _polynomial(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    degree = number(given, "degree")
    if given.get("interaction_only"):
        terms = sum(math.comb(shape.columns, i) for i in range(min(degree, shape.columns) + 1))
    else:
        terms = math.comb(shape.columns + degree, degree)
    return Shape(rows=shape.rows, columns=terms)


def _one_hot(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    # n draws from k equally likely categories leave out (1 - 1/k)^n of them
    categories = number(given, "cardinality")
    seen = max(round(categories * (1 - (1 - 1 / categories) ** shape.rows)), 1)
    return Shape(rows=shape.rows, columns=shape.columns * seen, density=1 / seen)


def _bins(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    bins = min(number(given, "n_bins"), shape.rows)
    return Shape(rows=shape.rows, columns=shape.columns * bins, density=1 / bins)


def _splines(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    each = number(given, "n_knots") + number(given, "degree") - 1
    return Shape(rows=shape.rows, columns=shape.columns * each)


def _joined(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    return Shape(rows=shape.rows, columns=shape.columns + number(given, "right_columns"))


def _grouped(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    # every fifth column is text (see the datasets of experiments/costs) and is not aggregated
    columns = max(shape.columns - (shape.columns + 1) // 5, 1)
    return Shape(rows=math.ceil(shape.rows / number(given, "rows_per_group")), columns=columns)


def _filtered(shape: Shape, given: Mapping[str, Scalar]) -> Shape:
    return Shape(rows=max(shape.rows // 2, 1), columns=shape.columns)


RULES: dict[str, Rule] = {
    "same": lambda shape, given: shape,
    "dense": lambda shape, given: Shape(rows=shape.rows, columns=shape.columns),
    "column": lambda shape, given: Shape(rows=shape.rows, columns=1),
    "scalar": lambda shape, given: Shape(rows=1, columns=1),
    "components": _at_most("n_components"),
    "mapped": _exactly("n_components"),
    "clusters": _exactly("n_clusters"),
    "selected": _selected,
    "polynomial": _polynomial,
    "one_hot": _one_hot,
    "bins": _bins,
    "splines": _splines,
    "joined": _joined,
    "grouped": _grouped,
    "filtered": _filtered,
}
"""Every rule by the name that the model's file uses; "measured" means fitted, for texts."""
