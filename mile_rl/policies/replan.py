"""The least cost of an iteration: one question at a time.

The same minimum as ``mile_rl.planner.solve`` (a test compares them), without plan, proof and checks:

1. walking up from what is requested tells what has to be computed in any case, and what is offered for loading
   at the edge of that;
2. an offer that takes no longer than the computation of its own node is taken: whatever stands above the node,
   computing it costs at least its own time;
3. an offer that takes longer than computing its node and what that lacks is not taken;
4. for what is still undecided both ways are followed to their ends; where that branches too often, Dinic's
   algorithm decides.

Many questions about one graph are asked together (:mod:`mile_rl.policies.questions`); what the first three steps
leave undecided there is asked here. (Plain classes: a first decision in a process pays for making dataclasses.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mile_rl.planner.dinic import Network

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

MOST_ENDS = 8
"""So many ways are followed to their ends before Dinic's algorithm is asked."""


class Graph:
    """What takes what; nodes in topological order.

    Args:
        node_of: of each output, the node that yields it.
        takes: of each node, the outputs that it takes.
        outputs: of each node, the outputs that it yields.
    """

    __slots__ = ("node_of", "outputs", "takes")

    def __init__(self, *, node_of: list[int], takes: list[list[int]], outputs: list[list[int]]) -> None:
        self.node_of, self.takes, self.outputs = node_of, takes, outputs

    @classmethod
    def of(cls, output_node: Indices, take_ptr: Indices, take_output: Indices) -> Graph:
        """Return a graph that is given as arrays.

        Args:
            output_node: int32[m].
            take_ptr: int32[n + 1].
            take_output: int32[k].
        """
        node_of, taken = output_node.tolist(), take_output.tolist()
        takes = [taken[low:high] for low, high in pairwise(take_ptr.tolist())]
        outputs: list[list[int]] = [[] for _ in takes]
        for output, node in enumerate(node_of):
            outputs[node].append(output)
        return cls(node_of=node_of, takes=takes, outputs=outputs)


class _Way:
    """Where walking up has come to: what is computed, what is wanted, and what the rest costs by its nodes."""

    __slots__ = ("cost", "edge", "forced", "wanted")

    def __init__(self, wanted: set[int], forced: set[int], edge: dict[int, float], cost: float) -> None:
        self.wanted, self.forced, self.edge, self.cost = wanted, forced, edge, cost


def least_cost(
    graph: Graph, compute_ns: Sequence[float], load_ns: Sequence[float], requested: Sequence[int]
) -> tuple[float, list[int]]:
    """Return the least cost of getting the requested outputs, and the outputs that such a plan loads.

    Args:
        graph: of all nodes.
        compute_ns: of each node, whole numbers.
        load_ns: of each output, whole numbers; negative where it cannot be loaded.
        requested: outputs.
    """
    search = _Search(graph, compute_ns, load_ns)
    return search.best(search.walk(_Way(set(), set(), {}, 0.0), list(requested)))


def replan(
    compute_ns: Floats,
    load_ns: Floats,
    output_node: Indices,
    take_ptr: Indices,
    take_output: Indices,
    requested: Bools,
    loaded: Bools,
) -> float:
    """Answer a question that is given as arrays.

    Args:
        compute_ns: float64[n], whole numbers.
        load_ns: float64[m], whole numbers; negative where an output cannot be loaded.
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
        requested: bool[m].
        loaded: bool[m], overwritten with what that plan loads.

    Returns:
        The least cost.
    """
    graph = Graph.of(output_node, take_ptr, take_output)
    wanted = np.flatnonzero(requested).tolist()
    cost, chosen = least_cost(graph, compute_ns.tolist(), load_ns.tolist(), wanted)
    loaded[:] = False
    loaded[chosen] = True
    return cost


class _Search:
    """The search for the answer to one question."""

    def __init__(self, graph: Graph, compute_ns: Sequence[float], load_ns: Sequence[float]) -> None:
        self.graph, self._node_of, self._takes = graph, graph.node_of, graph.takes
        self._compute, self._load = compute_ns, load_ns

    def walk(self, way: _Way, stack: list[int], forced: int = -1) -> _Way:
        """Walk up from where a way has come to.

        Args:
            way: left as it is.
            stack: outputs that are wanted besides.
            forced: a node that is computed besides, -1 for none.
        """
        node_of, takes, load, compute = self._node_of, self._takes, self._load, self._compute
        wanted, computed, edge, cost = set(way.wanted), set(way.forced), dict(way.edge), way.cost
        if forced >= 0:
            computed.add(forced)
            cost += compute[forced]
            edge.pop(forced, None)
            stack = [*stack, *takes[forced]]
        while stack:
            output = stack.pop()
            if output in wanted:
                continue
            wanted.add(output)
            node = node_of[output]
            if node in computed:
                continue
            if load[output] < 0:
                computed.add(node)
                cost += compute[node]
                edge.pop(node, None)
                stack.extend(takes[node])
            else:
                edge[node] = edge.get(node, 0.0) + load[output]
        return _Way(wanted, computed, edge, cost)

    def best(self, start: _Way) -> tuple[float, list[int]]:
        """Return the least cost from where a way has come to, and what is loaded."""
        way, settled = self._compute_what_pays(start)
        if settled:
            return self._most(way), self._offers(way)
        best, best_way, ends = math.inf, way, 0
        open_ways: list[tuple[_Way, frozenset[int]]] = [(way, frozenset())]
        while open_ways:
            way, taken = open_ways.pop()
            if self._least(way) >= best:
                continue
            dear = next((node for node in self._dear(way) if node not in taken), -1)
            if dear >= 0:
                open_ways += [(self.walk(way, [], dear), taken), (way, taken | {dear})]
                continue
            if self._most(way) < best:
                best, best_way = self._most(way), way
            ends += 1
            if ends > MOST_ENDS:
                return self._by_cut(start)
        return best, self._offers(best_way)

    def _offers(self, way: _Way) -> list[int]:
        return [output for output in way.wanted if self._node_of[output] in way.edge]

    def _compute_what_pays(self, way: _Way) -> tuple[_Way, bool]:
        """Compute the nodes whose offers cost more than that, all else as it is.

        That is right whatever else is computed in the end, for then it only becomes cheaper; but not where it
        computes another such node on the way, which might pay alone. Of the others, those whose computation has
        nothing in common with one another's are not worth it.

        Returns:
            How far that leads, and whether all that is offered then is worth taking.
        """
        while True:
            dear = self._dear(way)
            others: list[_Way] = []
            for node in dear:
                further = self.walk(way, [], node)
                alone = sum(each in further.forced for each in dear) == 1
                if alone and self._most(further) <= self._most(way):
                    way = further
                    break
                others.append(further)
            else:
                break
        reached, node_of = set(dear), self._node_of
        for further in others:
            new = {node_of[output] for output in further.wanted - way.wanted}
            if not reached.isdisjoint(new) or not set(dear).issuperset(self._dear(further)):
                return way, False
            reached |= new
        return way, True

    def _dear(self, way: _Way) -> list[int]:
        """Return the nodes whose offers take longer than their own computation."""
        compute = self._compute
        return [node for node, load_ns in way.edge.items() if load_ns > compute[node]]

    def _most(self, way: _Way) -> float:
        """Return what a way costs where all that is offered is taken."""
        return way.cost + sum(way.edge.values())

    def _least(self, way: _Way) -> float:
        """Return what a way costs at least, whatever else is computed: each offer or the node itself."""
        compute = self._compute
        return way.cost + sum([min(load, compute[node]) for node, load in way.edge.items()])

    def _by_cut(self, start: _Way) -> tuple[float, list[int]]:
        offers = self._offers(start)
        cost, chosen = _cut(self._compute, self._load, self._node_of, self._takes, start.forced, offers)
        return start.cost + cost, chosen


def _cut(
    compute: Sequence[float],
    load: Sequence[float],
    node_of: list[int],
    takes: list[list[int]],
    forced: set[int],
    offers: list[int],
) -> tuple[float, list[int]]:
    """Load or compute the offered outputs? Return the least cost and the outputs that are loaded."""
    vertex: dict[int, int] = {}  # output o -> its vertex under o, node v under ~v
    keys = [0, 0]  # the reverse, source and sink left out
    all_loads = [0.0] * len(compute)
    for node, load_ns in zip(node_of, load):
        all_loads[node] += load_ns if load_ns >= 0 else math.inf

    def reach(key: int) -> int:
        if key not in vertex:
            vertex[key] = network.add_vertex()
            keys.append(key)
        return vertex[key]

    def grow(at: int) -> None:
        key = keys[at]
        if key < 0:
            node = ~key
            network.add_arc(at, network.SINK, int(compute[node]))
            for output in takes[node]:
                if node_of[output] not in forced:
                    network.add_arc(at, reach(output))
        elif all_loads[node_of[key]] <= compute[node_of[key]]:
            network.add_arc(at, network.SINK, int(load[key]))  # to compute it is never cheaper
        else:
            up = reach(~node_of[key])
            network.add_arc(at, up, int(load[key]) if load[key] >= 0 else None)

    network = Network(infinite=int(sum(compute)) + 1, grow=grow)
    source_arcs = [network.add_arc(network.SOURCE, reach(output)) for output in offers]
    network.maximise()
    side = network.source_side()
    chosen = [
        key
        for key, at in vertex.items()
        if key >= 0 and at in side and load[key] >= 0 and vertex.get(~node_of[key]) not in side
    ]
    return float(sum(network.flow(arc) for arc in source_arcs)), chosen
