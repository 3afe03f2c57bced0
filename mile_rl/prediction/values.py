"""Which value a parameter takes next: candidates by rule and by memory, and a row of features for each.

The rules are those that people follow: a grid continued, a step halved or turned round, doubling, orders of
magnitude, a switch thrown, a number at a text's end counted up, a value that was used before.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.memory import ValueKey, ValueMemory, value_key
from mile_rl.prediction.state import NEVER, ParameterTrace
from mile_rl.workflows.edits import Scalar

Common = Mapping[str, Sequence[tuple[Scalar, float]]]
"""Parameter name -> the values most common in the traces, each with the share of people who used it."""

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
)
"""Why a value is proposed, in words; a candidate can have several reasons."""

VALUE_NAMES: tuple[str, ...] = (
    *(f"rule_{index}" for index in range(len(RULES))),
    "own_recency",
    "own_count",
    "own_followed",
    "own_followed_share",
    "person_count",
    "person_share",
    "person_followed",
    "person_followed_share",
    "common_share",
    "common_rank",
    "same_direction",
    "log_ratio",
    "step_ratio",
    "digits",
    "inside_range",
    "is_previous",
    "distinct_own",
    "moves",
    "numeric",
    "text",
    "repeats_share",
    "candidates",
    "person_distinct",
    "name_known",
    "step_record",
    "direction_record",
)

MAX_CANDIDATES = 40

_ROUND = (1.0, 2.0, 3.0, 5.0, 10.0)
_TAIL = re.compile(r"^(.*?)(\d+)(\D{0,12})$", re.DOTALL)


def is_number(value: Scalar) -> bool:
    """Return whether a value is a finite number (and no bool) that a float can hold."""
    if isinstance(value, int):
        return not isinstance(value, bool) and value.bit_length() < 1000
    return isinstance(value, float) and math.isfinite(value)


def candidates(
    name: str, trace: ParameterTrace, person: ValueMemory, common: Common
) -> dict[ValueKey, tuple[Scalar, set[int]]]:
    """Return the values that a parameter may move to, each with the indices of the rules that propose it.

    Args:
        name: the parameter's name.
        trace: what it has done in this history.
        person: the values that this person used, in all histories.
        common: the values most common in the traces.
    """
    found: dict[ValueKey, tuple[Scalar, set[int]]] = {}
    current = value_key(trace.values[-1])

    def propose(value: Scalar, rule: int) -> None:
        key = value_key(value)
        if key == current:
            return
        if key in found:
            found[key][1].add(rule)
        elif len(found) < MAX_CANDIDATES:
            found[key] = (value, {rule})

    for value in list(reversed(trace.values[:-1]))[:12]:
        propose(value, 0)
    for key, _ in person.followed.get((name, current), Counter[ValueKey]()).most_common(4):
        propose(person.values[key], 1)
    for value, rule in rules(trace.values):
        propose(value, rule)
    for value, _ in common.get(name, ())[:8]:
        propose(value, 2)
    for key, _ in person.used.get(name, Counter[ValueKey]()).most_common(12):
        propose(person.values[key], 1)
    for value in list(reversed(trace.values[:-1]))[12:]:
        propose(value, 0)
    return found


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
            return [(f"{tail[1]}{str(int(tail[2]) + 1).zfill(len(tail[2]))}{tail[3]}", 18)]
        return []
    if not is_number(now):
        return []
    assert isinstance(now, int | float)
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
    out = [(value, rule) for value, rule in out if math.isfinite(value)]
    whole = isinstance(now, int)
    return [
        *((like(value, whole), rule) for value, rule in out if not whole or value == int(value)),
        (None, 17),
    ]


def like(value: float, whole: bool) -> Scalar:
    """Return ``value`` as a person would write it: an int where ``whole``, without binary dust."""
    return int(value) if whole else float(f"{value:.8g}")


def rows(
    name: str,
    trace: ParameterTrace,
    person: ValueMemory,
    common: Common,
    found: Mapping[ValueKey, tuple[Scalar, set[int]]],
) -> NDArray[np.float64]:
    """Return the features of each candidate, shape (candidates, len(VALUE_NAMES)); arguments as above."""
    past = _Past(name, trace, person, common, len(found))
    out = np.zeros((len(found), len(VALUE_NAMES)))
    for row, (key, (value, why)) in zip(out, found.items()):
        for rule in why:
            row[rule] = 1.0
        row[len(RULES) :] = (*past.memories(key), *past.distance(value), *past.rest(key, value))
    return out


class _Past:
    """What candidates are compared with: the parameter's own past, the person's, and other people's."""

    def __init__(
        self, name: str, trace: ParameterTrace, person: ValueMemory, common: Common, n_candidates: int
    ) -> None:
        keys = [value_key(value) for value in trace.values]
        self.keys, self.moves, self.now = keys, trace.moves, trace.values[-1]
        self.counts = Counter(keys)
        self.followed = Counter(keys[i + 1] for i in range(len(keys) - 1) if keys[i] == keys[-1])
        self.recency: dict[ValueKey, int] = {}
        for index, key in enumerate(reversed(keys)):
            self.recency.setdefault(key, index)
        self.used = person.used.get(name, Counter[ValueKey]())
        self.after = person.followed.get((name, keys[-1]), Counter[ValueKey]())
        self.n_used, self.n_after = sum(self.used.values()), sum(self.after.values())
        self.n_followed = sum(self.followed.values())
        self.shares = {
            value_key(value): (share, rank) for rank, (value, share) in enumerate(common.get(name, ()))
        }
        self.numbers = [float(value) for value in trace.values if is_number(value)]  # type: ignore[arg-type]
        self.step = self.numbers[-1] - self.numbers[-2] if len(self.numbers) > 1 else 0.0
        self.record = _step_record(self.numbers)
        self.n_candidates = n_candidates

    def memories(self, key: ValueKey) -> tuple[float, ...]:
        """Return how the value was used: here, by this person, by others."""
        share, rank = self.shares.get(key, (0.0, 20))
        return (
            self.recency.get(key, NEVER),
            self.counts[key],
            self.followed[key],
            (self.followed[key] + 0.1) / (self.n_followed + 1),
            math.log1p(self.used[key]),
            self.used[key] / max(self.n_used, 1),
            math.log1p(self.after[key]),
            (self.after[key] + 0.1) / (self.n_after + 1),
            share,
            rank,
        )

    def distance(self, value: Scalar) -> tuple[float, ...]:
        """Return how far the value lies from the present one, and how round it is; zeros for no numbers."""
        if not (is_number(value) and is_number(self.now)):
            return (0.0, 0.0, 0.0, 0.0, 0.0)
        number, delta = float(value), float(value) - float(self.now)  # type: ignore[arg-type]
        return (
            float(np.sign(delta) * np.sign(self.step)),
            _log_ratio(value, self.now),
            max(min(delta / self.step, 10.0), -10.0) if self.step else 0.0,
            _digits(value),
            float(min(self.numbers) < number < max(self.numbers)),
        )

    def rest(self, key: ValueKey, value: Scalar) -> tuple[float, ...]:
        """Return what is left: the parameter's habits."""
        return (
            float(len(self.keys) > 1 and key == self.keys[-2]),
            len(self.counts),
            math.log1p(self.moves),
            float(is_number(value) and is_number(self.now)),
            float(isinstance(value, str)),
            1 - len(self.counts) / len(self.keys),
            self.n_candidates,
            math.log1p(len(self.used)),
            float(bool(self.shares)),
            *self.record,
        )


def _step_record(numbers: Sequence[float]) -> tuple[float, float]:
    """Return in what share of a parameter's moves its step (or factor) was that of the move before, and in
    what share its direction was; pulled towards 0 and 1/2 while there are few."""
    same_step = same_way = total = 0
    for first, second, third in zip(numbers, numbers[1:], numbers[2:]):
        step, again = second - first, third - second
        steady = abs(again - step) <= 1e-6 * abs(step)
        grows = first * second > 0 and abs(third * first - second * second) <= 1e-6 * second * second
        same_step += steady or grows
        same_way += (step > 0) == (again > 0)
        total += 1
    return same_step / (total + 1), (same_way + 0.5) / (total + 1)


def _cased(pattern: str, word: str) -> str:
    return word.capitalize() if pattern[0].isupper() else word


def _round_up(value: float) -> float:
    scale = 10.0 ** math.floor(math.log10(value))
    return next((scale * factor for factor in _ROUND if scale * factor > value * 1.0001), scale * 20.0)


def _round_down(value: float) -> float:
    scale = 10.0 ** math.floor(math.log10(value))
    return next((scale * factor for factor in reversed(_ROUND) if scale * factor < value * 0.9999), scale / 2)


def _log_ratio(value: Scalar, now: Scalar) -> float:
    left, right = float(value), float(now)  # type: ignore[arg-type]
    if left * right > 0:
        # the difference of logarithms: a quotient may overflow or vanish
        return max(min(math.log10(abs(left)) - math.log10(abs(right)), 4.0), -4.0)
    return 4.0 if left > right else -4.0


def _digits(value: Scalar) -> int:
    """Return how many significant digits a number is written with: 1 for 0.1, 200 and 5, 3 for 0.125."""
    return len(f"{value:.8g}".split("e")[0].replace(".", "").replace("-", "").strip("0")) or 1
