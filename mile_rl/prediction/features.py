"""From what is remembered of a history to the rows that the model reads.

Each builder returns plain floats in the order of its ``*_NAMES``; the fit and the engine call the same
builders. Nothing here looks at the iteration that is to be predicted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.parameters import NEVER, ParameterTrace
from mile_rl.prediction.state import HistoryState, NodeTable
from mile_rl.workflows.edits import EDIT_KINDS, STAGES

Floats = NDArray[np.float64]

PRIOR_WEIGHT = 3.0
"""A person's own shares are pulled towards equal ones as if these had been seen in so many iterations."""

PRIOR = np.full(len(CLASSES), 1 / len(CLASSES))

CLASS_NAMES: tuple[str, ...] = (
    "runs",
    "iterations",
    "hand",
    *(f"nodes_{stage}" for stage in STAGES),
    "depth",
    "parameters",
    *(f"last_{change.name.lower()}" for change in CLASSES),
    *(f"second_{change.name.lower()}" for change in CLASSES),
    *(f"count_{change.name.lower()}" for change in CLASSES),
    *(f"share_{change.name.lower()}" for change in CLASSES),
    *(f"decayed_{change.name.lower()}" for change in CLASSES),
    *(f"since_{change.name.lower()}" for change in CLASSES),
    *(f"kind_{kind}" for kind in EDIT_KINDS),
    *(f"kinds_decayed_{kind}" for kind in EDIT_KINDS),
    "touched_last",
    "touched_second",
    "share_touched",
    "moved_last",
    "log_gap_last",
    "log_gap_second",
    "gap_known",
    "looped_last",
    "looped_second",
    "loop_share",
    "same_class_run",
    "returns_share",
    "person_hand",
    "person_histories",
    "person_touched_share",
    *(f"person_{change.name.lower()}" for change in CLASSES),
)


PARAMETER_NAMES: tuple[str, ...] = (
    "runs",
    "hand",
    "parameters",
    "age",
    "since",
    "moves",
    "own_share",
    "fast",
    "slow",
    "moved_last",
    "share_moved_last",
    "numeric",
    "integer",
    "boolean",
    "text",
    "distinct",
    "known_name",
    "name_rate",
    "looped_last",
    "loop_share",
    "p_node",
    "p_nothing",
    "p_return",
)


_SHARED = np.array(
    [
        PARAMETER_NAMES.index(name)
        for name in (
            "runs",
            "hand",
            "parameters",
            "moved_last",
            "share_moved_last",
            "looped_last",
            "loop_share",
            "p_nothing",
            "p_return",
        )
    ]
)
"""The columns that all parameters of an iteration have in common."""

_OWN = np.array([index for index in range(len(PARAMETER_NAMES)) if index not in _SHARED])


def alone(rows: Floats) -> Floats:
    """Return rows of whole histories as they would be without loops and without the person's other histories.

    Args:
        rows: shape (rows, len(CLASS_NAMES)).
    """
    out = rows.copy()
    column = {name: index for index, name in enumerate(CLASS_NAMES)}
    hand = out[:, column["hand"]]
    out[:, column["iterations"]] = np.log1p(np.expm1(hand) + 1)
    out[:, [column[name] for name in ("looped_last", "looped_second", "loop_share")]] = 0.0
    out[:, column["person_hand"]], out[:, column["person_histories"]] = hand, math.log1p(1)
    out[:, column["person_touched_share"]] = out[:, column["share_touched"]]
    for change in CLASSES:
        name = change.name.lower()
        out[:, column[f"person_{name}"]] = out[:, column[f"share_{name}"]]
    return out


def class_row(state: HistoryState) -> Floats:
    """Return the features of the whole history, shape (len(CLASS_NAMES),).

    Args:
        state: the history.
    """
    return np.concatenate((_workflow(state), _changes(state), _rhythm(state), _person(state)))


def _workflow(state: HistoryState) -> Floats:
    table = observed(state)
    return np.array(
        (
            float(state.granularity == "run"),
            math.log1p(state.iterations),
            math.log1p(state.hand),
            *np.log1p(np.bincount(table.stage, minlength=len(STAGES))[: len(STAGES)]),
            float(table.depth.max(initial=0.0)),
            math.log1p(float(table.parameters.sum())),
        )
    )


def _changes(state: HistoryState) -> Floats:
    last, second = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    if state.classes:
        last[state.classes[-1]] = 1.0
    if len(state.classes) > 1:
        second[state.classes[-2]] = 1.0
    share = (state.counts + PRIOR_WEIGHT * PRIOR) / (state.hand + PRIOR_WEIGHT)
    return np.concatenate(
        (
            last,
            second,
            np.log1p(state.counts),
            share,
            state.decayed + (1 - state.decayed.sum()) * share,
            np.log1p(state.class_since),
            np.log1p(state.kinds),
            state.kinds_decayed,
        )
    )


def _rhythm(state: HistoryState) -> Floats:
    touched = (0.0, 0.0, *state.n_touched)
    gaps = (-1.0, -1.0, *state.gap_s)
    looped = (False, False, *state.looped)
    run = 0
    while run < len(state.classes) and state.classes[-1 - run] == state.classes[-1]:
        run += 1
    return np.array(
        (
            math.log1p(touched[-1]),
            math.log1p(touched[-2]),
            state.share_touched,
            math.log1p(state.moved_last),
            log_gap(gaps[-1]),
            log_gap(gaps[-2]),
            float(gaps[-1] >= 0),
            float(looped[-1]),
            float(looped[-2]),
            state.loop_share,
            float(run),
            (state.counts[1] + 0.1) / (state.hand + 2.0),
        )
    )


def _person(state: HistoryState) -> Floats:
    memory = state.memory
    return np.array(
        (
            math.log1p(memory.hand),
            math.log1p(memory.histories),
            (memory.touched_share + 0.3) / (memory.hand + 1.0),
            *memory.shares(PRIOR, PRIOR_WEIGHT),
        )
    )


def observed(state: HistoryState) -> NodeTable:
    """Return the nodes of the latest version; asking before anything was observed is a bug of ours."""
    assert state.table is not None, "a history has to be observed before it is described"
    return state.table


def parameter_rows(
    state: HistoryState,
    traces: Sequence[ParameterTrace],
    n_parameters: int,
    name_rates: Sequence[float | None],
    p_nodes: Sequence[float],
    classes: Floats,
) -> Floats:
    """Return the features of parameters, shape (parameters, len(PARAMETER_NAMES)).

    Args:
        state: the history.
        traces: what each parameter has done.
        n_parameters: how many parameters the latest version has.
        name_rates: how often a parameter of that name moves in general, None where the name is unknown.
        p_nodes: P(its node is touched).
        classes: P(change class), in the order of ``CLASSES``.
    """
    now = state.iterations - 1
    out = np.empty((len(traces), len(PARAMETER_NAMES)))
    out[:, _SHARED] = (
        state.granularity == "run",
        math.log1p(state.hand),
        math.log1p(n_parameters),
        math.log1p(state.moved_last),
        state.moved_last / max(n_parameters, 1),
        bool(state.looped and state.looped[-1]),
        state.loop_share,
        classes[0],
        classes[1],
    )
    out[:, _OWN] = [
        (*_past(trace, now), *_type(trace), rate is not None, rate or 0.0, p_node)
        for trace, rate, p_node in zip(traces, name_rates, p_nodes)
    ]
    return out


def _past(trace: ParameterTrace, now: int) -> tuple[float, ...]:
    """Return when and how often a parameter moved."""
    age = max(now - trace.born, 0)
    return (
        math.log1p(age),
        math.log1p(now - trace.since if trace.since >= 0 else NEVER),
        math.log1p(trace.moves),
        (trace.moves + 0.2) / (age + 1.5),
        *trace.shares(now),
    )


def _type(trace: ParameterTrace) -> tuple[float, ...]:
    """Return what sort of value a parameter has, and how many different ones it had."""
    value = trace.values[-1]
    boolean = isinstance(value, bool)
    integer = isinstance(value, int) and not boolean
    return (
        integer or isinstance(value, float),
        integer,
        boolean,
        isinstance(value, str),
        len(set(map(repr, trace.values))) if len(trace.values) > 1 else 1.0,
    )


def log_gap(gap_s: float) -> float:
    """Return the logarithm of a gap in seconds, 0 where it is unknown (negative)."""
    return math.log1p(gap_s) if gap_s >= 0 else 0.0
