"""Do drawn histories look like real ones? Two-sample tests and a classifier that tries to tell them apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.records import granularity, records_of
from mile_rl.prediction.base import CLASS_INDEX, CLASSES, Granularity, PastIteration, PastNode
from mile_rl.prediction.model import Model, TreePredictor
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
STAGE_OF = {"M": 1, "H": 1, "P": 0, "R": 0, "C": 3, "E": 2, "N": 4, "B": 4}


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
        own = [records[0], *(record for record in records[1:] if not record.looped)]
        out.append((walk_of(history.group, own), records[0], kind))
    return out


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


def compare(pairs: Sequence[tuple[str, Walk, Walk]], seed: int) -> dict[str, Any]:
    """Return, per source, how drawn histories differ from the real ones whose first version they start from.

    Args:
        pairs: what :func:`walks` returned, of all models.
        seed: of the classifier's trees.
    """
    out: dict[str, Any] = {}
    for source in sorted({name for name, _, _ in pairs}):
        real = [walk for name, walk, _ in pairs if name == source]
        drawn = [walk for name, _, walk in pairs if name == source]
        out[source] = {
            "histories": len(real),
            **_tests(real, drawn),
            "classifier_auc": _auc(real, drawn, seed),
        }
    return out


def _tests(real: Sequence[Walk], drawn: Sequence[Walk]) -> dict[str, Any]:
    from scipy.stats import chi2_contingency, ks_2samp

    out: dict[str, Any] = {}
    left = np.stack([walk.summary() for walk in real])
    right = np.stack([walk.summary() for walk in drawn])
    for name in ("length", "share_return", "reuse"):
        column = SUMMARY.index(name)
        test = ks_2samp(left[:, column], right[:, column])
        out[name] = {
            "real": float(left[:, column].mean()),
            "drawn": float(right[:, column].mean()),
            "distance": float(test.statistic),
            "p": float(test.pvalue),
        }
    tables = [_stage_transitions(walks) for walks in (real, drawn)]
    shares = [table / max(table.sum(), 1) for table in tables]
    counts = np.stack([table.ravel() for table in tables])
    kept = counts[:, counts.sum(axis=0) > 4]
    out["stage_transitions"] = {
        "distance": float(np.abs(shares[0] - shares[1]).sum() / 2),
        "p": float(chi2_contingency(kept + 0.5).pvalue),
    }
    return out


def _stage_transitions(walks: Sequence[Walk]) -> Floats:
    """Return how often a stage followed a stage; a history counts as one, however long it is."""
    counts = np.zeros((5, 5))
    for walk in walks:
        stages = [STAGE_OF[CLASSES[change].value] for change in walk.changes]
        for before, after in itertools.pairwise(stages):
            counts[before, after] += 1 / (len(stages) - 1)
    return counts


def _auc(real: Sequence[Walk], drawn: Sequence[Walk], seed: int) -> float:
    """Return the area under the curve of a forest that tells drawn from real, on people it did not see."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    rows = np.stack([walk.summary() for walk in (*real, *drawn)])
    y = np.array([0] * len(real) + [1] * len(drawn))
    groups = np.array([walk.group for walk in (*real, *drawn)])
    chances = np.zeros(len(y))
    folds = GroupKFold(min(5, len(set(groups.tolist()))))
    for inside, outside in folds.split(rows, y, groups):
        forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=seed)
        chances[outside] = forest.fit(rows[inside], y[inside]).predict_proba(rows[outside])[:, 1]
    return float(roc_auc_score(y, chances))
