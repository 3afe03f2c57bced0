"""Outlooks drawn at random, and what the planner says about them."""

from __future__ import annotations

import numpy as np

from mile_rl.planner import UNAVAILABLE, Problem, solve
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN, Outlook, spread


def outlook_of(
    takes,
    *,
    compute_ns,
    outputs=None,
    scenarios=((NOTHING, (), 1.0),),
    requested=None,
    stop=0.0,
    iterations=3,
    stage=None,
):
    """An outlook of a graph: ``takes[i]`` are the outputs that node i takes, ``outputs[o]`` is o's node.

    Scenarios are (kind, roots, p); ``requested`` is one list for all of them or one each.
    """
    n = len(takes)
    output_node = np.array(outputs if outputs is not None else range(n), dtype=np.int32)
    m, s = output_node.size, len(scenarios)
    ptr = np.cumsum([0, *map(len, takes)]).astype(np.int32)
    take_output = np.array([o for each in takes for o in each], dtype=np.int32)
    edited = np.zeros((s, n), dtype=np.bool_)
    wanted = np.zeros((s, m), dtype=np.bool_)
    requested = [m - 1] if requested is None else requested
    for j, (_, roots, _) in enumerate(scenarios):
        edited[j, list(roots)] = True
        wanted[j, requested[j] if isinstance(requested[0], list) else requested] = True
    return Outlook(
        iterations=iterations,
        position={f"o{o}": o for o in range(m)},
        compute_ns=np.array(compute_ns, dtype=np.float64),
        take_ptr=ptr,
        take_output=take_output,
        output_node=output_node,
        stage=np.array(stage if stage is not None else [0] * n, dtype=np.int8),
        seen=np.zeros(n, dtype=np.bool_),
        p=np.array([p for _, _, p in scenarios], dtype=np.float64),
        kind=np.array([kind for kind, _, _ in scenarios], dtype=np.int8),
        edited=edited,
        invalid=spread(edited, output_node, ptr, take_output),
        requested=wanted,
        stop=stop,
    )


def random_outlook(rng, *, nodes, scenarios=4, dear_loads=0.3):
    """An outlook with one to three outputs a node; and load times, now cheaper, now dearer than their node."""
    outputs = np.repeat(np.arange(nodes), rng.integers(1, 4, nodes)).tolist()
    takes = []
    for node in range(nodes):
        earlier = [o for o, of in enumerate(outputs) if of < node]
        count = min(len(earlier), int(rng.integers(0, 4)))
        takes.append(rng.choice(earlier, count, replace=False).tolist() if count else [])
    compute_ns = rng.integers(0, 1_000, nodes)
    dear = rng.random(len(outputs)) < dear_loads
    load_ns = np.where(dear, rng.integers(0, 3_000, len(outputs)), rng.integers(0, 200, len(outputs)))
    chances = rng.dirichlet(np.ones(scenarios))
    kinds = rng.choice([EDIT, NOTHING, RETURN], scenarios)
    drawn, wanted = [], []
    for p, kind in zip(chances, kinds):
        roots = rng.choice(nodes, int(rng.integers(1, 3))).tolist() if kind == EDIT else []
        drawn.append((int(kind), tuple(roots), float(p)))
        wanted.append(rng.choice(len(outputs), int(rng.integers(1, 3))).tolist())
    outlook = outlook_of(
        takes,
        compute_ns=compute_ns,
        outputs=outputs,
        scenarios=drawn,
        requested=wanted,
        stop=float(rng.random()),
    )
    return outlook, load_ns.astype(np.float64)


def planned_ns(outlook, load_ns, scenario, held):
    """What the planner needs for a scenario, loading only what is held and valid there."""
    offered = held & ~outlook.invalid[scenario][outlook.output_node]
    children = np.repeat(np.arange(outlook.nodes), np.diff(outlook.take_ptr))
    return solve(
        Problem(
            compute_ns=outlook.compute_ns.astype(np.int64),
            output_node=outlook.output_node.astype(np.int64),
            load_ns=np.where(offered, load_ns.astype(np.int64), UNAVAILABLE),
            takes_child=children,
            takes_output=outlook.take_output.astype(np.int64),
            requested=np.flatnonzero(outlook.requested[scenario]),
        )
    ).total_ns


def version_outputs(outlook, scenario):
    """The outputs of all nodes that a scenario's requested outputs need, by walking up."""
    stack = [int(outlook.output_node[o]) for o in np.flatnonzero(outlook.requested[scenario])]
    inside = set()
    while stack:
        node = stack.pop()
        if node not in inside:
            inside.add(node)
            taken = outlook.take_output[outlook.take_ptr[node] : outlook.take_ptr[node + 1]]
            stack += [int(outlook.output_node[o]) for o in taken]
    return {o for o in range(outlook.output_node.size) if int(outlook.output_node[o]) in inside}
