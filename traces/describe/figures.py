"""All figures of the report, counted in one pass over the histories."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mile_rl.workflows.edits import EDIT_KINDS, STAGES, ChangeClass
from traces.describe.reuse import reused_share, same_operators_share
from traces.schema import History, Iteration
from traces.scripted import is_scripted

LONGEST_THINK_MS = 8 * 3600 * 1000
SHORTEST_THINK_MS = 5_000
_STOP = "stop"


@dataclass(slots=True)
class Group:
    """Counts over one kind of histories (scripted or a person's) of one source; all plain sums and lists."""

    lengths: list[int] = field(default_factory=list)
    people: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    classes: Counter[str] = field(default_factory=Counter)
    class_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    kind_stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    stage_pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    edits_each: Counter[int] = field(default_factory=Counter)
    reused: list[float] = field(default_factory=list)
    same_operators: list[float] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    think_ms: list[int] = field(default_factory=list)
    gains: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    contains: dict[str, dict[str, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    iterations: int = 0

    def add(self, history: History) -> None:
        """Count one history in."""
        self.lengths.append(len(history))
        self.people.add(history.person)
        self.groups.add(history.group)
        self.iterations += len(history)
        for iteration in history.iterations:
            self.classes[iteration.change.name] += 1
            self.kind_stages.update((edit.kind, edit.stage) for edit in iteration.edits)
            if iteration.think_ms is not None and SHORTEST_THINK_MS <= iteration.think_ms <= LONGEST_THINK_MS:
                self.think_ms.append(iteration.think_ms)
            if iteration.parent is not None:
                self._add_transition(history, history.iterations[iteration.parent], iteration)
        self.class_pairs[history.iterations[-1].change.name, _STOP] += 1

    def _add_transition(self, history: History, parent: Iteration, iteration: Iteration) -> None:
        self.class_pairs[parent.change.name, iteration.change.name] += 1
        self.edits_each[len({edit.node for edit in iteration.edits})] += 1
        for before in {edit.stage for edit in parent.edits}:
            self.stage_pairs.update((before, after) for after in {edit.stage for edit in iteration.edits})
        for share, into in (
            (reused_share(parent, iteration), self.reused),
            (same_operators_share(parent, iteration), self.same_operators),
        ):
            if share is not None:
                into.append(share)
        if iteration.returns_to is not None:
            self.lags.append(iteration.index - iteration.returns_to)
        if iteration.score is not None and parent.score is not None:
            self.gains[iteration.change.name].append(iteration.score - parent.score)
        kinds = {edit.kind for edit in iteration.edits}
        for kind in EDIT_KINDS:
            self.contains[kind][history.group].append(int(kind in kinds))
        self.contains["nothing"][history.group].append(int(not kinds))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object; shares are between 0 and 1, times in seconds."""
        transitions = sum(self.edits_each.values())
        return {
            "histories": len(self.lengths),
            "people": len(self.people),
            "groups": len(self.groups),
            "iterations": self.iterations,
            "length": quantiles(self.lengths, (50, 75, 90, 99, 100)),
            "change classes": shares(self.classes, [each.name for each in ChangeClass]),
            "class transitions": _matrix(self.class_pairs, [*(each.name for each in ChangeClass), _STOP]),
            "edits by kind and stage": {
                kind: {stage: self.kind_stages[kind, stage] for stage in STAGES} for kind in EDIT_KINDS
            },
            "stage transitions": _matrix(self.stage_pairs, STAGES),
            "nodes edited": {
                "none": _share(self.edits_each[0], transitions),
                "one": _share(self.edits_each[1], transitions),
                "several": _share(transitions - self.edits_each[0] - self.edits_each[1], transitions),
            },
            "reused results": _reuse(self.reused),
            "same operators": _reuse(self.same_operators),
            "returns": {
                "share of iterations": _share(len(self.lags), transitions),
                "lag": quantiles(self.lags, (50, 90)),
            },
            "think time, s": quantiles([value / 1000 for value in self.think_ms], (10, 25, 50, 75, 90)),
            "gains": {name: _gain(values) for name, values in sorted(self.gains.items())},
            "iterations with, mean of groups": {
                kind: _mean([sum(flags) / len(flags) for flags in by_group.values()])
                for kind, by_group in self.contains.items()
            },
        }


@dataclass(slots=True)
class Figures:
    """The figures of every source, a person's histories and scripted ones apart."""

    persons: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    scripted: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))

    def add(self, history: History) -> None:
        """Count one history in."""
        source = f"{history.source} (synthetic)" if history.synthetic else history.source
        (self.scripted if is_scripted(history) else self.persons)[source].add(history)

    @property
    def sources(self) -> list[str]:
        """The names of the sources met."""
        return sorted({*self.persons, *self.scripted})

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object: source -> figures of persons, of scripted ones, and their share."""
        result = {}
        for source in self.sources:
            persons, scripted = self.persons[source], self.scripted[source]
            everyone = len(persons.lengths) + len(scripted.lengths)
            result[source] = {
                "scripted": {
                    "share of histories": _share(len(scripted.lengths), everyone),
                    "share of iterations": _share(
                        scripted.iterations, scripted.iterations + persons.iterations
                    ),
                },
                "persons": persons.to_json(),
                "programs": scripted.to_json(),
            }
        return result


def quantiles(values: Sequence[float], percents: Sequence[int]) -> dict[str, float]:
    """Return percentiles ("p50": …, "max" for 100), by linear interpolation; empty without values."""
    if not values:
        return {}
    import numpy as np

    found = np.percentile(values, percents)
    return {
        "max" if percent == 100 else f"p{percent}": float(f"{value:.6g}")
        for percent, value in zip(percents, found, strict=True)
    }


def shares(counts: Counter[str], names: Iterable[str]) -> dict[str, float]:
    """Return each name's share of all counts."""
    total = counts.total()
    return {name: _share(counts[name], total) for name in names}


def _matrix(pairs: Counter[tuple[str, str]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the rows that were met, each with its shares and the number behind it."""
    rows = {}
    for before in names:
        total = sum(pairs[before, after] for after in names)
        if total:
            rows[before] = {after: _share(pairs[before, after], total) for after in names} | {"n": total}
    return rows


def _reuse(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    over = sum(value > 0.5 for value in values)
    return {"mean": _mean(values), "iterations over half": _share(over, len(values)), "n": len(values)}


def _gain(values: Sequence[float]) -> dict[str, float]:
    better = sum(value > 0 for value in values)
    worse = sum(value < 0 for value in values)
    return {
        "n": len(values),
        "better": _share(better, len(values)),
        "worse": _share(worse, len(values)),
        **quantiles(values, (25, 50, 75)),
    }


def _mean(values: Sequence[float]) -> float:
    return float(f"{sum(values) / len(values):.6g}") if values else 0.0


def _share(part: float, whole: float) -> float:
    return float(f"{part / whole:.6g}") if whole else 0.0
