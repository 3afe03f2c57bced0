"""Where a script is played: the store, the disk, and the luck."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from envs.errors import EnvironmentFailed
from envs.script import Script
from mile_rl.planner.channel import PRIOR_LATENCY_NS, PRIOR_LOAD_BYTES_PER_S, Channel

SLOWEST_BYTES_PER_S: Final = 50e6
FASTEST_BYTES_PER_S: Final = 2e9
SMALLEST_BUDGET: Final = 0.01
LARGEST_BUDGET: Final = 1.0

_FRESH: Final = 0.2
"""How many people start with a store of which nothing is known yet."""

_TRUSTED_SAMPLES: Final = 5
"""How many transfers a channel of the catalog counts as having seen (``mile_rl.engine.carried``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What an episode draws anew.

    Args:
        seed: of the noise.
        budget_bytes: what the store may hold.
        read_latency_ns, read_bytes_per_s: what loads truly take.
        write_latency_ns, write_bytes_per_s: what writes truly take.
        believed_read: what the engine believes of loads when the session begins.
        believed_write: likewise of writes.
        compute_sigma: of the logarithm of the noise on compute times.
        transfer_sigma: likewise on loads and writes.
        first_write_ns: what the first write of an iteration takes longer, where each is a process of its own. Only
            ``envs.session`` knows of it; the environments draw none.

    Raises:
        EnvironmentFailed: a figure is out of range.
    """

    seed: int
    budget_bytes: int
    read_latency_ns: float
    read_bytes_per_s: float
    write_latency_ns: float
    write_bytes_per_s: float
    believed_read: Channel
    believed_write: Channel
    compute_sigma: float = 0.1
    transfer_sigma: float = 0.1
    first_write_ns: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**62:
            raise EnvironmentFailed(f"the seed of an episode is {self.seed}; it has to be 0 to 2**62 - 1")
        if self.budget_bytes < 0:
            raise EnvironmentFailed(f"a budget of {self.budget_bytes} bytes; it has to be 0 or more")
        rates = (self.read_bytes_per_s, self.write_bytes_per_s)
        sigmas = (self.compute_sigma, self.transfer_sigma)
        waits = (self.read_latency_ns, self.write_latency_ns, self.first_write_ns, *sigmas)
        if not all(0 < rate < math.inf for rate in rates) or not all(0 <= wait < math.inf for wait in waits):
            raise EnvironmentFailed(f"bandwidths have to be above 0, latencies and sigmas 0 or more: {self}")

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        script: Script,
        *,
        budget: float | tuple[float, float] = (SMALLEST_BUDGET, LARGEST_BUDGET),
        bytes_per_s: float | tuple[float, float] = (SLOWEST_BYTES_PER_S, FASTEST_BYTES_PER_S),
    ) -> Self:
        """Draw the conditions of one episode.

        Args:
            rng: where chance comes from.
            script: what will be played.
            budget: as a share of all intermediates of one version; of a range it is drawn log-uniformly.
            bytes_per_s: of loads, likewise. Writes have 20 to 100 % of it.
        """
        share = _drawn(rng, budget)
        read = _drawn(rng, bytes_per_s)
        write = read * rng.uniform(0.2, 1.0)
        read_latency, write_latency = 300_000 * np.exp(rng.normal(0.0, 0.5, 2)) * (1.0, 2.0)
        off = np.exp(rng.normal(0.0, 0.3, 4))
        fresh = rng.random() < _FRESH
        return cls(
            seed=int(rng.integers(2**62)),
            budget_bytes=int(share * script.intermediate_bytes),
            read_latency_ns=float(read_latency),
            read_bytes_per_s=read,
            write_latency_ns=float(write_latency),
            write_bytes_per_s=float(write),
            believed_read=_fresh_load() if fresh else _known(read_latency * off[0], read * off[1]),
            believed_write=Channel(codec="") if fresh else _known(write_latency * off[2], write * off[3]),
        )

    @classmethod
    def exact(
        cls,
        *,
        seed: int = 0,
        budget_bytes: int,
        read_bytes_per_s: float = 500e6,
        write_bytes_per_s: float = 500e6,
        latency_ns: int = PRIOR_LATENCY_NS,
    ) -> Self:
        """Return conditions without noise that the engine knows from the start, as tests need them."""
        return cls(
            seed=seed,
            budget_bytes=budget_bytes,
            read_latency_ns=float(latency_ns),
            read_bytes_per_s=read_bytes_per_s,
            write_latency_ns=float(latency_ns),
            write_bytes_per_s=write_bytes_per_s,
            believed_read=_known(latency_ns, read_bytes_per_s),
            believed_write=_known(latency_ns, write_bytes_per_s),
            compute_sigma=0.0,
            transfer_sigma=0.0,
        )

    def believing(self, times: float) -> Self:
        """Return the same where all loads and writes are believed to take ``times`` as long at first."""

        def slower(channel: Channel) -> Channel:
            latency_ns, bytes_per_s = round(channel.latency_ns * times), channel.bytes_per_s / times
            return replace(channel, latency_ns=max(1, latency_ns), bytes_per_s=bytes_per_s)

        return replace(
            self, believed_read=slower(self.believed_read), believed_write=slower(self.believed_write)
        )


def _drawn(rng: np.random.Generator, bounds: float | tuple[float, float]) -> float:
    if isinstance(bounds, tuple):
        low, high = bounds
        return float(np.exp(rng.uniform(math.log(low), math.log(high))))
    return float(bounds)


def _known(latency_ns: float, bytes_per_s: float) -> Channel:
    return Channel(
        codec="",
        latency_ns=max(1, round(latency_ns)),
        bytes_per_s=float(bytes_per_s),
        samples=_TRUSTED_SAMPLES,
    )


def _fresh_load() -> Channel:
    return Channel(codec="", latency_ns=PRIOR_LATENCY_NS, bytes_per_s=PRIOR_LOAD_BYTES_PER_S)
