"""How an iteration of the kernel begins, goes on and ends; see ``envs.kernel``."""

from __future__ import annotations

import numpy as np

from envs.channels import channel_ns, learn_channel
from envs.columns import (
    BY_NAME,
    BY_OPERATOR,
    BY_ROW,
    COMPUTE,
    COMPUTE_SIGMA,
    COMPUTED,
    COUNT,
    ELAPSED,
    EXPECTED,
    HEARD,
    LAST_USED,
    LOAD_NS,
    LOADED,
    LOADED_NS,
    MEASURED,
    NODE0,
    NODE_NAME,
    NODE_OPERATOR,
    OUT0,
    OUT_PTR,
    OUTPUT,
    OUTPUT_BYTES,
    OUTPUT_CODEC,
    READ_LATENCY,
    READ_RATE,
    READS,
    RECORD_USED,
    ROWS,
    RUNS,
    SAVED,
    SCRIPT,
    SEED,
    STEP,
    TIME_COMPUTING,
    TIME_LOADING,
    TRANSFER_SIGMA,
    TURN,
    TURN0,
    VERSION_PTR,
    WAITING,
)
from envs.compiled import inlined
from envs.noise import COMPUTE as FOR_COMPUTE
from envs.noise import LOAD as FOR_LOAD
from envs.noise import taken
from envs.planning import plan
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS

UNKNOWN_NS = float(DEFAULT_COMPUTE_NS)


@inlined
def begin_turn(pack, state, e):
    """Read what is kept and what was measured, plan the iteration, and do its first step."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    state.ints[e, RUNS] += 1
    state.ints[e, HEARD] = False
    for at in range(state.ints[e, COUNT]):
        o = state.out_i[e, ROWS, at]
        codec = pack.outs[ob + o, OUTPUT_CODEC]
        state.out_f[e, LOAD_NS, o] = channel_ns(state, e, READS, codec, pack.outs[ob + o, OUTPUT_BYTES])
        state.out_i[e, RECORD_USED, o] = state.out_i[e, LAST_USED, o]
    _sort_rows(state, e)
    for v in range(pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]):
        g = pack.items[v]
        i = g - nb
        state.node_f[e, MEASURED, i] = state.node_f[e, BY_ROW, i]
        state.node_f[e, ELAPSED, i] = -1.0
        state.node_f[e, EXPECTED, i] = _expected_ns(pack, state, e, g)
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            state.out_f[e, LOADED_NS, o - ob] = -1.0
    plan(pack, state, e)
    state.ints[e, STEP] = 0
    enter(pack, state, e)


@inlined
def _sort_rows(state, e):
    """Bring what is kept into the order of (kept_at, signature); almost sorted already."""
    rows = state.out_i[e, ROWS]
    for at in range(1, state.ints[e, COUNT]):
        o = rows[at]
        to = at
        while to > 0:
            before = rows[to - 1]
            used = state.out_i[e, RECORD_USED, before]
            if used < state.out_i[e, RECORD_USED, o] or (
                used == state.out_i[e, RECORD_USED, o] and before < o
            ):
                break
            rows[to] = before
            to -= 1
        rows[to] = o


@inlined
def _expected_ns(pack, state, e, g):
    found = state.node_f[e, BY_ROW, g - pack.firsts[state.ints[e, SCRIPT], NODE0]]
    if found < 0:
        found = state.name_f[e, BY_NAME, pack.nodes[g, NODE_NAME]]
    if found < 0:
        found = state.name_f[e, BY_OPERATOR, pack.nodes[g, NODE_OPERATOR]]
    return found if found >= 0 else UNKNOWN_NS


@inlined
def enter(pack, state, e):
    """Compute the node of the present step, or load of it what the plan loads."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    g = pack.items[pack.turns[turn, VERSION_PTR] + state.ints[e, STEP]]
    i = g - nb
    state.ints[e, OUTPUT] = pack.nodes[g, OUT_PTR]
    if state.node_i[e, COMPUTE, i]:
        ns = taken(
            pack.times[g],
            state.ints[e, SEED],
            FOR_COMPUTE,
            i,
            turn - pack.firsts[s, TURN0],
            state.reals[e, COMPUTE_SIGMA],
        )
        state.node_f[e, ELAPSED, i] = ns
        state.node_f[e, EXPECTED, i] = ns
        state.ints[e, COMPUTED] += ns
        state.reals[e, TIME_COMPUTING] += ns
        state.reals[e, WAITING] += ns
    else:
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            if state.out_i[e, LOADED, o - ob] and state.out_f[e, LOADED_NS, o - ob] < 0:
                load(pack, state, e, o)


@inlined
def load(pack, state, e, o):
    """Load an artifact, and learn what that took."""
    s = state.ints[e, SCRIPT]
    at = o - pack.firsts[s, OUT0]
    number = state.ints[e, TURN] - pack.firsts[s, TURN0]
    base_ns = state.reals[e, READ_LATENCY] + pack.outs[o, OUTPUT_BYTES] / state.reals[e, READ_RATE] * 1e9
    ns = taken(base_ns, state.ints[e, SEED], FOR_LOAD, at, number, state.reals[e, TRANSFER_SIGMA])
    state.out_f[e, LOADED_NS, at] = ns
    state.out_i[e, LAST_USED, at] = number + 1
    state.reals[e, TIME_LOADING] += ns
    state.reals[e, WAITING] += ns
    learn_channel(state, e, READS, pack.outs[o, OUTPUT_CODEC], pack.outs[o, OUTPUT_BYTES], ns)


@inlined
def end_turn(pack, state, e):
    """Tell the guard what was saved, and remember what was measured."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    saved = 0.0
    for v in range(pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]):
        g = pack.items[v]
        i = g - nb
        if state.node_f[e, ELAPSED, i] < 0:
            if state.node_f[e, MEASURED, i] >= 0:
                saved += state.node_f[e, MEASURED, i]
        else:
            state.node_f[e, BY_ROW, i] = state.node_f[e, ELAPSED, i]
            state.name_f[e, BY_NAME, pack.nodes[g, NODE_NAME]] = state.node_f[e, ELAPSED, i]
            state.name_f[e, BY_OPERATOR, pack.nodes[g, NODE_OPERATOR]] = state.node_f[e, ELAPSED, i]
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            if state.out_f[e, LOADED_NS, o - ob] >= 0:
                saved -= state.out_f[e, LOADED_NS, o - ob]
    state.ints[e, SAVED] += np.int64(saved)
