"""From what a source saw to iterations: versions, edits, returns, change classes, think times.

One way for all sources. The comparison itself is the engine's own (``mile_rl.workflows.diff``), so a mined
edit means exactly what a live one means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import xxhash

from mile_rl.workflows.diff import diff
from mile_rl.workflows.edits import ChangeClass, Edit, change_class
from mile_rl.workflows.version import VersionNode
from traces.schema import Component, Iteration
from traces.texts import texts

PREVIOUS = -1
"""``Seen.parent`` of a run that was edited from the one just before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run as a source saw it, before it is linked to the others; fields as in :class:`Iteration`.

    Args:
        components: in topological order.
        parent: index of the run it was edited from; ``PREVIOUS`` for the run before it, None for no run.
        edits: the edits where the source recorded them itself (the engine's catalog); None to compute them.
        version: the version's digest where the source knows it, "" to compute it.
    """

    components: tuple[Component, ...]
    parent: int | None = PREVIOUS
    start_ms: int | None = None
    duration_ms: int | None = None
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    trials: int = 0
    scripted: bool = False
    edits: tuple[Edit, ...] | None = None
    version: str = ""


def link(runs: Sequence[Seen]) -> tuple[Iteration, ...]:
    """Return the runs as iterations of one history.

    Args:
        runs: in order of time; a parent stands before its children.

    Scores and metrics that are no finite numbers are left out: a run that diverged measured nothing.

    Returns:
        One iteration a run. Complexity: linear in components, plus the engine's ``diff`` for each pair of
        consecutive versions that differ.

    Raises:
        ValueError: a parent does not stand before its child.
    """
    keys: list[str] = []
    nodes: tuple[int, list[VersionNode]] = (-1, [])
    last_seen: dict[str, int] = {}
    iterations: list[Iteration] = []
    for index, run in enumerate(runs):
        parent = (index - 1 if index else None) if run.parent == PREVIOUS else run.parent
        if parent is not None and not 0 <= parent < index:
            raise ValueError(f"run {index} names {parent} as its parent, which does not stand before it")
        key = run.version or version_key(run.components)
        keys.append(key)
        edits = run.edits
        if edits is None:
            edits = ()
            if parent is not None and keys[parent] != key:
                old = nodes[1] if nodes[0] == parent else version_nodes(runs[parent].components)
                nodes = (index, version_nodes(run.components))
                edits = diff(*_around_the_change(old, nodes[1]))
        returns_to = last_seen.get(key) if edits and parent is not None and keys[parent] != key else None
        last_seen[key] = index
        iterations.append(_iteration(run, index, parent, key, edits, returns_to, runs))
    return tuple(iterations)


def _iteration(
    run: Seen,
    index: int,
    parent: int | None,
    key: str,
    edits: tuple[Edit, ...],
    returns_to: int | None,
    runs: Sequence[Seen],
) -> Iteration:
    change: ChangeClass = change_class(edits, first=parent is None, returned=returns_to is not None)
    return Iteration(
        index=index,
        parent=parent,
        components=run.components,
        edits=edits,
        change=change,
        version=key,
        returns_to=returns_to,
        start_ms=run.start_ms,
        duration_ms=run.duration_ms,
        think_ms=_think_ms(runs[index - 1], run) if index else None,
        score=run.score if run.score is not None and math.isfinite(run.score) else None,
        metrics={name: value for name, value in run.metrics.items() if math.isfinite(value)},
        trials=run.trials,
        scripted=run.scripted,
    )


def _think_ms(before: Seen, run: Seen) -> int | None:
    """Return the time from the end of one run to the start of the next; negative where they overlap."""
    if before.start_ms is None or run.start_ms is None:
        return None
    return run.start_ms - (before.start_ms + (before.duration_ms or 0))


def version_key(components: Sequence[Component]) -> str:
    """Return a digest of what the components are, without times and sizes (32 hex digits).

    The order of the components does not count, their names and edges do.
    """
    keys = sorted(texts(component).key for component in components)
    return xxhash.xxh3_128_hexdigest("\n".join(keys).encode())


def _around_the_change(
    old: Sequence[VersionNode], new: Sequence[VersionNode]
) -> tuple[list[VersionNode], list[VersionNode]]:
    """Leave out what cannot matter to ``diff``: nodes equal on both sides that touch no node that differs.

    Lock files with thousands of stages of which a few changed are compared in a fraction of the time.
    """
    before = {node.name: node for node in old}
    after = {node.name: node for node in new}
    changed = before.keys() ^ after.keys()
    changed |= {
        name
        for name, node in before.items()
        if name in after and after[name] is not node and after[name] != node
    }
    kept = set(changed)
    for node in (*old, *new):
        parents = [parent.node for parent in node.parents]
        if node.name in changed:
            kept.update(parents)
        elif not changed.isdisjoint(parents):
            kept.add(node.name)
    return [node for node in old if node.name in kept], [node for node in new if node.name in kept]


def version_nodes(components: Sequence[Component]) -> list[VersionNode]:
    """Return the components as the engine's catalog would remember them, for the engine's ``diff``."""
    return [texts(component).node for component in components]
