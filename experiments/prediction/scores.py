"""Scores of probabilities, and how sure their differences are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TINY = 1e-6
BINS = 10


def class_loss(chances: Floats, y: Integers) -> Floats:
    """Return the log-loss of each decision, in nats."""
    loss: Floats = -np.log(np.clip(chances[np.arange(len(y)), y], TINY, 1.0))
    return loss


def binary_loss(chances: Floats, y: Integers) -> Floats:
    """Return the log-loss of each yes-or-no decision, in nats."""
    clipped = np.clip(chances, TINY, 1 - TINY)
    loss: Floats = -(y * np.log(clipped) + (1 - y) * np.log(1 - clipped))
    return loss


def _bins(confidence: Floats, weight: Floats) -> Integers:
    """Return the bin of each decision: bins of equal weight by what was claimed."""
    order = np.argsort(confidence, kind="stable")
    heap = np.cumsum(weight[order]) / weight.sum()
    place = np.minimum((heap * BINS - 1e-9).astype(np.int64), BINS - 1)
    # equal claims belong in one bin, or the order of ties would make up a gap
    first = np.searchsorted(confidence[order], confidence[order], side="left")
    bins = np.empty(len(order), dtype=np.int64)
    bins[order] = place[first]
    return bins


def calibration(confidence: Floats, hit: Floats, weight: Floats) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error and the reliability table behind it.

    Args:
        confidence: what was claimed, per decision.
        hit: 1 where it came true.
        weight: of each decision.

    Returns:
        The weighted mean gap between claimed and true share over ten bins of equal weight, and per bin the
        claimed share, the true share and its weight.
    """
    place = _bins(confidence, weight)
    table = []
    for number in range(BINS):
        own = place == number
        if own.any():
            mass = float(weight[own].sum())
            table.append(
                {
                    "claimed": float(np.average(confidence[own], weights=weight[own])),
                    "true": float(np.average(hit[own], weights=weight[own])),
                    "weight": mass / float(weight.sum()),
                }
            )
    return sum(row["weight"] * abs(row["claimed"] - row["true"]) for row in table), table


def calibration_interval(
    confidence: Floats,
    hit: Floats,
    weight: Floats,
    groups: NDArray[np.str_],
    rng: np.random.Generator,
    rounds: int = 1000,
) -> Mapping[str, float]:
    """Return the expected calibration error with a 95 % interval over groups, drawn with replacement.

    The bins are those of the whole sample. Chance adds to a sum of absolute gaps and a draw has more chance
    in it than the sample, so the interval leans upwards.

    Args:
        confidence, hit, weight: as in :func:`calibration`.
        groups: per decision.
        rng: where chance comes from.
        rounds: how many draws.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    cells, size = inverse * BINS + _bins(confidence, weight), len(names) * BINS
    gaps = np.bincount(cells, weights=weight * (confidence - hit), minlength=size).reshape(-1, BINS)
    mass = np.bincount(inverse, weights=weight, minlength=len(names))
    drawn = rng.integers(len(names), size=(rounds, len(names)))
    errors = np.abs(gaps[drawn].sum(axis=1)).sum(axis=1) / mass[drawn].sum(axis=1)
    low, high = np.quantile(errors, [0.025, 0.975])
    error = float(np.abs(gaps.sum(axis=0)).sum() / mass.sum())
    return {"ece": error, "low": float(low), "high": float(high)}


def class_scores(chances: Floats, y: Integers, weight: Floats) -> dict[str, float]:
    """Return log-loss, top-1 and top-3 accuracy, Brier score and calibration error of a forecast."""
    order = np.argsort(-chances, axis=1, kind="stable")
    hits = order == y[:, None]
    truth = np.eye(chances.shape[1])[y]
    error, _ = calibration(chances.max(axis=1), hits[:, 0].astype(np.float64), weight)
    return {
        "log_loss": float(np.average(class_loss(chances, y), weights=weight)),
        "top_1": float(np.average(hits[:, 0], weights=weight)),
        "top_3": float(np.average(hits[:, :3].any(axis=1), weights=weight)),
        "brier": float(np.average(((chances - truth) ** 2).sum(axis=1), weights=weight)),
        "ece": error,
    }


def node_scores(chances: Floats, y: Integers, weight: Floats) -> dict[str, float]:
    """Return log-loss, accuracy, Brier score and calibration error of yes-or-no forecasts."""
    error, _ = calibration(chances, y.astype(np.float64), weight)
    return {
        "log_loss": float(np.average(binary_loss(chances, y), weights=weight)),
        "accuracy": float(np.average((chances >= 0.5) == (y > 0), weights=weight)),
        "brier": float(np.average((chances - y) ** 2, weights=weight)),
        "ece": error,
    }


def bootstrap(
    model: Floats,
    other: Floats,
    groups: NDArray[np.str_],
    weight: Floats,
    rng: np.random.Generator,
    rounds: int = 1000,
) -> Mapping[str, float]:
    """Return by what share the model's mean loss lies below another's, with a 95 % interval over groups.

    Groups (shared people or repositories) are drawn with replacement, each with all its decisions, for both
    forecasts alike.

    Args:
        model, other: loss per decision.
        groups: per decision.
        weight: per decision.
        rng: where chance comes from.
        rounds: how many draws.
    """
    names, inverse = np.unique(groups, return_inverse=True)
    ours = np.bincount(inverse, weights=model * weight)
    theirs = np.bincount(inverse, weights=other * weight)
    drawn = rng.integers(len(names), size=(rounds, len(names)))
    gains = 1 - ours[drawn].sum(axis=1) / theirs[drawn].sum(axis=1)
    low, high = np.quantile(gains, [0.025, 0.975])
    return {
        "gain": float(1 - ours.sum() / theirs.sum()),
        "low": float(low),
        "high": float(high),
        "groups": float(len(names)),
    }


def ratio(
    model: Floats,
    other: Floats,
    groups: NDArray[np.str_],
    weight: Floats,
    rng: np.random.Generator,
    rounds: int = 1000,
) -> Mapping[str, float]:
    """Return how many times as often the model hits as another, with a 95 % interval; see :func:`bootstrap`."""
    gain = bootstrap(model, other, groups, weight, rng, rounds)
    return {"times": 1 - gain["gain"], "low": 1 - gain["high"], "high": 1 - gain["low"]}
