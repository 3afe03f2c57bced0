"""What is displaced, and what a learned policy sees of a decision of the kernel; see ``envs.kernel``."""

from __future__ import annotations

import numpy as np

from envs.columns import (
    ALIVE,
    BUDGET,
    BY_ROW,
    C_AHEAD,
    C_ALLOWANCE,
    C_COMPUTE,
    C_LOAD,
    C_MADE,
    C_RECREATION,
    C_WRITE,
    CHANCE,
    COST,
    COUNT,
    DEPTH,
    HELD,
    LINEAGE_EDIT,
    LOAD_NS,
    LOOK_PTR,
    LOOKED,
    NODE0,
    NODE_STAGE,
    NOTHING,
    OUT0,
    OUTPUT_NODE,
    OWN_EDIT,
    RETURNING,
    REUSE,
    ROWS,
    SCENARIO_PTR,
    SCENARIO_TURN,
    SCRIPT,
    SURVIVAL,
    TAKERS,
    TURN,
    TURN0,
    USED,
    VALUE,
    WEIGHT,
)
from envs.compiled import bare, compiled, inlined
from envs.planning import walk
from mile_rl.policies import observation

observe = compiled(observation.observe)


@bare
def displaced(pack, state, e, o, worth, victims):
    """Return what the victims are worth together, as ``displaced_worth``."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    first = pack.turns[turn, SCENARIO_PTR]
    scenarios = pack.turns[turn + 1, SCENARIO_PTR] - first
    rows = state.out_i[e, ROWS]
    total, difference = 0.0, 0.0
    count = 0
    least, most = np.inf, 0.0
    for r in range(state.ints[e, COUNT]):
        if victims[r]:
            total += worth[r]
            if (
                scenarios > 0
                and state.node_i[e, LOOKED, pack.outs[ob + rows[r], OUTPUT_NODE] - nb] == turn + 1
            ):
                count += 1
                difference -= state.out_f[e, VALUE, r]
                least, most = min(least, state.out_f[e, WEIGHT, r]), max(most, state.out_f[e, WEIGHT, r])
    if count < 2:
        return total
    for r in range(state.ints[e, COUNT]):
        if victims[r]:
            state.out_i[e, HELD, rows[r]] = False
    state.out_i[e, HELD, o - ob] = True
    state.out_f[e, LOAD_NS, o - ob] = state.reals[e, C_LOAD]
    for j in range(scenarios):
        hit = False
        if state.scene_f[e, CHANCE, j] > 0:
            for r in range(state.ints[e, COUNT]):
                if victims[r] and state.out_i[e, ALIVE, rows[r]] >> j & 1:
                    hit = True
        if hit:
            cost = walk(pack, state, e, pack.scenes[first + j, SCENARIO_TURN], j, -1)
            difference += state.scene_f[e, CHANCE, j] * (cost - state.scene_f[e, COST, j])
    state.out_i[e, HELD, o - ob] = False
    for r in range(state.ints[e, COUNT]):
        if victims[r]:
            state.out_i[e, HELD, rows[r]] = True
    return max(0.0, total + difference * (most if difference > 0 else least))


@inlined
def look_observe(pack, state, constants, e, g, o, sizes, worth, victims, room, lost, out):
    """Write what a learned policy sees of the decision."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    count = state.ints[e, COUNT]
    scenarios = pack.turns[turn + 1, SCENARIO_PTR] - pack.turns[turn, SCENARIO_PTR]
    i, at = g - nb, o - ob
    stop, nothing, returning, own_edit, lineage_edit, depth = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    seen, iterations, nodes, takers = False, 1, 0, 0
    if scenarios > 0:
        stop, nothing, returning = pack.stop[turn], state.reals[e, NOTHING], state.reals[e, RETURNING]
        own_edit, lineage_edit, depth = (
            state.node_f[e, OWN_EDIT, i],
            state.node_f[e, LINEAGE_EDIT, i],
            state.node_f[e, DEPTH, i],
        )
        seen = state.node_f[e, BY_ROW, i] >= 0
        iterations = turn - pack.firsts[s, TURN0] + 1
        nodes = pack.turns[turn + 1, LOOK_PTR] - pack.turns[turn, LOOK_PTR]
        takers = state.out_i[e, TAKERS, at]
    observe(
        state.out_f[e, VALUE, : count + 1],
        worth,
        state.out_f[e, SURVIVAL, count],
        state.out_f[e, REUSE, count],
        sizes,
        victims,
        room,
        lost,
        state.reals[e, C_RECREATION],
        state.reals[e, C_COMPUTE],
        state.reals[e, C_MADE],
        state.reals[e, C_LOAD],
        state.reals[e, C_WRITE],
        state.reals[e, C_ALLOWANCE],
        state.reals[e, C_AHEAD],
        np.int64(state.reals[e, BUDGET]),
        state.ints[e, USED],
        state.scene_f[e, CHANCE, :scenarios],
        state.scene_f[e, COST, :scenarios],
        stop,
        nothing,
        returning,
        own_edit,
        lineage_edit,
        depth,
        seen,
        np.int64(pack.nodes[g, NODE_STAGE]),
        iterations,
        nodes,
        takers,
        out,
    )
