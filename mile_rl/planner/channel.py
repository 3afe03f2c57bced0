"""How long a transfer to or from the store takes: latency + size / bandwidth, learned as it is used."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Self

PRIOR_LATENCY_NS: Final[int] = 300_000
"""Opening, checking and mapping a small file on a warm local disk, until measured: 0.3 ms."""

PRIOR_BYTES_PER_S: Final[float] = 500e6
"""A write to a local disk behind the system's cache, with checksum, until measured.

Rather too slow than too fast: a write that is given up at its deadline has cost what it was allowed for nothing.
"""

PRIOR_LOAD_BYTES_PER_S: Final[float] = 5e9
"""A load, which maps a file and reads it once, until measured.

Rather too fast than too slow: what is thought to load slowly is never kept, hence never loaded, hence never
measured.
"""

LATENCY_RANGE_NS: Final = (1_000, 60_000_000_000)
BYTES_PER_S_RANGE: Final = (1e3, 1e12)

_OUTLIER: Final[float] = 16.0
_SLOWEST_RATE: Final[float] = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The speed of one codec on one store, in one direction (loads and writes have a channel each).

    Args:
        codec: the codec's name.
        latency_ns: what a transfer takes however small it is, >= 1.
        bytes_per_s: bandwidth beyond that, > 0.
        samples: how many transfers it has learned from.

    Raises:
        ValueError: a figure is out of range.

    >>> Channel(codec="array", latency_ns=1_000_000, bytes_per_s=1e9).load_ns(2_000_000)
    3000000
    """

    codec: str
    latency_ns: int = PRIOR_LATENCY_NS
    bytes_per_s: float = PRIOR_BYTES_PER_S
    samples: int = 0

    def __post_init__(self) -> None:
        if self.latency_ns < 1 or not 0 < self.bytes_per_s < math.inf or self.samples < 0:
            raise ValueError(
                f"channel {self.codec}: {self.latency_ns} ns, {self.bytes_per_s} B/s, {self.samples} samples"
            )

    def load_ns(self, size_bytes: int) -> int:
        """Return how long a transfer of ``size_bytes`` will probably take."""
        return self.latency_ns + round(size_bytes / self.bytes_per_s * 1e9)

    def updated(self, size_bytes: int, elapsed_ns: int) -> Self:
        """Return the channel after it has seen a transfer of ``size_bytes`` take ``elapsed_ns``.

        The surprise, log(elapsed / expected), is shared between latency and bandwidth as the expected time
        was: a small transfer teaches the latency, a large one the bandwidth. The first samples count as in a
        running mean, later ones with a weight of 0.2, so that the channel follows a disk that gets busy. One
        sample moves a figure by at most a factor of 16, whatever hiccup it caught.
        """
        expected_ns = self.load_ns(size_bytes)
        surprise = math.log(max(elapsed_ns, 1) / expected_ns)
        step = max(-math.log(_OUTLIER), min(math.log(_OUTLIER), surprise))
        step *= max(_SLOWEST_RATE, 1 / (self.samples + 1))
        latency_share = self.latency_ns / expected_ns
        return replace(
            self,
            latency_ns=round(_clip(self.latency_ns * math.exp(step * latency_share), LATENCY_RANGE_NS)),
            bytes_per_s=_clip(self.bytes_per_s * math.exp(-step * (1 - latency_share)), BYTES_PER_S_RANGE),
            samples=self.samples + 1,
        )


def _clip(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
