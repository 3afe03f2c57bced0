"""Turns (operator, shape, parameters) into time and bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from envs.costs.errors import CostError, UnknownOperator
from envs.costs.outputs import RULES, number
from envs.costs.posynomial import Posynomial, features
from envs.costs.records import Cost, OperatorInfo, Scalar, Shape

HERE = Path(__file__).resolve().parent
SHIPPED = HERE / "model.json"
TABLE = HERE / "table.csv"
VERSION = 1
NO_OUTPUT = Shape(rows=1, columns=1)
"""Stands for the output's shape while it is not known: its logarithms are zero."""


class CostModel:
    """Sums of power laws fitted to the shipped table, an operator at a time.

    Times are processor time of the machine that was measured, with one thread; :attr:`facts` names it. Scale
    them for another machine. Every cost grows with the rows, or stays.

    Args:
        data: the parsed model file.

    Raises:
        CostError: the file is of another version.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        if data.get("version") != VERSION:
            raise CostError(
                f"the cost model has version {data.get('version')!r}, this code reads {VERSION}; write it anew "
                "with `python -m experiments.calibrate_costs fit`"
            )
        self._data = data
        self._operators = {name: _Operator(name, entry) for name, entry in data["operators"].items()}
        self._codecs = {
            kind: {way: Posynomial.from_json(fitted) for way, fitted in ways.items()}
            for kind, ways in data["codecs"].items()
        }

    @classmethod
    def load(cls, path: Path | None = None) -> CostModel:
        """Return the shipped model, or one from a file.

        Raises:
            CostError: it cannot be read.
        """
        path = path or SHIPPED
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError) as error:
            raise CostError(
                f"{path} is no cost model ({type(error).__name__}: {error}); write one with "
                "`python -m experiments.calibrate_costs fit`"
            ) from error

    @cached_property
    def operators(self) -> Mapping[str, OperatorInfo]:
        """The measured operators by name."""
        return MappingProxyType({name: operator.info for name, operator in self._operators.items()})

    @property
    def facts(self) -> Mapping[str, Any]:
        """Where and how the table was measured, and how well the model does on held-out shapes."""
        return MappingProxyType(self._data["facts"])

    def cost(
        self, operator: str, shape: Shape, parameters: Mapping[str, Scalar] = MappingProxyType({})
    ) -> Cost:
        """Return what an operator costs on data of a shape.

        Args:
            operator: a name in :attr:`operators`.
            shape: of its input.
            parameters: those of its info that differ from their default.

        Raises:
            UnknownOperator: it was never measured.
            CostError: an unknown parameter or a value that says nothing.
        """
        known = self._operators.get(operator)
        if known is None:
            raise UnknownOperator(operator, self._operators)
        return known.cost(shape, parameters)

    def codec_ns(self, kind: str, size_bytes: int) -> tuple[int, int]:
        """Return the processor time to write and to load an artifact, on the machine that was measured.

        Args:
            kind: the store's codec: "array", "sparse", "frame", "estimator", "pickle".
            size_bytes: of the artifact.

        Raises:
            CostError: the codec was never measured.
        """
        codec = self._codecs.get(kind)
        if codec is None:
            raise CostError(f"codec {kind!r} was never measured; known are {', '.join(sorted(self._codecs))}")
        size = Shape(rows=max(size_bytes, 1), columns=1)
        found = features(["rows"], size, None, {})
        return round(codec["write_ns"](found)), round(codec["load_ns"](found))


class _Operator:
    """One operator's entry of the model file, ready to be asked."""

    def __init__(self, name: str, entry: Mapping[str, Any]) -> None:
        self.info = OperatorInfo(
            name=name,
            family=entry["family"],
            stage=entry["stage"],
            parameters=MappingProxyType({key: tuple(values) for key, values in entry["parameters"].items()}),
            of_data=tuple(entry["of_data"]),
            input=entry["input"],
            sparse=entry["sparse"],
            fits=entry["fits"],
            output_kind=entry["output_kind"],
            spread=entry["spread"],
        )
        self._rule = entry["output"]
        self._features = tuple(entry["features"])
        self._targets = {target: Posynomial.from_json(data) for target, data in entry["targets"].items()}
        self._defaults = {key: values[0] for key, values in self.info.parameters.items()}

    def cost(self, shape: Shape, given: Mapping[str, Scalar]) -> Cost:
        """Return what it costs."""
        parameters = {**self._defaults, **{key: self._measured(key, value) for key, value in given.items()}}
        if shape.density < 1 and not self.info.sparse:
            shape = Shape(rows=shape.rows, columns=shape.columns)
        output = self._output(shape, parameters)
        found = features(self._features, shape, output, parameters)
        values = {target: round(fitted(found)) for target, fitted in self._targets.items()}
        return Cost(
            fit_ns=values.get("fit_ns", 0),
            apply_ns=values["apply_ns"],
            output_bytes=values["output_bytes"],
            model_bytes=values.get("model_bytes", 0),
            output=output,
        )

    def _measured(self, key: str, value: Scalar) -> Scalar:
        """Return a parameter's value as the power laws take it: a choice must be one that was measured."""
        plausible = self.info.parameters.get(key)
        if plausible is None:
            known = ", ".join(self.info.parameters) or "none"
            raise CostError(
                f"the cost of {self.info.name} was not measured by {key!r}; its parameters are: {known}"
            )
        if value in plausible or not any(isinstance(one, str | bool) or one is None for one in plausible):
            return value
        numbers = [one for one in plausible if isinstance(one, int | float) and not isinstance(one, bool)]
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and numbers:
            # a choice such as max_depth among None, 4 and 8: the nearest that was measured
            return min(numbers, key=lambda one: abs(math.log(one / value)))
        raise CostError(
            f"{self.info.name} was not measured with {key} = {value!r}; choose among {list(plausible)}"
        )

    def _output(self, shape: Shape, parameters: Mapping[str, Scalar]) -> Shape:
        if self._rule != "measured":
            return RULES[self._rule](shape, parameters)
        # of texts: the words seen and the cells stored are fitted, since words follow no rule
        inner = features(self._features, shape, NO_OUTPUT, parameters)
        if "n_features" in parameters:
            columns = number(parameters, "n_features")
        else:
            words = max(round(self._targets["vocabulary"](inner)), 1)
            columns = min(words, number(parameters, "max_features"))
        known = features(self._features, shape, Shape(rows=shape.rows, columns=columns), parameters)
        cells = self._targets["output_cells"](known)
        return Shape(rows=shape.rows, columns=columns, density=min(cells / (shape.rows * columns), 1.0))
