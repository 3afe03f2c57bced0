"""How wide intervals must be: set on validation datasets, judged on held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.outcome.data import Floats, Outcomes
from experiments.outcome.sessions import any_starts, weak_starts
from mile_rl.recommend.belief import QUANTILE_80, Belief, to_scale
from mile_rl.recommend.outcome import OutcomeModel, Seen, Size

SEEN = (1, 2, 3, 5, 8)
"""After so many scores the intervals are looked at."""

SHARE = 0.8


def beliefs(model: OutcomeModel, outcomes: Outcomes, *, starts: int = 1) -> Iterator[tuple[int, int, Belief]]:
    """Yield (dataset, scores seen, belief) along sessions that follow the model.

    As many start from a weak configuration as from just any: people come with good ones too.
    """
    for at, name in enumerate(outcomes.names):
        errors, seconds = outcomes.errors[at], outcomes.seconds[at]
        size = Size(rows=int(outcomes.sizes[at][0]), columns=int(outcomes.sizes[at][1]))
        for start in (*weak_starts(errors, name, starts), *any_starts(errors, name, starts)):
            order = [int(start)]
            while len(order) <= max(SEEN):
                seen = [
                    Seen(configuration=c, error=float(errors[c]), seconds=float(seconds[c])) for c in order
                ]
                belief = model.belief(seen, size)
                if len(order) in SEEN:
                    yield at, len(order), belief
                values = belief.value()
                values[order] = -np.inf
                order.append(int(values.argmax()))


def offs(belief: Belief, errors: Floats) -> tuple[Floats, int]:
    """Return |true - expected| / deviation of every configuration not tried, and which would be tried first."""
    off = np.abs(to_scale(errors) - belief.errors.mean) / belief.errors.deviation
    rest = np.setdiff1d(np.arange(len(off)), belief.seen)
    values = belief.value()[rest]
    return off[rest], int(values.argmax())


def calibrate(
    model_of: Callable[[Outcomes], OutcomeModel], train: Outcomes, salt: str = "calibration"
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Return (stretch, sureness) by how many scores were seen, from datasets left out in turn.

    The one that would be tried first counts for a quarter beside all that are not tried: what is chosen for its
    promise is the more often overrated. Whether it improves is judged on the first five.
    """
    folds = train.folds(salt)
    found: dict[int, list[tuple[Floats, float]]] = {count: [] for count in SEEN}
    leads: dict[int, list[tuple[float, bool]]] = {count: [] for count in SEEN}
    for fold in np.unique(folds):
        model = model_of(train.only(np.flatnonzero(folds != fold)))
        held = train.only(np.flatnonzero(folds == fold))
        for row, seen, belief in beliefs(model, held):
            errors = held.errors[row]
            off, first = offs(belief, errors)
            found[seen].append((off, float(off[first])))
            best = float(errors[belief.seen].min())
            leads[seen] += [
                (belief.lead(at, best) * belief.stretch, errors[at] < best) for at in _first(belief, 5)
            ]
    stretch, sureness = {}, {}
    for count in SEEN:
        stretch[count] = _weighted_quantile(found[count]) / QUANTILE_80
        table = np.array(leads[count], dtype=float)
        sureness[count] = _logistic(table[:, 0] / stretch[count], table[:, 1])
    return (
        tuple(_at(stretch, count) for count in range(max(SEEN) + 1)),
        tuple(
            (
                _at({seen: pair[0] for seen, pair in sureness.items()}, count),
                _at({seen: pair[1] for seen, pair in sureness.items()}, count),
            )
            for count in range(max(SEEN) + 1)
        ),
    )


def coverage(model: OutcomeModel, outcomes: Outcomes) -> list[dict[str, Any]]:
    """Return, by how many scores were seen, the share of errors inside the 80 % intervals.

    Each row: ``seen``; ``all``: over all configurations not tried; then one share a dataset, for bootstrap
    intervals: of all, of the one that would be tried first, and of the five that would be recommended, with the
    intervals that people are shown; and of each first one the claimed chance to beat the best so far, and
    whether it did.
    """
    rows: dict[int, list[tuple[float, ...]]] = {seen: [] for seen in SEEN}
    for at, seen, belief in beliefs(model, outcomes):
        errors = outcomes.errors[at]
        off, first = offs(belief, errors)
        inside = off <= QUANTILE_80 * belief.stretch
        best, five = float(errors[belief.seen].min()), _first(belief, 5)
        rows[seen].append(
            (
                at,
                inside.mean(),
                inside[first],
                belief.below(five[0], best),
                errors[five[0]] < best,
                np.mean([_shown_holds(belief, one, errors, best) for one in five]),
            )
        )
    told = []
    for seen, found in rows.items():
        table = np.array(found, dtype=float)
        names = np.unique(table[:, 0])

        def per(column: int, table: Floats = table, names: Floats = names) -> list[float]:
            return [float(table[table[:, 0] == at, column].mean()) for at in names]

        told.append(
            {
                "seen": seen,
                "all": float(table[:, 1].mean()),
                "by_dataset": per(1),
                "first_by_dataset": per(2),
                "shown_by_dataset": per(5),
                "claims": table[:, 3].tolist(),
                "came_true": table[:, 4].tolist(),
            }
        )
    return told


def _shown_holds(belief: Belief, at: int, errors: Floats, best: float) -> bool:
    _, low, high = belief.change_from(at, best)
    return bool(low - 1e-9 <= errors[at] <= high + 1e-9)


def _first(belief: Belief, count: int) -> list[int]:
    values = belief.value()
    values[belief.seen] = -np.inf
    return [int(at) for at in np.argsort(-values, kind="stable")[:count]]


def _at(by_seen: dict[int, float], count: int) -> float:
    return float(np.interp(count, list(by_seen), list(by_seen.values())))


def _logistic(leads: Floats, gains: Floats) -> tuple[float, float]:
    """Return (shift, slope) of P(gain) = logistic(shift + slope · lead) by Newton's method, slope ≥ 0.1."""
    design = np.column_stack([np.ones(len(leads)), np.clip(leads, -10, 10)])
    weights, anchor = np.array([0.0, 1.7]), np.array([0.0, 1.7])
    for _ in range(50):
        chances = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (chances - gains) + (weights - anchor)
        curve = (design * (chances * (1 - chances))[:, None]).T @ design + np.eye(2)
        weights = weights - np.linalg.solve(curve, slope)
    return float(weights[0]), max(float(weights[1]), 0.1)


def _weighted_quantile(pairs: Sequence[tuple[Floats, float]]) -> float:
    values = np.concatenate([*(off for off, _ in pairs), [first for _, first in pairs]])
    weights = np.concatenate(
        [*(np.full(len(off), 0.75 / len(off)) for off, _ in pairs), np.full(len(pairs), 0.25)]
    )
    order = np.argsort(values)
    return float(values[order][np.searchsorted(weights[order].cumsum(), SHARE * weights.sum())])
