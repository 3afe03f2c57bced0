"""Many episodes at once, compiled: what ``envs.session`` does with the production objects, number for number.

The values, the choice of victims and the observation are ``mile_rl.policies.value`` and ``observation``, compiled as
they stand, except for the inner loop of ``appraise`` (``envs.valuing``), which walks only what it must. A test plays
the same scripts both ways and compares every decision, every observation and every nanosecond.

Words: an episode ``e`` is a row of the state; nodes, outputs, iterations and scenarios are numbered as in the pack,
and ``- nb`` and ``- ob`` turn them into places of the episode's own arrays.
"""

from __future__ import annotations

import math

import numpy as np

from envs.columns import (
    BUDGET,
    BY_NAME,
    BY_OPERATOR,
    BY_ROW,
    C_AHEAD,
    C_ALLOWANCE,
    C_COMPUTE,
    C_LOAD,
    C_MADE,
    C_RECREATION,
    C_WRITE,
    COMPUTE,
    COMPUTE_SIGMA,
    COMPUTED,
    COUNT,
    DECISIONS,
    ELAPSED,
    EXPECTED,
    HEARD,
    HELD,
    LAST_USED,
    LATENCY,
    LOAD_NS,
    LOADED,
    LOADED_NS,
    MEASURED,
    MULTIPLIER,
    NODE0,
    NODE_NAME,
    NODE_OPERATOR,
    OUT0,
    OUT_PTR,
    OUTPUT,
    OUTPUT_BYTES,
    OUTPUT_CODEC,
    OUTPUT_NODE,
    PENDING,
    RANKED,
    RATE,
    REACHED,
    READ_LATENCY,
    READ_RATE,
    READS,
    RECORD_USED,
    RECREATION_NS,
    ROWS,
    RUNS,
    SAMPLES,
    SAVED,
    SCRIPT,
    SEED,
    STAMP,
    STEP,
    TAKE_PTR,
    TIME_COMPUTING,
    TIME_LOADING,
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
from envs.compiled import bare, compiled
from envs.noise import COMPUTE as FOR_COMPUTE
from envs.noise import LOAD as FOR_LOAD
from envs.noise import WRITE as FOR_WRITE
from envs.noise import taken
from envs.valuing import displaced, foresee, look_observe, plan, recreation, value_rows
from mile_rl.engine.keeper import QUICK_NS
from mile_rl.planner.channel import _OUTLIER, _SLOWEST_RATE, BYTES_PER_S_RANGE, LATENCY_RANGE_NS
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS
from mile_rl.policies import value
from mile_rl.policies.guard import SETTLED_NS

LOG_OUTLIER = math.log(_OUTLIER)
SLOWEST_RATE = _SLOWEST_RATE
LEAST_LATENCY, MOST_LATENCY = LATENCY_RANGE_NS
LEAST_RATE, MOST_RATE = BYTES_PER_S_RANGE
UNKNOWN_NS = float(DEFAULT_COMPUTE_NS)

choose_victims = compiled(value.choose_victims)


@bare
def begin(pack, state, e):
    """Make an episode ready; its script, seed, conditions and channels are set already."""
    n = pack.firsts[state.ints[e, SCRIPT] + 1, NODE0] - pack.firsts[state.ints[e, SCRIPT], NODE0]
    m = pack.firsts[state.ints[e, SCRIPT] + 1, OUT0] - pack.firsts[state.ints[e, SCRIPT], OUT0]
    if state.marks[STAMP] > 1 << 30:  # the marks have 32 bits
        state.marks[STAMP] = 0
        state.node_w[:, :] = 0
        state.out_w[:, :] = 0
    state.ints[e, TURN] = pack.firsts[state.ints[e, SCRIPT], TURN0]
    state.ints[e, STEP] = -1
    state.node_f[e, BY_ROW, :n] = -1.0
    state.name_f[e, BY_NAME, :] = -1.0
    state.name_f[e, BY_OPERATOR, :] = -1.0
    state.out_i[e, HELD, :m] = False
    state.out_f[e, MULTIPLIER, :m] = 1.0
    state.ints[e, COUNT] = 0
    state.ints[e, USED] = 0
    state.ints[e, RUNS] = 0
    state.ints[e, COMPUTED] = 0
    state.ints[e, SAVED] = 0
    state.ints[e, WRITTEN] = 0
    state.ints[e, PENDING] = False
    state.reals[e, WAITING] = 0.0
    state.reals[e, TIME_COMPUTING] = 0.0
    state.reals[e, TIME_LOADING] = 0.0
    state.reals[e, TIME_WRITING] = 0.0
    state.ints[e, DECISIONS] = 0


@bare
def advance(pack, seen, state, constants, e, multiplier, watched, out):
    """Play an episode up to its next decision.

    Args:
        pack, seen, state, constants: the tables.
        e: the episode.
        multiplier: the answer to the decision that is waited for, if any.
        watched: whether to value everything and write the observation, as for a learned policy.
        out: float32[observation.SIZE], overwritten where there is a decision and ``watched``.

    Returns:
        Whether there is a decision; False is the end of the session.
    """
    if state.ints[e, PENDING]:
        state.ints[e, PENDING] = False
        _answer(pack, state, constants, e, multiplier)
        state.ints[e, OUTPUT] += 1
    last = pack.firsts[state.ints[e, SCRIPT] + 1, TURN0]
    while state.ints[e, TURN] < last:
        turn = state.ints[e, TURN]
        if state.ints[e, STEP] < 0:
            _begin_turn(pack, state, e)
        start, end = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
        while start + state.ints[e, STEP] < end:
            g = pack.items[start + state.ints[e, STEP]]
            if state.node_i[e, COMPUTE, g - pack.firsts[state.ints[e, SCRIPT], NODE0]]:
                while state.ints[e, OUTPUT] < pack.nodes[g + 1, OUT_PTR]:
                    if _consider(pack, seen, state, constants, e, g, state.ints[e, OUTPUT], watched, out):
                        state.ints[e, PENDING] = True
                        state.ints[e, DECISIONS] += 1
                        return True
                    state.ints[e, OUTPUT] += 1
            state.ints[e, STEP] += 1
            if start + state.ints[e, STEP] < end:
                _enter(pack, state, e)
        _end_turn(pack, state, e)
        state.ints[e, TURN] += 1
        state.ints[e, STEP] = -1
    return False


@bare
def _begin_turn(pack, state, e):
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    state.ints[e, RUNS] += 1
    state.ints[e, HEARD] = False
    for at in range(state.ints[e, COUNT]):
        o = state.out_i[e, ROWS, at]
        codec = pack.outs[ob + o, OUTPUT_CODEC]
        state.out_f[e, LOAD_NS, o] = _channel_ns(state, e, READS, codec, pack.outs[ob + o, OUTPUT_BYTES])
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
    _enter(pack, state, e)


@bare
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


@bare
def _expected_ns(pack, state, e, g):
    found = state.node_f[e, BY_ROW, g - pack.firsts[state.ints[e, SCRIPT], NODE0]]
    if found < 0:
        found = state.name_f[e, BY_NAME, pack.nodes[g, NODE_NAME]]
    if found < 0:
        found = state.name_f[e, BY_OPERATOR, pack.nodes[g, NODE_OPERATOR]]
    return found if found >= 0 else UNKNOWN_NS


@bare
def _enter(pack, state, e):
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
                _load(pack, state, e, o)


@bare
def _load(pack, state, e, o):
    s = state.ints[e, SCRIPT]
    at = o - pack.firsts[s, OUT0]
    number = state.ints[e, TURN] - pack.firsts[s, TURN0]
    base_ns = state.reals[e, READ_LATENCY] + pack.outs[o, OUTPUT_BYTES] / state.reals[e, READ_RATE] * 1e9
    ns = taken(base_ns, state.ints[e, SEED], FOR_LOAD, at, number, state.reals[e, TRANSFER_SIGMA])
    state.out_f[e, LOADED_NS, at] = ns
    state.out_i[e, LAST_USED, at] = number + 1
    state.reals[e, TIME_LOADING] += ns
    state.reals[e, WAITING] += ns
    _learn_channel(state, e, READS, pack.outs[o, OUTPUT_CODEC], pack.outs[o, OUTPUT_BYTES], ns)


@bare
def _channel_ns(state, e, way, codec, size_bytes):
    return state.channel[e, LATENCY, way, codec] + np.rint(
        size_bytes / state.channel[e, RATE, way, codec] * 1e9
    )


@bare
def _learn_channel(state, e, way, codec, size_bytes, elapsed_ns):
    """As ``mile_rl.planner.channel.Channel.updated``."""
    latency = state.channel[e, LATENCY, way, codec]
    expected = _channel_ns(state, e, way, codec, size_bytes)
    step = math.log(max(elapsed_ns, 1) / expected)
    step = max(-LOG_OUTLIER, min(LOG_OUTLIER, step))
    step *= max(SLOWEST_RATE, 1 / (state.channel[e, SAMPLES, way, codec] + 1))
    share = latency / expected
    grown = min(max(latency * math.exp(step * share), LEAST_LATENCY), MOST_LATENCY)
    rate = state.channel[e, RATE, way, codec] * math.exp(-step * (1 - share))
    state.channel[e, LATENCY, way, codec] = np.rint(grown)
    state.channel[e, RATE, way, codec] = min(max(rate, LEAST_RATE), MOST_RATE)
    state.channel[e, SAMPLES, way, codec] += 1


@bare
def _left_ns(state, constants, e):
    """As ``mile_rl.policies.ledger.Ledger.left_ns``."""
    granted = state.ints[e, RUNS] * np.int64(constants[9])
    granted += np.int64(constants[8] * state.ints[e, COMPUTED])
    saved = np.int64(constants[7] * max(0, state.ints[e, SAVED]))
    return max(0, granted + saved - state.ints[e, WRITTEN])


@bare
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


@bare
def _consider(pack, seen, state, constants, e, g, o, watched, out):
    """Ask the engine's and the guard's questions about an output; return whether the policy has to decide."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    codec, size = pack.outs[o, OUTPUT_CODEC], pack.outs[o, OUTPUT_BYTES]
    if codec < 0 or state.out_i[e, HELD, o - ob]:
        return False
    made = _made_ns(pack, state, e, g)
    if made < QUICK_NS:
        return False
    load, write = _channel_ns(state, e, READS, codec, size), _channel_ns(state, e, WRITES, codec, size)
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


@bare
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


@bare
def _answer(pack, state, constants, e, multiplier):
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
        if lost >= worth_ns:
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


@bare
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
        _load(pack, state, e, o)
    state.out_i[e, HELD, at] = False
    state.ints[e, USED] -= pack.outs[o, OUTPUT_BYTES]


@bare
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
        _learn_channel(state, e, WRITES, codec, part, max(left, 1))
        return
    _learn_channel(state, e, WRITES, codec, size, ns)
    state.out_i[e, HELD, at] = True
    state.ints[e, USED] += size
    state.out_i[e, ROWS, state.ints[e, COUNT]] = at
    state.ints[e, COUNT] += 1
    state.out_f[e, LOAD_NS, at] = state.reals[e, C_LOAD]
    state.out_f[e, RECREATION_NS, at] = state.reals[e, C_RECREATION]
    state.out_i[e, RECORD_USED, at] = number + 1
    state.out_i[e, LAST_USED, at] = number + 1
    state.out_f[e, MULTIPLIER, at] = multiplier


@bare
def _end_turn(pack, state, e):
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


def spent(state, e):
    """Return what an episode spent on computing, loading and writing so far, in nanoseconds."""
    return state.reals[e, TIME_COMPUTING : TIME_WRITING + 1]


def used_bytes(state, e):
    """Return how much an episode's store holds."""
    return int(state.ints[e, USED])


@bare
def play_through(pack, seen, state, constants, e, out):
    """Play an episode to its end with multipliers of 1, and return how long the person waited."""
    begin(pack, state, e)
    while advance(pack, seen, state, constants, e, 1.0, False, out):
        pass
    return state.reals[e, WAITING]


@bare
def start(pack, seen, reference_seen, state, constants, reference, e, out):
    """Play the reference in an episode's conditions, then begin the episode and play on to its first decision.

    Args:
        pack, seen, state, constants: the tables.
        reference_seen, reference: those of the reference, which is played in the state's last row.
        e: the episode, whose conditions are set.
        out: float32[observation.SIZE], overwritten with the observation.

    Returns:
        What the person waits under the reference, and whether there is a decision.
    """
    other = state.ints.shape[0] - 1
    state.ints[other, SCRIPT], state.ints[other, SEED] = state.ints[e, SCRIPT], state.ints[e, SEED]
    for column in range(BUDGET, TRANSFER_SIGMA + 1):
        state.reals[other, column] = state.reals[e, column]
    for figure in range(SAMPLES + 1):
        for way in range(state.channel.shape[2]):
            for codec in range(state.channel.shape[3]):
                state.channel[other, figure, way, codec] = state.channel[e, figure, way, codec]
    waited_ns = play_through(pack, reference_seen, state, reference, other, out)
    begin(pack, state, e)
    return waited_ns, advance(pack, seen, state, constants, e, 1.0, True, out)


@bare
def step_all(pack, seen, state, constants, multipliers, out, running):
    """Answer every episode's decision and play on to its next one.

    Args:
        pack, seen, state, constants: the tables.
        multipliers: float64[e].
        out: float32[e, SIZE], the observations of the next decisions.
        running: bool[e], overwritten: whether there is one; episodes where there was none are left alone.
    """
    for e in range(running.shape[0]):
        if running[e]:
            running[e] = advance(pack, seen, state, constants, e, multipliers[e], True, out[e])
