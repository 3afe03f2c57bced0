import numpy as np
import pytest

from envs.mincut import computed, replan
from mile_rl.planner import UNAVAILABLE, Problem, solve

COSTS = {
    "small": lambda rng, size: rng.integers(0, 100, size),
    "zeros": lambda rng, size: rng.integers(0, 2, size) * rng.integers(0, 5, size),
    "huge": lambda rng, size: rng.integers(0, 2**44, size),
    "ties": lambda rng, size: np.ones(size, dtype=np.int64),
}


def random_graph(rng, nodes, costs):
    """Nodes in topological order, outputs in any; a child may take several outputs of one node, or one twice."""
    output_node = rng.permutation(np.repeat(np.arange(nodes), rng.integers(1, 4, nodes)))
    takes = []
    for child in range(nodes):
        earlier = np.flatnonzero(output_node < child)
        size = min(int(rng.integers(0, 5)), earlier.size)
        takes.append(rng.choice(earlier, size, replace=True) if size else np.zeros(0, dtype=np.int64))
    draw, m = COSTS[costs], output_node.size
    load = np.where(rng.random(m) < rng.choice([0.2, 0.6, 0.9]), draw(rng, m), UNAVAILABLE)
    requested = np.zeros(m, dtype=np.bool_)
    requested[rng.integers(0, m, rng.integers(0, 4))] = True
    return draw(rng, nodes), load, output_node, takes, requested


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_compiled_cut_gives_the_planners_own_plan_on_thousands_of_graphs(costs, seed):
    rng = np.random.default_rng(seed)
    for _ in range(400):
        nodes = int(rng.integers(1, 25))
        compute_ns, load_ns, output_node, takes, requested = random_graph(rng, nodes, costs)
        problem = Problem(
            compute_ns=compute_ns,
            output_node=output_node,
            load_ns=load_ns,
            takes_child=np.repeat(np.arange(nodes), [each.size for each in takes]),
            takes_output=np.concatenate(takes),
            requested=np.flatnonzero(requested),
        )
        plan = solve(problem)
        ptr = np.cumsum([0, *(each.size for each in takes)]).astype(np.int32)
        graph = output_node.astype(np.int32), ptr, np.concatenate(takes).astype(np.int32), requested
        loaded, compute = np.ones(load_ns.size, dtype=np.bool_), np.ones(nodes, dtype=np.bool_)
        cost = replan(compute_ns.astype(float), load_ns.astype(float), *graph, loaded)
        computed(*graph, loaded, compute)
        assert cost == plan.total_ns
        np.testing.assert_array_equal(loaded, plan.load)
        np.testing.assert_array_equal(compute, plan.compute)
