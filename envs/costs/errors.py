"""What the cost model refuses to answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mile_rl.errors import MileError


class CostError(MileError):
    """A cost was asked for that the table cannot tell, or the table itself cannot be used."""


class UnknownOperator(CostError):
    """An operator that was never measured.

    Args:
        operator: the name asked for.
        known: the names that were measured.
    """

    def __init__(self, operator: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(operator, names, n=3, cutoff=0.4)
        meant = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(names)};"
        super().__init__(
            f"the cost of operator {operator!r} was never measured: {meant} To add it, give it a Spec in "
            "experiments/costs/ and run `python -m experiments.calibrate_costs measure` and `fit`"
        )
        self.operator = operator
