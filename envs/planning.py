"""Plans of the kernel's episodes, one question at a time; see ``envs.kernel``."""

from __future__ import annotations

import numpy as np

from envs.columns import (
    ADDED,
    AGAIN,
    ALIVE,
    COMPUTE,
    EDGE,
    EDGED,
    EXPECTED,
    EXTRA,
    FORCED,
    HELD,
    LOAD_NS,
    LOADED,
    LOCAL,
    MORE,
    NODE0,
    OFFERED,
    OFFERS,
    OUT0,
    OUT_PTR,
    OUTPUT_NODE,
    REQUEST_PTR,
    SCRIPT,
    SIMPLE,
    STACK,
    STAMP,
    TAKE_PTR,
    TURN,
    VERSION_PTR,
    WANTED,
)
from envs.compiled import bare, compiled, inlined
from envs.mincut import replan


@inlined
def plan(pack, state, e):
    """Plan the running iteration: mark what is computed and what is loaded."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    walk(pack, state, e, turn, -1, -1)
    start, end = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
    for v in range(start, end):
        g = pack.items[v]
        state.node_i[e, COMPUTE, g - nb] = False
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            state.out_i[e, LOADED, o - ob] = False
    for q in range(state.marks[OFFERED]):
        state.out_i[e, LOADED, state.out_w[OFFERS, q]] = True
    for r in range(pack.turns[turn, REQUEST_PTR], pack.turns[turn + 1, REQUEST_PTR]):
        o = pack.items[r]
        if not state.out_i[e, LOADED, o - ob]:
            state.node_i[e, COMPUTE, pack.outs[o, OUTPUT_NODE] - nb] = True
    for v in range(end - 1, start - 1, -1):
        g = pack.items[v]
        if state.node_i[e, COMPUTE, g - nb]:
            for t in range(pack.nodes[g, TAKE_PTR], pack.nodes[g + 1, TAKE_PTR]):
                o = pack.items[t]
                if not state.out_i[e, LOADED, o - ob]:
                    state.node_i[e, COMPUTE, pack.outs[o, OUTPUT_NODE] - nb] = True


@inlined
def recreation(pack, state, e, o):
    """Return the least time to get an output of the running version that has no artifact."""
    return walk(pack, state, e, state.ints[e, TURN], -1, o)


@bare
def walk(pack, state, e, turn, j, target):
    """Return the least cost of a version's requested outputs; leave what is loaded in ``offers``.

    Args:
        pack, state, e: the tables and the episode.
        turn: whose version.
        j: the scenario by which artifacts are valid; -1 for all.
        target: the one output that is requested; -1 for those of the iteration.
    """
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    stamp = state.marks[STAMP] + 1
    state.marks[STAMP] = stamp
    held, alive, wanted, forced, offers = (
        state.out_i[e, HELD],
        state.out_i[e, ALIVE],
        state.out_w[WANTED],
        state.node_w[FORCED],
        state.out_w[OFFERS],
    )
    bit = -1 if j < 0 else 1 << j
    expected = state.node_f[e, EXPECTED]
    count = 0
    first = pack.turns[turn, REQUEST_PTR] if target < 0 else 0
    last = pack.turns[turn + 1, REQUEST_PTR] if target < 0 else 1
    for r in range(first, last):
        o = pack.items[r] if target < 0 else target
        at = o - ob
        if wanted[at] != stamp:
            wanted[at] = stamp
            if held[at] and (j < 0 or alive[at] & bit):
                offers[count] = at
                count += 1
            else:
                forced[pack.outs[o, OUTPUT_NODE] - nb] = stamp
    total = 0.0
    for v in range(pack.turns[turn + 1, VERSION_PTR] - 1, pack.turns[turn, VERSION_PTR] - 1, -1):
        g = pack.items[v]
        if forced[g - nb] == stamp:
            total += expected[g - nb]
            for t in range(pack.nodes[g, TAKE_PTR], pack.nodes[g + 1, TAKE_PTR]):
                o = pack.items[t]
                at = o - ob
                if wanted[at] != stamp:
                    wanted[at] = stamp
                    if held[at] and (j < 0 or alive[at] & bit):
                        offers[count] = at
                        count += 1
                    else:
                        forced[pack.outs[o, OUTPUT_NODE] - nb] = stamp
    offered = 0.0
    kept, choices, chosen = 0, 0, 0
    for q in range(count):
        at = offers[q]
        i = pack.outs[at + ob, OUTPUT_NODE] - nb
        if forced[i] != stamp:
            offers[kept] = at
            kept += 1
            if state.node_w[EDGED, i] != stamp:
                state.node_w[EDGED, i] = stamp
                state.node_x[EDGE, i] = 0.0
            before = state.node_x[EDGE, i]
            state.node_x[EDGE, i] = before + state.out_f[e, LOAD_NS, at]
            offered += state.out_f[e, LOAD_NS, at]
            if before <= expected[i] < state.node_x[EDGE, i]:
                choices += 1
                chosen = i
    state.marks[OFFERED] = kept
    state.marks[SIMPLE] = choices == 0
    if choices == 1:
        cost = _weighed(pack, state, e, j, chosen, stamp, total + offered)
        if cost >= 0:
            return cost
    if choices > 0:
        return _choose(pack, state, e, turn, j, target)
    return total + offered


@bare
def forced_cost(pack, state, e, j, first, base, cost):
    """Return what a plan costs in which a node is computed besides, all else being loaded that can be.

    Only what is computed besides is walked, on top of the marks of the last :func:`walk`. What is loaded besides
    is left in ``more``.

    Args:
        pack, state, e, j: as there.
        first: the node, none of whose outputs was computed.
        base: the stamp of the walk.
        cost: of its plan.

    Returns:
        -1 where it is not plain that what can be loaded should be.
    """
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    stamp = state.marks[STAMP] + 1
    state.marks[STAMP] = stamp
    held, wanted, more = state.out_i[e, HELD], state.out_w[WANTED], state.out_w[MORE]
    forced, stack = state.node_w[FORCED], state.node_w[STACK]
    edged, edge = state.node_w[EDGED], state.node_x[EDGE]
    again, extra = state.node_w[AGAIN], state.node_x[EXTRA]
    alive, expected, bit = state.out_i[e, ALIVE], state.node_f[e, EXPECTED], -1 if j < 0 else 1 << j
    forced[first] = stamp
    stack[0] = first
    depth, count = 1, 0
    while depth > 0:
        depth -= 1
        i = stack[depth]
        cost += expected[i]
        if edged[i] == base:
            cost -= edge[i]  # what it was loaded for comes with computing it
        g = i + nb
        for t in range(pack.nodes[g, TAKE_PTR], pack.nodes[g + 1, TAKE_PTR]):
            at = pack.items[t] - ob
            if wanted[at] == base or wanted[at] == stamp:
                continue
            wanted[at] = stamp
            if held[at] and (j < 0 or alive[at] & bit):
                more[count] = at
                count += 1
            else:
                up = pack.outs[at + ob, OUTPUT_NODE] - nb
                if forced[up] != base and forced[up] != stamp:
                    forced[up] = stamp
                    stack[depth] = up
                    depth += 1
    kept = 0
    for q in range(count):
        at = more[q]
        i = pack.outs[at + ob, OUTPUT_NODE] - nb
        if forced[i] == base or forced[i] == stamp:
            continue
        more[kept] = at
        kept += 1
        if again[i] != stamp:
            again[i] = stamp
            extra[i] = edge[i] if edged[i] == base else 0.0
        extra[i] += state.out_f[e, LOAD_NS, at]
        cost += state.out_f[e, LOAD_NS, at]
        if extra[i] > expected[i]:
            return -1.0
    state.marks[ADDED] = kept
    return cost


@bare
def _weighed(pack, state, e, j, node, stamp, cost):
    """Return the least cost where for one node alone loading takes longer than computing it, or -1.

    All else is loaded that can be, unless it comes with what is computed: computing it takes longer in any case.
    So there are two plans. The second one's loads replace those in ``offers`` where it is the cheaper one.
    """
    ob = pack.firsts[state.ints[e, SCRIPT], OUT0]
    nb = pack.firsts[state.ints[e, SCRIPT], NODE0]
    other = forced_cost(pack, state, e, j, node, stamp, cost)
    if other < 0 or cost <= other:
        return other if other < 0 else cost
    forced, offers = state.node_w[FORCED], state.out_w[OFFERS]
    kept = 0
    for q in range(state.marks[OFFERED]):
        at = offers[q]
        if forced[pack.outs[at + ob, OUTPUT_NODE] - nb] != state.marks[STAMP]:
            offers[kept] = at
            kept += 1
    for q in range(state.marks[ADDED]):
        offers[kept] = state.out_w[MORE, q]
        kept += 1
    state.marks[OFFERED] = kept
    return other


@compiled
def _choose(pack, state, e, turn, j, target):
    """As :func:`walk`, by the minimum cut: where loading something takes longer than computing its node."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    start, end = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
    nodes = end - start
    outputs, takes = 0, 0
    for v in range(start, end):
        g = pack.items[v]
        outputs += pack.nodes[g + 1, OUT_PTR] - pack.nodes[g, OUT_PTR]
        takes += pack.nodes[g + 1, TAKE_PTR] - pack.nodes[g, TAKE_PTR]
    compute_ns = np.empty(nodes, dtype=np.float64)
    load_ns = np.empty(outputs, dtype=np.float64)
    output_node = np.empty(outputs, dtype=np.int32)
    take_ptr = np.empty(nodes + 1, dtype=np.int32)
    take_output = np.empty(takes, dtype=np.int32)
    requested = np.zeros(outputs, dtype=np.bool_)
    loaded = np.zeros(outputs, dtype=np.bool_)
    where = np.empty(outputs, dtype=np.int32)
    local = state.out_w[LOCAL]
    at, k = 0, 0
    for i in range(nodes):
        g = pack.items[start + i]
        compute_ns[i] = state.node_f[e, EXPECTED, g - nb]
        take_ptr[i] = k
        for t in range(pack.nodes[g, TAKE_PTR], pack.nodes[g + 1, TAKE_PTR]):
            take_output[k] = local[pack.items[t] - ob]
            k += 1
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            local[o - ob] = at
            where[at] = o - ob
            output_node[at] = i
            valid = state.out_i[e, HELD, o - ob] and (j < 0 or state.out_i[e, ALIVE, o - ob] >> j & 1)
            load_ns[at] = state.out_f[e, LOAD_NS, o - ob] if valid else -1.0
            at += 1
    take_ptr[nodes] = k
    if target >= 0:
        requested[local[target - ob]] = True
    else:
        for r in range(pack.turns[turn, REQUEST_PTR], pack.turns[turn + 1, REQUEST_PTR]):
            requested[local[pack.items[r] - ob]] = True
    cost = replan(compute_ns, load_ns, output_node, take_ptr, take_output, requested, loaded)
    kept = 0
    for at in range(outputs):
        if loaded[at]:
            state.out_w[OFFERS, kept] = where[at]
            kept += 1
    state.marks[OFFERED] = kept
    return cost
