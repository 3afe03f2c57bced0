"""Chance that depends on nothing but what it is for, so that every policy meets the same luck."""

from __future__ import annotations

import math

import numpy as np

from envs.compiled import bare

COMPUTE = 0
LOAD = 1
WRITE = 2
"""What a factor is for."""


@bare
def _mixed(state):
    """SplitMix64's finaliser. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@bare
def factor(seed, what, item, turn, sigma):
    """Return a log-normal factor with median 1.

    Args:
        seed: of the episode.
        what: COMPUTE, LOAD or WRITE.
        item: row of the node or of the output.
        turn: the iteration.
        sigma: of its logarithm; 0 for none.
    """
    if sigma == 0.0:
        return 1.0
    state = _mixed(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    state = _mixed(state ^ (np.uint64(item) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(what)))
    state = _mixed(state ^ (np.uint64(turn) * np.uint64(0xD1B54A32D192ED03) + np.uint64(1)))
    first = ((state >> np.uint64(11)) + 0.5) / 9007199254740992.0
    second = (_mixed(state) >> np.uint64(11)) / 9007199254740992.0
    normal = math.sqrt(-2.0 * math.log(first)) * math.cos(2.0 * math.pi * second)
    return math.exp(sigma * normal)


@bare
def taken(base_ns, seed, what, item, turn, sigma):
    """Return what something truly takes, in whole nanoseconds, that takes ``base_ns`` in the median."""
    return math.floor(base_ns * factor(seed, what, item, turn, sigma) + 0.5)
