"""What of the outlooks depends on the scripts alone: worked out once for a bank, looked up by the kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from envs.columns import (
    LOOK_PTR,
    OUT_PTR,
    REQUEST_PTR,
    ROOT_PTR,
    SCENARIO_KIND,
    SCENARIO_PTR,
    SCENARIO_TURN,
    TAKE_PTR,
)
from envs.compiled import compiled
from mile_rl.policies import observation, value
from mile_rl.policies.outlook import NOTHING as A_RERUN
from mile_rl.policies.outlook import RETURN as A_RETURN

Array = npt.NDArray[Any]

alive_outputs = compiled(value.alive_outputs)
chances = compiled(value.chances)
surroundings = compiled(observation.surroundings)


class Foreseen(NamedTuple):
    """The outlooks of all iterations of a bank; pointers are by iteration, one longer.

    Args:
        out_ptr: int64[t + 1], where an iteration's outputs begin in ``alive`` and ``takers``.
        alive: int32[.], the scenarios in which each output is valid, a bit for each.
        chance: float64[s].
        sums: float64[t, 2]: the chances of a re-run and of a return.
        edits: float64[., 3], by node of the outlook: own edit, lineage edit, depth.
        takers: int64[.].
    """

    out_ptr: Array
    alive: Array
    chance: Array
    sums: Array
    edits: Array
    takers: Array


def foresee_all(pack: Any, return_weight: float) -> Foreseen:
    """Work the outlooks of a bank out.

    Args:
        pack: the bank.
        return_weight: of ``ExpectedSettings``.
    """
    turns = pack.stop.shape[0]
    out_ptr = np.zeros(turns + 1, dtype=np.int64)
    _measure(pack, out_ptr)
    found = Foreseen(
        out_ptr=out_ptr,
        alive=np.zeros(out_ptr[-1], dtype=np.int32),
        chance=np.zeros(pack.scenario_p.shape[0]),
        sums=np.zeros((turns, 2)),
        edits=np.zeros((int(pack.turns[-1, LOOK_PTR] - pack.turns[0, LOOK_PTR]), 3)),
        takers=np.zeros(out_ptr[-1], dtype=np.int64),
    )
    local = np.zeros(pack.outs.shape[0] + pack.nodes.shape[0], dtype=np.int64)
    _fill(pack, found, return_weight, local[: pack.outs.shape[0]], local[pack.outs.shape[0] :])
    return found


@compiled
def _measure(pack, out_ptr):
    for turn in range(pack.stop.shape[0]):
        outputs = 0
        for v in range(pack.turns[turn, LOOK_PTR], pack.turns[turn + 1, LOOK_PTR]):
            g = pack.items[v]
            outputs += pack.nodes[g + 1, OUT_PTR] - pack.nodes[g, OUT_PTR]
        out_ptr[turn + 1] = out_ptr[turn] + outputs


@compiled
def _fill(pack, found, return_weight, local, local_node):
    for turn in range(pack.stop.shape[0]):
        first, last = pack.turns[turn, SCENARIO_PTR], pack.turns[turn + 1, SCENARIO_PTR]
        scenarios = last - first
        if scenarios == 0:
            continue
        start, end = pack.turns[turn, LOOK_PTR], pack.turns[turn + 1, LOOK_PTR]
        nodes = end - start
        outputs = found.out_ptr[turn + 1] - found.out_ptr[turn]
        takes = 0
        for v in range(start, end):
            takes += pack.nodes[pack.items[v] + 1, TAKE_PTR] - pack.nodes[pack.items[v], TAKE_PTR]
        output_node = np.empty(outputs, dtype=np.int32)
        take_ptr = np.empty(nodes + 1, dtype=np.int32)
        take_output = np.empty(takes, dtype=np.int32)
        at, k = 0, 0
        for i in range(nodes):
            g = pack.items[start + i]
            local_node[g] = i
            take_ptr[i] = k
            for t in range(pack.nodes[g, TAKE_PTR], pack.nodes[g + 1, TAKE_PTR]):
                take_output[k] = local[pack.items[t]]
                k += 1
            for o in range(pack.nodes[g, OUT_PTR], pack.nodes[g + 1, OUT_PTR]):
                local[o] = at
                output_node[at] = i
                at += 1
        take_ptr[nodes] = k
        edited = np.zeros((scenarios, nodes), dtype=np.bool_)
        requested = np.zeros((scenarios, outputs), dtype=np.bool_)
        for j in range(scenarios):
            for r in range(pack.scenes[first + j, ROOT_PTR], pack.scenes[first + j + 1, ROOT_PTR]):
                edited[j, local_node[pack.items[r]]] = True
            other = pack.scenes[first + j, SCENARIO_TURN]
            for r in range(pack.turns[other, REQUEST_PTR], pack.turns[other + 1, REQUEST_PTR]):
                requested[j, local[pack.items[r]]] = True
        invalid = edited.copy()
        for j in range(scenarios):
            for i in range(nodes):
                for t in range(take_ptr[i], take_ptr[i + 1]):
                    if invalid[j, output_node[take_output[t]]]:
                        invalid[j, i] = True
        alive = alive_outputs(output_node, take_ptr, take_output, invalid, requested)
        kind = pack.scenes[first:last, SCENARIO_KIND]
        chance = chances(pack.scenario_p[first:last], kind, A_RETURN, return_weight)
        own, lineage, depth, takers = surroundings(
            chance, edited, invalid, output_node, take_ptr, take_output
        )
        for j in range(scenarios):
            found.chance[first + j] = chance[j]
            if kind[j] == A_RERUN:
                found.sums[turn, 0] += chance[j]
            elif kind[j] == A_RETURN:
                found.sums[turn, 1] += chance[j]
            for at in range(outputs):
                if alive[j, at]:
                    found.alive[found.out_ptr[turn] + at] |= 1 << j
        base = start - pack.turns[0, LOOK_PTR]
        for i in range(nodes):
            found.edits[base + i, 0] = own[i]
            found.edits[base + i, 1] = lineage[i]
            found.edits[base + i, 2] = depth[i]
        for at in range(outputs):
            found.takers[found.out_ptr[turn] + at] = takers[at]
