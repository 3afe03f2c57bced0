"""How an operator to be measured is described."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envs.costs import OperatorInfo, Scalar

Parameters = Mapping[str, Scalar]
FRESH_MEMORY = "output_cells>4000000"
"""Above 32 MB the C library takes each array's memory from the system, page by page: a step in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """An operator to be measured.

    Args:
        info: its name, family, stage, parameters; what the model tells of it.
        make: returns an unfitted estimator for parameters; None for a plain function.
        call: computes a plain function on a dataset (see :mod:`experiments.costs.datasets`).
        output: rule for its output's shape, a name in ``envs.costs.outputs.RULES``.
        growth: its time grows at most about like cells to this power; keeps a measurement from running away.
        numeric: features that take the place of "columns" and of numeric parameters, where a rule knows better
            (output columns instead of a degree); None for all numeric parameters.
        bounds: such as "columns>15", where the library switches algorithms.
    """

    info: OperatorInfo
    make: Callable[[Parameters], Any] | None = None
    call: Callable[[Any, Parameters], Any] | None = None
    output: str = "same"
    growth: float = 1.1
    numeric: tuple[str, ...] | None = None
    bounds: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features of its power laws, see :func:`envs.costs.posynomial.features`."""
        info = self.info
        names = ["rows"] if info.input in ("documents", "predictions") else ["rows", "columns"]
        if info.sparse:
            names += ["density", "sparse"]
        choices = {key for key, values in info.parameters.items() if _is_choice(values)}
        names += (
            self.numeric if self.numeric is not None else [k for k in info.parameters if k not in choices]
        )
        for key in sorted(choices):
            names += [f"{key}={value}" for value in info.parameters[key][1:]]
        if self.output not in ("column", "scalar", "measured"):
            names.append(FRESH_MEMORY)
        return (*names, *self.bounds)


def _is_choice(values: tuple[Scalar, ...]) -> bool:
    return any(isinstance(value, str | bool) or value is None for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """Makes a scikit-learn estimator.

    Args:
        path: "module:Class".
        fixed: arguments that never change.
        of_data: parameters that describe the data and are not passed.
        convert: arguments that are derived from parameters; they take the place of equally named ones.
        renamed: parameters to leave out since ``convert`` has taken them up.
    """

    path: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    of_data: tuple[str, ...] = ()
    convert: Callable[[Parameters], Mapping[str, Any]] = lambda given: {}
    renamed: tuple[str, ...] = ()

    def __call__(self, given: Parameters) -> Any:
        """Return the estimator, unfitted."""
        module, _, name = self.path.partition(":")
        kind = getattr(importlib.import_module(module), name)
        left_out = {*self.of_data, *self.renamed}
        passed = {key: value for key, value in given.items() if key not in left_out}
        return kind(**{**self.fixed, **passed, **self.convert(given)})


def sklearn(
    name: str,
    path: str,
    family: str,
    *,
    stage: str = "preprocess",
    parameters: Mapping[str, tuple[Scalar, ...]] | None = None,
    of_data: tuple[str, ...] = (),
    input: str = "matrix",
    sparse: bool = False,
    output: str = "same",
    growth: float = 1.1,
    numeric: tuple[str, ...] | None = None,
    bounds: tuple[str, ...] = (),
    fixed: Mapping[str, Any] | None = None,
    convert: Callable[[Parameters], Mapping[str, Any]] = lambda given: {},
    renamed: tuple[str, ...] = (),
) -> Spec:
    """Return the spec of a scikit-learn estimator; ``path`` is below ``sklearn``."""
    return Spec(
        info=OperatorInfo(
            name=name,
            family=family,
            stage=stage,
            parameters=parameters or {},
            of_data=of_data,
            input=input,
            sparse=sparse,
        ),
        make=Estimator(
            path=f"sklearn.{path}", fixed=fixed or {}, of_data=of_data, convert=convert, renamed=renamed
        ),
        output="column" if stage == "learn" and output == "same" else output,
        growth=growth,
        numeric=numeric,
        bounds=bounds,
    )
