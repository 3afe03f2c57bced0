"""What is remembered of one person over all of their histories, and which values followed which."""

from __future__ import annotations

import copy
import functools
import math
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.own import OwnLine
from mile_rl.workflows.edits import Scalar

ValueKey = tuple[str, Scalar]
"""A value told apart from its look-alikes: the type's name and the value (NaN as text)."""

MAX_VALUES = 64
"""How many values of one parameter are remembered; the rarest are forgotten."""


MAX_RULES = 32
"""Room for the rules of ``mile_rl.prediction.values``."""

HABIT = 0.95
"""How much of a rule's record is kept from one move of any parameter to the next: a half-life of 14 moves."""

RECORD = 0.9
"""How much of a name's record is kept from one iteration to the next: a half-life of 7 iterations."""

LONG_AGO = 500.0
"""Iterations since a name was last touched are counted up to here."""

_UNTOUCHED = (0.0, 0.0, -int(LONG_AGO))


def value_key(value: Scalar) -> ValueKey:
    """Return the key of a value: 1, 1.0 and True have three different ones, NaN always the same."""
    if value != value:
        return ("float", "nan")
    return (type(value).__name__, value)


class Habits:
    """How often each rule that proposes values was right for a person, of late.

    ``values.candidates`` proposes from memory and by rule; what a person follows (grids, doubling, earlier
    values) is much the same from one parameter to the next.
    """

    def __init__(self) -> None:
        self.tries = [0.0] * MAX_RULES
        self.hits = [0.0] * MAX_RULES
        self.misses = self.total = 0.0

    def learn(self, found: Mapping[ValueKey, tuple[Scalar, int]], key: ValueKey) -> None:
        """Take in that of the candidates ``found`` the one with ``key``, or none of them, was chosen."""
        chosen = found[key][1] if key in found else 0
        tried = functools.reduce(operator.or_, (why for _, why in found.values()), 0)
        for rule in range(tried.bit_length()):
            if tried >> rule & 1:
                self.tries[rule] = HABIT * self.tries[rule] + 1
                self.hits[rule] = HABIT * self.hits[rule] + (chosen >> rule & 1)
        self.misses = HABIT * self.misses + (not chosen)
        self.total = HABIT * self.total + 1

    def fork(self) -> Self:
        """Return a copy that can go its own way."""
        other = copy.copy(self)
        other.tries, other.hits = self.tries.copy(), self.hits.copy()
        return other

    def records(self) -> NDArray[np.float64]:
        """Return how often each rule was right, pulled towards one time in seven while there are few."""
        records: NDArray[np.float64] = (np.array(self.hits) + 0.15) / (np.array(self.tries) + 1)
        return records

    def overall(self) -> tuple[float, float]:
        """Return how often no rule was right, and how many moves that rests on."""
        return (self.misses + 0.3) / (self.total + 1), math.log1p(self.total)


class ValueMemory:
    """The values that parameters took and what they moved to, by parameter name."""

    def __init__(self) -> None:
        self.used: dict[str, Counter[ValueKey]] = {}
        self.followed: dict[tuple[str, ValueKey], Counter[ValueKey]] = {}
        self.values: dict[ValueKey, Scalar] = {}
        self.habits = Habits()

    def took(self, name: str, value: Scalar) -> None:
        """Take in that parameter ``name`` had ``value`` when it was first seen."""
        key = value_key(value)
        self.values[key] = value
        used = self.used.setdefault(name, Counter())
        used[key] += 1
        if len(used) > 2 * MAX_VALUES:
            self.used[name] = Counter(dict(used.most_common(MAX_VALUES)))

    def moved(self, name: str, old: Scalar, new: Scalar) -> None:
        """Take in that parameter ``name`` moved from ``old`` to ``new``."""
        self.took(name, new)
        self.followed.setdefault((name, value_key(old)), Counter())[value_key(new)] += 1

    def fork(self) -> Self:
        """Return a copy that can go its own way."""
        other = copy.copy(self)
        other.used = {name: Counter(counts) for name, counts in self.used.items()}
        other.followed = {key: Counter(counts) for key, counts in self.followed.items()}
        other.values = dict(self.values)
        other.habits = self.habits.fork()
        return other


class TouchMemory:
    """How often and how lately what has a name was touched, over all of a person's histories and branches.

    A workflow that starts anew, on another branch or beside the old one, mostly has nodes that the person knows.
    """

    def __init__(self) -> None:
        self.now = 0
        self.records: dict[str, tuple[float, float, int]] = {}

    def observe(self, shares: Mapping[str, float]) -> None:
        """Take in one iteration: of each name that it could have touched, the share that it did touch."""
        self.now += 1
        for name, share in shares.items():
            touches, chances, last = self.records.get(name, _UNTOUCHED)
            self.records[name] = (
                RECORD * touches + share,
                RECORD * chances + 1.0,
                self.now if share else last,
            )

    def fork(self) -> Self:
        """Return a copy that can go its own way."""
        other = copy.copy(self)
        other.records = self.records.copy()
        return other

    def of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return of each name the touches and chances remembered and the iterations since it was last touched
        (``LONG_AGO`` at most), shape (names, 3)."""
        table = np.array([self.records.get(name, _UNTOUCHED) for name in names]).reshape(-1, 3)
        table[:, 2] = np.minimum(self.now - table[:, 2], LONG_AGO)
        return table


class PersonMemory:
    """What a person did so far in all of their histories; shared by the states of these histories."""

    def __init__(self) -> None:
        self.values = ValueMemory()
        self.hand = 0
        self.histories = 0
        self.counts: NDArray[np.float64] = np.zeros(len(CLASSES))
        self.touched_share = 0.0
        self.nodes, self.operators = TouchMemory(), TouchMemory()
        self.own: dict[str, OwnLine] = {}

    def changed(self, class_index: int, touched_share: float) -> None:
        """Take in one iteration that the person made by hand.

        Args:
            class_index: its change class, as an index into ``CLASSES``.
            touched_share: the share of the workflow's nodes that it touched.
        """
        self.hand += 1
        self.counts[class_index] += 1
        self.touched_share += touched_share

    def shares(self, prior: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
        """Return how often each change class occurs with this person, pulled towards ``prior``."""
        shares: NDArray[np.float64] = (self.counts + weight * prior) / (self.hand + weight)
        return shares

    def fork(self) -> Self:
        """Return a copy that can go its own way."""
        other = copy.copy(self)
        other.values, other.counts = self.values.fork(), self.counts.copy()
        other.nodes, other.operators = self.nodes.fork(), self.operators.fork()
        other.own = dict(self.own)
        return other
