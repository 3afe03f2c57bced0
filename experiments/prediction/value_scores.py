"""Judging how often the next exact value of a parameter is among the first guesses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.dataset import Dataset, weights
from experiments.prediction.evaluate import MODEL, WEIGHTINGS
from experiments.prediction.fit import Fitted, value_tables
from experiments.prediction.scores import bootstrap, ratio
from mile_rl.prediction.memory import value_key
from mile_rl.prediction.values import VALUE_NAMES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueHits:
    """Of every parameter that moved: whether the right value was the first guess, or among the first three.

    Args:
        hits: forecast -> (first, first three), 1 or 0 a move.
        reach: 1 where the right value was among the candidates at all.
        groups: whose move it was.
        kinds: type of the new value.
        by_hand: whether a person launched the move's history as a whole; see ``traces.scripted``.
    """

    hits: Mapping[str, tuple[Floats, Floats]]
    reach: Floats
    groups: NDArray[np.str_]
    kinds: Sequence[str]
    by_hand: Mask


def value_hits(dataset: Dataset, held_out: Mask, fitted: Fitted) -> ValueHits | None:
    """Return the hits among the held-out moves, None where there is no such move.

    Args:
        dataset: all decisions.
        held_out: which of them are judged.
        fitted: the model; its common values come from what it was fitted on.
    """
    moves = [move for move in dataset.moves if held_out[move.decision]]
    if not moves:
        return None
    table, hit, owner = value_tables(dataset, moves, lambda group: fitted.model.common)
    column = {name: index for index, name in enumerate(VALUE_NAMES)}
    used, common = table[:, column["own_count"]] > 0, table[:, column["common_share"]] > 0
    step = (table[:, 3] + table[:, 4]) > 0
    orders = {
        MODEL: fitted.parts["values"].raw(table)[:, 0],
        "a value used before": np.where(used, -table[:, column["own_recency"]], -np.inf),
        "the same step again": np.where(step, table[:, 3] + 0.5 * table[:, 4], -np.inf),
        "most common values": np.where(common, -table[:, column["common_rank"]], -np.inf),
    }
    reach = np.zeros(len(moves))
    reach[owner[hit > 0]] = 1.0
    return ValueHits(
        hits={name: _hits(score, hit, owner, len(moves)) for name, score in orders.items()},
        reach=reach,
        groups=dataset.group[[move.decision for move in moves]],
        kinds=[value_key(move.value)[0] for move in moves],
        by_hand=np.array([not move.scripted for move in moves], dtype=bool),
    )


def values_report(parts: Sequence[ValueHits], seed: int = 0) -> dict[str, Any]:
    """Return how often a parameter's next value is among the first one and three guesses, given that it moves.

    Args:
        parts: hits of disjoint sets of moves.
        seed: of the bootstrap.

    Returns:
        The figures of histories that a person launched (``hand_launched``) and of all together, in which what
        a program launched is left out run by run alone (``with_scripted``).
    """
    if not parts:
        return {}
    hits = {
        name: (
            np.concatenate([part.hits[name][0] for part in parts]),
            np.concatenate([part.hits[name][1] for part in parts]),
        )
        for name in parts[0].hits
    }
    groups = np.concatenate([part.groups for part in parts])
    reach = np.concatenate([part.reach for part in parts])
    by_hand = np.concatenate([part.by_hand for part in parts])
    kinds = np.array([kind for part in parts for kind in part.kinds])
    out = {}
    for scope, chosen in (("hand_launched", by_hand), ("with_scripted", np.ones(len(groups), dtype=bool))):
        if chosen.any():
            own = {name: (first[chosen], three[chosen]) for name, (first, three) in hits.items()}
            out[scope] = {
                "kinds": dict(Counter(kinds[chosen].tolist())),
                **_value_figures(own, reach[chosen], groups[chosen], np.random.default_rng(seed)),
            }
    return out


def _value_figures(
    hits: Mapping[str, tuple[Floats, Floats]],
    reach: Floats,
    groups: NDArray[np.str_],
    rng: np.random.Generator,
) -> dict[str, Any]:
    out: dict[str, Any] = {"moves": len(groups), "groups": len(set(groups.tolist()))}
    for weighting, power in WEIGHTINGS.items():
        weight = weights(groups, power)
        best = max(
            (name for name in hits if name != MODEL),
            key=lambda name: float(np.average(hits[name][1], weights=weight)),
        )
        out[weighting] = {
            "top_1": {name: float(np.average(first, weights=weight)) for name, (first, _) in hits.items()},
            "top_3": {name: float(np.average(three, weights=weight)) for name, (_, three) in hits.items()},
            "among_candidates": float(np.average(reach, weights=weight)),
            "best_baseline": best,
            "misses_saved": bootstrap(1 - hits[MODEL][1], 1 - hits[best][1], groups, weight, rng),
            "times_best": ratio(hits[MODEL][1], hits[best][1], groups, weight, rng),
        }
    return out


def _hits(score: Floats, hit: NDArray[np.int64], owner: NDArray[np.int64], n: int) -> tuple[Floats, Floats]:
    """Return per move whether the right value ranks first, and among the first three."""
    order = np.lexsort((-score, owner))
    start = np.searchsorted(owner[order], owner[order], side="left")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - start
    right = (hit > 0) & np.isfinite(score)
    first, three = np.zeros(n), np.zeros(n)
    first[owner[right & (rank < 1)]] = 1.0
    three[owner[right & (rank < 3)]] = 1.0
    return first, three
