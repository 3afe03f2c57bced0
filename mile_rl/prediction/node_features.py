"""The rows that the forests of nodes read: one a node of the latest version."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.features import Floats, log_gap, observed
from mile_rl.prediction.state import HistoryState, NodeTable
from mile_rl.workflows.edits import STAGES

NODE_NAMES: tuple[str, ...] = (
    "runs",
    "hand",
    "nodes",
    *(f"stage_{stage}" for stage in STAGES),
    "depth",
    "parents",
    "children",
    "parameters",
    "age",
    "since",
    "count",
    "own_share",
    "person_touched_share",
    "person_hand",
    "fast",
    "slow",
    "recent_1",
    "recent_2",
    "recent_3",
    "parents_recent",
    "children_recent",
    "twins_recent",
    "stage_recent",
    "twins_slow",
    "share_recent",
    "share_touched",
    "since_rank",
    "slow_relative",
    "last_kind",
    "looped_last",
    "loop_share",
    "moved_last",
    "log_gap_last",
    "p_nothing",
    "p_return",
    "p_stage",
    "p_parameter",
    "stage_part",
    "stage_size",
    "share_relative",
    "share_part",
    "expected_touched",
    "hand_rate",
    "stage_slower",
    "name_rate",
    "name_chances",
    "name_touches",
    "name_since",
    "operator_rate",
    "operator_chances",
)


def node_rows(state: HistoryState, classes: Floats) -> Floats:
    """Return the features of each node of the latest version, shape (nodes, len(NODE_NAMES)).

    Args:
        state: the history.
        classes: P(change class), in the order of ``CLASSES``.
    """
    table = observed(state)
    rows = np.zeros((len(table.names), len(NODE_NAMES)))
    if len(rows):
        columns = (
            *_node_topology(state, table),
            *_node_touches(state, table),
            *_node_moment(state, table, classes),
            *_node_rivals(state, table, classes),
            *_node_memories(state),
        )
        for index, column in enumerate(columns):
            rows[:, index] = column
    return rows


Column = Floats | NDArray[np.bool_] | NDArray[np.int64] | float


def _node_topology(state: HistoryState, table: NodeTable) -> tuple[Column, ...]:
    return (
        float(state.granularity == "run"),
        math.log1p(state.hand),
        math.log1p(len(table.names)),
        table.stage == 0,
        table.stage == 1,
        table.stage == 2,
        table.depth,
        table.parents.counts,
        table.children.counts,
        np.log1p(table.parameters),
    )


def _node_touches(state: HistoryState, table: NodeTable) -> tuple[Column, ...]:
    recent = table.recent[0]
    age = np.maximum(state.iterations - 1 - table.born, 0.0)
    sizes = np.maximum(np.bincount(table.stage, minlength=len(STAGES)), 1)
    by_stage = np.bincount(table.stage, weights=recent, minlength=len(STAGES)) / sizes
    memory = state.memory
    return (
        np.log1p(age),
        np.log1p(table.since),
        np.log1p(table.count),
        (table.count + 0.3) / (age + 1.5),
        (memory.touched_share + 3 * state.share_touched + 0.3) / (memory.hand + 4.0),
        math.log1p(min(memory.hand, 10)),
        table.fast,
        table.slow,
        recent,
        table.recent[1],
        table.recent[2],
        table.parents.mean(recent),
        table.children.mean(recent),
        table.twins.mean(recent),
        by_stage[table.stage],
        table.twins.mean(table.slow),
        float(recent.mean()),
        state.share_touched,
        np.searchsorted(np.sort(table.since), table.since) / len(table.names),
        table.slow / max(float(table.slow.max()), 0.05),
        table.last_kind,
    )


def _node_moment(state: HistoryState, table: NodeTable, classes: Floats) -> tuple[Column, ...]:
    p_parameter = np.array([classes[5], classes[4], 0.0])
    return (
        float(bool(state.looped and state.looped[-1])),
        state.loop_share,
        math.log1p(state.moved_last),
        log_gap(state.gap_s[-1] if state.gap_s else -1.0),
        float(classes[0]),
        float(classes[1]),
        _stage_chances(classes)[table.stage],
        p_parameter[table.stage],
    )


def _stage_chances(classes: Floats) -> Floats:
    """Return P(an iteration's class stands for changes of a stage), in the order of ``STAGES``."""
    # N B M P H R C E
    return np.array([classes[3] + classes[5] + classes[6], classes[2] + classes[4] + classes[6], classes[7]])


def _node_rivals(state: HistoryState, table: NodeTable, classes: Floats) -> tuple[Column, ...]:
    """Return how a node's record stands beside those of the nodes that may be touched in its place."""
    age = np.maximum(state.iterations - 1 - table.born, 0.0)
    share = (table.count + 0.3) / (age + 1.5)
    sizes = np.bincount(table.stage, minlength=len(STAGES)).astype(np.float64)
    of_stage = np.bincount(table.stage, weights=share, minlength=len(STAGES))
    slow = np.bincount(table.stage, weights=table.slow, minlength=len(STAGES))
    return (
        _stage_chances(classes)[table.stage] * share / of_stage[table.stage],
        sizes[table.stage],
        share * sizes[table.stage] / of_stage[table.stage],
        share / share.sum(),
        float(share.sum()),
        table.count / (state.hand + 1),
        slow[table.stage] - table.slow,
    )


def _node_memories(state: HistoryState) -> tuple[Column, ...]:
    """Return what the person's memory holds of nodes and operators of these names, from all histories."""
    touches, chances, since = state.memory.nodes.of([node.name for node in state.nodes]).T
    operators = state.memory.operators.of([node.operator or node.name for node in state.nodes]).T
    return (
        (touches + 0.3) / (chances + 1.0),
        np.log1p(chances),
        touches,
        np.log1p(since),
        (operators[0] + 0.3) / (operators[1] + 1.0),
        np.log1p(operators[1]),
    )
