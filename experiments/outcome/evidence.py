"""From outcomes to the sums that are told as evidence."""

from __future__ import annotations

import numpy as np

from experiments.outcome.data import Outcomes
from mile_rl.recommend.evidence import EDGES, Evidence


def evidence(outcomes: Outcomes) -> Evidence:
    """Return, by size of the data, how often each configuration beat each other and by how much."""
    kinds = np.searchsorted(EDGES, outcomes.sizes[:, 0])
    count = len(outcomes.configurations)
    classes = len(EDGES) + 1
    wins = np.zeros((classes, count, count), dtype=np.int64)
    gains = np.zeros((classes, count, count), dtype=np.int64)
    for kind in range(classes):
        errors = outcomes.errors[kinds == kind]
        for before in range(count):
            apart = errors[:, before, None] - errors
            wins[kind, before] = (apart > 0).sum(axis=0)
            if len(errors):
                gains[kind, before] = np.round(1000 * np.median(apart, axis=0))
    return Evidence(datasets=np.bincount(kinds, minlength=classes), wins=wins, gains=gains)
