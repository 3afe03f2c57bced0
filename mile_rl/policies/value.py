"""What artifacts are worth, as plain functions over arrays: one source for the engine and for training.

Every function here is compiled as it stands by numba in the training environments and runs as plain NumPy in
the engine. So: arrays and numbers only, no function calls another one of this module, and the exact replanning
is an argument, ``replan(compute_ns, load_ns, output_node, take_ptr, take_output, requested, loaded) -> ns``:
the least cost of getting the outputs marked in ``requested`` (bool[m]) where ``load_ns[o]`` < 0 means that
output o cannot be loaded; it marks in ``loaded`` (bool[m], overwritten) what that plan loads.

Sizes: n nodes, m outputs, s scenarios of the next iteration, r rows: the artifacts kept, in the order of
(``kept_at``, ``signature``), and as the last row the candidate. Times are float64 nanoseconds, whole numbers.
Node i takes ``take_output[take_ptr[i]:take_ptr[i + 1]]``; nodes are in topological order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Replan = Callable[[Floats, Floats, Indices, Indices, Indices, Bools, Bools], float]


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


def appraise(
    replan: Replan,
    compute_ns: Floats,
    load_ns: Floats,
    output_node: Indices,
    take_ptr: Indices,
    take_output: Indices,
    chance: Floats,
    alive: Bools,
    requested: Bools,
    place: Rows,
    everything: bool,
    value_ns: Floats,
    survival: Floats,
    reuse: Floats,
    cost_ns: Floats,
) -> None:
    """Compute what having each artifact saves in the next iteration, and how probably it stays and is of use.

    Value: sum over scenarios of chance x (least cost without the artifact - least cost with it), each from a
    store that holds all the rows otherwise, the candidate included: so an artifact that the candidate makes
    superfluous counts as superfluous. Exact, with two short cuts that lose nothing: what a plan does not load
    it does not miss, and what is not valid in a scenario no plan can load.

    Args:
        replan: see the module.
        compute_ns: float64[n].
        load_ns: float64[m], what loading an output takes, at least those of the rows.
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
        chance: float64[s], from :func:`chances`.
        alive: bool[s, m], from :func:`alive_outputs`.
        requested: bool[s, m].
        place: int64[r], the output that each row is, -1 for an artifact that no scenario knows.
        everything: whether to value all rows; else the last one only.
        value_ns: float64[r], overwritten: the value; 0 for unknown rows, and for all but the last row unless
            ``everything``.
        survival: float64[r], overwritten: the probability that it is valid in the next iteration.
        reuse: float64[r], overwritten: the probability that the next iteration is faster for it; known where
            the value is.
        cost_ns: float64[s], overwritten: each scenario's least cost with all rows; where not ``everything``,
            0 for the scenarios in which the last row is not valid.
    """
    outputs = output_node.shape[0]
    rows = place.shape[0]
    last = place[rows - 1]
    held = np.zeros(outputs, dtype=np.bool_)
    row_of = np.zeros(outputs, dtype=np.int64)
    for r in range(rows):
        if place[r] >= 0:
            held[place[r]] = True
            row_of[place[r]] = r
    value_ns[:] = 0.0
    reuse[:] = 0.0
    cost_ns[:] = 0.0
    living = np.zeros(outputs, dtype=np.float64)
    loaded = np.zeros(outputs, dtype=np.bool_)
    other = np.zeros(outputs, dtype=np.bool_)
    for j in range(chance.shape[0]):
        living += chance[j] * alive[j]
        if not everything and (last < 0 or not alive[j, last]):
            continue
        load = np.where(held & alive[j], load_ns, -1.0)
        wanted = requested[j]
        cost = replan(compute_ns, load, output_node, take_ptr, take_output, wanted, loaded)
        cost_ns[j] = cost
        if chance[j] <= 0:
            continue
        for o in np.flatnonzero(loaded):
            if everything or o == last:
                had_ns = load[o]
                load[o] = -1.0
                without = replan(compute_ns, load, output_node, take_ptr, take_output, wanted, other)
                load[o] = had_ns
                if without > cost:
                    value_ns[row_of[o]] += chance[j] * (without - cost)
                    reuse[row_of[o]] += chance[j]
    for r in range(rows):
        survival[r] = living[place[r]] if place[r] >= 0 else 0.0


def worths(
    value_ns: Floats,
    survival: Floats,
    saving_ns: Floats,
    age: Floats,
    multiplier: Floats,
    stop: float,
    discount: float,
    least_end: float,
    background: float,
    decay: float,
    worth_ns: Floats,
    weight: Floats,
) -> None:
    """Compute what each row is worth over the rest of the session.

    worth = multiplier x ((1 - stop) x value / (1 - gamma x survival) + background x decay^age x saving),
    gamma = (1 - stop) x discount: it goes on saving what it saves next time until it is invalidated or the
    person stops; beyond that, what is in no scenario may come up again, the less the older it is.

    Args:
        value_ns: float64[r].
        survival: float64[r].
        saving_ns: float64[r], what one reuse saves: recreation - load.
        age: float64[r], iterations since it was last used; 0 for the candidate.
        multiplier: float64[r], 1 unless a network says otherwise.
        stop: probability that there is no next iteration.
        discount: of a later iteration, 0..1.
        least_end: the least that 1 - gamma x survival is taken to be, so that nothing is worth for ever.
        background: weight of the second term.
        decay: of the second term with every iteration, 0..1.
        worth_ns: float64[r], overwritten.
        weight: float64[r], overwritten: what a nanosecond of value is worth, multiplier included.
    """
    gamma = (1.0 - stop) * discount
    for r in range(value_ns.shape[0]):
        end = max(1.0 - gamma * survival[r], least_end)
        weight[r] = multiplier[r] * (1.0 - stop) / end
        unknown_ns = background * decay ** age[r] * saving_ns[r]
        worth_ns[r] = weight[r] * value_ns[r] + multiplier[r] * unknown_ns


def choose_victims(missing_bytes: int, size_bytes: Rows, worth_ns: Floats, victims: Bools) -> bool:
    """Choose whom to let go for the last row: those worth less per byte than it, and no more than necessary.

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
    density = worth_ns / np.maximum(size_bytes, 1)
    order = np.argsort(density[: rows - 1], kind="mergesort")
    taken = 0
    for r in order:
        if missing_bytes <= 0 or density[r] >= density[rows - 1]:
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


def displaced_worth(
    replan: Replan,
    compute_ns: Floats,
    load_ns: Floats,
    output_node: Indices,
    take_ptr: Indices,
    take_output: Indices,
    chance: Floats,
    alive: Bools,
    requested: Bools,
    place: Rows,
    cost_ns: Floats,
    value_ns: Floats,
    worth_ns: Floats,
    weight: Floats,
    victims: Bools,
) -> float:
    """Return what the victims are worth together, in nanoseconds.

    One victim: its worth. Several may stand in for each other (then each alone is worth little and both are
    worth much) or need each other, so their loss together is planned for, and their worths are scaled by it.

    Args:
        replan: see the module.
        compute_ns: float64[n].
        load_ns: float64[m].
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
        chance: float64[s].
        alive: bool[s, m].
        requested: bool[s, m].
        place: int64[r].
        cost_ns: float64[s], from :func:`appraise` of everything.
        value_ns: float64[r], likewise.
        worth_ns: float64[r], from :func:`worths`.
        weight: float64[r], likewise.
        victims: bool[r], from :func:`choose_victims`.
    """
    outputs = output_node.shape[0]
    count = 0
    worth = 0.0
    difference_ns = 0.0
    least, most = np.inf, 0.0
    held = np.zeros(outputs, dtype=np.bool_)
    gone = np.zeros(outputs, dtype=np.bool_)
    for r in range(place.shape[0]):
        if victims[r]:
            worth += worth_ns[r]
        if place[r] >= 0:
            held[place[r]] = not victims[r]
            if victims[r]:
                gone[place[r]] = True
                count += 1
                difference_ns -= value_ns[r]
                least, most = min(least, weight[r]), max(most, weight[r])
    if count < 2:
        return worth
    loaded = np.zeros(outputs, dtype=np.bool_)
    for j in range(chance.shape[0]):
        if chance[j] > 0 and np.any(gone & alive[j]):
            load = np.where(held & alive[j], load_ns, -1.0)
            cost = replan(compute_ns, load, output_node, take_ptr, take_output, requested[j], loaded)
            difference_ns += chance[j] * (cost - cost_ns[j])
    return max(0.0, worth + difference_ns * (most if difference_ns > 0 else least))
