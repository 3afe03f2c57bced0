"""What the kernel's artifacts are worth; see ``envs.kernel``."""

from __future__ import annotations

import numpy as np

from envs.columns import (
    ALIVE,
    BY_NAME,
    BY_OPERATOR,
    BY_ROW,
    C_LOAD,
    C_RECREATION,
    CHANCE,
    CHOSEN,
    COST,
    COUNT,
    DEPTH,
    EXPECTED,
    FADES,
    FADING,
    HELD,
    LINEAGE_EDIT,
    LOAD_NS,
    LOOK_PTR,
    LOOKED,
    MOST_FADES,
    MULTIPLIER,
    NEAR,
    NODE0,
    NODE_NAME,
    NODE_OPERATOR,
    NOTHING,
    OFFERED,
    OFFERS,
    OUT0,
    OUT_PTR,
    OUTPUT_NODE,
    OWN_EDIT,
    RECORD_USED,
    RECREATION_NS,
    RETURNING,
    REUSE,
    ROW_OF,
    ROWS,
    SAVING,
    SCENARIO_PTR,
    SCENARIO_TURN,
    SCRIPT,
    SIMPLE,
    STAMP,
    SURVIVAL,
    TAKERS,
    TIMES,
    TURN,
    TURN0,
    VALUE,
    VERSION_PTR,
    WEIGHT,
    WORTH,
)
from envs.compiled import bare, inlined
from envs.planning import forced_cost, walk
from mile_rl.policies import value

worths = bare(value.worths)


@inlined
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
    state.reals[e, NOTHING], state.reals[e, RETURNING] = seen.sums[turn, 0], seen.sums[turn, 1]
    state.out_i[e, ALIVE, :m] = 0
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
            state.out_i[e, ALIVE, o - ob] = seen.alive[seen.out_ptr[turn] + at]
            at += 1
    _expect_others(pack, state, e, start, end)


@inlined
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


@inlined
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
    saving, fading = state.row_x[SAVING, :size], state.row_x[FADING, :size]
    multiplier = state.row_x[TIMES, :size]
    for r in range(begin, count):
        at = rows[r]
        saving[r] = max(0.0, state.out_f[e, RECREATION_NS, at] - state.out_f[e, LOAD_NS, at])
        age = max(0, number - state.out_i[e, RECORD_USED, at])
        fading[r] = constants[FADES + age] if age < MOST_FADES else constants[5] ** age
        multiplier[r] = state.out_f[e, MULTIPLIER, at]
    saving[size - 1] = max(0.0, state.reals[e, C_RECREATION] - state.reals[e, C_LOAD])
    fading[size - 1] = 1.0
    multiplier[size - 1] = 1.0
    stop, background = 0.0, constants[6]
    if scenarios > 0:
        stop, background = pack.stop[turn], constants[4]
    worths(
        state.out_f[e, VALUE, begin : count + 1],
        state.out_f[e, SURVIVAL, begin : count + 1],
        saving,
        fading,
        multiplier,
        stop,
        constants[0],
        constants[1],
        background,
        state.out_f[e, WORTH, begin : count + 1],
        state.out_f[e, WEIGHT, begin : count + 1],
    )


@inlined
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
        alive = state.out_i[e, ALIVE, candidate if q == width - 1 else rows[near[q]]]
        # Bits that do not fit fall together, and then patterns are not compared.
        bit = np.int64(1) << (63 if q == width - 1 else q & 63)
        survival = 0.0
        for j in range(scenarios):
            if alive >> j & 1:
                pattern[j] |= bit
                survival += chances[j]
        if begin == 0 or q == width - 1:
            state.out_f[e, SURVIVAL, near[q]] = survival
    of_candidate = state.out_i[e, ALIVE, candidate]
    for j in range(scenarios):
        state.scene_f[e, COST, j] = 0.0
        chance = chances[j]
        bits = pattern[j]
        if begin > 0 and not of_candidate >> j & 1:
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
            cost = walk(pack, state, e, other, j, -1)
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
                        without = forced_cost(pack, state, e, j, node, base, cost)
                    if without < 0:
                        without = walk(pack, state, e, other, j, -1)
                        simple = False  # its marks are gone
                    state.out_i[e, HELD, at] = True
                    saved[j, state.out_w[ROW_OF, at]] = without - cost
        if chance > 0:
            for q in range(width):
                if saved[j, q] > 0:
                    state.out_f[e, VALUE, near[q]] += chance * saved[j, q]
                    state.out_f[e, REUSE, near[q]] += chance
