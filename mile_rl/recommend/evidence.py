"""How often one configuration did better than another on real datasets: what is told as evidence."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.recommend.outcome import Size

EDGES = (400, 1_500)
"""Numbers of rows that part small, middle and large data."""

WORDS = ("with at most 400 rows", "with 400 to 1,500 rows", "with more than 1,500 rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the outcomes say of one configuration against another.

    Args:
        datasets: on how many both were run.
        better: on how many of these the second had the lower error.
        median_gain: the median of how much lower its error was (negative: higher).
        where: which datasets, in words.
    """

    datasets: int
    better: int
    median_gain: float
    where: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Sums over datasets, by three classes of size.

    Args:
        datasets: (classes,) how many datasets.
        wins: (classes, from, to) how often ``to`` had the lower error.
        gains: (classes, from, to) the median of error[from] - error[to], in tenths of a percentage point.
    """

    datasets: NDArray[np.int64]
    wins: NDArray[np.int64]
    gains: NDArray[np.int64]

    def told(self, before: int, after: int, size: Size | None) -> Told:
        """Return what is known of going from one configuration to another on data of this size.

        Args:
            before: the configuration now.
            after: the one recommended.
            size: of the data; None where unknown, then on data of any size.
        """
        if size is None:
            weights = self.datasets / self.datasets.sum()
            return Told(
                datasets=int(self.datasets.sum()),
                better=int(self.wins[:, before, after].sum()),
                median_gain=float(self.gains[:, before, after] @ weights) / 1000,
                where="of any size",
            )
        kind = int(np.searchsorted(EDGES, size.rows))
        return Told(
            datasets=int(self.datasets[kind]),
            better=int(self.wins[kind, before, after]),
            median_gain=float(self.gains[kind, before, after]) / 1000,
            where=WORDS[kind],
        )

    def to_bytes(self) -> bytes:
        """Return the sums as an ``.npz`` file without pickles."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            datasets=self.datasets.astype(np.uint16),
            wins=self.wins.astype(np.uint16),
            gains=self.gains.astype(np.int16),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return cls(**{name: file[name].astype(np.int64) for name in ("datasets", "wins", "gains")})


@lru_cache(maxsize=1)
def shipped() -> Evidence:
    """Return the evidence that ships with the package."""
    return Evidence.from_bytes((files("mile_rl.recommend") / "evidence.npz").read_bytes())
