"""The rules by which people move a value: what each proposes after the values so far.

A grid continued, a step halved or turned round, doubling, orders of magnitude, a switch thrown, a number at a
text's end counted up, a gap in one's own grid filled.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from functools import lru_cache

from mile_rl.workflows.edits import Scalar

RULES = (
    "used before here",
    "used before by you elsewhere",
    "common in other people's workflows",
    "the same step again",
    "the same factor again",
    "half a step back",
    "twice as much",
    "half as much",
    "ten times as much",
    "a tenth",
    "one more",
    "one less",
    "a tenth more on the scale",
    "a tenth less on the scale",
    "the next round number up",
    "the next round number down",
    "the switch thrown",
    "not set",
    "the number in the name counted up",
    "the number in the name counted down",
    "a step of yours once more",
    "the next on your own grid",
    "a gap in your own grid",
    "two steps on the scale",
    "half a step on the scale",
    "a round number nearby",
)

ELSEWHERE, COMMON = 1, 2
"""The rules "used before by you elsewhere" and "common in other people's workflows"."""

MAX_GRID = 16
"""A grid of more points than this is not filled in: its points are too many to be guessed."""

_ROUND = (1.0, 2.0, 3.0, 5.0, 10.0)

_TAIL = re.compile(r"^(.*?)(\d+)(\D{0,12})$", re.DOTALL)


def is_number(value: Scalar) -> bool:
    """Return whether a value is a finite number (and no bool) that a float can hold."""
    if type(value) is float:  # most are, and this is asked some 200 times an answer
        return math.isfinite(value)
    if isinstance(value, int):
        return not isinstance(value, bool) and value.bit_length() < 1000
    return isinstance(value, float) and math.isfinite(value)


def rules(values: Sequence[Scalar]) -> list[tuple[Scalar, int]]:
    """Return what the rules propose after the given values, as (value, index of the rule)."""
    now = values[-1]
    before = values[-2] if len(values) > 1 else None
    if isinstance(now, bool):
        return [(not now, 16)]
    if isinstance(now, str):
        if now.lower() in ("true", "false"):
            return [(_cased(now, "false" if now.lower() == "true" else "true"), 16)]
        tail = _TAIL.match(now)
        if tail and len(tail[2]) < 10:
            number, width = int(tail[2]), len(tail[2])
            return [
                (f"{tail[1]}{str(number + step).zfill(width)}{tail[3]}", rule)
                for step, rule in ((1, 18), (-1, 19))
                if number + step >= 0
            ]
        return []
    if not is_number(now):
        return []
    assert isinstance(now, int | float)
    out = [*_steps(now, before), *_own_grid(values)]
    out = [(value, rule) for value, rule in out if math.isfinite(value)]
    whole = isinstance(now, int)
    return [
        *((like(value, whole), rule) for value, rule in out if not whole or value == int(value)),
        (None, 17),
    ]


def _steps(now: float, before: Scalar) -> list[tuple[float, int]]:
    """Return what a number and the one before it propose."""
    out: list[tuple[float, int]] = []
    if before is not None and is_number(before):
        assert isinstance(before, int | float)
        out += [(now + (now - before), 3), (now - (now - before) / 2, 5)]
        if before and now and before * now > 0:
            out.append((now * (now / before), 4))
    out += [(now * 2, 6), (now / 2, 7), (now * 10, 8), (now / 10, 9), (now + 1, 10), (now - 1, 11)]
    scale = 10.0 ** math.floor(math.log10(abs(now))) if now else 0.1
    unit = scale if abs(now) > scale * 1.0001 else scale / 10
    out += [(now + unit, 12), (now - unit, 13)]
    if now > 0:
        out += [(_round_up(now), 14), (_round_down(now), 15)]
    out += [(now + 2 * unit, 23), (now - 2 * unit, 23), (now + unit / 2, 24), (now - unit / 2, 24)]
    if now > 0:
        out += [(number, 25) for number in _rounds_near(now)]
    return out


def _rounds_near(now: float) -> list[float]:
    """Return the multiples of a positive number's scale that lie around it, and five times the scale."""
    scale = 10.0 ** math.floor(math.log10(now))
    if not scale:  # below the smallest power of ten that a float holds
        return []
    first = now / scale
    near = {math.floor(first) - 1, math.floor(first), math.ceil(first), math.ceil(first) + 1, 5}
    return [scale * factor for factor in sorted(near, key=lambda f: abs(f - first)) if factor > 0]


def _own_grid(values: Sequence[Scalar]) -> list[tuple[float, int]]:
    """Return what a parameter's earlier steps, and the grid that its values lie on, propose."""
    numbers = [float(value) for value in values if is_number(value)]  # type: ignore[arg-type]
    ladder = sorted(set(numbers))
    if len(numbers) < 3 or len(ladder) < 2:
        return []
    now, low, high = numbers[-1], ladder[0], ladder[-1]
    steps = dict.fromkeys(float(f"{b - a:.8g}") for a, b in zip(numbers[-5:-1][::-1], numbers[-4:][::-1]))
    out = [(now + step, 20) for step in steps]
    unit = min(b - a for a, b in itertools.pairwise(ladder))
    if unit <= 1e-9 * max(abs(low), abs(high)) or not math.isfinite(high - low):
        return out
    out += [(high + unit, 21), (low - unit, 21), (now + unit, 21), (now - unit, 21)]
    if (high - low) / unit < MAX_GRID:
        points = [low + unit * step for step in range(1, round((high - low) / unit))]
        gaps = [point for point in points if min(abs(point - number) for number in ladder) > unit / 4]
        out += [(gap, 22) for gap in sorted(gaps, key=lambda gap: abs(gap - now))[:8]]
    return out


@lru_cache(maxsize=4096)
def like(value: float, whole: bool) -> Scalar:
    """Return ``value`` as a person would write it: an int where ``whole``, without binary dust."""
    return int(value) if whole else float(f"{value:.8g}")


def _cased(pattern: str, word: str) -> str:
    return word.capitalize() if pattern[0].isupper() else word


def _round_up(value: float) -> float:
    scale = 10.0 ** math.floor(math.log10(value))
    return next((scale * factor for factor in _ROUND if scale * factor > value * 1.0001), scale * 20.0)


def _round_down(value: float) -> float:
    scale = 10.0 ** math.floor(math.log10(value))
    return next((scale * factor for factor in reversed(_ROUND) if scale * factor < value * 0.9999), scale / 2)
