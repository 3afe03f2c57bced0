"""Histories drawn from the first versions of real ones, and both boiled down to what can be compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.records import granularity, records_of
from mile_rl.prediction.base import CLASS_INDEX, CLASSES, Granularity, PastIteration, PastNode
from mile_rl.prediction.differences import differences
from mile_rl.prediction.model import Model, TreePredictor
from mile_rl.workflows.edits import change_class
from traces.schema import History

Floats = NDArray[np.float64]

LONGEST = 120
"""Histories, real and drawn alike, are looked at up to so many iterations."""

SUMMARY = (
    "length",
    *(f"share_{change.name.lower()}" for change in CLASSES),
    "repeats",
    "reuse",
    "touched",
    "nodes_last",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A history boiled down: what each iteration made by hand did.

    Args:
        group: whom it belongs to (a drawn one: whose first version it started from).
        changes: per iteration after the first, its change class.
        reuse: per iteration after the first, share of nodes that are neither edited nor below an edited one.
        touched: per iteration after the first, share of nodes edited.
        nodes: nodes of the last version.
    """

    group: str
    changes: tuple[int, ...]
    reuse: tuple[float, ...]
    touched: tuple[float, ...]
    nodes: int

    def summary(self) -> Floats:
        """Return the walk as numbers, in the order of ``SUMMARY``."""
        counts = np.bincount(self.changes, minlength=len(CLASSES)).astype(float)
        total = max(len(self.changes), 1)
        repeats = sum(a == b for a, b in zip(self.changes, self.changes[1:]))
        return np.array(
            [
                np.log1p(len(self.changes)),
                *(counts / total),
                repeats / max(len(self.changes) - 1, 1),
                float(np.mean(self.reuse)) if self.reuse else 1.0,
                float(np.mean(self.touched)) if self.touched else 0.0,
                np.log1p(self.nodes),
            ]
        )


def walk_of(group: str, records: Sequence[PastIteration]) -> Walk:
    """Return a history's walk; its first record is where it starts."""
    changes, reuse, touched = [], [], []
    nodes = records[0].nodes
    for record in records[1 : LONGEST + 1]:
        if record.change not in CLASS_INDEX:
            continue
        edited = {edit.node for edit in record.edits}
        changes.append(CLASS_INDEX[record.change])
        reuse.append(_reuse(record.nodes, edited))
        nodes = record.nodes
        touched.append(sum(node.name in edited for node in nodes) / max(len(nodes), 1))
    return Walk(
        group=group, changes=tuple(changes), reuse=tuple(reuse), touched=tuple(touched), nodes=len(nodes)
    )


def _reuse(nodes: Sequence[PastNode], edited: set[str]) -> float:
    stale: set[str] = set()
    for node in nodes:
        if node.name in edited or any(parent in stale for parent in node.parents):
            stale.add(node.name)
    return 1 - len(stale) / max(len(nodes), 1)


def real_walks(histories: Sequence[History]) -> list[tuple[Walk, PastIteration, Granularity]]:
    """Return each history's walk without what loops launched, with its first iteration."""
    out = []
    for history in histories:
        kind = granularity(history.source)
        records = records_of(history)
        own = by_hand(records) if kind == "run" else [record for record in records if not record.looped]
        out.append((walk_of(history.group, own), records[0], kind))
    return out


def by_hand(records: Sequence[PastIteration]) -> list[PastIteration]:
    """Return a history of runs as it would be without those that loops launched.

    What is left was edited from what is left before it, and goes back only to what is left: who starts the same loop
    again returns to where its first run stood, past all others, but without the loop nothing was edited in between.
    """
    kept = [records[0]]
    for before, record in itertools.pairwise(records):
        if record.looped:
            continue
        edits = record.edits if before is kept[-1] else tuple(differences(kept[-1].nodes, record.nodes))
        back = next((n for n, each in enumerate(reversed(kept)) if each.version == record.version), 0)
        change = change_class(edits, returned=back > 0)
        kept.append(replace(record, edits=edits, change=change, returns_to=back or None))
    return kept


def drawn_walk(
    model: Model, first: PastIteration, kind: Granularity, group: str, rng: np.random.Generator
) -> Walk:
    """Return the walk of a history drawn from its first iteration."""
    predictor = TreePredictor(model, granularity=kind, learns=False)
    start = PastIteration(nodes=first.nodes, version=first.version)
    predictor.observe(start)
    records = [start]
    while len(records) <= LONGEST:
        record = predictor.sample(rng)
        if record is None:
            break
        predictor.observe(record)
        records.append(record)
    return walk_of(group, records)


def walks(
    model: Model, histories: Sequence[History], rng: np.random.Generator
) -> list[tuple[str, Walk, Walk]]:
    """Return (source, real walk, walk drawn from the same first version) of each history.

    Args:
        model: fitted without these histories.
        histories: held out.
        rng: where chance comes from.
    """
    return [
        (history.source, walk, drawn_walk(model, first, kind, walk.group, rng))
        for history, (walk, first, kind) in zip(histories, real_walks(histories))
    ]
