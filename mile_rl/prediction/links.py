"""Which nodes of a DAG belong together, kept as lists: proportional to the edges, not to the nodes squared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DEEPEST = 20
"""Depths are counted up to here."""


class Links:
    """For each node the nodes that it is linked to.

    Args:
        owners: per link, the node that has it.
        others: per link, the node that it leads to.
        size: how many nodes there are.
    """

    def __init__(self, owners: Integers, others: Integers, size: int) -> None:
        order = np.argsort(owners, kind="stable")
        self.owners, self.others = owners[order], others[order]
        self.counts: Floats = np.bincount(owners, minlength=size).astype(np.float64)
        self.ends = np.cumsum(self.counts).astype(np.int64)

    def mean(self, values: Floats) -> Floats:
        """Return of each node the mean of what ``values`` holds for its links, 0 where it has none."""
        sums = np.bincount(self.owners, weights=values[self.others], minlength=len(self.counts))
        means: Floats = sums / np.maximum(self.counts, 1.0)
        return means

    def mean_of(self, index: int, values: Floats) -> float:
        """Return one node's part of :meth:`mean`."""
        end = int(self.ends[index])
        own = self.others[end - int(self.counts[index]) : end]
        return float(values[own].sum()) / len(own) if len(own) else 0.0


class Twins:
    """The nodes that share an operator; every node is linked to all others that have its own.

    Args:
        operators: the operator of each node.
    """

    def __init__(self, operators: Sequence[str]) -> None:
        self.kinds: Integers = np.unique(np.asarray(operators, dtype=str), return_inverse=True)[1]
        self.counts = np.bincount(self.kinds)[self.kinds] - 1.0

    def mean(self, values: Floats) -> Floats:
        """Return of each node the mean of what ``values`` holds for its twins, 0 where it has none."""
        sums = np.bincount(self.kinds, weights=values)[self.kinds] - values
        means: Floats = sums / np.maximum(self.counts, 1.0)
        return means

    def mean_of(self, index: int, values: Floats) -> float:
        """Return one node's part of :meth:`mean`."""
        if not self.counts[index]:
            return 0.0
        own = self.kinds == self.kinds[index]
        return float(values[own].sum() - values[index]) / float(self.counts[index])


def depths(parents: Links) -> Floats:
    """Return each node's distance from the sources: the longest path that leads to it, at most ``DEEPEST``.

    A mined graph may hold a cycle (two stages that name each other's folder): then counting stops.
    """
    depth = np.zeros(len(parents.counts))
    for _ in range(min(len(depth), DEEPEST + 1)):
        deeper = depth.copy()
        np.maximum.at(deeper, parents.owners, depth[parents.others] + 1)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    return np.minimum(depth, float(DEEPEST))
