"""Which value a parameter takes next: candidates by rule and by memory, and a row of features for each.

The rules are those that people follow: a grid continued, a step halved or turned round, doubling, orders of
magnitude, a switch thrown, a number at a text's end counted up, a value that was used before.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.memory import ValueKey, ValueMemory, value_key
from mile_rl.prediction.parameters import NEVER, ParameterTrace
from mile_rl.prediction.proposals import COMMON, ELSEWHERE, RULES, is_number, rules
from mile_rl.workflows.edits import Scalar

Common = Mapping[str, Sequence[tuple[Scalar, float]]]
"""Parameter name -> the values most common in the traces, each with the share of people who used it."""

Found = Mapping[ValueKey, tuple[Scalar, int]]
"""The candidates of a parameter, each with the rules that propose it: bit ``i`` stands for ``RULES[i]``."""

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
    "habit",
    "habit_sum",
    "habit_missed",
    "habit_seen",
)

_ALIKE = [
    VALUE_NAMES.index(name)
    for name in (
        "distinct_own",
        "moves",
        "repeats_share",
        "candidates",
        "person_distinct",
        "name_known",
        "step_record",
        "direction_record",
        "habit_missed",
        "habit_seen",
    )
]
"""The columns that all candidates of a parameter have in common."""

_MEMORIES = slice(VALUE_NAMES.index("own_recency"), VALUE_NAMES.index("common_rank") + 1)

_DISTANCE = [
    VALUE_NAMES.index(name)
    for name in ("same_direction", "log_ratio", "step_ratio", "digits", "inside_range", "numeric", "text")
]

_BEFORE = VALUE_NAMES.index("is_previous")

_HABIT = VALUE_NAMES.index("habit")

MAX_CANDIDATES = 56

_LEAD = re.compile(r"^[A-Za-z0-9]*(?:__|[ _./-])(?=.)")


def lookup(common: Common, name: str) -> Sequence[tuple[Scalar, float]]:
    """Return the common values of a name, or else of the name without its leading words ("xgb_eta": "eta")."""
    found = common.get(name)
    while found is None and (cut := _LEAD.match(name)):
        name = name[cut.end() :]
        found = common.get(name)
    return found or ()


def candidates(name: str, trace: ParameterTrace, person: ValueMemory, common: Common) -> Found:
    """Return the values that a parameter may move to, each with the rules that propose it.

    Args:
        name: the parameter's name.
        trace: what it has done in this history.
        person: the values that this person used, in all histories.
        common: the values most common in the traces.
    """
    found: dict[ValueKey, tuple[Scalar, int]] = {}
    current = value_key(trace.values[-1])
    for value, rule in _proposals(name, trace, person, common):
        key = value_key(value)
        before = found.get(key)
        if before is not None:
            found[key] = (before[0], before[1] | 1 << rule)
        elif key != current and len(found) < MAX_CANDIDATES:
            found[key] = (value, 1 << rule)
    return found


def _proposals(
    name: str, trace: ParameterTrace, person: ValueMemory, common: Common
) -> Iterator[tuple[Scalar, int]]:
    """Yield values with the index of the rule that proposes each, those that must not be crowded out first."""
    own = trace.values[-2::-1]
    followed = person.followed.get((name, value_key(trace.values[-1])), Counter[ValueKey]())
    used = person.used.get(name, Counter[ValueKey]())
    decimal = isinstance(trace.values[-1], float)
    yield from ((value, 0) for value in own[:12])
    yield from ((person.values[key], ELSEWHERE) for key, _ in followed.most_common(4))
    yield from rules(trace.values)
    yield from ((_as_decimal(value) if decimal else value, COMMON) for value, _ in lookup(common, name)[:10])
    yield from ((person.values[key], ELSEWHERE) for key, _ in used.most_common(12))
    yield from ((value, 0) for value in own[12:])


def _as_decimal(value: Scalar) -> Scalar:
    """Return a number as the float that it stands for; anything else as it is."""
    return float(value) if is_number(value) else value  # type: ignore[arg-type]


def rows(
    asked: Sequence[tuple[str, ParameterTrace, Found]], person: ValueMemory, common: Common
) -> NDArray[np.float64]:
    """Return the features of each candidate of some parameters, one parameter after the other.

    Args:
        asked: of each parameter its name, what it has done and its candidates.
        person: the values that this person used, in all histories.
        common: the values most common in the traces.

    Returns:
        Shape (candidates, len(VALUE_NAMES)). One table for all parameters costs a third of a table for each.
    """
    counts = [len(found) for _, _, found in asked]
    out = np.zeros((sum(counts), len(VALUE_NAMES)))
    if not len(out):
        return out
    pasts = [_Past(name, trace, person, common) for name, trace, _ in asked]
    whys = np.array([why for _, _, found in asked for _, why in found.values()])
    proposed = out[:, : len(RULES)]
    proposed[:] = whys[:, None] >> np.arange(len(RULES)) & 1
    record = person.habits.records()[: len(RULES)]
    overall = person.habits.overall()
    alike = np.array([(*past.habits(count), *overall) for past, count in zip(pasts, counts)])
    out[:, _ALIKE] = alike.repeat(counts, axis=0)
    out[:, _MEMORIES] = _memories(pasts, [found for _, _, found in asked], counts)
    values = [value for _, _, found in asked for value, _ in found.values()]
    out[:, _DISTANCE] = _distances(pasts, values, counts)
    out[:, _BEFORE] = [key == past.before for past, (_, _, found) in zip(pasts, asked) for key in found]
    out[:, _HABIT] = (proposed * record).max(axis=1)
    out[:, _HABIT + 1] = proposed @ record
    return out


class _Past:
    """What candidates are compared with: the parameter's own past, the person's, and other people's."""

    def __init__(self, name: str, trace: ParameterTrace, person: ValueMemory, common: Common) -> None:
        keys = [value_key(value) for value in trace.values]
        self.keys, self.moves, self.now = keys, trace.moves, trace.values[-1]
        self.counts = Counter(keys)
        self.followed = Counter(keys[i + 1] for i in range(len(keys) - 1) if keys[i] == keys[-1])
        self.recency: dict[ValueKey, int] = {}
        for index, key in enumerate(reversed(keys)):
            self.recency.setdefault(key, index)
        self.used = person.used.get(name, Counter[ValueKey]())
        self.after = person.followed.get((name, keys[-1]), Counter[ValueKey]())
        self.shares = {
            value_key(value): (share, rank) for rank, (value, share) in enumerate(lookup(common, name))
        }
        self.numbers = [float(value) for value in trace.values if is_number(value)]  # type: ignore[arg-type]
        self.before = keys[-2] if len(keys) > 1 else None

    def memory(self, key: ValueKey) -> tuple[float, ...]:
        """Return how lately and often a value was used here, after the present one, by the person, and by others."""
        return (
            self.recency.get(key, NEVER),
            self.counts.get(key, 0),
            self.followed.get(key, 0),
            self.used.get(key, 0),
            self.after.get(key, 0),
            *self.shares.get(key, (0.0, 20)),
        )

    def totals(self) -> tuple[int, int, int]:
        """Return what the counts of :meth:`memory` are shares of: after the present value, of the person, both."""
        return sum(self.followed.values()), max(sum(self.used.values()), 1), sum(self.after.values())

    def scale(self) -> tuple[float, ...]:
        """Return the present number (NaN for none), the step that led to it, and the range of the numbers so far."""
        numbers = self.numbers
        return (
            float(self.now) if is_number(self.now) else math.nan,  # type: ignore[arg-type]
            numbers[-1] - numbers[-2] if len(numbers) > 1 else 0.0,
            min(numbers, default=0.0),
            max(numbers, default=0.0),
        )

    def habits(self, n_candidates: int) -> tuple[float, ...]:
        """Return what all candidates have in common: the parameter's habits."""
        return (
            len(self.counts),
            math.log1p(self.moves),
            1 - len(self.counts) / len(self.keys),
            n_candidates,
            math.log1p(len(self.used)),
            float(bool(self.shares)),
            *_step_record(self.numbers),
        )


def _memories(pasts: Sequence[_Past], founds: Sequence[Found], counts: Sequence[int]) -> NDArray[np.float64]:
    """Return how each value was used: here, by this person, by others; shape (values, 10)."""
    uses = np.array(
        [past.memory(key) for past, found in zip(pasts, founds) for key in found], dtype=np.float64
    )
    totals = np.array([past.totals() for past in pasts], dtype=np.float64).repeat(counts, axis=0)
    recency, own, followed, used, after, share, rank = uses.T
    n_followed, n_used, n_after = totals.T
    return np.array(
        [
            recency,
            own,
            followed,
            (followed + 0.1) / (n_followed + 1),
            np.log1p(used),
            used / n_used,
            np.log1p(after),
            (after + 0.1) / (n_after + 1),
            share,
            rank,
        ]
    ).T


def _distances(
    pasts: Sequence[_Past], values: Sequence[Scalar], counts: Sequence[int]
) -> NDArray[np.float64]:
    """Return how far each value lies from the present one and how round it is (zeros for no numbers),
    whether both are numbers, whether it is a text; shape (values, 7)."""
    out = np.zeros((len(values), 7))
    out[:, 6] = [isinstance(value, str) for value in values]
    scales = np.array([past.scale() for past in pasts]).repeat(counts, axis=0)
    numeric = [float(value) if is_number(value) else math.nan for value in values]  # type: ignore[arg-type]
    given = np.flatnonzero(~(np.isnan(scales[:, 0]) | np.isnan(numeric)))
    if not len(given):
        return out
    numbers = np.array(numeric)[given]
    now, step, low, high = scales[given].T
    with np.errstate(over="ignore", invalid="ignore"):
        delta = numbers - now
        apart = np.divide(delta, step, out=np.zeros_like(delta), where=step != 0)
        apart[np.isnan(apart)] = 0.0  # both were too far apart for a float
    out[given, :6] = np.array(
        [
            np.sign(delta) * np.sign(step),
            _log_ratios(numbers, now),
            np.clip(apart, -10.0, 10.0),
            [_digits(values[index]) for index in given.tolist()],
            (low < numbers) & (numbers < high),
            np.ones(len(given)),
        ]
    ).T
    return out


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


def _log_ratios(numbers: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log10(number / now), at most 4 either way; of different signs, or at 0, the end that it lies at."""
    out = np.where(numbers > now, 4.0, -4.0)
    alike = np.sign(numbers) * np.sign(now) > 0
    # the difference of logarithms: a quotient may overflow or vanish
    logs = np.log10(np.abs(numbers[alike])) - np.log10(np.abs(now[alike]))
    out[alike] = np.clip(logs, -4.0, 4.0)
    return out


@lru_cache(maxsize=4096)
def _digits(value: Scalar) -> int:
    """Return how many significant digits a number is written with: 1 for 0.1, 200 and 5, 3 for 0.125."""
    return len(f"{value:.8g}".split("e")[0].replace(".", "").replace("-", "").strip("0")) or 1
