"""What the planner is asked: the costs of an iteration's nodes and outputs, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UNAVAILABLE: Final[np.int64] = np.int64(-1)
"""The ``load_ns`` of an output without a valid artifact: it can only be had by computing its node."""

MAX_TOTAL_NS: Final[int] = 2**61
"""Computing everything has to cost less than this (73 years), so that no sum in the cut can overflow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A DAG with costs: which nodes have to be computed and which outputs loaded to get ``requested``?

    Nodes are 0..n-1 and outputs 0..m-1, in any order. The graph has to be acyclic; a captured workflow is so
    by construction, hence it is not checked again. A volatile node is one whose outputs are all
    ``UNAVAILABLE``. Anything that converts to int64 without loss is accepted for an array.

    Args:
        compute_ns: int64[n], the time to compute each node, >= 0.
        output_node: int64[m], the node that yields each output.
        load_ns: int64[m], the time to load each output's artifact, >= 0, or ``UNAVAILABLE``.
        takes_child: int64[k], with ``takes_output``: node ``takes_child[j]`` takes ``takes_output[j]``.
        takes_output: int64[k].
        requested: int64[r], the outputs that are wanted in the end.

    Raises:
        ValueError: an array has the wrong shape or type, an index or a cost is out of range, or computing
            everything would take ``MAX_TOTAL_NS`` or more.
    """

    compute_ns: Ints
    output_node: Ints
    load_ns: Ints
    takes_child: Ints
    takes_output: Ints
    requested: Ints

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _ints(field.name, getattr(self, field.name)))
        if self.load_ns.size != self.output_node.size:
            raise ValueError(f"load_ns has {self.load_ns.size} entries for {self.output_node.size} outputs")
        if self.takes_child.size != self.takes_output.size:
            raise ValueError(f"takes: {self.takes_child.size} children, {self.takes_output.size} outputs")
        for name, size in (
            ("output_node", self.nodes),
            ("takes_child", self.nodes),
            ("takes_output", self.outputs),
            ("requested", self.outputs),
        ):
            _check_range(name, getattr(self, name), 0, size)
        _check_range("compute_ns", self.compute_ns, 0, MAX_TOTAL_NS)
        _check_range("load_ns", self.load_ns, int(UNAVAILABLE), None)
        if float(self.compute_ns.sum(dtype=np.float64)) >= MAX_TOTAL_NS:
            raise ValueError("compute_ns adds up to 2**61 ns (73 years) or more: check the estimates")

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.compute_ns.size)

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return int(self.output_node.size)

    @property
    def available(self) -> Bools:
        """bool[m]: which outputs have a valid artifact."""
        available: Bools = self.load_ns != UNAVAILABLE
        return available

    def with_known(self, known: Bools | None) -> Problem:
        """Return the problem in which the outputs in ``known`` are in memory already and cost nothing.

        Args:
            known: bool[m], or None for none of them.

        Raises:
            ValueError: ``known`` is not a bool[m].
        """
        if known is None:
            return self
        known = np.asarray(known)
        if known.shape != self.load_ns.shape or known.dtype != np.bool_:
            raise ValueError(f"known has to be bool[{self.outputs}], not {known.dtype}{list(known.shape)}")
        return Problem(
            compute_ns=self.compute_ns,
            output_node=self.output_node,
            load_ns=np.where(known, np.int64(0), self.load_ns),
            takes_child=self.takes_child,
            takes_output=self.takes_output,
            requested=self.requested,
        )


def _ints(name: str, values: npt.ArrayLike) -> Ints:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or not np.can_cast(array.dtype, np.int64, casting="safe"):
        raise ValueError(f"{name} has to be a one-dimensional int64 array, not {array.dtype}[{array.ndim}d]")
    return array.astype(np.int64, copy=False)


def _check_range(name: str, values: Ints, low: int, high: int | None) -> None:
    if not values.size:
        return
    least, most = int(values.min()), int(values.max())
    if least < low or (high is not None and most >= high):
        raise ValueError(f"{name} has values from {least} to {most}; {low} <= {name} < {high} is needed")
