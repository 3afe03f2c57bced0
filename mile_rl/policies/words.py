"""Times and sizes as people read them, for the reasons that policies give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mile_rl.policies.base import Candidate, Kept

_NAMED_VICTIMS = 3
_LEAST_CHANCE = 0.01


def duration(ns: float) -> str:
    """Return a time in words.

    >>> duration(2_130_000_000), duration(20_400_000), duration(0)
    ('2.1 s', '20 ms', '0 s')
    """
    for unit_ns, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= unit_ns:
            return f"{_short(ns / unit_ns)} {unit}"
    return f"{_short(ns)} ns" if ns else "0 s"


def size(size_bytes: float) -> str:
    """Return a size in words.

    >>> size(12_000_000), size(1_500), size(0)
    ('12 MB', '1.5 kB', '0 B')
    """
    for unit_bytes, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= unit_bytes:
            return f"{_short(size_bytes / unit_bytes)} {unit}"
    return f"{size_bytes:.0f} B"


def chance(p: float) -> str:
    """Return a probability in words.

    >>> chance(0.62), chance(0.003), chance(1)
    ('62 % likely', 'less than 1 % likely', '100 % likely')
    """
    return f"{100 * p:.0f} % likely" if p >= _LEAST_CHANCE or not p else "less than 1 % likely"


def comparison(candidate: Candidate) -> str:
    """Return what speaks for keeping a candidate: "recreating takes 2.1 s, loading 20 ms"."""
    return f"recreating takes {duration(candidate.recreation_ns)}, loading {duration(candidate.load_ns)}"


def displaced(victims: Sequence[Kept]) -> str:
    """Return "; displaces scale (12 MB)" and so on, "" where nothing is displaced."""
    if not victims:
        return ""
    named = ", ".join(f"{victim.output} ({size(victim.size_bytes)})" for victim in victims[:_NAMED_VICTIMS])
    more = len(victims) - _NAMED_VICTIMS
    return f"; displaces {named}" + (f" and {more} more" if more > 0 else "")


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
