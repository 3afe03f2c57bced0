"""The questions that an output of the kernel meets, and what becomes of it; see ``envs.kernel``."""

from __future__ import annotations

import math

import numpy as np

from envs.channels import channel_ns, learn_channel
from envs.columns import (
    BUDGET,
    C_AHEAD,
    C_ALLOWANCE,
    C_COMPUTE,
    C_LOAD,
    C_MADE,
    C_RECREATION,
    C_WRITE,
    COMPUTE,
    COMPUTED,
    COUNT,
    ELAPSED,
    EXPECTED,
    HEARD,
    HELD,
    LAST_USED,
    LOAD_NS,
    LOADED,
    LOADED_NS,
    MULTIPLIER,
    NODE0,
    OUT0,
    OUT_PTR,
    OUTPUT,
    OUTPUT_BYTES,
    OUTPUT_CODEC,
    OUTPUT_NODE,
    RANKED,
    REACHED,
    READS,
    RECORD_USED,
    RECREATION_NS,
    ROWS,
    RUNS,
    SAVED,
    SCRIPT,
    SEED,
    STEP,
    TAKE_PTR,
    TIME_WRITING,
    TRANSFER_SIGMA,
    TURN,
    TURN0,
    USED,
    VERSION_PTR,
    WAITING,
    WORTH,
    WRITE_LATENCY,
    WRITE_RATE,
    WRITES,
    WRITTEN,
)
from envs.compiled import compiled, inlined
from envs.noise import WRITE as FOR_WRITE
from envs.noise import taken
from envs.observing import displaced, look_observe
from envs.planning import recreation
from envs.turns import load
from envs.valuing import foresee, value_rows
from mile_rl.engine.keeper import QUICK_NS
from mile_rl.policies import value
from mile_rl.policies.guard import SETTLED_NS

choose_victims = compiled(value.choose_victims)


@inlined
def _left_ns(state, constants, e):
    """As ``mile_rl.policies.ledger.Ledger.left_ns``."""
    granted = state.ints[e, RUNS] * np.int64(constants[9])
    granted += np.int64(constants[8] * state.ints[e, COMPUTED])
    saved = np.int64(constants[7] * max(0, state.ints[e, SAVED]))
    return max(0, granted + saved - state.ints[e, WRITTEN])


@inlined
def _made_ns(pack, state, e, g):
    """Return what a node and all that it stands on took in this iteration, computing or loading."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    start = pack.turns[state.ints[e, TURN], VERSION_PTR]
    reached = state.node_w[REACHED]
    for v in range(start, start + state.ints[e, STEP] + 1):
        reached[pack.items[v] - nb] = False
    reached[g - nb] = True
    total = 0.0
    for v in range(start + state.ints[e, STEP], start - 1, -1):
        h = pack.items[v]
        if not reached[h - nb]:
            continue
        if state.node_i[e, COMPUTE, h - nb]:
            total += state.node_f[e, ELAPSED, h - nb]
            for t in range(pack.nodes[h, TAKE_PTR], pack.nodes[h + 1, TAKE_PTR]):
                reached[pack.outs[pack.items[t], OUTPUT_NODE] - nb] = True
        else:
            for o in range(pack.nodes[h, OUT_PTR], pack.nodes[h + 1, OUT_PTR]):
                if state.out_i[e, LOADED, o - ob] and state.out_f[e, LOADED_NS, o - ob] >= 0:
                    total += state.out_f[e, LOADED_NS, o - ob]
    return total


@inlined
def consider(pack, seen, state, constants, e, g, o, watched, out):
    """Ask the engine's and the guard's questions about an output; return whether the policy has to decide."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    codec, size = pack.outs[o, OUTPUT_CODEC], pack.outs[o, OUTPUT_BYTES]
    if codec < 0 or state.out_i[e, HELD, o - ob]:
        return False
    made = _made_ns(pack, state, e, g)
    if made < QUICK_NS:
        return False
    load, write = channel_ns(state, e, READS, codec, size), channel_ns(state, e, WRITES, codec, size)
    left = _left_ns(state, constants, e)
    if made <= load or write > left:
        return False
    if made >= SETTLED_NS and not state.ints[e, HEARD]:
        state.ints[e, HEARD] = True
        foresee(pack, seen, state, e)
    again = made
    if made >= SETTLED_NS:
        again = min(made, recreation(pack, state, e, o))
    budget = state.reals[e, BUDGET]
    if again <= load or size > budget:
        return False
    state.reals[e, C_RECREATION] = again
    state.reals[e, C_MADE] = made
    state.reals[e, C_LOAD] = load
    state.reals[e, C_WRITE] = write
    if again < SETTLED_NS:
        if size <= budget - state.ints[e, USED]:
            _keep(pack, state, constants, e, o, 1.0)
        return False
    state.reals[e, C_ALLOWANCE] = left
    state.reals[e, C_COMPUTE] = state.node_f[e, ELAPSED, g - nb]
    ahead = 0.0
    turn = state.ints[e, TURN]
    for v in range(
        pack.turns[turn, VERSION_PTR] + state.ints[e, STEP] + 1, pack.turns[turn + 1, VERSION_PTR]
    ):
        i = pack.items[v] - nb
        if state.node_i[e, COMPUTE, i]:
            ahead += state.node_f[e, EXPECTED, i]
    state.reals[e, C_AHEAD] = ahead
    full = watched or size > budget - state.ints[e, USED]
    value_rows(pack, state, constants, e, o, full)
    if watched:
        _rank(pack, state, e, o, 1.0)
        rows = state.ints[e, COUNT] + 1
        sizes, worth, victims = state.sizes[:rows], state.row_x[RANKED, :rows], state.victims[:rows]
        victims[:] = False
        missing = size - np.int64(budget - state.ints[e, USED])
        room = missing <= 0
        lost = 0.0
        if not room:
            room = choose_victims(missing, sizes, worth, victims)
            lost = displaced(pack, state, e, o, worth, victims)
        look_observe(pack, state, constants, e, g, o, sizes, worth, victims, room, lost, out)
    return True


@inlined
def _rank(pack, state, e, o, multiplier):
    """Write down the sizes and worths of what is kept and, last, of the candidate with a multiplier."""
    ob = pack.firsts[state.ints[e, SCRIPT], OUT0]
    count = state.ints[e, COUNT]
    sizes, worth = state.sizes, state.row_x[RANKED]
    for r in range(count):
        sizes[r] = pack.outs[ob + state.out_i[e, ROWS, r], OUTPUT_BYTES]
        worth[r] = state.out_f[e, WORTH, r]
    sizes[count] = pack.outs[o, OUTPUT_BYTES]
    worth[count] = state.out_f[e, WORTH, count] * multiplier


@inlined
def answer(pack, state, constants, e, multiplier):
    """Decide as ``mile_rl.policies.expected.Expected`` with the candidate's worth times ``multiplier``."""
    s = state.ints[e, SCRIPT]
    ob = pack.firsts[s, OUT0]
    o = state.ints[e, OUTPUT]
    count = state.ints[e, COUNT]
    worth_ns = state.out_f[e, WORTH, count] * multiplier
    if worth_ns <= constants[3] * state.reals[e, C_WRITE]:
        return
    missing = pack.outs[o, OUTPUT_BYTES] - np.int64(state.reals[e, BUDGET] - state.ints[e, USED])
    if missing > 0:
        _rank(pack, state, e, o, multiplier)
        sizes, worth = state.sizes[: count + 1], state.row_x[RANKED, : count + 1]
        victims = state.victims[: count + 1]
        if not choose_victims(missing, sizes, worth, victims):
            return
        lost = displaced(pack, state, e, o, worth, victims)
        if lost + constants[3] * state.reals[e, C_WRITE] >= worth_ns:
            return
        for r in range(count):
            if victims[r]:
                gone = state.out_i[e, ROWS, r]
                if state.out_i[e, HELD, gone]:
                    _evict(pack, state, e, ob + gone)
        kept = 0
        for r in range(count):
            if not victims[r]:
                state.out_i[e, ROWS, kept] = state.out_i[e, ROWS, r]
                kept += 1
        state.ints[e, COUNT] = kept
    _keep(pack, state, constants, e, o, multiplier)


@inlined
def _evict(pack, state, e, o):
    at = o - pack.firsts[state.ints[e, SCRIPT], OUT0]
    g = pack.outs[o, OUTPUT_NODE]
    turn = state.ints[e, TURN]
    start, end = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
    where = start + np.searchsorted(pack.items[start:end], g)
    if (
        where < end
        and pack.items[where] == g
        and state.out_i[e, LOADED, at]
        and state.out_f[e, LOADED_NS, at] < 0
    ):
        # The plan counts on it: it is taken into memory before it goes.
        load(pack, state, e, o)
    state.out_i[e, HELD, at] = False
    state.ints[e, USED] -= pack.outs[o, OUTPUT_BYTES]


@inlined
def _keep(pack, state, constants, e, o, multiplier):
    """Write an artifact; a write that runs over is given up."""
    s = state.ints[e, SCRIPT]
    at = o - pack.firsts[s, OUT0]
    number = state.ints[e, TURN] - pack.firsts[s, TURN0]
    size = pack.outs[o, OUTPUT_BYTES]
    base_ns = state.reals[e, WRITE_LATENCY] + size / state.reals[e, WRITE_RATE] * 1e9
    ns = np.int64(taken(base_ns, state.ints[e, SEED], FOR_WRITE, at, number, state.reals[e, TRANSFER_SIGMA]))
    left = _left_ns(state, constants, e)
    spent = min(ns, left)
    state.ints[e, WRITTEN] += spent
    state.reals[e, TIME_WRITING] += spent
    state.reals[e, WAITING] += spent
    codec = pack.outs[o, OUTPUT_CODEC]
    if ns > left:
        # In floats: bytes times nanoseconds are more than 64 bits hold.
        part = math.floor(float(size) * (float(left) / float(ns)))
        learn_channel(state, e, WRITES, codec, part, max(left, 1))
        return
    learn_channel(state, e, WRITES, codec, size, ns)
    state.out_i[e, HELD, at] = True
    state.ints[e, USED] += size
    state.out_i[e, ROWS, state.ints[e, COUNT]] = at
    state.ints[e, COUNT] += 1
    state.out_f[e, LOAD_NS, at] = state.reals[e, C_LOAD]
    state.out_f[e, RECREATION_NS, at] = state.reals[e, C_RECREATION]
    state.out_i[e, RECORD_USED, at] = number + 1
    state.out_i[e, LAST_USED, at] = number + 1
    state.out_f[e, MULTIPLIER, at] = multiplier
