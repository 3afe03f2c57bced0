"""From mined histories to what the prediction model reads: states and the iterations that followed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mile_rl.prediction.base import Granularity, PastIteration, PastNode
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.state import HistoryState
from traces.schema import History, Iteration

LOOP_GAP_MS = 5_000
"""A run that starts within so much of the end of the one before it was launched by a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A state of a history and what came next.

    Args:
        state: the history up to the iteration that the next one was edited from. It is only valid until the
            iterator that yielded it goes on: read what you need at once.
        record: what came next, None where the history ended there.
        history: the history's place among the person's.
        seen: how many iterations the person has made by hand so far, in all of their histories.
        at: the moment of ``record``, Unix milliseconds, never before what came before; of an end that of the latest.
    """

    state: HistoryState
    record: PastIteration | None
    history: int
    seen: int
    at: int


def granularity(source: str) -> Granularity:
    """Return what one iteration of a source's histories is."""
    return "commit" if source.startswith("dvc") else "run"


def looped(iteration: Iteration) -> bool:
    """Return whether a loop launched the iteration, by the source's evidence or by the gap before it."""
    return iteration.scripted or (iteration.think_ms is not None and iteration.think_ms < LOOP_GAP_MS)


def to_record(iteration: Iteration, *, commits: bool) -> PastIteration:
    """Return an iteration as the model sees it."""
    think = iteration.think_ms
    back = None
    if iteration.returns_to is not None:
        back = max(
            (iteration.parent if iteration.parent is not None else iteration.index - 1)
            - iteration.returns_to,
            1,
        )
    return PastIteration(
        nodes=tuple(
            PastNode(
                name=component.name,
                stage=component.stage,
                operator=component.class_name or component.operator,
                parents=component.parents,
                parameters=component.parameters,
            )
            for component in iteration.components
        ),
        edits=iteration.edits,
        change=iteration.change,
        returns_to=back,
        version=iteration.version,
        gap_s=None if think is None else max(think / 1000.0, 0.0),
        looped=not commits and looped(iteration),
    )


def records_of(history: History) -> list[PastIteration]:
    """Return a history's iterations as the model sees them; those that a program made count as looped."""
    commits = granularity(history.source) == "commit"
    copies = _copies(history)
    records = [to_record(iteration, commits=commits) for iteration in history.iterations]
    return [
        replace(record, looped=True) if index in copies else record for index, record in enumerate(records)
    ]


def _copies(history: History) -> set[int]:
    """Return the iterations that only repeat a change made on another line of the history before.

    Rebasing, squashing and picking leave them behind: nobody decided anything a second time. The published table
    leaves out those that are equal byte by byte; these differ in what running them again gave.
    """
    made: dict[tuple[str, str], list[int]] = {}
    copies = set()
    for iteration in history.iterations:
        if iteration.parent is None:
            continue
        change = (history.iterations[iteration.parent].version, iteration.version)
        if change[0] == change[1]:
            continue
        if change in made and not _ancestors(history, iteration.index).issuperset(made[change]):
            copies.add(iteration.index)
        made.setdefault(change, []).append(iteration.index)
    return copies


def _ancestors(history: History, index: int | None) -> set[int]:
    found = set()
    while index is not None:
        found.add(index)
        index = history.iterations[index].parent
    return found


def transitions(histories: Sequence[History]) -> Iterator[Transition]:
    """Yield every state of one person's histories with what followed it, looped iterations included.

    The histories are walked through together in order of time, so that what is known of the person at any
    moment is what had happened by then. Transitions go over ``Iteration.parent``: in a branching history the
    state is that of the branch. The end of a history is yielded once, after its latest iteration.

    Args:
        histories: all of one person's.
    """
    memory = PersonMemory()
    children = [_children(history) for history in histories]
    states: dict[tuple[int, int], HistoryState] = {}
    waiting: list[_Waiting] = []
    records = [records_of(history) for history in histories]
    for now, position, iteration in _in_order_of_time(histories):
        waiting = _told(waiting, now, position)
        history, left = histories[position], children[position]
        record = records[position][iteration.index]
        if iteration.parent is None:
            state = HistoryState(granularity(history.source), memory)
        else:
            state = states[position, iteration.parent]
            yield Transition(state=state, record=record, history=position, seen=memory.hand, at=now)
            left[iteration.parent] -= 1
            if left[iteration.parent]:
                state = state.fork()
            else:
                del states[position, iteration.parent]
        waiting.append(_Waiting(at=now, position=position, state=state, record=record))
        if left[iteration.index]:
            states[position, iteration.index] = state
        elif iteration.index == len(history.iterations) - 1:
            waiting = _told(waiting, now, position)
            yield Transition(state=state, record=None, history=position, seen=memory.hand, at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """An iteration that its state has not been told of yet."""

    at: int
    position: int
    state: HistoryState
    record: PastIteration


def _told(waiting: Sequence[_Waiting], now: int, position: int) -> list[_Waiting]:
    """Tell the states what happened before ``now`` or in the history at ``position``; return the rest.

    One commit may change several histories at once. What it did to one of them must not be known, through the
    person's memory, when it is foreseen what it does to another.
    """
    rest = []
    for item in waiting:
        if item.at < now or item.position == position:
            item.state.observe(item.record)
        else:
            rest.append(item)
    return rest


def _children(history: History) -> list[int]:
    children = [0] * len(history.iterations)
    for iteration in history.iterations:
        if iteration.parent is not None:
            children[iteration.parent] += 1
    return children


def _in_order_of_time(histories: Sequence[History]) -> list[tuple[int, int, Iteration]]:
    """Return (moment, history, iteration) by start; one without a start, or that claims an earlier one than its
    parent's or its predecessor's, stands right behind its predecessor."""
    keyed: list[tuple[int, int, int, Iteration]] = []
    for position, history in enumerate(histories):
        latest = 0
        for iteration in history.iterations:
            latest = max(latest, iteration.start_ms or 0)
            keyed.append((latest, position, iteration.index, iteration))
    keyed.sort(key=lambda item: item[:3])
    return [(at, position, iteration) for at, position, _, iteration in keyed]
