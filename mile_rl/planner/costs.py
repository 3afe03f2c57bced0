"""What computing a node and loading an output will probably cost, from what was measured before.

No access to the store here: the engine feeds the records of its catalog.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from mile_rl.planner.channel import PRIOR_LOAD_BYTES_PER_S, Channel

__all__ = ["DEFAULT_COMPUTE_NS", "DEFAULT_SIZE_BYTES", "Channel", "Costs", "Estimate", "Measured", "Source"]

Source = Literal["measured", "node", "operator", "default"]
"""What an estimate stands on: this very signature, the node's last version, the operator's uses, nothing."""

DEFAULT_COMPUTE_NS: Final[int] = 1_000_000_000
"""The time of a node of which nothing is known: 1 s. It has no artifact, so no plan depends on it."""

DEFAULT_SIZE_BYTES: Final[int] = 1_000_000
"""The size of an output of which nothing is known: 1 MB."""

_REMEMBERED: Final[int] = 9
"""Medians are over so many last measurements: enough to shrug off hiccups, few enough to follow a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One execution of one node.

    Args:
        signature: the node's signature.
        node: the node's name.
        operator: the operator's name.
        compute_ns: how long it took, >= 0.
        size_bytes: output name -> size as an artifact; outputs whose size is not known are left out.

    Raises:
        ValueError: a time or size is negative.
    """

    signature: str
    node: str
    operator: str
    compute_ns: int
    size_bytes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.compute_ns < 0 or any(size < 0 for size in self.size_bytes.values()):
            raise ValueError(f"{self.node}: {self.compute_ns} ns, {dict(self.size_bytes)} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated time (ns) or size (bytes), and what it stands on."""

    value: int
    source: Source


class _History:
    """The last measurements of one quantity by signature, by node and by operator."""

    def __init__(self, default: int) -> None:
        self._default = default
        self._by_signature = _recent()
        self._by_operator = _recent()
        self._last_of_node: dict[str, int] = {}

    def add(self, signature: str, node: str, operator: str, value: int) -> None:
        self._by_signature[signature].append(value)
        self._by_operator[operator].append(value)
        self._last_of_node[node] = value

    def estimate(self, signature: str, node: str, operator: str) -> Estimate:
        if values := self._by_signature.get(signature):
            return Estimate(value=round(median(values)), source="measured")
        if (last := self._last_of_node.get(node)) is not None:
            return Estimate(value=last, source="node")
        if values := self._by_operator.get(operator):
            return Estimate(value=round(median(values)), source="operator")
        return Estimate(value=self._default, source="default")


class Costs:
    """Estimates of compute times, output sizes, load and write times.

    Not for use from several threads at once: the engine estimates before and records after an execution.

    Args:
        measured: past executions, oldest first.
        load_channels: codec -> its loads; a codec not in it starts from the prior.
        write_channels: codec -> its writes.

    >>> costs = Costs([Measured(signature="a1", node="fit", operator="fit", compute_ns=7)])
    >>> costs.compute_ns("b2", "fit", "fit")
    Estimate(value=7, source='node')
    """

    def __init__(
        self,
        measured: Iterable[Measured] = (),
        *,
        load_channels: Mapping[str, Channel] | None = None,
        write_channels: Mapping[str, Channel] | None = None,
    ) -> None:
        self._compute = _History(DEFAULT_COMPUTE_NS)
        self._sizes: dict[str, _History] = {}
        self.load_channels = dict(load_channels or {})
        self.write_channels = dict(write_channels or {})
        for record in measured:
            self.add(record)

    def add(self, record: Measured) -> None:
        """Learn from one more execution."""
        self._compute.add(record.signature, record.node, record.operator, record.compute_ns)
        for output, size_bytes in record.size_bytes.items():
            history = self._sizes.setdefault(output, _History(DEFAULT_SIZE_BYTES))
            history.add(record.signature, record.node, record.operator, size_bytes)

    def compute_ns(self, signature: str, node: str, operator: str) -> Estimate:
        """Estimate how long a node takes.

        Its own measured times (their median) count first, then the last time of the node of that name in any
        version, then the median over the operator's uses, then :data:`DEFAULT_COMPUTE_NS`.
        """
        return self._compute.estimate(signature, node, operator)

    def size_bytes(self, signature: str, node: str, operator: str, output: str) -> Estimate:
        """Estimate how large an output is as an artifact, in the same order of trust."""
        history = self._sizes.get(output)
        if history is None:
            return Estimate(value=DEFAULT_SIZE_BYTES, source="default")
        return history.estimate(signature, node, operator)

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

    def written(self, codec: str, size_bytes: int, elapsed_ns: int) -> None:
        """Learn from a write that took ``elapsed_ns``."""
        channel = self.write_channels.get(codec, Channel(codec=codec))
        self.write_channels[codec] = channel.updated(size_bytes, elapsed_ns)


def _unmeasured_load(codec: str) -> Channel:
    return Channel(codec=codec, bytes_per_s=PRIOR_LOAD_BYTES_PER_S)


def _recent() -> defaultdict[str, deque[int]]:
    return defaultdict(lambda: deque(maxlen=_REMEMBERED))
