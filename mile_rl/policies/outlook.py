"""What may be run next, seen from the iteration that is running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from mile_rl.policies.value import Bools, Floats, Indices, alive_outputs

EDIT: Final = 0
NOTHING: Final = 1
RETURN: Final = 2
"""Kinds of scenario: some nodes are edited, the same version is run again, an earlier version is run again."""

MOST_SCENARIOS: Final = 16
MOST_WORK: Final = 1_600
"""At most so many scenarios, and scenarios x nodes: the likeliest ones. The same in training."""

LEAST_SCENARIOS: Final = 8
"""A graph that is too large even for so many has no outlook: what is in it is judged by what making it took."""


def scenario_limit(nodes: int) -> int:
    """Return how many scenarios a graph of so many nodes is looked at in; 0 where it is too large for any.

    It depends on the size alone, not on a clock, so that training and every machine decide alike.

    >>> scenario_limit(100), scenario_limit(200), scenario_limit(201)
    (16, 8, 0)
    """
    limit = min(MOST_SCENARIOS, MOST_WORK // max(nodes, 1))
    return limit if limit >= LEAST_SCENARIOS else 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """The scenarios of the next iteration, over the graph of all nodes that occur in any of them.

    The graph is the union, by signature, of the current version and of the earlier versions that the person
    may return to. Nodes are in topological order: n nodes, m outputs, k takes, s scenarios.

    What is kept and what loading it takes is no part of it: every decision brings that along. Owned by who
    made it; ``compute_ns`` is updated in place as nodes are computed, all else stays. A policy may keep it until
    the next ``on_iteration`` and writes nothing into it.

    Args:
        iterations: how many iterations of this workflow there were, this one included; >= 1.
        position: signature -> output.
        compute_ns: float64[n], what each node takes, measured or estimated; whole numbers.
        take_ptr: int32[n + 1]; node i takes ``take_output[take_ptr[i]:take_ptr[i + 1]]``.
        take_output: int32[k].
        output_node: int32[m], the node that yields each output.
        stage: int8[n], as ``mile_rl.workflows.edits.STAGES``.
        seen: bool[n], whether the node was computed in an earlier iteration with this very signature.
        p: float64[s], each scenario's probability, given that there is a next iteration; they sum to 1.
        kind: int8[s], EDIT, NOTHING or RETURN.
        edited: bool[s, n], the nodes that an EDIT changes themselves.
        invalid: bool[s, n], those and all that depends on them.
        requested: bool[s, m], what is wanted in the end.
        stop: probability that there is no next iteration.

    Raises:
        ValueError: shapes, types, ranges or the order of the nodes are wrong.
    """

    iterations: int
    position: Mapping[str, int]
    compute_ns: Floats
    take_ptr: Indices
    take_output: Indices
    output_node: Indices
    stage: npt.NDArray[np.int8]
    seen: Bools
    p: Floats
    kind: npt.NDArray[np.int8]
    edited: Bools
    invalid: Bools
    requested: Bools
    stop: float
    alive: Bools = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n, m, s = self.compute_ns.size, self.output_node.size, self.p.size
        shapes = {
            "compute_ns": (np.float64, (n,)),
            "take_ptr": (np.int32, (n + 1,)),
            "take_output": (np.int32, (self.take_output.size,)),
            "output_node": (np.int32, (m,)),
            "stage": (np.int8, (n,)),
            "seen": (np.bool_, (n,)),
            "p": (np.float64, (s,)),
            "kind": (np.int8, (s,)),
            "edited": (np.bool_, (s, n)),
            "invalid": (np.bool_, (s, n)),
            "requested": (np.bool_, (s, m)),
        }
        for name, (dtype, shape) in shapes.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(
                    f"{name} is {array.dtype}{list(array.shape)}, not {np.dtype(dtype)}{list(shape)}"
                )
        self._check_graph()
        self._check_scenarios()
        alive = alive_outputs(self.output_node, self.take_ptr, self.take_output, self.invalid, self.requested)
        object.__setattr__(self, "alive", alive)

    def _check_graph(self) -> None:
        n, m = self.compute_ns.size, self.output_node.size
        ptr = self.take_ptr
        _demand(ptr[0] == 0 and ptr[-1] == self.take_output.size, "take_ptr does not span take_output")
        _demand(bool((np.diff(ptr) >= 0).all()), "take_ptr decreases")
        _demand(_within(self.output_node, n), "output_node names a node that is not there")
        _demand(_within(self.take_output, m), "take_output names an output that is not there")
        takers = np.repeat(np.arange(n), np.diff(ptr))
        early = self.output_node[self.take_output] < takers
        _demand(bool(early.all()), "the nodes are not in topological order")
        _demand(all(0 <= at < m for at in self.position.values()), "position names an unknown output")
        times = self.compute_ns
        _demand(bool(np.isfinite(times).all() and (times >= 0).all()), "compute_ns is no time")

    def _check_scenarios(self) -> None:
        _demand(self.iterations >= 1, "iterations is less than 1")
        _demand(0 <= self.stop <= 1, "stop is no probability")
        _demand(bool((self.p >= 0).all()) and (not self.p.size or abs(self.p.sum() - 1) < 1e-6), "p is none")
        _demand(bool(np.isin(self.kind, (EDIT, NOTHING, RETURN)).all()), "kind is none of the three")
        _demand(not (self.edited & ~self.invalid).any(), "what is edited stays valid")

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return int(self.compute_ns.size)

    @property
    def scenarios(self) -> int:
        """How many scenarios there are."""
        return int(self.p.size)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays by name, as tests and training store them."""
        names = [each.name for each in fields(self) if each.name not in ("iterations", "position", "stop")]
        return {name: getattr(self, name) for name in names}


def no_outlook() -> Outlook:
    """Return the outlook of one who knows nothing: without nodes and scenarios."""
    return Outlook(
        iterations=1,
        position={},
        compute_ns=np.zeros(0),
        take_ptr=np.zeros(1, dtype=np.int32),
        take_output=np.zeros(0, dtype=np.int32),
        output_node=np.zeros(0, dtype=np.int32),
        stage=np.zeros(0, dtype=np.int8),
        seen=np.zeros(0, dtype=np.bool_),
        p=np.zeros(0),
        kind=np.zeros(0, dtype=np.int8),
        edited=np.zeros((0, 0), dtype=np.bool_),
        invalid=np.zeros((0, 0), dtype=np.bool_),
        requested=np.zeros((0, 0), dtype=np.bool_),
        stop=0.0,
    )


def spread(roots: Bools, output_node: Indices, take_ptr: Indices, take_output: Indices) -> Bools:
    """Return the nodes that edits of ``roots`` change, theirs and all that depends on them.

    Args:
        roots: bool[s, n].
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
    """
    invalid = roots.copy()
    for node in range(roots.shape[1]):
        parents = output_node[take_output[take_ptr[node] : take_ptr[node + 1]]]
        if parents.size:
            invalid[:, node] |= invalid[:, parents].any(axis=1)
    return invalid


def _within(indices: Indices, size: int) -> bool:
    return not indices.size or bool(indices.min() >= 0 and indices.max() < size)


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"outlook: {otherwise}")
