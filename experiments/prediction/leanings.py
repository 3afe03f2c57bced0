"""Fit the corrections of what is drawn: draw histories like those fitted on, compare, correct, and draw again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.generated import LONGEST, Walk, drawn_walk, real_walks
from mile_rl.prediction.base import CLASSES, Granularity
from mile_rl.prediction.leanings import BINS, Leanings, bin_of
from mile_rl.prediction.model import Model
from traces.schema import History

Floats = NDArray[np.float64]

STEPS = (1.0, 1.0, 0.5, 0.34, 0.25, 0.2)
"""How much of what is found is corrected, round by round: the later ones average out the chance in the earlier."""

PRIOR = 4.0
"""Rates are pulled towards the mean as if so many histories more had been seen."""

MOST = 4.0
"""No log-odds are corrected by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What histories do on average.

    Args:
        ends: per bin of ``BINS``, P(end) after an iteration.
        classes: P(change class), the mean over histories of their shares.
    """

    ends: Floats
    classes: Floats


def corrected(model: Model, histories: Sequence[History], seed: int) -> Model:
    """Return a model whose drawn histories are like those given, as far as ``Leanings`` go.

    Args:
        model: fitted on these histories.
        histories: what it was fitted on.
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    kinds: tuple[Granularity, ...] = ("run", "commit")
    real = real_walks(histories)
    for step in STEPS:
        leanings = {}
        for kind in kinds:
            own = [(walk, first) for walk, first, each in real if each == kind]
            drawn = [drawn_walk(model, first, kind, walk.group, rng) for walk, first in own]
            found = rates([walk for walk, _ in own]), rates(drawn)
            leanings[kind] = _stepped(model.tables.leanings[kind], *found, step)
        model = replace(model, tables=replace(model.tables, leanings=leanings))
    return model


def rates(walks: Sequence[Walk]) -> Rates:
    """Return what walks do on average, each with one vote, since histories are what is drawn.

    One that is as long as may be looked at has no known end.
    """
    at_risk, ends = np.zeros(len(BINS)), np.zeros(len(BINS))
    classes = np.full(len(CLASSES), 1 / len(CLASSES))
    for walk in walks:
        length = len(walk.changes)
        np.add.at(at_risk, [bin_of(after) for after in range(min(length + 1, LONGEST))], 1.0)
        ends[bin_of(length)] += length < LONGEST
        classes += np.bincount(walk.changes, minlength=len(CLASSES)) / max(length, 1)
    mean = (ends.sum() + 0.5) / (at_risk.sum() + 1.0)
    return Rates(ends=(ends + PRIOR * mean) / (at_risk + PRIOR), classes=classes / classes.sum())


def _stepped(now: Leanings, real: Rates, drawn: Rates, step: float) -> Leanings:
    return Leanings(
        ends=_bounded(now.ends + step * (_log_odds(real.ends) - _log_odds(drawn.ends))),
        classes=_bounded(now.classes + step * np.log(real.classes / drawn.classes)),
    )


def _bounded(log_odds: Floats) -> tuple[float, ...]:
    return tuple(np.round(np.clip(log_odds, -MOST, MOST), 4).tolist())


def _log_odds(chance: Floats) -> Floats:
    odds: Floats = np.log(chance) - np.log1p(-chance)
    return odds
