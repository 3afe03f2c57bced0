"""What artifacts are worth, as plain functions over arrays: one source for the engine and for training.

Every function here is compiled as it stands by numba in the training environments and runs as plain NumPy in
the engine. So: arrays and numbers only, and no function calls another one of this module. What needs exact plans
is done twice, here by ``mile_rl.policies.savings``, there by ``envs.valuing``; tests hold them equal.

Sizes: n nodes, m outputs, s scenarios of the next iteration, r rows: the artifacts kept, in the order of
(``kept_at``, ``signature``), and as the last row the candidate. Times are float64 nanoseconds, whole numbers.
Node i takes ``take_output[take_ptr[i]:take_ptr[i + 1]]``; nodes are in topological order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def alive_outputs(
    output_node: Indices, take_ptr: Indices, take_output: Indices, invalid: Bools, requested: Bools
) -> Bools:
    """Return which outputs each scenario's version has and leaves valid.

    Args:
        output_node: int32[m], the node that yields each output.
        take_ptr: int32[n + 1].
        take_output: int32[k].
        invalid: bool[s, n], the nodes whose signature the scenario changes.
        requested: bool[s, m], what the scenario's version is run for; its nodes are their ancestors.

    Returns:
        bool[s, m].
    """
    scenarios, nodes = invalid.shape
    outputs = output_node.shape[0]
    alive = np.zeros((scenarios, outputs), dtype=np.bool_)
    inside = np.zeros(nodes, dtype=np.bool_)
    for j in range(scenarios):
        if j == 0 or np.any(requested[j] != requested[j - 1]):
            inside[:] = False
            for o in np.flatnonzero(requested[j]):
                inside[output_node[o]] = True
            for i in range(nodes - 1, -1, -1):
                if inside[i]:
                    for t in range(take_ptr[i], take_ptr[i + 1]):
                        inside[output_node[take_output[t]]] = True
        alive[j] = (inside & ~invalid[j])[output_node]
    return alive


def chances(p: Floats, kind: npt.NDArray[np.int8], return_kind: int, return_weight: float) -> Floats:
    """Return the scenarios' probabilities with returns weighted, adding up to 1 (to 0 where all are 0).

    Args:
        p: float64[s], as predicted.
        kind: int8[s].
        return_kind: the kind to weight.
        return_weight: how much more (or less) probable than predicted returns are taken to be.
    """
    weighted = np.where(kind == return_kind, p * return_weight, p)
    total = weighted.sum()
    if total > 0:
        weighted = weighted / total
    return weighted


def worths(
    value_ns: Floats,
    survival: Floats,
    saving_ns: Floats,
    fading: Floats,
    multiplier: Floats,
    stop: float,
    discount: float,
    least_end: float,
    background: float,
    worth_ns: Floats,
    weight: Floats,
) -> None:
    """Compute what each row is worth over the rest of the session.

    worth = multiplier x ((1 - stop) x value / (1 - gamma x survival) + background x fading x saving),
    gamma = (1 - stop) x discount: it goes on saving what it saves next time until it is invalidated or the
    person stops; beyond that, what is in no scenario may come up again, the less the older it is.

    Args:
        value_ns: float64[r].
        survival: float64[r].
        saving_ns: float64[r], what one reuse saves: recreation - load.
        fading: float64[r], decay^(iterations since it was last used); 1 for the candidate.
        multiplier: float64[r], 1 unless a network says otherwise.
        stop: probability that there is no next iteration.
        discount: of a later iteration, 0..1.
        least_end: the least that 1 - gamma x survival is taken to be, so that nothing is worth for ever.
        background: weight of the second term.
        worth_ns: float64[r], overwritten.
        weight: float64[r], overwritten: what a nanosecond of value is worth, multiplier included.
    """
    gamma = (1.0 - stop) * discount
    for r in range(value_ns.shape[0]):
        end = max(1.0 - gamma * survival[r], least_end)
        weight[r] = multiplier[r] * (1.0 - stop) / end
        unknown_ns = background * fading[r] * saving_ns[r]
        worth_ns[r] = weight[r] * value_ns[r] + multiplier[r] * unknown_ns


def choose_victims(missing_bytes: int, size_bytes: Rows, worth_ns: Floats, victims: Bools) -> bool:
    """Choose whom to let go for the last row: what is worth least per byte, and no more than necessary.

    Going up the worth per byte (ties in the order of the rows) rows are taken until the last one fits; going
    back down, those that turn out to be superfluous are spared, the most valuable first. As
    ``mile_rl.policies.room.make_room``, over arrays. O(r log r).

    Args:
        missing_bytes: by how much the last row does not fit; negative or 0 where it does.
        size_bytes: int64[r].
        worth_ns: float64[r].
        victims: bool[r], overwritten.

    Returns:
        Whether that makes enough room; where not, nobody is marked.
    """
    victims[:] = False
    rows = size_bytes.shape[0]
    # Also what is worth more per byte than the last row: whether all of it together is worth less, the policy asks
    # afterwards. Else a few kilobytes of small results would keep a large one out of a store that it nearly fills.
    order = np.argsort(worth_ns[: rows - 1] / np.maximum(size_bytes[: rows - 1], 1), kind="mergesort")
    taken = 0
    for r in order:
        if missing_bytes <= 0:
            break
        victims[r] = True
        missing_bytes -= size_bytes[r]
        taken += 1
    if missing_bytes > 0:
        victims[:] = False
        return False
    for t in range(taken - 1, -1, -1):
        r = order[t]
        if missing_bytes + size_bytes[r] <= 0:
            victims[r] = False
            missing_bytes += size_bytes[r]
    return True
