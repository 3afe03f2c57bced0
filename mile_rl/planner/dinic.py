"""Dinic's maximum flow on Python integers: no size limit, no import, right for hundreds of arcs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


class Network:
    """A flow network under construction, then with its maximum flow.

    Arc ``a`` and its reverse ``a ^ 1`` lie side by side; ``room`` is the residual capacity of each.

    It grows where the search goes: most plans are settled a step or two from the source.

    Args:
        infinite: the capacity of arcs that must not be cut; more than any flow can be.
        grow: called once with each vertex before the search leaves it, to add its outgoing arcs; not with the
            source, whose arcs are added beforehand.
    """

    SOURCE: Final = 0
    SINK: Final = 1

    def __init__(self, *, infinite: int, grow: Callable[[int], None]) -> None:
        self.infinite = infinite
        self._grow = grow
        self._grown = {self.SOURCE, self.SINK}
        self.arcs_of: list[list[int]] = [[], []]
        self.head: list[int] = []
        self.room: list[int] = []
        self._steps = 0

    def add_vertex(self) -> int:
        """Add a vertex and return it."""
        self.arcs_of.append([])
        return len(self.arcs_of) - 1

    def add_arc(self, tail: int, head: int, capacity: int | None = None) -> int:
        """Add an arc and return it; ``capacity`` None means infinite."""
        arc = len(self.head)
        self.arcs_of[tail].append(arc)
        self.arcs_of[head].append(arc + 1)
        self.head += (head, tail)
        self.room += (self.infinite if capacity is None else min(capacity, self.infinite), 0)
        return arc

    def flow(self, arc: int) -> int:
        """Return what flows along an arc that was added."""
        return self.room[arc ^ 1]

    def source_side(self) -> frozenset[int]:
        """Return what is reachable from the source in the residual network: the smallest minimum cut."""
        level = self._levels()
        return frozenset(vertex for vertex, depth in enumerate(level) if depth >= 0)

    def maximise(self, steps: int | None = None) -> bool:
        """Find a maximum flow; return False, with the flow unfinished, after looking at ``steps`` arcs.

        O(V² E), far less on the shallow networks of workflows.
        """
        self._steps = 0
        while True:
            level = self._levels()
            if level[self.SINK] < 0:
                return True
            self._block(level)
            if steps is not None and self._steps > steps:
                return False

    def _levels(self) -> list[int]:
        """Return each vertex's distance from the source in the residual network.

        It is -1 for what is unreachable or, where the sink can be reached, farther away than the sink.
        """
        level = [-1] * len(self.arcs_of)
        level[self.SOURCE] = 0
        queue = [self.SOURCE]
        for vertex in queue:
            if 0 <= level[self.SINK] <= level[vertex]:
                break
            if vertex not in self._grown:
                self._grown.add(vertex)
                self._grow(vertex)
                level.extend([-1] * (len(self.arcs_of) - len(level)))
            self._steps += len(self.arcs_of[vertex])
            for arc in self.arcs_of[vertex]:
                head = self.head[arc]
                if self.room[arc] and level[head] < 0:
                    level[head] = level[vertex] + 1
                    queue.append(head)
        return level

    def _block(self, level: list[int]) -> None:
        """Fill the shortest paths until none is left, by depth-first search without recursion."""
        place = [0] * len(self.arcs_of)
        path: list[int] = []
        vertex = self.SOURCE
        while True:
            if vertex == self.SINK:
                vertex = self._augment(path)
            arcs = self.arcs_of[vertex]
            while place[vertex] < len(arcs):
                arc = arcs[place[vertex]]
                self._steps += 1
                if self.room[arc] and level[self.head[arc]] == level[vertex] + 1:
                    path.append(arc)
                    vertex = self.head[arc]
                    break
                place[vertex] += 1
            else:
                if not path:
                    return
                vertex = self.head[path.pop() ^ 1]
                place[vertex] += 1

    def _augment(self, path: list[int]) -> int:
        """Push what fits along ``path``, shorten it to the first full arc, and return that arc's tail."""
        flow = min(self.room[arc] for arc in path)
        for arc in path:
            self.room[arc] -= flow
            self.room[arc ^ 1] += flow
        full = next(place for place, arc in enumerate(path) if not self.room[arc])
        tail = self.head[path[full] ^ 1]
        del path[full:]
        return tail
