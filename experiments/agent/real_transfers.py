"""What loads and writes take in the store: from the catalogs of real plays to the conditions of a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from envs.conditions import Conditions
from envs.script import CODECS
from mile_rl.planner.channel import PRIOR_LATENCY_NS, PRIOR_LOAD_BYTES_PER_S, Channel
from mile_rl.store.catalog import Catalog

_SAME_CODEC: Final[Mapping[str, str]] = {"memmap": "array", "polars": "frame"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One load or write that was measured.

    Args:
        size_bytes: of what.
        elapsed_ns: how long it took.
        codec: as in ``CODECS``.
        first: whether it was the first write of its iteration, and so of its process.
    """

    size_bytes: int
    elapsed_ns: int
    codec: int = -1
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What outputs take in the store.

    Args:
        of: output signature -> (bytes, codec as in ``CODECS``); what is absent was never written.
        loads: what loads took.
        writes: what writes took.
    """

    of: Mapping[str, tuple[int, int]]
    loads: tuple[Transfer, ...]
    writes: tuple[Transfer, ...]


def read_sizes(homes: Sequence[Path]) -> Sizes:
    """Return what the catalogs of some plays know of sizes and transfers."""
    of: dict[str, tuple[int, int]] = {}
    loads: list[Transfer] = []
    writes: list[Transfer] = []
    for home in homes:
        catalog = Catalog.open(home / "catalog.db")
        try:
            for each in catalog.artifacts():
                codec = _SAME_CODEC.get(each.codec, each.codec)
                of[each.signature] = (
                    each.size_bytes,
                    CODECS.index(codec if codec in CODECS else "pickle"),
                )
            for iteration in catalog.iterations():
                first = True
                for output in catalog.outputs_of(iteration.id):
                    if output.size_bytes and output.load_ns:
                        loads.append(Transfer(size_bytes=output.size_bytes, elapsed_ns=output.load_ns))
                    if output.size_bytes and output.write_ns and output.kept:
                        size_bytes, elapsed_ns = output.size_bytes, output.write_ns
                        codec = of.get(output.signature, (0, -1))[1]
                        writes.append(
                            Transfer(size_bytes=size_bytes, elapsed_ns=elapsed_ns, codec=codec, first=first)
                        )
                        first = False
        finally:
            catalog.close()
    return Sizes(of=of, loads=tuple(loads), writes=tuple(writes))


def conditions_of(sizes: Sizes, budget_bytes: int) -> Conditions:
    """Return where the script is to be played: the measured store, of which nothing is known at first."""
    read_latency_ns, read_rate = fit_transfers(sizes.loads, PRIOR_LOAD_BYTES_PER_S)
    later = [each for each in sizes.writes if not each.first]
    write_latency_ns, write_rate = fit_transfers(later, Channel(codec="").bytes_per_s)
    return Conditions(
        seed=0,
        budget_bytes=budget_bytes,
        read_latency_ns=read_latency_ns,
        read_bytes_per_s=read_rate,
        write_latency_ns=write_latency_ns,
        write_bytes_per_s=write_rate,
        believed_read=Channel(codec="", bytes_per_s=PRIOR_LOAD_BYTES_PER_S),
        believed_write=Channel(codec=""),
        compute_sigma=0.0,
        transfer_sigma=0.0,
        first_write_ns=first_write_ns(sizes.writes),
    )


def fit_transfers(transfers: Sequence[Transfer], otherwise: float) -> tuple[float, float]:
    """Return latency in ns and bytes a second, by least squares on what transfers took.

    Weighed by 1 / elapsed, between absolute errors (one hiccup decides) and relative ones (too fast on average).

    Args:
        transfers: what was measured.
        otherwise: bytes a second where nothing was.

    >>> fit_transfers([Transfer(size_bytes=s, elapsed_ns=1000 + 2 * s) for s in (10, 1000, 5000)], 1.0)
    (1000.0, 500000000.0)
    """
    from scipy.optimize import nnls

    if not transfers:
        return float(PRIOR_LATENCY_NS), otherwise
    elapsed = np.array([each.elapsed_ns for each in transfers], dtype=np.float64)
    size = np.array([each.size_bytes for each in transfers], dtype=np.float64)
    weight = 1 / np.sqrt(elapsed)
    scale = max(size.mean(), 1.0)
    (latency, slope), _ = nnls(np.stack([weight, weight * size / scale], axis=1), weight * elapsed)
    rate = scale / slope * 1e9 if slope > 0 else 1e12
    return round(float(latency), 3), round(float(min(rate, 1e12)), 3)


def first_write_ns(writes: Sequence[Transfer]) -> float:
    """Return what a process's first write takes longer than later ones, by least squares as above.

    Each codec has a speed of its own here: what is written first in a session is always of the same one.

    >>> both = [(size, first) for size in (10, 90) for first in (True, False)]
    >>> first_write_ns(
    ...     [Transfer(size_bytes=s, elapsed_ns=400 + s + 500 * f, codec=1, first=f) for s, f in both]
    ... )
    500.0
    """
    from scipy.optimize import nnls

    if not any(each.first for each in writes):
        return 0.0
    codecs = sorted({each.codec for each in writes})
    scale = max(each.size_bytes for each in writes)
    design = [
        [1.0, *(each.size_bytes / scale * (each.codec == codec) for codec in codecs), float(each.first)]
        for each in writes
    ]
    elapsed = np.array([each.elapsed_ns for each in writes], dtype=np.float64)
    weight = 1 / np.sqrt(elapsed)
    found, _ = nnls(np.array(design) * weight[:, None], elapsed * weight)
    return round(float(found[-1]), 3)
