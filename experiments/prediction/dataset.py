"""From histories to the tables that are fitted and judged: one row a decision that a person took."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.records import Transition, transitions
from mile_rl.prediction.base import CLASS_INDEX, CLASSES, PastIteration
from mile_rl.prediction.features import PARAMETER_NAMES, class_row, parameter_rows
from mile_rl.prediction.memory import ValueMemory, value_key
from mile_rl.prediction.node_features import NODE_NAMES, node_rows
from mile_rl.prediction.own_features import touched_nodes
from mile_rl.prediction.parameters import ParameterTrace, same
from mile_rl.prediction.sample import GENERATED_NAMES, decided
from mile_rl.prediction.state import HistoryState
from mile_rl.workflows.edits import STAGES, Scalar
from traces.schema import History
from traces.scripted import is_scripted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNINFORMED = np.full(len(CLASSES), 1 / len(CLASSES))
"""Stands for P(change class) until it is fitted; see :func:`with_classes`."""

MAX_VALUE_ROWS = 1_200
"""So many moves of parameters are kept a group: the longest grids would drown the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A parameter that moved in an iteration launched by hand, and what was known before it did.

    ``scripted`` says that a program drove most of the history around it.
    """

    decision: int
    name: str
    trace: ParameterTrace
    person: ValueMemory
    value: Scalar
    scripted: bool = False


@dataclass(slots=True, kw_only=True)
class Columns:
    """What the pass over the histories collects; see :class:`Dataset` for the meaning."""

    rows: list[Floats] = field(default_factory=list)
    y: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    history: list[int] = field(default_factory=list)
    stop: list[bool] = field(default_factory=list)
    nodes: list[Floats] = field(default_factory=list)
    node_y: list[NDArray[np.bool_]] = field(default_factory=list)
    generated: list[Floats] = field(default_factory=list)
    parameters: list[Floats] = field(default_factory=list)
    parameter_y: list[bool] = field(default_factory=list)
    parameter_decision: list[int] = field(default_factory=list)
    parameter_name: list[str] = field(default_factory=list)
    parameter_node: list[int] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    adds: list[tuple[str, int]] = field(default_factory=list)
    kinds: list[tuple[str, str]] = field(default_factory=list)
    fresh_rows: list[Floats] = field(default_factory=list)
    fresh_nodes: list[Floats] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    gap_s: list[float] = field(default_factory=list)
    at: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Decisions and what was known before each.

    A decision is an iteration that a person launched, or the end of a history. ``rows`` has one row a
    decision; the other tables point to decisions by number.

    Args:
        group, source, person: per decision.
        history: per decision, its history's number.
        rows: features of the whole history, columns ``CLASS_NAMES``.
        y: change class as an index into ``CLASSES``, -1 where the history ended.
        last, second: the two change classes before, -1 where there was none.
        seen: how many iterations the person had made by hand.
        nodes, node_y, node_decision: a row a node of the version before; whether the decision touched it.
        generated: what ``GENERATED_NAMES`` adds to ``nodes``.
        parameters, parameter_y, parameter_decision, parameter_name, parameter_node: a row a parameter;
            ``parameter_node`` points into ``nodes``.
        moves: the parameters that moved.
        adds: (decision, stage) pairs; kinds: (decision, stage, kind) as text, for drawing.
        fresh_rows, fresh_nodes: ``rows`` and ``nodes`` as they would be if nothing but the latest version were
            known, neither the history nor the person; what is learned from them is what adapting is worth.
        back: per decision, how far it went back, 0 where it is no return.
        gap_s: per decision, seconds before it, -1 if unknown.
        at: per decision, the moment of it, as in ``Transition.at``.
    """

    group: NDArray[np.str_]
    source: NDArray[np.str_]
    person: NDArray[np.str_]
    history: Integers
    rows: Floats
    y: Integers
    last: Integers
    second: Integers
    seen: Integers
    nodes: Floats
    node_y: Integers
    node_decision: Integers
    generated: Floats
    parameters: Floats
    parameter_y: Integers
    parameter_decision: Integers
    parameter_name: NDArray[np.str_]
    parameter_node: Integers
    moves: Sequence[Move]
    adds: Mapping[int, Counter[str]]
    kinds: Mapping[int, Sequence[tuple[str, str]]]
    fresh_rows: Floats
    fresh_nodes: Floats
    back: Integers
    gap_s: Floats
    at: Integers

    @property
    def run(self) -> NDArray[np.bool_]:
        """Per decision, whether its iterations are runs (and not commits)."""
        return self.rows[:, 0] > 0


def build(histories: Sequence[History], on_progress: Callable[[int, int], None] | None = None) -> Dataset:
    """Walk through all histories, person by person, and return what is to be learned.

    Args:
        histories: from any sources.
        on_progress: called with (people done, people).
    """
    people: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, history in enumerate(histories):
        people[history.source, history.person].append(index)
    out = Columns()
    taken: Counter[str] = Counter()
    for done, own in enumerate(people.values()):
        for step in transitions([histories[index] for index in own]):
            if step.record is None or not step.record.looped:
                index = own[step.history]
                _add(out, step, index, histories[index].group, taken)
        if on_progress is not None:
            on_progress(done + 1, len(people))
    return _frozen(out, histories)


def _add(out: Columns, step: Transition, history: int, group: str, taken: Counter[str]) -> None:
    state, record, decision = step.state, step.record, len(out.y)
    out.rows.append(class_row(state))
    fresh = HistoryState(state.granularity)
    fresh.observe(PastIteration(nodes=state.nodes))
    out.fresh_rows.append(class_row(fresh))
    out.fresh_nodes.append(node_rows(fresh, UNINFORMED)[: 0 if record is None else None])
    out.y.append(-1 if record is None else CLASS_INDEX[record.change])
    out.last.append(state.classes[-1] if state.classes else -1)
    out.second.append(state.classes[-2] if len(state.classes) > 1 else -1)
    out.seen.append(step.seen)
    out.at.append(step.at)
    out.history.append(history)
    out.stop.append(record is None)
    out.back.append((record.returns_to or 0) if record else 0)
    out.gap_s.append(-1.0 if record is None or record.gap_s is None else record.gap_s)
    if record is None:
        out.nodes.append(np.zeros((0, len(NODE_NAMES))))
        out.node_y.append(np.zeros(0, dtype=bool))
        out.generated.append(np.zeros((0, len(GENERATED_NAMES) - len(NODE_NAMES))))
        return
    touched = touched_nodes(state, record)
    out.nodes.append(node_rows(state, UNINFORMED))
    out.node_y.append(touched)
    out.generated.append(_generated(state, record, touched))
    for edit in record.edits:
        if edit.kind == "add":
            out.adds.append((edit.stage, decision))
        else:
            out.kinds.append((f"{edit.stage} {edit.kind}", decision))
    _add_parameters(out, state, record, decision, group, taken)


def _generated(state: HistoryState, record: PastIteration, touched: NDArray[np.bool_]) -> Floats:
    table = state.table
    assert table is not None
    rows = np.zeros((len(touched), len(GENERATED_NAMES) - len(NODE_NAMES)))
    now = np.zeros(len(touched))
    for index, hit in enumerate(touched):
        rows[index] = decided(record.change, now, index, table.parents, table.twins)
        now[index] = float(hit)
    return rows


def _add_parameters(
    out: Columns, state: HistoryState, record: PastIteration, decision: int, group: str, taken: Counter[str]
) -> None:
    after = {node.name: node.parameters for node in record.nodes}
    total = sum(len(node.parameters) for node in state.nodes)
    offset = len(out.node_y[-1])
    for place, node in enumerate(state.nodes):
        for name in node.parameters:
            if name not in after.get(node.name, {}):
                continue
            trace = state.traces[node.name, name]
            value = after[node.name][name]
            moved = not same(trace.values[-1], value)
            out.parameters.append(parameter_rows(state, [trace], total, [None], [0.0], UNINFORMED)[0])
            out.parameter_y.append(moved)
            out.parameter_decision.append(decision)
            out.parameter_name.append(name)
            out.parameter_node.append(place - offset)
            if moved and state.granularity == "run" and taken[group] < MAX_VALUE_ROWS:
                taken[group] += 1
                out.moves.append(_move(decision, name, trace, state.memory.values, value))


def _move(decision: int, name: str, trace: ParameterTrace, person: ValueMemory, value: Scalar) -> Move:
    """Keep what the candidates need of the memory, as it was then."""
    memory = ValueMemory()
    current = value_key(trace.values[-1])
    memory.used = {name: Counter(person.used.get(name, ()))}
    memory.followed = {(name, current): Counter(person.followed.get((name, current), ()))}
    memory.habits = person.habits.fork()
    keys = [*memory.used[name], *memory.followed[name, current]]
    memory.values = {key: person.values[key] for key in keys}
    kept = ParameterTrace(
        values=list(trace.values),
        since=trace.since,
        moves=trace.moves,
        fast=trace.fast,
        slow=trace.slow,
        born=trace.born,
        updated=trace.updated,
    )
    return Move(decision=decision, name=name, trace=kept, person=memory, value=value)


def _frozen(out: Columns, histories: Sequence[History]) -> Dataset:
    sizes = np.array([len(rows) for rows in out.nodes], dtype=np.int64)
    ends = np.cumsum(sizes)
    decision = np.asarray(out.parameter_decision, dtype=np.int64)
    adds: dict[int, Counter[str]] = defaultdict(Counter)
    for stage, index in out.adds:
        adds[index][stage] += 1
    kinds: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for text, index in out.kinds:
        stage, kind = text.split(" ")
        kinds[index].append((stage, kind))
    places = np.asarray(out.parameter_node, dtype=np.int64)
    scripted = [is_scripted(history) for history in histories]
    return Dataset(
        group=np.array([histories[index].group for index in out.history]),
        source=np.array([histories[index].source for index in out.history]),
        person=np.array([histories[index].person for index in out.history]),
        history=np.asarray(out.history, dtype=np.int64),
        rows=np.asarray(out.rows),
        y=np.asarray(out.y, dtype=np.int64),
        last=np.asarray(out.last, dtype=np.int64),
        second=np.asarray(out.second, dtype=np.int64),
        seen=np.asarray(out.seen, dtype=np.int64),
        nodes=np.vstack(out.nodes),
        node_y=np.concatenate(out.node_y).astype(np.int64),
        node_decision=np.repeat(np.arange(len(sizes)), sizes),
        generated=np.vstack(out.generated),
        parameters=np.asarray(out.parameters, dtype=np.float64).reshape(-1, len(PARAMETER_NAMES)),
        parameter_y=np.asarray(out.parameter_y, dtype=np.int64),
        parameter_decision=decision,
        parameter_name=np.asarray(out.parameter_name, dtype=str),
        parameter_node=places + (ends[decision] if len(decision) else 0),
        moves=[replace(move, scripted=scripted[out.history[move.decision]]) for move in out.moves],
        adds=adds,
        kinds=kinds,
        fresh_rows=np.asarray(out.fresh_rows),
        fresh_nodes=np.vstack(out.fresh_nodes),
        back=np.asarray(out.back, dtype=np.int64),
        gap_s=np.asarray(out.gap_s),
        at=np.asarray(out.at, dtype=np.int64),
    )


def weights(groups: NDArray[np.str_], power: float) -> Floats:
    """Return a weight a row, so that a group of n rows weighs n ** (1 - power); the mean is 1."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    raw: Floats = counts[inverse].astype(np.float64) ** -power
    scaled: Floats = raw / raw.mean() if len(raw) else raw
    return scaled


def bucket(group: str) -> int:
    """Return a steady number of a group, by which splits are made; it depends on nothing but its text."""
    return int(hashlib.sha1(f"mile{group}".encode(), usedforsecurity=False).hexdigest()[:8], 16)


QUARTERS = 4


def quarter(groups: Iterable[str]) -> Integers:
    """Return the quarter of each group, by its text alone; quarter 0 is never looked at while choosing."""
    return np.array([bucket(group) % QUARTERS for group in groups], dtype=np.int64)


def fold_of(groups: Iterable[str], folds: int) -> Integers:
    """Return the fold of each group within its quarter."""
    return np.array([bucket(group) // QUARTERS % folds for group in groups], dtype=np.int64)


def with_classes(dataset: Dataset, classes: Floats, *, fresh: bool = False) -> Floats:
    """Return ``dataset.nodes`` (or ``fresh_nodes``) with the columns that hold P(change class) filled in.

    Args:
        dataset: the decisions.
        classes: per decision, P(change class).
    """
    nodes = (dataset.fresh_nodes if fresh else dataset.nodes).copy()
    column = {name: index for index, name in enumerate(NODE_NAMES)}
    stage = nodes[:, [column[f"stage_{name}"] for name in STAGES]].argmax(axis=1)
    chances = classes[dataset.node_decision]
    _, change_m, change_p, change_h, change_r, change_c, change_e = (chances[:, i] for i in range(1, 8))
    zero = np.zeros(len(nodes))
    each = np.arange(len(nodes))
    nodes[:, column["p_nothing"]] = chances[:, 0]
    nodes[:, column["p_return"]] = chances[:, 1]
    p_stage = np.stack([change_p + change_r + change_c, change_m + change_h + change_c, change_e], axis=1)[
        each, stage
    ]
    # a node's part of its stage's chance goes up and down with that chance
    nodes[:, column["stage_part"]] *= p_stage / nodes[:, column["p_stage"]]
    nodes[:, column["p_stage"]] = p_stage
    nodes[:, column["p_parameter"]] = np.stack([change_r, change_h, zero], axis=1)[each, stage]
    return nodes


def with_nodes(dataset: Dataset, classes: Floats, touched: Floats, rates: Mapping[str, float]) -> Floats:
    """Return ``dataset.parameters`` with what the other parts of the model say filled in.

    Args:
        dataset: the decisions.
        classes: per decision, P(change class).
        touched: per row of ``dataset.nodes``, P(touched).
        rates: parameter name -> how often one of that name moves.
    """
    rows = dataset.parameters.copy()
    column = {name: index for index, name in enumerate(PARAMETER_NAMES)}
    known = np.array([name in rates for name in dataset.parameter_name], dtype=bool)
    rows[:, column["known_name"]] = known
    rows[:, column["name_rate"]] = [rates.get(name, 0.0) for name in dataset.parameter_name]
    rows[:, column["p_node"]] = touched[dataset.parameter_node]
    rows[:, column["p_nothing"]] = classes[dataset.parameter_decision, 0]
    rows[:, column["p_return"]] = classes[dataset.parameter_decision, 1]
    return rows
