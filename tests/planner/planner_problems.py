"""Random problems, and the two oracles that the planner is measured against."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np

from mile_rl.planner import UNAVAILABLE, Problem

COSTS = ("small", "zeros", "huge", "ties")


def random_problem(
    rng: np.random.Generator, *, nodes: int, costs: str = "small", available: float = 0.6
) -> Problem:
    """A DAG with one to three outputs a node; a child may take several outputs of one node, or one twice."""
    widths = rng.integers(1, 4, nodes)
    output_node = rng.permutation(np.repeat(np.arange(nodes), widths))
    children, outputs = [], []
    order = rng.permutation(nodes)  # node numbers are in no topological order
    for place, child in enumerate(order):
        earlier = np.flatnonzero(np.isin(output_node, order[:place]))
        for output in (
            rng.choice(earlier, min(rng.integers(0, 5), earlier.size), replace=True) if place else ()
        ):
            children.append(child)
            outputs.append(output)
    draw = {
        "small": lambda size: rng.integers(0, 100, size),
        "zeros": lambda size: rng.integers(0, 2, size) * rng.integers(0, 5, size),
        "huge": lambda size: rng.integers(0, 2**60 // nodes, size),
        "ties": lambda size: np.ones(size, dtype=np.int64),
    }[costs]
    m = output_node.size
    return Problem(
        compute_ns=draw(nodes),
        output_node=output_node,
        load_ns=np.where(rng.random(m) < available, draw(m), UNAVAILABLE),
        takes_child=np.array(children, dtype=np.int64),
        takes_output=np.array(outputs, dtype=np.int64),
        requested=rng.integers(0, m, rng.integers(0, 4)),
    )


def brute_force_ns(problem: Problem) -> int:
    """The cost of the cheapest of all sets of computed nodes, each completed with the loads that it needs."""
    takes: list[list[int]] = [[] for _ in range(problem.nodes)]
    for child, output in zip(problem.takes_child.tolist(), problem.takes_output.tolist()):
        takes[child].append(output)
    compute_ns, load_ns = problem.compute_ns.tolist(), problem.load_ns.tolist()
    node_of, requested = problem.output_node.tolist(), problem.requested.tolist()
    best = sum(compute_ns)
    for state in product((False, True), repeat=problem.nodes):
        needed = {
            *requested,
            *(output for node in range(problem.nodes) if state[node] for output in takes[node]),
        }
        loads = [load_ns[output] for output in needed if not state[node_of[output]]]
        if UNAVAILABLE not in loads:
            best = min(best, sum(loads) + sum(ns for ns, on in zip(compute_ns, state) if on))
    return best


def networkx_ns(problem: Problem) -> int:
    """The minimum cut as networkx finds it, on a graph built straight from the definition."""
    graph = nx.DiGraph()
    graph.add_nodes_from(("source", "sink"))
    for output in problem.requested.tolist():
        graph.add_edge("source", ("output", output))
    for output, (node, load) in enumerate(zip(problem.output_node.tolist(), problem.load_ns.tolist())):
        graph.add_edge(("output", output), node, **({} if load == UNAVAILABLE else {"capacity": load}))
    for node, compute in enumerate(problem.compute_ns.tolist()):
        graph.add_edge(node, "sink", capacity=compute)
    for child, output in zip(problem.takes_child.tolist(), problem.takes_output.tolist()):
        graph.add_edge(child, ("output", output))
    return int(nx.maximum_flow_value(graph, "source", "sink", flow_func=nx.algorithms.flow.preflow_push))
