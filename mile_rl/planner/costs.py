"""What loading an output and writing it will probably cost, from what was measured before.

What computing costs the catalog itself tells (``Catalog.measured``). No access to the store here: the engine
feeds the records of its catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from mile_rl.planner.channel import PRIOR_LOAD_BYTES_PER_S, Channel

__all__ = ["DEFAULT_COMPUTE_NS", "Channel", "Costs"]

DEFAULT_COMPUTE_NS: Final[int] = 1_000_000_000
"""The time of a node of which nothing is known: 1 s. It has no artifact, so no plan depends on it."""


class Costs:
    """Estimates of load and write times.

    Not for use from several threads at once: the engine estimates before and records after an execution.

    Args:
        load_channels: codec -> its loads; a codec not in it starts from the prior.
        write_channels: codec -> its writes.

    >>> costs = Costs(load_channels={"array": Channel(codec="array", latency_ns=10, bytes_per_s=1e9)})
    >>> costs.load_ns("array", 100)
    110
    """

    def __init__(
        self,
        *,
        load_channels: Mapping[str, Channel] | None = None,
        write_channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self.load_channels = dict(load_channels or {})
        self.write_channels = dict(write_channels or {})
        self._changed: dict[tuple[Literal["load", "write"], str], None] = {}

    def load_ns(self, codec: str, size_bytes: int) -> int:
        """Estimate how long loading ``size_bytes`` takes."""
        return self.load_channels.get(codec, _unmeasured_load(codec)).load_ns(size_bytes)

    def write_ns(self, codec: str, size_bytes: int) -> int:
        """Estimate how long writing ``size_bytes`` takes."""
        return self.write_channels.get(codec, Channel(codec=codec)).load_ns(size_bytes)

    def loaded(self, codec: str, size_bytes: int, elapsed_ns: int) -> None:
        """Learn from a load that took ``elapsed_ns``."""
        channel = self.load_channels.get(codec, _unmeasured_load(codec))
        self.load_channels[codec] = channel.updated(size_bytes, elapsed_ns)
        self._changed["load", codec] = None

    def written(self, codec: str, size_bytes: int, elapsed_ns: int) -> None:
        """Learn from a write that took ``elapsed_ns``."""
        channel = self.write_channels.get(codec, Channel(codec=codec))
        self.write_channels[codec] = channel.updated(size_bytes, elapsed_ns)
        self._changed["write", codec] = None

    def changed_channels(self) -> Iterator[tuple[Literal["load", "write"], Channel]]:
        """Yield (direction, channel) of what has learned something since it was given."""
        for direction, codec in self._changed:
            yield direction, (self.load_channels if direction == "load" else self.write_channels)[codec]


def _unmeasured_load(codec: str) -> Channel:
    return Channel(codec=codec, bytes_per_s=PRIOR_LOAD_BYTES_PER_S)
