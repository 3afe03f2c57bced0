"""Two-sample tests of drawn histories against real ones, and a classifier that tries to tell them apart.

Histories of one group of people are alike, so that a test that takes each for a draw of its own finds differences
that two samples of people would show as well. Each distance is therefore judged twice: as if histories were
independent, and by exchanging whole groups; beside it stands what lies between two samples of real people.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.generated import SUMMARY, Walk
from mile_rl.prediction.base import CLASSES

Floats = NDArray[np.float64]
Distance = Callable[[Floats, Floats, Floats], Floats]
"""Of rows that describe a walk each, and of two weightings of them, shape (n, rows): their n distances."""

STAGE_OF = {"M": 1, "H": 1, "P": 0, "R": 0, "C": 3, "E": 2, "N": 4, "B": 4}
TESTED = ("length", "share_return", "reuse")
EXCHANGES = 2_000


def compare(pairs: Sequence[tuple[str, Walk, Walk]], seed: int) -> dict[str, Any]:
    """Return, per source, how drawn histories differ from the real ones whose first version they start from.

    Args:
        pairs: (source, real walk, drawn walk) of every history, of all models.
        seed: of the classifier's trees, and of what groups are exchanged.
    """
    out: dict[str, Any] = {}
    for source in sorted({name for name, _, _ in pairs}):
        real = [walk for name, walk, _ in pairs if name == source]
        drawn = [walk for name, _, walk in pairs if name == source]
        out[source] = {
            "histories": len(real),
            **_tests(real, drawn, np.random.default_rng(seed)),
            "classifier_auc": _auc(real, drawn, seed),
        }
    return out


def _tests(real: Sequence[Walk], drawn: Sequence[Walk], rng: np.random.Generator) -> dict[str, Any]:
    from scipy.stats import chi2_contingency, ks_2samp

    out: dict[str, Any] = {}
    groups = [walk.group for walk in real]
    left = np.stack([walk.summary() for walk in real])
    right = np.stack([walk.summary() for walk in drawn])
    for name in TESTED:
        column = SUMMARY.index(name)
        ours, theirs = left[:, column], right[:, column]
        out[name] = {
            "real": float(ours.mean()),
            "drawn": float(theirs.mean()),
            "p": float(ks_2samp(ours, theirs).pvalue),
            **by_groups(kolmogorov_smirnov, ours[:, None], theirs[:, None], groups, rng),
        }
    tables = [np.stack([_stage_transitions(walk).ravel() for walk in walks]) for walks in (real, drawn)]
    counts = np.stack([table.sum(axis=0) for table in tables])
    kept = counts[:, counts.sum(axis=0) > 4]
    out["stage_transitions"] = {
        "p": float(chi2_contingency(kept + 0.5).pvalue),
        **by_groups(total_variation, *tables, groups, rng),
    }
    return out


def by_groups(
    distance: Distance, real: Floats, drawn: Floats, groups: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """Return a distance, how often it is as large where groups are exchanged, and what real people differ by.

    Args:
        distance: what is measured.
        real: a row a history.
        drawn: a row for the one drawn from the same first version.
        groups: whose history it is.
        rng: says which groups are exchanged and resampled.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    rows = np.vstack([real, drawn])
    swapped = rng.random((EXCHANGES, len(names)))[:, member] < 0.5
    swapped[0] = False
    ours = np.hstack([~swapped, swapped]).astype(np.float64)
    found = distance(rows, ours, 1.0 - ours)
    even = np.full(len(names), 1 / len(names))
    # two samples of as many groups, each with all of its histories
    people = [rng.multinomial(len(names), even, EXCHANGES)[:, member].astype(np.float64) for _ in range(2)]
    between = distance(real, *people)
    return {
        "distance": float(found[0]),
        "p_by_groups": float((found >= found[0] - 1e-9).mean()),
        "between_people": {
            "median": float(np.median(between)),
            "high": float(np.quantile(between, 0.95)),
        },
    }


def kolmogorov_smirnov(rows: Floats, left: Floats, right: Floats) -> Floats:
    """Return the largest difference of two weighted distributions of the rows' one number."""
    values = rows[:, 0]
    order = np.argsort(values, kind="stable")
    ends = np.append(np.diff(values[order]) > 0, True)
    shares = [
        np.cumsum(each[:, order], axis=1)[:, ends] / each.sum(axis=1, keepdims=True) for each in (left, right)
    ]
    gaps: Floats = np.abs(shares[0] - shares[1]).max(axis=1)
    return gaps


def total_variation(rows: Floats, left: Floats, right: Floats) -> Floats:
    """Return half the sum of the differences of two weighted sums of the rows' counts, as shares."""
    counts = [each @ rows for each in (left, right)]
    shares = [each / np.maximum(each.sum(axis=1, keepdims=True), 1e-12) for each in counts]
    gaps: Floats = np.abs(shares[0] - shares[1]).sum(axis=1) / 2
    return gaps


def _stage_transitions(walk: Walk) -> Floats:
    """Return how often a stage followed a stage; a history counts as one, however long it is."""
    counts = np.zeros((5, 5))
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
