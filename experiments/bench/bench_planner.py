"""How long planning takes: graph building, minimum cut and certificate, beside networkx's preflow_push.

    python -m experiments.bench.bench_planner [--json] [--repeats 5]

Three families of workflows: "chains" of ten nodes side by side that join at the end, "random" with two
parents each, drawn mostly among the recent nodes, and "deep", one long chain. Every node is needed. In a
"first" run nothing is in the store, in an "edited" one 60 % of the outputs; "dear" is the same with loads
as dear as whole ancestries, the hardest for a maximum flow.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from mile_rl.planner import UNAVAILABLE, Problem, ortools_cut, plain, solve
from mile_rl.planner.plan import Plan

FAMILIES = ("chains", "random", "deep")
SIZES = (10, 100, 1_000, 10_000, 100_000)
BARS_MS = {10_000: 30.0, 100_000: 600.0}
NETWORKX_SIZE = 1_000


def make(family: str, nodes: int, *, available: float, dearness: int = 1, seed: int = 0) -> Problem:
    """Return a problem of one output a node, of which the last is requested; every node is needed by it."""
    rng = np.random.default_rng(seed)
    child = np.arange(1, nodes)
    if family == "chains":
        chained = child[(child % 10 != 0) & (child != nodes - 1)]
        ends = np.flatnonzero((np.arange(nodes - 1) % 10 == 9) | (np.arange(nodes - 1) == nodes - 2))
        children = np.concatenate([chained, np.full(ends.size, nodes - 1)])
        parents = np.concatenate([chained - 1, ends])
    elif family == "random":
        children = np.repeat(child, 2)
        parents = np.maximum(
            children - 1 - rng.geometric(0.05, children.size) * (np.arange(children.size) % 2), 0
        )
    else:
        children, parents = child, child - 1
    load_ns = rng.integers(10**5, 10**9, nodes) * dearness
    return Problem(
        compute_ns=rng.integers(10**5, 10**9, nodes),
        output_node=np.arange(nodes),
        load_ns=np.where(
            (rng.random(nodes) < available) & (np.arange(nodes) < nodes - 1), load_ns, UNAVAILABLE
        ),
        takes_child=children,
        takes_output=parents,
        requested=np.array([nodes - 1]),
    )


def by_networkx(problem: Problem) -> int:
    """Return the value of the minimum cut as networkx finds it."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_edges_from(("source", ("output", output)) for output in problem.requested.tolist())
    for output, (node, load) in enumerate(zip(problem.output_node.tolist(), problem.load_ns.tolist())):
        graph.add_edge(("output", output), node, **({} if load == UNAVAILABLE else {"capacity": load}))
    for node, compute in enumerate(problem.compute_ns.tolist()):
        graph.add_edge(node, "sink", capacity=compute)
    for child, output in zip(problem.takes_child.tolist(), problem.takes_output.tolist()):
        graph.add_edge(child, ("output", output))
    flow = nx.algorithms.flow.preflow_push
    return int(nx.maximum_flow_value(graph, "source", "sink", flow_func=flow))


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``call`` in milliseconds, after one call that does not count."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return median(times)


def again(problem: Problem) -> Plan:
    """Plan from the bare arrays, so that building and validating the problem count."""
    return solve(
        Problem(
            compute_ns=problem.compute_ns,
            output_node=problem.output_node,
            load_ns=problem.load_ns,
            takes_child=problem.takes_child,
            takes_output=problem.takes_output,
            requested=problem.requested,
        )
    )


def measure(family: str, nodes: int, run: str, repeats: int) -> dict[str, object]:
    """Return the row of one family, size and run; times in milliseconds."""
    problem = make(
        family, nodes, available=0.0 if run == "first" else 0.6, dearness=nodes if run == "dear" else 1
    )
    row: dict[str, object] = {"family": family, "nodes": nodes, "run": run}
    row["plan_ms"] = median_ms(lambda: again(problem), repeats)
    row["ortools_cut_ms"] = median_ms(lambda: ortools_cut.cut(problem), repeats)
    if nodes <= NETWORKX_SIZE:
        row["plain_cut_ms"] = median_ms(lambda: plain.cut(problem), repeats)
    if nodes == NETWORKX_SIZE:
        row["networkx_ms"] = median_ms(lambda: by_networkx(problem), 1)
        row["exact"] = by_networkx(problem) == solve(problem).total_ns
    if nodes in BARS_MS:
        row["bar_ms"] = BARS_MS[nodes]
    return row


def main() -> int:
    """Print the table; return 1 where a bar is missed or an answer is not exact."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a median (default 5)")
    arguments = parser.parse_args()
    rows = [
        measure(family, nodes, run, arguments.repeats)
        for family in FAMILIES
        for nodes in SIZES
        for run in ("first", "edited", "dear")
    ]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        columns = (
            "family",
            "nodes",
            "run",
            "plan_ms",
            "bar_ms",
            "ortools_cut_ms",
            "plain_cut_ms",
            "networkx_ms",
        )
        print("".join(f"{column:>15}" for column in columns))
        for row in rows:
            cells = (row.get(column, "") for column in columns)
            print("".join(f"{cell:>15.2f}" if isinstance(cell, float) else f"{cell!s:>15}" for cell in cells))
    missed = [
        row for row in rows if row["plan_ms"] > row.get("bar_ms", float("inf")) or row.get("exact") is False
    ]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
