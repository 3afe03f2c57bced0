"""A sum of power laws: overhead + Σ_k c_k Π_i x_i^a_ki.

Costs of programs have this form (a constant, a linear pass, a cubic decomposition …), and a sum of power laws is
convex in logarithms, so few measurements fix it. Source: Boyd, Kim, Vandenberghe, Hassibi, "A tutorial on geometric
programming", Optimization and Engineering 8, 2007, section 8 (fitting posynomials to data).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envs.costs.errors import CostError
from envs.costs.records import Scalar, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Posynomial:
    """A fitted sum of power laws.

    Args:
        overhead: log of the constant term; minus infinity for none.
        terms: of each power law, the log of its factor and then the exponent of each feature.
    """

    overhead: float
    terms: tuple[tuple[float, ...], ...]

    def __call__(self, features: Sequence[float]) -> float:
        """Return the value at these features (logarithms, as :func:`features` gives them)."""
        total = math.exp(self.overhead) if self.overhead > -700 else 0.0
        for bias, *exponents in self.terms:
            power = bias
            for exponent, feature in zip(exponents, features):
                power += exponent * feature
            total += math.exp(min(power, 700.0))
        return total

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "overhead": round(max(self.overhead, -1e3), 5),
            "terms": [[round(number, 5) for number in term] for term in self.terms],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Posynomial:
        """Return what :meth:`to_json` wrote."""
        return cls(overhead=float(data["overhead"]), terms=tuple(tuple(term) for term in data["terms"]))


def features(
    names: Sequence[str], shape: Shape, output: Shape | None, parameters: Mapping[str, Scalar]
) -> list[float]:
    """Return the logarithms that the power laws are taken of.

    Args:
        names: "rows", "columns", "density", "output_rows", "output_columns", the name of a numeric parameter;
            "bins<rows/20" for that parameter, but at most a twentieth of the rows; "leaves" for the most leaves
            that a tree of ``max_depth`` and ``min_samples_leaf`` can have; 0 or 1 for "sparse", for bounds such
            as "columns>15" and "output_cells>4000000", and for choices such as "kernel=rbf"; "rows*columns>15"
            for a product of two of these.
        shape: of the input.
        output: of the output; None where no name asks for it.
        parameters: every parameter that a name asks for.

    Raises:
        CostError: a numeric parameter is not a number above zero.
    """
    return [_feature(name, shape, output, parameters) for name in names]


def _feature(name: str, shape: Shape, output: Shape | None, parameters: Mapping[str, Scalar]) -> float:
    if "*" in name:
        first, _, second = name.partition("*")
        return _feature(first, shape, output, parameters) * _feature(second, shape, output, parameters)
    match name:
        case "rows":
            return math.log(shape.rows)
        case "columns":
            return math.log(shape.columns)
        case "density":
            return math.log(shape.density)
        case "sparse":
            return float(shape.density < 1)
        case "output_rows" if output is not None:
            return math.log(output.rows)
        case "output_columns" if output is not None:
            return math.log(output.columns)
        case "leaves":
            return _leaves(shape, parameters)
    if "<rows/" in name:
        which, _, share = name.partition("<rows/")
        return min(_logarithm(which, parameters[which]), max(math.log(shape.rows / float(share)), 0.0))
    if ">" in name:
        which, _, bound = name.partition(">")
        if which == "output_cells" and output is not None:
            return float(output.cells > float(bound))
        return float(getattr(shape, which) > float(bound))
    if "=" in name:
        which, _, choice = name.partition("=")
        return float(str(parameters[which]) == choice)
    return _logarithm(name, parameters[name])


def _logarithm(name: str, value: Scalar) -> float:
    if isinstance(value, str) or value is None or not value > 0:
        raise CostError(f"{name} = {value!r} has to be a number above zero")
    return math.log(value)


def _leaves(shape: Shape, parameters: Mapping[str, Scalar]) -> float:
    smallest = _logarithm("min_samples_leaf", parameters["min_samples_leaf"])
    most = max(math.log(shape.rows) - smallest, 0.0)
    depth = parameters["max_depth"]
    return most if depth is None else min(most, float(depth) * math.log(2))
