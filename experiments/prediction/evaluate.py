"""Judging a fitted model on people and repositories that it never saw, source by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.baselines import CLASS_BASELINES, NODE_BASELINES, SLOW_BASELINES
from experiments.prediction.dataset import Dataset, weights, with_classes
from experiments.prediction.fit import Fitted
from experiments.prediction.scores import (
    binary_loss,
    bootstrap,
    calibration,
    calibration_interval,
    class_loss,
    class_scores,
    node_scores,
)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WEIGHTINGS = {"iteration": 0.0, "balanced": 0.5, "repository": 1.0}
"""What one vote is: an iteration; the square root of a group's number of them; a group of people."""

SEEN = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 30), (31, 10**9))
ADAPTED = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """The model's and the baselines' probabilities for every decision and every node."""

    classes: Mapping[str, Floats]
    nodes: Mapping[str, Floats]
    fresh_classes: Floats
    fresh_nodes: Floats


MODEL = "model"


def forecast(
    dataset: Dataset, train: Mask, fitted: Fitted, weight_power: float, *, slow: bool = False
) -> Forecasts:
    """Return all forecasts, the baselines fitted on ``train`` with the model's own weights.

    Args:
        dataset: all decisions.
        train: which of them the model was fitted on.
        fitted: the model.
        weight_power: as in the fit.
        slow: whether to fit the baselines that take minutes, too.
    """
    going_on = train & (dataset.y >= 0)
    weight = np.ones(len(dataset.y))
    weight[train] = weights(dataset.group[train], weight_power)
    classes = {MODEL: fitted.classes(dataset)}
    for name, baseline in CLASS_BASELINES.items():
        if name in SLOW_BASELINES and not slow:
            continue
        classes[name] = baseline(dataset, going_on, weight)
    sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))
    node_weight = (weight / np.maximum(sizes, 1))[dataset.node_decision]
    nodes = {MODEL: fitted.touched(dataset, classes[MODEL])}
    for name, node_baseline in NODE_BASELINES.items():
        nodes[name] = node_baseline(dataset, going_on[dataset.node_decision], node_weight)
    fresh = fitted.parts["classes"].chances(dataset.fresh_rows)
    return Forecasts(
        classes=classes,
        nodes=nodes,
        fresh_classes=fresh,
        fresh_nodes=fitted.parts["touched"].chances(with_classes(dataset, fresh, fresh=True)),
    )


def merge(parts: Sequence[tuple[Mask, Forecasts]], dataset: Dataset) -> Forecasts:
    """Return one forecast made of several, each used where its mask says.

    Args:
        parts: (decisions, forecasts) pairs whose decisions are disjoint.
        dataset: all decisions.
    """
    _, first = parts[0]
    classes = {name: chances.copy() for name, chances in first.classes.items()}
    nodes = {name: chances.copy() for name, chances in first.nodes.items()}
    fresh_classes, fresh_nodes = first.fresh_classes.copy(), first.fresh_nodes.copy()
    for mask, part in parts[1:]:
        rows = mask[dataset.node_decision]
        for name in classes:
            classes[name][mask] = part.classes[name][mask]
        for name in nodes:
            nodes[name][rows] = part.nodes[name][rows]
        fresh_classes[mask] = part.fresh_classes[mask]
        fresh_nodes[rows] = part.fresh_nodes[rows]
    return Forecasts(classes=classes, nodes=nodes, fresh_classes=fresh_classes, fresh_nodes=fresh_nodes)


def report(dataset: Dataset, held_out: Mask, forecasts: Forecasts, seed: int = 0) -> dict[str, Any]:
    """Return the figures of every source among the held-out decisions.

    Args:
        dataset: all decisions.
        held_out: which of them are judged.
        forecasts: what was said of them.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    out: dict[str, Any] = {}
    for source in sorted(set(dataset.source.tolist())):
        own = held_out & (dataset.source == source) & (dataset.y >= 0)
        if own.any():
            out[source] = {
                "histories": len(set(dataset.history[own].tolist())),
                "groups": len(set(dataset.group[own].tolist())),
                "decisions": int(own.sum()),
                "classes": _classes(dataset, own, forecasts, rng),
                "nodes": _nodes(dataset, own, forecasts, rng),
            }
    return out


def _classes(dataset: Dataset, own: Mask, forecasts: Forecasts, rng: np.random.Generator) -> dict[str, Any]:
    y, group = dataset.y[own], dataset.group[own]
    losses = {name: class_loss(chances[own], y) for name, chances in forecasts.classes.items()}
    chances = forecasts.classes[MODEL][own]
    out: dict[str, Any] = {}
    hit = (chances.argmax(axis=1) == y).astype(np.float64)
    for name, power in WEIGHTINGS.items():
        weight = weights(group, power)
        out[name] = {
            "calibration": calibration_interval(chances.max(axis=1), hit, weight, group, rng),
            "scores": {
                other: class_scores(table[own], y, weight) for other, table in forecasts.classes.items()
            },
            "gains": {
                other: bootstrap(losses[MODEL], loss, group, weight, rng)
                for other, loss in losses.items()
                if other != MODEL
            },
        }
    balanced = weights(group, WEIGHTINGS["balanced"])
    out["reliability"] = calibration(chances.max(axis=1), hit, balanced)[1]
    out["by_seen"] = _by_seen(dataset.seen[own], losses, balanced)
    out["adapting"] = _adapting(
        dataset.seen[own], losses[MODEL], class_loss(forecasts.fresh_classes[own], y), group, rng
    )
    return out


def _nodes(dataset: Dataset, own: Mask, forecasts: Forecasts, rng: np.random.Generator) -> dict[str, Any]:
    rows = own[dataset.node_decision]
    y, decision = dataset.node_y[rows], dataset.node_decision[rows]
    sizes = np.bincount(decision, minlength=len(dataset.y))
    group = dataset.group[decision]
    share = 1 / sizes[decision]
    losses = {name: binary_loss(chances[rows], y) for name, chances in forecasts.nodes.items()}
    out: dict[str, Any] = {}
    per_decision = np.zeros(len(dataset.y))
    for name, power in {**WEIGHTINGS, "node": 0.0}.items():
        per_decision[own] = weights(dataset.group[own], power)
        weight = np.ones(len(y)) if name == "node" else per_decision[decision] * share
        out[name] = {
            "calibration": calibration_interval(
                forecasts.nodes[MODEL][rows], y.astype(np.float64), weight, group, rng
            ),
            "scores": {
                other: node_scores(chances[rows], y, weight) for other, chances in forecasts.nodes.items()
            },
            "gains": {
                other: bootstrap(losses[MODEL], loss, group, weight, rng)
                for other, loss in losses.items()
                if other != MODEL
            },
        }
    per_decision[own] = weights(dataset.group[own], WEIGHTINGS["balanced"])
    balanced = per_decision[decision] * share
    out["reliability"] = calibration(forecasts.nodes[MODEL][rows], y.astype(np.float64), balanced)[1]
    out["by_seen"] = _by_seen(dataset.seen[decision], losses, balanced)
    out["adapting"] = _adapting(
        dataset.seen[decision], losses[MODEL], binary_loss(forecasts.fresh_nodes[rows], y), group, rng, share
    )
    return out


def _by_seen(seen: NDArray[np.int64], losses: Mapping[str, Floats], weight: Floats) -> list[dict[str, Any]]:
    out = []
    for low, high in SEEN:
        chosen = (seen >= low) & (seen <= high)
        if chosen.any():
            out.append(
                {
                    "edits_seen": f"{low}"
                    if low == high
                    else f"{low}-{high}"
                    if high < 10**9
                    else f">{low - 1}",
                    "decisions": int(chosen.sum()),
                    **{
                        name: float(np.average(loss[chosen], weights=weight[chosen]))
                        for name, loss in losses.items()
                    },
                }
            )
    return out


def _adapting(
    seen: NDArray[np.int64],
    adapted: Floats,
    fresh: Floats,
    group: NDArray[np.str_],
    rng: np.random.Generator,
    share: Floats | None = None,
) -> dict[str, Any]:
    """Return what the person's edits are worth: the same decisions forecast with and without them."""
    chosen = seen >= ADAPTED
    out: dict[str, Any] = {"decisions": int(chosen.sum())}
    if len(set(group[chosen].tolist())) > 1:
        for name, power in WEIGHTINGS.items():
            weight = weights(group[chosen], power) * (1.0 if share is None else share[chosen])
            out[name] = bootstrap(adapted[chosen], fresh[chosen], group[chosen], weight, rng)
    return out


def stop_report(dataset: Dataset, held_out: Mask, chances: Floats) -> dict[str, Any]:
    """Return how well the end of histories is foreseen, beside the share of ends among all decisions.

    Args:
        dataset: all decisions.
        held_out: which of them are judged.
        chances: P(the history ends) of every decision.
    """
    out = {}
    for source in sorted(set(dataset.source.tolist())):
        own = held_out & (dataset.source == source)
        if own.any():
            y = (dataset.y[own] < 0).astype(np.int64)
            weight = weights(dataset.group[own], WEIGHTINGS["balanced"])
            rate = np.full(len(y), np.average(y, weights=weight))
            out[source] = {
                MODEL: node_scores(chances[own], y, weight),
                "rate of these very histories": node_scores(rate, y, weight),
            }
    return out


def moves_report(dataset: Dataset, held_out: Mask, chances: Floats) -> dict[str, Any]:
    """Return how well it is foreseen which parameters move, beside "it moved last time" as a rate.

    Args:
        dataset: all decisions.
        held_out: which of them are judged; the rates are taken from the others, or from the same where there
            are no others, which favours the rates.
        chances: P(it moves) of every row of ``dataset.parameters``.
    """
    out = {}
    decision = dataset.parameter_decision
    since = np.round(np.expm1(dataset.parameters[:, 4])).astype(np.int64)
    last = since == 0
    for source in sorted(set(dataset.source.tolist())):
        here = (dataset.source == source)[decision]
        own = here & held_out[decision]
        known = here & ~held_out[decision] if not held_out.all() else own
        if own.any() and known.any():
            weight = weights(dataset.group[decision[own]], WEIGHTINGS["balanced"])
            past = weights(dataset.group[decision[known]], WEIGHTINGS["balanced"])
            rate = np.zeros(int(own.sum()))
            for flag in (False, True):
                rows = last[known] == flag
                if rows.any():
                    rate[last[own] == flag] = np.average(dataset.parameter_y[known][rows], weights=past[rows])
            out[source] = {
                MODEL: node_scores(chances[own], dataset.parameter_y[own], weight),
                "moved last time or not": node_scores(rate, dataset.parameter_y[own], weight),
            }
    return out
