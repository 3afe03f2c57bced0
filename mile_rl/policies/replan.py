"""The least cost of an iteration, for the many small questions that valuing artifacts asks.

The same minimum as ``mile_rl.planner.solve`` (a test compares them), without plan, proof and checks: most
questions are answered by walking up from what is requested; only where loading something takes longer than
the computation of its own node is there a real choice, left to Dinic's algorithm.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mile_rl.planner.dinic import Network

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


def replan(
    compute_ns: Floats,
    load_ns: Floats,
    output_node: Indices,
    take_ptr: Indices,
    take_output: Indices,
    requested: Bools,
    loaded: Bools,
) -> float:
    """Return the least cost of getting the requested outputs; see ``mile_rl.policies.value``.

    Args:
        compute_ns: float64[n], whole numbers.
        load_ns: float64[m], whole numbers; negative where an output cannot be loaded.
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
        requested: bool[m].
        loaded: bool[m], overwritten with what that plan loads.
    """
    loaded[:] = False
    load: list[float] = load_ns.tolist()
    node_of: list[int] = output_node.tolist()
    starts: list[int] = take_ptr.tolist()
    taken: list[int] = take_output.tolist()
    wanted: set[int] = set()
    forced: set[int] = set()
    stack: list[int] = np.flatnonzero(requested).tolist()
    while stack:
        output = stack.pop()
        if output in wanted:
            continue
        wanted.add(output)
        node = node_of[output]
        if load[output] < 0 and node not in forced:
            forced.add(node)
            stack.extend(taken[starts[node] : starts[node + 1]])
    compute: list[float] = compute_ns.tolist()
    total = sum([compute[node] for node in forced])
    edge: dict[int, float] = {}
    offers: list[int] = []
    for output in wanted:
        node = node_of[output]
        if node not in forced:
            edge[node] = edge.get(node, 0.0) + load[output]
            offers.append(output)
    if all(load_sum <= compute[node] for node, load_sum in edge.items()):
        # Whatever stands above a node, computing it costs at least its own time.
        loaded[offers] = True
        return total + sum(edge.values())
    cost, chosen = _cut(compute, load, node_of, starts, taken, forced, offers)
    loaded[chosen] = True
    return total + cost


def _cut(
    compute: list[float],
    load: list[float],
    node_of: list[int],
    starts: list[int],
    taken: list[int],
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
            for output in taken[starts[node] : starts[node + 1]]:
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
