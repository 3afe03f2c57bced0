"""What a learned policy sees of a decision: one schema and one function for the engine and for training.

The function is plain NumPy and compiled as it stands by numba in the environments (see
``mile_rl.policies.value``). It is given only what production knows: estimates, and what was measured before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mile_rl.policies.value import Bools, Floats, Indices, Rows

SCHEMA: Final = 1
"""Raised whenever the meaning, the order or the number of the features changes."""

TIMES: Final = (
    "value",
    "worth",
    "recreation",
    "compute",
    "made",
    "load",
    "write",
    "allowance",
    "ahead",
    "next_iteration",
    "store_worth",
    "displaced_worth",
)
"""Times in nanoseconds, as log10(seconds + 0.1 ms) / 4: 0 at 1 s, -1 at nothing, 1 at 2.8 hours."""

RATIOS: Final = (
    "write_to_worth",
    "load_to_recreation",
    "write_to_allowance",
    "displaced_to_worth",
    "size_to_budget",
    "size_to_median",
    "size_to_displaced",
    "density_to_mean",
    "density_to_lowest",
    "read_bandwidth",
    "write_bandwidth",
)
"""Ratios, as log10 clipped to -4 … 4, divided by 4; bandwidths relative to 500 MB/s; 0 where there is none."""

SHARES: Final = (
    "survival",
    "reuse",
    "own_edit",
    "lineage_edit",
    "stop",
    "nothing",
    "returning",
    "uncertainty",
    "free",
    "fits",
    "room",
    "rank_by_count",
    "rank_by_bytes",
    "depth",
    "seen",
    "preprocess",
    "learn",
    "evaluate",
)
"""Probabilities, shares and flags, 0 … 1."""

COUNTS: Final = ("iterations", "nodes", "takers", "kept", "displaced")
"""Counts, as log10(1 + count) / 2."""

NAMES: Final = TIMES + RATIOS + SHARES + COUNTS
SIZE: Final = len(NAMES)

_RATIOS_AT: Final = len(TIMES)
_SHARES_AT: Final = _RATIOS_AT + len(RATIOS)
_COUNTS_AT: Final = _SHARES_AT + len(SHARES)
_REFERENCE_BYTES_PER_NS: Final = 0.5
_WIDEST: Final = 4.0


def surroundings(
    chance: Floats,
    edited: Bools,
    invalid: Bools,
    output_node: Indices,
    take_ptr: Indices,
    take_output: Indices,
) -> tuple[Floats, Floats, Floats, Rows]:
    """Return what of an outlook every observation needs, once for all its decisions.

    Args:
        chance: float64[s].
        edited: bool[s, n].
        invalid: bool[s, n].
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].

    Returns:
        own_edit: float64[n], the probability that the node itself is edited;
        lineage_edit: float64[n], that it or something it depends on is;
        depth: float64[n], its longest way from the start, as a share of the longest of all;
        takers: int64[m], how many takes there are of each output.
    """
    scenarios, nodes = invalid.shape
    own_edit = np.zeros(nodes, dtype=np.float64)
    lineage_edit = np.zeros(nodes, dtype=np.float64)
    for j in range(scenarios):
        own_edit += chance[j] * edited[j]
        lineage_edit += chance[j] * invalid[j]
    depth = np.zeros(nodes, dtype=np.float64)
    takers = np.zeros(output_node.shape[0], dtype=np.int64)
    for i in range(nodes):
        for t in range(take_ptr[i], take_ptr[i + 1]):
            takers[take_output[t]] += 1
            depth[i] = max(depth[i], depth[output_node[take_output[t]]] + 1.0)
    if nodes and depth.max() > 0:
        depth /= depth.max()
    return own_edit, lineage_edit, depth, takers


def observe(
    value_ns: Floats,
    worth_ns: Floats,
    survival: float,
    reuse: float,
    size_bytes: Rows,
    victims: Bools,
    room: bool,
    displaced_ns: float,
    recreation_ns: float,
    compute_ns: float,
    made_ns: float,
    load_ns: float,
    write_ns: float,
    allowance_ns: float,
    ahead_ns: float,
    total_bytes: int,
    used_bytes: int,
    chance: Floats,
    cost_ns: Floats,
    stop: float,
    nothing: float,
    returning: float,
    own_edit: float,
    lineage_edit: float,
    depth: float,
    seen: bool,
    stage: int,
    iterations: int,
    nodes: int,
    takers: int,
    out: npt.NDArray[np.float32],
) -> None:
    """Write the observation of one decision into ``out``.

    Rows are those of ``mile_rl.policies.value``: the artifacts kept, and as the last one the candidate.

    Args:
        value_ns: float64[r], from ``appraise`` of everything.
        worth_ns: float64[r], from ``worths``; before any multiplier of this candidate.
        survival: the candidate's, from ``appraise``.
        reuse: likewise.
        size_bytes: int64[r].
        victims: bool[r], from ``choose_victims``.
        room: whether those make enough room (or none is missing).
        displaced_ns: from ``displaced_worth``.
        recreation_ns: the candidate's recreation time.
        compute_ns: of its node alone.
        made_ns: of its node and all ancestors that this run computed or loaded.
        load_ns: what loading it takes.
        write_ns: what writing it takes.
        allowance_ns: what may be spent on writing now.
        ahead_ns: what is still to be computed in this iteration, estimated.
        total_bytes: the budget.
        used_bytes: of it.
        chance: float64[s].
        cost_ns: float64[s], from ``appraise`` of everything.
        stop: probability that there is no next iteration.
        nothing: the chance of scenarios that run the same version again.
        returning: the chance of scenarios that go back.
        own_edit: of the candidate's node, from :func:`surroundings`.
        lineage_edit: likewise.
        depth: likewise.
        seen: whether its node was computed in an earlier iteration with this very signature.
        stage: 0 preprocess, 1 learn, 2 evaluate.
        iterations: of this workflow so far.
        nodes: of the outlook's graph.
        takers: of the candidate.
        out: float32[SIZE], overwritten.
    """
    last = size_bytes.shape[0] - 1
    size = float(max(size_bytes[last], 1))
    sizes = np.maximum(size_bytes[:last], 1).astype(np.float64)
    density = worth_ns[:last] / sizes
    own_density = worth_ns[last] / size
    lower = density < own_density
    kept_bytes = sizes.sum()
    displaced_bytes = float(size_bytes[victims].sum())
    worth = worth_ns[last]

    times = np.empty(_RATIOS_AT, dtype=np.float64)
    times[0], times[1], times[2] = value_ns[last], worth, recreation_ns
    times[3], times[4], times[5], times[6] = compute_ns, made_ns, load_ns, write_ns
    times[7], times[8], times[9] = allowance_ns, ahead_ns, (chance * cost_ns).sum()
    times[10], times[11] = worth_ns[:last].sum(), displaced_ns
    out[:_RATIOS_AT] = np.log10(np.maximum(times, 0.0) / 1e9 + 1e-4) / 4.0

    over = np.ones(_SHARES_AT - _RATIOS_AT, dtype=np.float64)
    under = np.ones(_SHARES_AT - _RATIOS_AT, dtype=np.float64)
    over[0], under[0] = write_ns, worth
    over[1], under[1] = load_ns, recreation_ns
    over[2], under[2] = write_ns, allowance_ns
    over[4], under[4] = size, float(max(total_bytes, 1))
    over[9], under[9] = size, max(load_ns, 1.0) * _REFERENCE_BYTES_PER_NS
    over[10], under[10] = size, max(write_ns, 1.0) * _REFERENCE_BYTES_PER_NS
    if displaced_bytes > 0:
        over[3], under[3] = displaced_ns, worth
        over[6], under[6] = size, displaced_bytes
    if last > 0:
        over[5], under[5] = size, np.median(sizes)
        # Times of a nanosecond a megabyte are nothing: keeps the densities' logarithms apart from zero's.
        over[7], under[7] = own_density + 1e-6, worth_ns[:last].sum() / kept_bytes + 1e-6
        over[8], under[8] = own_density + 1e-6, density.min() + 1e-6
    ratios = np.log10(np.maximum(over, 1e-9)) - np.log10(np.maximum(under, 1e-9))
    out[_RATIOS_AT:_SHARES_AT] = np.minimum(np.maximum(ratios, -_WIDEST), _WIDEST) / _WIDEST

    likely = chance[chance > 0]
    at = _SHARES_AT
    out[at:_COUNTS_AT] = 0.0
    out[at], out[at + 1], out[at + 2], out[at + 3] = survival, reuse, own_edit, lineage_edit
    out[at + 4], out[at + 5], out[at + 6] = stop, nothing, returning
    if likely.shape[0] > 1:
        out[at + 7] = -(likely * np.log(likely)).sum() / np.log(float(likely.shape[0]))
    if total_bytes > 0:
        out[at + 8] = max(0.0, float(total_bytes - used_bytes)) / total_bytes
    out[at + 9] = 1.0 if size_bytes[last] <= total_bytes - used_bytes else 0.0
    out[at + 10] = 1.0 if room else 0.0
    if last > 0:
        out[at + 11] = lower.sum() / last
        out[at + 12] = sizes[lower].sum() / kept_bytes
    out[at + 13] = depth
    out[at + 14] = 1.0 if seen else 0.0
    out[at + 15 + stage] = 1.0

    counts = np.empty(SIZE - _COUNTS_AT, dtype=np.float64)
    counts[0], counts[1], counts[2], counts[3] = iterations, nodes, takers, last
    counts[4] = victims.sum()
    out[_COUNTS_AT:] = np.log10(1.0 + counts) / 2.0
