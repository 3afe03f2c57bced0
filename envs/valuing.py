"""Plans, values and observations of the kernel's episodes; see ``envs.kernel``."""

from __future__ import annotations

import numpy as np

from envs.columns import (
    ADDED,
    AGAIN,
    AGE,
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
    CHANCE,
    CHOSEN,
    COMPUTE,
    COST,
    COUNT,
    DEPTH,
    EDGE,
    EDGED,
    EXPECTED,
    EXTRA,
    FORCED,
    HELD,
    LINEAGE_EDIT,
    LOAD_NS,
    LOADED,
    LOCAL,
    LOOK_PTR,
    LOOKED,
    MORE,
    MULTIPLIER,
    NEAR,
    NODE0,
    NODE_NAME,
    NODE_OPERATOR,
    NODE_STAGE,
    NOTHING,
    OFFERED,
    OFFERS,
    OUT0,
    OUT_PTR,
    OUTPUT_NODE,
    OWN_EDIT,
    RECORD_USED,
    RECREATION_NS,
    REQUEST_PTR,
    RETURNING,
    REUSE,
    ROW_OF,
    ROWS,
    SAVING,
    SCENARIO_PTR,
    SCENARIO_TURN,
    SCRIPT,
    SIMPLE,
    STACK,
    STAMP,
    SURVIVAL,
    TAKE_PTR,
    TAKERS,
    TIMES,
    TURN,
    TURN0,
    USED,
    VALUE,
    VERSION_PTR,
    WANTED,
    WEIGHT,
    WORTH,
)
from envs.compiled import bare, compiled
from envs.mincut import replan
from mile_rl.policies import observation, value

worths = bare(value.worths)
observe = compiled(observation.observe)


@bare
def plan(pack, state, e):
    """Plan the running iteration: mark what is computed and what is loaded."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    _walk(pack, state, e, turn, -1, -1)
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


@bare
def recreation(pack, state, e, o):
    """Return the least time to get an output of the running version that has no artifact."""
    return _walk(pack, state, e, state.ints[e, TURN], -1, o)


@bare
def _walk(pack, state, e, turn, j, target):
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
    held, wanted, forced, offers = (
        state.out_i[e, HELD],
        state.out_w[WANTED],
        state.node_w[FORCED],
        state.out_w[OFFERS],
    )
    alive = state.alive[e, :, max(j, 0)]
    expected = state.node_f[e, EXPECTED]
    count = 0
    first = pack.turns[turn, REQUEST_PTR] if target < 0 else 0
    last = pack.turns[turn + 1, REQUEST_PTR] if target < 0 else 1
    for r in range(first, last):
        o = pack.items[r] if target < 0 else target
        at = o - ob
        if wanted[at] != stamp:
            wanted[at] = stamp
            if held[at] and (j < 0 or alive[at]):
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
                    if held[at] and (j < 0 or alive[at]):
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
def _forced(pack, state, e, j, first, base, cost):
    """Return what a plan costs in which a node is computed besides, all else being loaded that can be.

    Only what is computed besides is walked, on top of the marks of the last :func:`_walk`. What is loaded besides
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
    alive, expected = state.alive[e, :, max(j, 0)], state.node_f[e, EXPECTED]
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
            if held[at] and (j < 0 or alive[at]):
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
    other = _forced(pack, state, e, j, node, stamp, cost)
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
    """As :func:`_walk`, by the minimum cut: where loading something takes longer than computing its node."""
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
            valid = state.out_i[e, HELD, o - ob] and (j < 0 or state.alive[e, o - ob, j])
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


@bare
def foresee(pack, seen, state, e):
    """Take up the outlook of the running iteration."""
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    m = pack.firsts[s + 1, OUT0] - ob
    turn = state.ints[e, TURN]
    first, last = pack.turns[turn, SCENARIO_PTR], pack.turns[turn + 1, SCENARIO_PTR]
    if first == last:
        return
    start, end = pack.turns[turn, LOOK_PTR], pack.turns[turn + 1, LOOK_PTR]
    base = start - pack.turns[0, LOOK_PTR]
    alive = seen.alive_ptr[turn]
    state.reals[e, NOTHING], state.reals[e, RETURNING] = seen.sums[turn, 0], seen.sums[turn, 1]
    state.alive[e, :m] = False
    for j in range(last - first):
        state.scene_f[e, CHANCE, j] = seen.chance[first + j]
    at = 0
    for i in range(end - start):
        g = pack.items[start + i]
        state.node_i[e, LOOKED, g - nb] = turn + 1
        state.node_f[e, OWN_EDIT, g - nb] = seen.edits[base + i, 0]
        state.node_f[e, LINEAGE_EDIT, g - nb] = seen.edits[base + i, 1]
        state.node_f[e, DEPTH, g - nb] = seen.edits[base + i, 2]
        for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
            state.out_i[e, TAKERS, o - ob] = seen.takers[seen.out_ptr[turn] + at]
            for j in range(last - first):
                state.alive[e, o - ob, j] = seen.alive[alive + at * (last - first) + j]
            at += 1
    _expect_others(pack, state, e, start, end)


@bare
def _expect_others(pack, state, e, start, end):
    """Expect of nodes of other versions what was measured last; those of the running one are known."""
    nb = pack.firsts[state.ints[e, SCRIPT], NODE0]
    turn = state.ints[e, TURN]
    v, stop = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
    for at in range(start, end):
        g = pack.items[at]
        while v < stop and pack.items[v] < g:
            v += 1
        if v < stop and pack.items[v] == g:
            continue
        found = state.node_f[e, BY_ROW, g - nb]
        if found < 0:
            found = state.name_f[e, BY_NAME, pack.nodes[g, NODE_NAME]]
        if found < 0:
            found = state.name_f[e, BY_OPERATOR, pack.nodes[g, NODE_OPERATOR]]
        state.node_f[e, EXPECTED, g - nb] = found if found >= 0 else 1e9


@bare
def value_rows(pack, state, constants, e, o, full):
    """Value the candidate, and what is kept where ``full``; as ``appraise`` and ``worths``."""
    s = state.ints[e, SCRIPT]
    ob = pack.firsts[s, OUT0]
    turn = state.ints[e, TURN]
    first = pack.turns[turn, SCENARIO_PTR]
    scenarios = pack.turns[turn + 1, SCENARIO_PTR] - first
    candidate = o - ob
    count = state.ints[e, COUNT]
    rows = state.out_i[e, ROWS]
    begin = 0 if full else count
    for r in range(begin, count + 1):
        state.out_f[e, VALUE, r] = 0.0
        state.out_f[e, REUSE, r] = 0.0
        state.out_f[e, SURVIVAL, r] = 0.0
    state.out_i[e, HELD, candidate] = True
    state.out_f[e, LOAD_NS, candidate] = state.reals[e, C_LOAD]
    _value(pack, state, e, first, scenarios, candidate, begin)
    state.out_i[e, HELD, candidate] = False
    number = turn - pack.firsts[s, TURN0] + 1
    size = count + 1 - begin
    saving, age = state.row_x[SAVING, :size], state.row_x[AGE, :size]
    multiplier = state.row_x[TIMES, :size]
    for r in range(begin, count):
        at = rows[r]
        saving[r] = max(0.0, state.out_f[e, RECREATION_NS, at] - state.out_f[e, LOAD_NS, at])
        age[r] = max(0, number - state.out_i[e, RECORD_USED, at])
        multiplier[r] = state.out_f[e, MULTIPLIER, at]
    saving[size - 1] = max(0.0, state.reals[e, C_RECREATION] - state.reals[e, C_LOAD])
    age[size - 1] = 0.0
    multiplier[size - 1] = 1.0
    stop, background = 0.0, constants[6]
    if scenarios > 0:
        stop, background = pack.stop[turn], constants[4]
    worths(
        state.out_f[e, VALUE, begin : count + 1],
        state.out_f[e, SURVIVAL, begin : count + 1],
        saving,
        age,
        multiplier,
        stop,
        constants[0],
        constants[1],
        background,
        constants[5],
        state.out_f[e, WORTH, begin : count + 1],
        state.out_f[e, WEIGHT, begin : count + 1],
    )


@bare
def _value(pack, state, e, first, scenarios, candidate, begin):
    """Add up what the rows from ``begin`` on save in each scenario.

    Scenarios of one version that leave the same artifacts valid have the same plans: each is planned for once.
    """
    s = state.ints[e, SCRIPT]
    nb, ob = pack.firsts[s, NODE0], pack.firsts[s, OUT0]
    count = state.ints[e, COUNT]
    rows = state.out_i[e, ROWS]
    pattern, saved = state.pattern, state.spared
    near, width = state.out_w[NEAR], 0
    looked = state.ints[e, TURN] + 1
    for r in range(count):  # what the outlook does not know is valid nowhere
        if state.node_i[e, LOOKED, pack.outs[rows[r] + ob, OUTPUT_NODE] - nb] == looked:
            near[width] = r
            width += 1
    near[width] = count
    width += 1
    pattern[:] = 0
    chances = state.scene_f[e, CHANCE]
    for q in range(width):
        alive = state.alive[e, candidate if q == width - 1 else rows[near[q]]]
        # Bits that do not fit fall together, and then patterns are not compared.
        bit = np.int64(1) << (63 if q == width - 1 else q & 63)
        survival = 0.0
        for j in range(scenarios):
            if alive[j]:
                pattern[j] |= bit
                survival += chances[j]
        if begin == 0 or q == width - 1:
            state.out_f[e, SURVIVAL, near[q]] = survival
    of_candidate = state.alive[e, candidate]
    for j in range(scenarios):
        state.scene_f[e, COST, j] = 0.0
        chance = chances[j]
        bits = pattern[j]
        if begin > 0 and not of_candidate[j]:
            continue
        other = pack.scenes[first + j, SCENARIO_TURN]
        twin = j
        if width < 64:
            for before in range(j):
                if pattern[before] == bits and pack.scenes[first + before, SCENARIO_TURN] == other:
                    twin = before
                    break
        if twin < j:
            state.scene_f[e, COST, j] = state.scene_f[e, COST, twin]
            for q in range(width):
                saved[j, q] = saved[twin, q]
        else:
            for q in range(width):
                saved[j, q] = 0.0
                state.out_w[ROW_OF, candidate if q == width - 1 else rows[near[q]]] = q
            cost = _walk(pack, state, e, other, j, -1)
            state.scene_f[e, COST, j] = cost
            loads = state.marks[OFFERED]
            base, simple = state.marks[STAMP], state.marks[SIMPLE]
            for q in range(loads):
                state.out_w[CHOSEN, q] = state.out_w[OFFERS, q]
            for q in range(loads):
                at = state.out_w[CHOSEN, q]
                if begin == 0 or at == candidate:
                    state.out_i[e, HELD, at] = False
                    without = -1.0
                    if simple:
                        node = pack.outs[at + ob, OUTPUT_NODE] - nb
                        without = _forced(pack, state, e, j, node, base, cost)
                    if without < 0:
                        without = _walk(pack, state, e, other, j, -1)
                        simple = False  # its marks are gone
                    state.out_i[e, HELD, at] = True
                    saved[j, state.out_w[ROW_OF, at]] = without - cost
        if chance > 0:
            for q in range(width):
                if saved[j, q] > 0:
                    state.out_f[e, VALUE, near[q]] += chance * saved[j, q]
                    state.out_f[e, REUSE, near[q]] += chance


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
                if victims[r] and state.alive[e, rows[r], j]:
                    hit = True
        if hit:
            cost = _walk(pack, state, e, pack.scenes[first + j, SCENARIO_TURN], j, -1)
            difference += state.scene_f[e, CHANCE, j] * (cost - state.scene_f[e, COST, j])
    state.out_i[e, HELD, o - ob] = False
    for r in range(state.ints[e, COUNT]):
        if victims[r]:
            state.out_i[e, HELD, rows[r]] = True
    return max(0.0, total + difference * (most if difference > 0 else least))


@bare
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
