"""The book of what caching has cost and saved so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mile_rl.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How much time may be spent on writing artifacts.

    Over the life of a store: share x time saved so far + a sum over the runs of (allowance_ns + fraction x
    the time that the run's own operators took). With the defaults a first run of 2.2 s may write for 41 ms,
    one of 44 ms for 1.8 ms.

    Args:
        share: of the time saved so far, 0..1.
        fraction: of a run's computing time, >= 0.
        allowance_ns: for every run, >= 0.

    Raises:
        SettingsError: one of them is out of range.
    """

    share: float = 0.5
    fraction: float = 0.018
    allowance_ns: int = 1_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingsError(f"share is {self.share}; of the time saved, writing may take 0 to 1")
        if not 0 <= self.fraction < float("inf"):
            raise SettingsError(f"fraction is {self.fraction}; it has to be a number >= 0, such as 0.018")
        if self.allowance_ns < 0:
            raise SettingsError(f"allowance_ns is {self.allowance_ns}; it has to be >= 0")


_COUNTS: Final = ("runs", "computed_ns", "saved_ns", "written_ns")


@dataclass(slots=True, kw_only=True)
class Ledger:
    """What happened, in plain sums; the terms are applied when somebody asks.

    Args:
        runs: how many runs have begun.
        computed_ns: time that operators took, all runs together.
        saved_ns: time saved by loading instead of recreating; negative where loads were slower.
        written_ns: time spent on writing, aborted writes included.
    """

    runs: int = 0
    computed_ns: int = 0
    saved_ns: int = 0
    written_ns: int = 0
    _restored: dict[str, int] = field(default_factory=dict)

    def granted_ns(self, terms: Terms) -> int:
        """Return what may be spent on writing without any saving."""
        return self.runs * terms.allowance_ns + int(terms.fraction * self.computed_ns)

    def left_ns(self, terms: Terms) -> int:
        """Return what may still be spent on writing; never negative."""
        return max(0, self.granted_ns(terms) + int(terms.share * max(0, self.saved_ns)) - self.written_ns)

    def state(self) -> dict[str, int]:
        """Return the sums as a JSON object."""
        return {name: getattr(self, name) for name in _COUNTS}

    def changes(self) -> dict[str, int]:
        """Return by how much each sum has changed since :meth:`restore`.

        Where several processes share a store, each adds its changes to the sums in one transaction; writing
        back the sums themselves would lose what the others spent.
        """
        return {name: value - self._restored.get(name, 0) for name, value in self.state().items()}

    def restore(self, state: Mapping[str, int]) -> None:
        """Take up what :meth:`state` returned; what is missing starts from 0."""
        for name in _COUNTS:
            setattr(self, name, int(state.get(name, 0)))
        self._restored = self.state()
