"""Versions as states: which factors a workflow's versions differ in, and at which level each version has each.

A factor is a thing that a person can change: what stands at one place of the DAG (a *slot*: nodes that
replaced one another), one parameter, the code of one function, the files that one node reads, one library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mile_rl.workflows.diff import kind_of_part
from mile_rl.workflows.edits import Edit, EditKind, Stage
from mile_rl.workflows.version import VersionNode

ABSENT = -1
"""The level of a factor in a version that does not have what it belongs to."""

NOT_THERE = "not there"
"""The level of a slot in which nothing stands."""

Level = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One thing that versions differ in.

    Args:
        label: what it is called: "fit.C", "learn", "operator hog", "file adult.data".
        kind: the kind of edit that changes it; "replace" for a slot in which something always stands, "add"
            for one that is empty in some versions.
        stage: what the nodes concerned are for.
        levels: its distinct levels, in the order in which they were first tried; numbers for a parameter
            that only ever was one, otherwise text.
        at: for each version the index of its level, or ``ABSENT``.
    """

    label: str
    kind: EditKind
    stage: Stage
    levels: tuple[Level, ...]
    at: tuple[int, ...]

    @property
    def numeric(self) -> bool:
        """Whether its levels are numbers."""
        return all(isinstance(level, float) for level in self.levels)

    def words(self, old: int, new: int) -> str:
        """Return the move from one level to another as a person would say it.

        Args:
            old: the index of the level before.
            new: the one after.
        """
        if self.kind == "parameter":
            return f"{self.label} {_text(self.levels[old])} -> {_text(self.levels[new])}"
        if self.kind in ("add", "replace"):
            before, after = self.levels[old], self.levels[new]
            if before == NOT_THERE:
                return f"added {self.label}" if len(self.levels) == 2 else f"added {self.label} ({after})"
            return f"removed {self.label}" if after == NOT_THERE else f"replaced {before} by {after}"
        if self.kind == "environment":
            return f"{self.label} {self.levels[old]} -> {self.levels[new]}"
        return f"changed {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a workflow, as far as its states go.

    Args:
        digest: its own.
        nodes: its nodes.
        parent: the index of the version it was edited from, None where that is not known.
        edits: what was edited.
    """

    digest: str
    nodes: tuple[VersionNode, ...]
    parent: int | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What one factor reads like while versions are gone through."""

    label: str
    kind: EditKind
    stage: Stage
    values: dict[int, Level]


def factors_of(versions: Sequence[Version]) -> tuple[Factor, ...]:
    """Return the factors that the versions differ in; what all of them have alike is none.

    Args:
        versions: of one workflow, in the order of their first iterations.
    """
    slots = _slots(versions)
    labels = _slot_labels(versions, slots)
    readings: dict[tuple[str, ...], _Reading] = {}
    for index, version in enumerate(versions):
        for node in version.nodes:
            slot = slots[node.name]
            _read(readings, ("slot", slot), labels[slot], "replace", node.stage, index, node.operator)
    for key in list(readings):
        values = readings[key].values
        for index in range(len(versions)):
            values.setdefault(index, NOT_THERE)
        if NOT_THERE in values.values():
            readings[key].kind = "add"
    _read_parameters(readings, versions, slots, labels)
    _read_parts(readings, versions, labels, slots)
    factors = [_factor(reading, len(versions)) for reading in readings.values()]
    return tuple(_merged([factor for factor in factors if len(factor.levels) > 1]))


def _read(
    readings: dict[tuple[str, ...], _Reading],
    key: tuple[str, ...],
    label: str,
    kind: EditKind,
    stage: Stage,
    index: int,
    value: Level,
) -> None:
    reading = readings.setdefault(key, _Reading(label, kind, stage, {}))
    reading.values[index] = value


def _slots(versions: Sequence[Version]) -> dict[str, str]:
    """Return node name -> slot: nodes that replaced one another share one, unless they ever stood side by side."""
    together = [{node.name for node in version.nodes} for version in versions]
    members: dict[str, set[str]] = {name: {name} for names in together for name in names}
    for version, names in zip(versions, together):
        if version.parent is None:
            continue
        before = versions[version.parent]
        for edit in version.edits:
            if edit.kind != "replace" or edit.node not in names:
                continue
            target = next(node.target for node in version.nodes if node.name == edit.node)
            gone = [n for n in before.nodes if n.operator == edit.before and n.name not in names]
            # Of several uses that were replaced alike, each has its own successor: that of the same name in brackets.
            gone.sort(key=lambda node: node.target != target)
            old = gone[0].name if gone else None
            if old is None or members[old] is members[edit.node]:
                continue
            joined = members[old] | members[edit.node]
            if any(len(joined & there) > 1 for there in together):
                continue
            for name in joined:
                members[name] = joined
    return {name: min(group) for name, group in members.items()}


def _slot_labels(versions: Sequence[Version], slots: Mapping[str, str]) -> dict[str, str]:
    """Return slot -> the name of the node that stands in it last."""
    return {slots[node.name]: node.name for version in versions for node in version.nodes}


def _read_parameters(
    readings: dict[tuple[str, ...], _Reading],
    versions: Sequence[Version],
    slots: Mapping[str, str],
    labels: Mapping[str, str],
) -> None:
    rewired = {
        (edit.node, edit.parameter) for one in versions for edit in one.edits if edit.kind == "parameter"
    }
    shared = _shared_parameters(versions)
    for index, version in enumerate(versions):
        for node in version.nodes:
            for name, value in node.arguments.items():
                if f"argument {name}" not in node.parts and f"default {name}" not in node.parts:
                    continue
                if _is_wiring(value, node) and (node.name, name) not in rewired:
                    continue
                slot = "" if (node.operator, name) in shared else slots[node.name]
                label = f"{node.operator}.{name}" if not slot else f"{labels[slot]}.{name}"
                key = ("parameter", slot, node.operator, name)
                _read(readings, key, label, "parameter", node.stage, index, _level(value))


def _shared_parameters(versions: Sequence[Version]) -> set[tuple[str, str]]:
    """Return the (operator, parameter) that have one value in all nodes of each version, in several nodes."""
    values: dict[tuple[str, str], set[Level]] = {}
    several: set[tuple[str, str]] = set()
    split: set[tuple[str, str]] = set()
    for version in versions:
        values.clear()
        for node in version.nodes:
            for name, value in node.arguments.items():
                seen = values.setdefault((node.operator, name), set())
                if seen:
                    several.add((node.operator, name))
                seen.add(_level(value))
                if len(seen) > 1:
                    split.add((node.operator, name))
    return several - split


def _read_parts(
    readings: dict[tuple[str, ...], _Reading],
    versions: Sequence[Version],
    labels: Mapping[str, str],
    slots: Mapping[str, str],
) -> None:
    """Read code by function, libraries by name, and the files of each node as one."""
    for index, version in enumerate(versions):
        files: dict[str, tuple[VersionNode, list[str]]] = {}
        found: dict[str, tuple[VersionNode, set[str]]] = {}
        for node in version.nodes:
            for label, content in node.parts.items():
                kind = kind_of_part(label)
                if kind == "data":
                    files.setdefault(slots[node.name], (node, []))[1].append(f"{label}={content}")
                elif kind in ("code", "environment"):
                    found.setdefault(label, (node, set()))[1].add(content)
        for slot, (node, contents) in files.items():
            label = f"the data of {labels[slot]}"
            _read(readings, ("data", slot), label, "data", node.stage, index, "\n".join(sorted(contents)))
        for label, (node, digests) in found.items():
            _read(
                readings, ("part", label), label, kind_of_part(label) or "code", node.stage, index,
                "\n".join(sorted(digests)),
            )  # fmt: skip


def _factor(reading: _Reading, count: int) -> Factor:
    values = [reading.values.get(index) for index in range(count)]
    levels = tuple(dict.fromkeys(value for value in values if value is not None))
    if not all(isinstance(level, float) for level in levels):
        # 1 and "auto" of one parameter are two levels of a choice, not a number and something else.
        levels = tuple(level if isinstance(level, str) else _text(level) for level in levels)
        values = [value if value is None or isinstance(value, str) else _text(value) for value in values]
    places = {level: place for place, level in enumerate(levels)}
    return Factor(
        label=reading.label,
        kind=reading.kind,
        stage=reading.stage,
        levels=levels,
        at=tuple(ABSENT if value is None else places[value] for value in values),
    )


def _merged(factors: Iterable[Factor]) -> list[Factor]:
    """Join factors of one kind that have one pattern over all versions: one change of the person's."""
    groups: dict[tuple[object, ...], list[Factor]] = {}
    for factor in factors:
        same = factor.kind in ("code", "data", "environment", "add", "replace")
        # Of nodes only those that come together are one change, not one that comes where another goes.
        texts: tuple[object, ...] = ()
        if factor.kind in ("environment", "replace"):
            texts = factor.levels
        elif factor.kind == "add":
            texts = (factor.levels[0] == NOT_THERE,)
        key = (factor.kind, factor.at, texts) if same else (factor.label, factor.kind, factor.at)
        groups.setdefault(key, []).append(factor)
    merged = []
    for group in groups.values():
        first = group[0]
        label = ", ".join(factor.label for factor in group[:3])
        if len(group) > 3:
            label += f" and {len(group) - 3} more"
        merged.append(
            first
            if len(group) == 1
            else Factor(label=label, kind=first.kind, stage=first.stage, levels=first.levels, at=first.at)
        )
    return merged


def differing(factors: Sequence[Factor], one: int, other: int) -> list[int]:
    """Return the indices of the factors in which two versions differ; what one lacks altogether is its slot's.

    Args:
        factors: of all versions.
        one: the index of a version.
        other: that of another.
    """
    return [
        index
        for index, factor in enumerate(factors)
        if ABSENT not in (pair := (factor.at[one], factor.at[other])) and pair[0] != pair[1]
    ]


def _is_wiring(value: object, node: VersionNode) -> bool:
    return isinstance(value, str) and any(str(parent) in value for parent in node.parents)


def _level(value: object) -> Level:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return float(value)
    return value if isinstance(value, str) else repr(value)


def _text(level: Level) -> str:
    return level if isinstance(level, str) else f"{level:g}"
