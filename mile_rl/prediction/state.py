"""What the model remembers of one history, kept up to date iteration by iteration.

Everything is incremental: an iteration costs time proportional to the latest version, however long the
history is. :meth:`HistoryState.fork` copies it, for histories that branch and for sampling.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASS_INDEX, CLASSES, Granularity, PastIteration, PastNode
from mile_rl.prediction.memory import PersonMemory
from mile_rl.workflows.edits import EDIT_KINDS, STAGES, Edit, Scalar

Floats = NDArray[np.float64]

NEVER = 60.0
"""Stands for "never so far" where iterations since an event are counted; also where counting stops."""

FAST, SLOW = 0.5, 0.8
"""How much of a running share is kept from one iteration to the next: half-lives of 1 and 3.1 iterations."""

MAX_REMEMBERED = 24
"""How many of a parameter's latest values are remembered."""

_KIND = {kind: index for index, kind in enumerate(EDIT_KINDS)}
_STAGE = {stage: index for index, stage in enumerate(STAGES)}


@dataclass(slots=True)
class ParameterTrace:
    """What one parameter of one node has done so far.

    Args:
        values: its values, one an iteration in which it took a new one, the latest last.
        since: the iteration (counted by the history) at which it last moved, -1 if never.
        moves: how often it moved.
        fast, slow: running shares of iterations in which it moved.
        born: the iteration at which it was first seen.
    """

    values: list[Scalar]
    since: int = -1
    moves: int = 0
    fast: float = 0.0
    slow: float = 0.0
    born: int = 0
    updated: int = 0

    def shares(self, now: int) -> tuple[float, float]:
        """Return the running shares as they stand at iteration ``now``."""
        idle = now - self.updated
        return self.fast * FAST**idle, self.slow * SLOW**idle

    def moved(self, value: Scalar, now: int) -> None:
        """Take in that the parameter took ``value`` at iteration ``now``."""
        fast, slow = self.shares(now)
        self.fast, self.slow, self.updated = fast + 1 - FAST, slow + 1 - SLOW, now
        self.since, self.moves = now, self.moves + 1
        self.values = [*self.values[-MAX_REMEMBERED + 1 :], value]


@dataclass(slots=True)
class NodeTable:
    """Per node of the latest version, in its order: topology and how lately and often it was touched."""

    names: tuple[str, ...]
    stage: NDArray[np.int64]
    depth: Floats
    parents: Floats
    """Row-normalised adjacency, shape (nodes, nodes): row i holds i's parents."""
    children: Floats
    twins: Floats
    """Row-normalised: the other nodes with the same operator."""
    parameters: Floats
    born: Floats
    since: Floats
    count: Floats
    fast: Floats
    slow: Floats
    recent: Floats
    """Touched in the latest, the one before, the one before that: shape (3, nodes)."""
    last_kind: NDArray[np.int64]


class HistoryState:
    """A history as the features need it.

    Args:
        granularity: what one iteration is.
        memory: what is known of the person from all of their histories; it is shared, and updated.
    """

    def __init__(self, granularity: Granularity = "run", memory: PersonMemory | None = None) -> None:
        self.memory = memory if memory is not None else PersonMemory()
        self.granularity: Granularity = granularity
        self.iterations = 0
        self.hand = 0
        self.classes: tuple[int, ...] = ()
        self.counts = np.zeros(len(CLASSES))
        self.decayed = np.zeros(len(CLASSES))
        self.class_since = np.full(len(CLASSES), NEVER)
        self.kinds = np.zeros(len(_KIND))
        self.kinds_decayed = np.zeros(len(_KIND))
        self.n_touched: tuple[float, ...] = ()
        self.share_touched = 0.0
        self.gap_s: tuple[float, ...] = ()
        self.looped: tuple[bool, ...] = ()
        self.loop_share = 0.0
        self.moved_last = 0
        self.nodes: tuple[PastNode, ...] = ()
        self.table: NodeTable | None = None
        self.traces: dict[tuple[str, str], ParameterTrace] = {}
        self.versions: tuple[str, ...] = ()
        self.records: tuple[tuple[PastNode, ...], ...] = ()

    def fork(self, memory: PersonMemory | None = None) -> Self:
        """Return a copy that can go its own way.

        Args:
            memory: the copy's memory of the person; None to go on sharing this one.
        """
        other = copy.copy(self)
        other.memory = self.memory if memory is None else memory
        for name in ("counts", "decayed", "class_since", "kinds", "kinds_decayed"):
            setattr(other, name, getattr(self, name).copy())
        other.table = copy.deepcopy(self.table)
        other.traces = {key: copy.copy(trace) for key, trace in self.traces.items()}
        return other

    def observe(self, record: PastIteration) -> None:
        """Take in the next iteration."""
        edited: dict[str, list[Edit]] = {}
        for edit in record.edits:
            edited.setdefault(edit.node, []).append(edit)
        if self.iterations:
            self._observe_change(record)
        else:
            self.memory.histories += 1
        self._observe_parameters(record)
        self._observe_nodes(record, edited)
        self.looped = (*self.looped, record.looped)[-3:]
        self.loop_share = SLOW * self.loop_share + (1 - SLOW) * record.looped
        self.gap_s = (*self.gap_s, -1.0 if record.gap_s is None else record.gap_s)[-3:]
        self.nodes = record.nodes
        self.records = (*self.records, record.nodes)[-MAX_REMEMBERED:]
        version = record.version or f"#{self.iterations}"
        self.versions = (*self.versions, version)[-MAX_REMEMBERED:]
        self.iterations += 1

    def _observe_change(self, record: PastIteration) -> None:
        index = CLASS_INDEX.get(record.change)
        if index is None:  # a new start on the same line: no change of anything
            return
        self.classes = (*self.classes, index)[-MAX_REMEMBERED:]
        self.class_since = np.minimum(self.class_since + 1, NEVER)
        self.class_since[index] = 0
        if not record.looped:
            self.hand += 1
            self.counts[index] += 1
            self.decayed *= SLOW
            self.decayed[index] += 1 - SLOW
        self.kinds = np.zeros(len(_KIND))
        for edit in record.edits:
            self.kinds[_KIND[edit.kind]] += 1
        self.kinds_decayed = SLOW * self.kinds_decayed + (1 - SLOW) * np.minimum(self.kinds, 1)

    def _observe_parameters(self, record: PastIteration) -> None:
        before = {node.name: node for node in self.nodes}
        self.moved_last = 0
        for node in record.nodes:
            old = before.get(node.name)
            if old is not None and old.parameters == node.parameters:
                continue
            for name, value in node.parameters.items():
                key = (node.name, name)
                trace = self.traces.get(key)
                if trace is None:
                    self.traces[key] = ParameterTrace(
                        values=[value], born=self.iterations, updated=self.iterations
                    )
                    self.memory.values.took(name, value)
                elif not same(trace.values[-1], value):
                    self.memory.values.moved(name, trace.values[-1], value)
                    trace.moved(value, self.iterations)
                    self.moved_last += 1

    def _observe_nodes(self, record: PastIteration, edited: dict[str, list[Edit]]) -> None:
        old = self.table
        shape = tuple((node.name, node.stage, node.operator, node.parents) for node in record.nodes)
        if old is not None and shape == tuple(
            (node.name, node.stage, node.operator, node.parents) for node in self.nodes
        ):
            table = old
        else:
            table = _new_table(record.nodes, old, self.iterations)
        if self.iterations:
            touched = np.array([name in edited for name in table.names], dtype=np.float64)
            table.since = np.where(touched > 0, 0.0, np.minimum(table.since + 1, NEVER))
            table.count = table.count + touched
            table.fast = FAST * table.fast + (1 - FAST) * touched
            table.slow = SLOW * table.slow + (1 - SLOW) * touched
            table.recent = np.vstack([touched, table.recent[:2]])
            for index, name in enumerate(table.names):
                if name in edited:
                    table.last_kind[index] = _KIND[edited[name][0].kind]
            total = float(len(edited))
            self.n_touched = (*self.n_touched, total)[-3:]
            share = float(touched.mean()) if len(touched) else 0.0
            if not record.looped and record.change in CLASS_INDEX:
                self.memory.changed(CLASS_INDEX[record.change], share)
            self.share_touched = SLOW * self.share_touched + (1 - SLOW) * share
        self.table = table


def same(left: Scalar, right: Scalar) -> bool:
    """Return whether two parameter values are one and the same: 1, 1.0 and True differ, NaN is itself."""
    return type(left) is type(right) and (left == right or (left != left and right != right))


def _new_table(nodes: tuple[PastNode, ...], old: NodeTable | None, now: int) -> NodeTable:
    """Lay out the table of a new DAG; nodes that were there before keep what is known of them."""
    size = len(nodes)
    position = {node.name: index for index, node in enumerate(nodes)}
    parents = np.zeros((size, size))
    for index, node in enumerate(nodes):
        for parent in node.parents:
            if parent in position and position[parent] != index:
                parents[index, position[parent]] = 1.0
    operators = np.unique([node.operator or node.name for node in nodes], return_inverse=True)[1]
    twins = (operators[:, None] == operators[None, :]).astype(np.float64)
    np.fill_diagonal(twins, 0.0)
    table = NodeTable(
        names=tuple(node.name for node in nodes),
        stage=np.array([_STAGE[node.stage] for node in nodes], dtype=np.int64),
        depth=_depths(parents),
        parents=_normalised(parents),
        children=_normalised(parents.T),
        twins=_normalised(twins),
        parameters=np.array([len(node.parameters) for node in nodes], dtype=np.float64),
        born=np.full(size, float(now)),
        since=np.full(size, NEVER),
        count=np.zeros(size),
        fast=np.zeros(size),
        slow=np.zeros(size),
        recent=np.zeros((3, size)),
        last_kind=np.full(size, -1, dtype=np.int64),
    )
    if old is not None:
        earlier = {name: index for index, name in enumerate(old.names)}
        here = [index for index, node in enumerate(nodes) if node.name in earlier]
        there = [earlier[nodes[index].name] for index in here]
        for name in ("born", "since", "count", "fast", "slow", "last_kind"):
            getattr(table, name)[here] = getattr(old, name)[there]
        table.recent[:, here] = old.recent[:, there]
    return table


def _normalised(matrix: Floats) -> Floats:
    rows: Floats = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1.0)
    return rows


def _depths(parents: Floats) -> Floats:
    """Return each node's distance from the sources: the longest path that leads to it.

    A mined graph may hold a cycle (two stages that name each other's folder): then counting stops.
    """
    depth = np.zeros(len(parents))
    for _ in range(len(parents)):
        deeper = ((depth + 1) * (parents > 0)).max(axis=1, initial=0.0)
        if np.array_equal(deeper, depth):
            break
        depth = deeper
    return np.minimum(depth, 20.0)
