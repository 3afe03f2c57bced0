"""What this iteration ran to make a node's outputs, ancestors included, and how long that took."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from mile_rl.engine.layout import Layout
from mile_rl.workflows.dag import Output

FEW = 16
"""So many ancestors are summed up one by one, sooner than by an array."""


class Made:
    """Of whose making in this iteration each node's outputs owe their own, and the time of each.

    Args:
        layout: the needed nodes.
    """

    def __init__(self, layout: Layout) -> None:
        self._at = layout.node_at
        self._by: dict[
            str, int
        ] = {}  # node -> a bit for each node that it owes its outputs, its own included
        self._ns = np.zeros(len(layout.nodes), dtype=np.int64)

    def ran(self, node: str, ns: int, parents: Collection[Output] = ()) -> None:
        """Note what it took to make a node's outputs here, and of whose making they owe their own.

        Args:
            node: its name.
            ns: the time of its operator, or of the loads of its outputs.
            parents: what the operator took; nothing where its outputs were loaded.
        """
        made_by = 1 << self._at[node]
        for parent in parents:
            made_by |= self._by.get(parent.node, 0)
        self._by[node] = made_by
        self._ns[self._at[node]] = ns

    def within_ns(self, node: str) -> int:
        """Return the time of a node and of all its ancestors that this iteration ran or loaded."""
        made_by = self._by[node]
        if made_by.bit_count() <= FEW:
            ns = 0
            while made_by:
                at = made_by.bit_length() - 1
                ns += int(self._ns[at])
                made_by ^= 1 << at
            return ns
        count = len(self._ns)
        bits = np.frombuffer(made_by.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        return int(self._ns[np.unpackbits(bits, bitorder="little", count=count).view(np.bool_)].sum())
