"""What the kernel's episodes believe of loads and writes; see ``envs.kernel``."""

from __future__ import annotations

import math

import numpy as np

from envs.columns import (
    LATENCY,
    RATE,
    SAMPLES,
)
from envs.compiled import inlined
from mile_rl.planner.channel import _OUTLIER, _SLOWEST_RATE, BYTES_PER_S_RANGE, LATENCY_RANGE_NS

LOG_OUTLIER = math.log(_OUTLIER)
SLOWEST_RATE = _SLOWEST_RATE
LEAST_LATENCY, MOST_LATENCY = LATENCY_RANGE_NS
LEAST_RATE, MOST_RATE = BYTES_PER_S_RANGE


@inlined
def channel_ns(state, e, way, codec, size_bytes):
    """Return what a transfer is believed to take."""
    return state.channel[e, LATENCY, way, codec] + np.rint(
        size_bytes / state.channel[e, RATE, way, codec] * 1e9
    )


@inlined
def learn_channel(state, e, way, codec, size_bytes, elapsed_ns):
    """As ``mile_rl.planner.channel.Channel.updated``."""
    latency = state.channel[e, LATENCY, way, codec]
    expected = channel_ns(state, e, way, codec, size_bytes)
    step = math.log(max(elapsed_ns, 1) / expected)
    step = max(-LOG_OUTLIER, min(LOG_OUTLIER, step))
    step *= max(SLOWEST_RATE, 1 / (state.channel[e, SAMPLES, way, codec] + 1))
    share = latency / expected
    grown = min(max(latency * math.exp(step * share), LEAST_LATENCY), MOST_LATENCY)
    rate = state.channel[e, RATE, way, codec] * math.exp(-step * (1 - share))
    state.channel[e, LATENCY, way, codec] = np.rint(grown)
    state.channel[e, RATE, way, codec] = min(max(rate, LEAST_RATE), MOST_RATE)
    state.channel[e, SAMPLES, way, codec] += 1
