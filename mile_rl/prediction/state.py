"""What the model remembers of one history, kept up to date iteration by iteration.

Everything is incremental: an iteration costs time proportional to the latest version, however long the
history is. :meth:`HistoryState.fork` copies it, for histories that branch and for sampling.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASS_INDEX, CLASSES, Granularity, PastIteration, PastNode
from mile_rl.prediction.links import Links, Twins, depths
from mile_rl.prediction.memory import PersonMemory, value_key
from mile_rl.prediction.parameters import FAST, MAX_REMEMBERED, NEVER, SLOW, ParameterTrace, same
from mile_rl.prediction.values import candidates
from mile_rl.workflows.edits import EDIT_KINDS, STAGES, Edit

Floats = NDArray[np.float64]

_KIND = {kind: index for index, kind in enumerate(EDIT_KINDS)}
_HIDDEN = ("code", "data", "environment")
"""Kinds of edits that leave no trace in what the model sees of a node."""

_STAGE = {stage: index for index, stage in enumerate(STAGES)}


@dataclass(slots=True)
class NodeTable:
    """Per node of the latest version, in its order: topology and how lately and often it was touched."""

    names: tuple[str, ...]
    stage: NDArray[np.int64]
    depth: Floats
    parents: Links
    children: Links
    twins: Twins
    """The other nodes with the same operator."""
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
        self.hidden: tuple[int, ...] = ()

    def fork(self, memory: PersonMemory | None = None) -> Self:
        """Return a copy that can go its own way.

        Args:
            memory: the copy's memory of the person; None to go on sharing this one.
        """
        other = copy.copy(self)
        other.memory = self.memory if memory is None else memory
        for name in ("counts", "decayed", "class_since", "kinds", "kinds_decayed"):
            setattr(other, name, getattr(self, name).copy())
        if self.table is not None:  # all of its arrays but one are exchanged whole, never changed
            other.table = replace(self.table, last_kind=self.table.last_kind.copy())
        other.traces = {key: copy.copy(trace) for key, trace in self.traces.items()}
        return other

    def observe(self, record: PastIteration) -> None:
        """Take in the next iteration."""
        edited: dict[str, list[Edit]] = {}
        for edit in record.edits:
            edited.setdefault(edit.node, []).append(edit)
        if self.iterations:
            self._observe_change(record)
            self._remember(edited)
        else:
            self.memory.histories += 1
        self._observe_parameters(record)
        self._observe_nodes(record, edited)
        self.looped = (*self.looped, record.looped)[-3:]
        self.loop_share = SLOW * self.loop_share + (1 - SLOW) * record.looped
        self.gap_s = (*self.gap_s, -1.0 if record.gap_s is None else record.gap_s)[-3:]
        self.nodes = record.nodes
        self.hidden = (*self.hidden, self._hidden_after(record))[-MAX_REMEMBERED:]
        self.records = (*self.records, record.nodes)[-MAX_REMEMBERED:]
        version = record.version or f"#{self.iterations}"
        self.versions = (*self.versions, version)[-MAX_REMEMBERED:]
        self.iterations += 1

    def _hidden_after(self, record: PastIteration) -> int:
        """Return a number that two versions share if no edit that the nodes do not show lies between them."""
        if record.returns_to is not None and record.returns_to < len(self.hidden):
            return self.hidden[-1 - record.returns_to]
        unseen = any(edit.kind in _HIDDEN for edit in record.edits)
        return self.iterations if unseen or not self.hidden else self.hidden[-1]

    def seen_before(self, nodes: Sequence[PastNode]) -> int | None:
        """Return how many iterations back the version lies that ``nodes`` make, reached without an edit that
        they do not show; None where it is new or the latest one."""
        for back in range(1, len(self.records)):
            if (
                self.hidden[-1 - back] == self.hidden[-1]
                and self.versions[-1 - back] != self.versions[-1]
                and self.records[-1 - back] == tuple(nodes)
            ):
                return back
        return None

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

    def _remember(self, edited: Mapping[str, Sequence[Edit]]) -> None:
        """Tell the person's memory which nodes of the version before were touched."""
        self.memory.nodes.observe({node.name: float(node.name in edited) for node in self.nodes})
        operators: dict[str, list[bool]] = {}
        for node in self.nodes:
            operators.setdefault(node.operator or node.name, []).append(node.name in edited)
        self.memory.operators.observe({name: sum(hits) / len(hits) for name, hits in operators.items()})

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
                    values = self.memory.values
                    values.habits.learn(candidates(name, trace, values, {}), value_key(value))
                    values.moved(name, trace.values[-1], value)
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


def _new_table(nodes: tuple[PastNode, ...], old: NodeTable | None, now: int) -> NodeTable:
    """Lay out the table of a new DAG; nodes that were there before keep what is known of them."""
    size = len(nodes)
    position = {node.name: index for index, node in enumerate(nodes)}
    pairs = [
        (index, position[parent])
        for index, node in enumerate(nodes)
        for parent in dict.fromkeys(node.parents)
        if position.get(parent, index) != index
    ]
    edges = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    parents = Links(edges[:, 0], edges[:, 1], size)
    table = NodeTable(
        names=tuple(node.name for node in nodes),
        stage=np.array([_STAGE[node.stage] for node in nodes], dtype=np.int64),
        depth=depths(parents),
        parents=parents,
        children=Links(edges[:, 1], edges[:, 0], size),
        twins=Twins([node.operator or node.name for node in nodes]),
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
