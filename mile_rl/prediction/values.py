"""Which value a parameter takes next: candidates by rule and by memory, and a row of features for each.

The rules are those that people follow: a grid continued, a step halved or turned round, doubling, orders of
magnitude, a switch thrown, a number at a text's end counted up, a value that was used before.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.memory import ValueKey, ValueMemory, value_key
from mile_rl.prediction.parameters import NEVER, ParameterTrace
from mile_rl.prediction.proposals import COMMON, ELSEWHERE, RULES, is_number, rules
from mile_rl.workflows.edits import Scalar

Common = Mapping[str, Sequence[tuple[Scalar, float]]]
"""Parameter name -> the values most common in the traces, each with the share of people who used it."""

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
        propose(person.values[key], ELSEWHERE)
    for value, rule in rules(trace.values):
        propose(value, rule)
    decimal = isinstance(trace.values[-1], float)
    for value, _ in lookup(common, name)[:10]:
        propose(_as_decimal(value) if decimal else value, COMMON)
    for key, _ in person.used.get(name, Counter[ValueKey]()).most_common(12):
        propose(person.values[key], ELSEWHERE)
    for value in list(reversed(trace.values[:-1]))[12:]:
        propose(value, 0)
    return found


def _as_decimal(value: Scalar) -> Scalar:
    """Return a number as the float that it stands for; anything else as it is."""
    return float(value) if is_number(value) else value  # type: ignore[arg-type]


def rows(
    name: str,
    trace: ParameterTrace,
    person: ValueMemory,
    common: Common,
    found: Mapping[ValueKey, tuple[Scalar, set[int]]],
) -> NDArray[np.float64]:
    """Return the features of each candidate, shape (candidates, len(VALUE_NAMES)); arguments as above."""
    past = _Past(name, trace, person, common)
    out = np.zeros((len(found), len(VALUE_NAMES)))
    if not found:
        return out
    proposed = out[:, : len(RULES)]
    owners = [row for row, (_, why) in enumerate(found.values()) for _ in why]
    proposed[owners, [rule for _, why in found.values() for rule in why]] = 1.0
    record = person.habits.records()[: len(RULES)]
    out[:, _ALIKE] = (*past.habits(len(found)), *person.habits.overall())
    out[:, _MEMORIES] = past.memories(found)
    out[:, _DISTANCE] = past.distances([value for value, _ in found.values()])
    out[:, _BEFORE] = [key == past.before for key in found]
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
        self.n_used, self.n_after = sum(self.used.values()), sum(self.after.values())
        self.n_followed = sum(self.followed.values())
        self.shares = {
            value_key(value): (share, rank) for rank, (value, share) in enumerate(lookup(common, name))
        }
        self.numbers = [float(value) for value in trace.values if is_number(value)]  # type: ignore[arg-type]
        self.step = self.numbers[-1] - self.numbers[-2] if len(self.numbers) > 1 else 0.0
        self.low, self.high = min(self.numbers, default=0.0), max(self.numbers, default=0.0)
        self.before = keys[-2] if len(keys) > 1 else None
        self.number = float(self.now) if is_number(self.now) else None  # type: ignore[arg-type]

    def memories(self, keys: Iterable[ValueKey]) -> NDArray[np.float64]:
        """Return how each value was used: here, by this person, by others; shape (values, 10)."""
        counts = np.array(
            [
                (
                    self.recency.get(key, NEVER),
                    self.counts.get(key, 0),
                    self.followed.get(key, 0),
                    self.used.get(key, 0),
                    self.after.get(key, 0),
                    *self.shares.get(key, (0.0, 20)),
                )
                for key in keys
            ],
            dtype=np.float64,
        ).T
        recency, own, followed, used, after, share, rank = counts
        return np.array(
            [
                recency,
                own,
                followed,
                (followed + 0.1) / (self.n_followed + 1),
                np.log1p(used),
                used / max(self.n_used, 1),
                np.log1p(after),
                (after + 0.1) / (self.n_after + 1),
                share,
                rank,
            ]
        ).T

    def distances(self, values: Sequence[Scalar]) -> NDArray[np.float64]:
        """Return how far each value lies from the present one and how round it is (zeros for no numbers),
        whether both are numbers, whether it is a text; shape (values, 7)."""
        out = np.zeros((len(values), 7))
        given = [index for index, value in enumerate(values) if is_number(value)]
        if self.number is None or not given:
            out[:, 6] = [isinstance(value, str) for value in values]
            return out
        numbers = np.array([float(values[index]) for index in given])  # type: ignore[arg-type]
        with np.errstate(over="ignore"):
            delta = numbers - self.number
            apart = np.clip(delta / self.step, -10.0, 10.0) if self.step else 0.0 * numbers
        out[given, 0] = np.sign(delta) * np.sign(self.step)
        out[given, 1] = _log_ratios(numbers, self.number)
        out[given, 2] = apart
        out[given, 3] = [_digits(values[index]) for index in given]
        out[given, 4] = (self.low < numbers) & (numbers < self.high)
        out[given, 5] = 1.0
        if len(given) < len(values):
            out[:, 6] = [isinstance(value, str) for value in values]
        return out

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


def _log_ratios(numbers: NDArray[np.float64], now: float) -> NDArray[np.float64]:
    """Return log10(number / now), at most 4 either way; of different signs, or at 0, the end that it lies at."""
    out = np.where(numbers > now, 4.0, -4.0)
    if now:
        with np.errstate(over="ignore", under="ignore"):
            alike = numbers * now > 0
        # the difference of logarithms: a quotient may overflow or vanish
        logs = np.log10(np.abs(numbers[alike])) - math.log10(abs(now))
        out[alike] = np.clip(logs, -4.0, 4.0)
    return out


@lru_cache(maxsize=4096)
def _digits(value: Scalar) -> int:
    """Return how many significant digits a number is written with: 1 for 0.1, 200 and 5, 3 for 0.125."""
    return len(f"{value:.8g}".split("e")[0].replace(".", "").replace("-", "").strip("0")) or 1
