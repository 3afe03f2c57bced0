"""A workflow's history as the prediction model reads it, from the catalog."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.engine import versions
from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.prediction.live import past_nodes
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration
from mile_rl.workflows.edits import ChangeClass

LOOP_GAP_NS = 5_000_000_000
"""A run that starts so soon after the end of the one before it was launched by a loop, not decided on by a
person. The model was fitted on histories that were told apart by this gap."""

MOST_OWN = 300
"""How many of the workflow's latest iterations are read; the model's memory of older ones has faded."""

MOST_NODES = 10_000
"""How many nodes of all iterations together are read, so that a large workflow is answered for about as soon as
a small one (25 µs a node); two iterations at least."""


def past(
    catalog: Catalog, workflow: str, *, limit: int = MOST_OWN, share: int = 1
) -> tuple[list[Iteration], list[PastIteration]]:
    """Return a workflow's history as the model reads it, the latest last, with the recorded iterations.

    It is the line of iterations that were edited one from another, back from the latest: what another process
    ran at the same time stands beside it.

    Args:
        catalog: the project's catalog.
        workflow: its key.
        limit: how many of the latest iterations are read; of a large workflow fewer are.
        share: what part of ``MOST_NODES`` may be read: one in so many.
    """
    recorded = {iteration.id: iteration for iteration in catalog.iterations(workflow, limit=limit)}
    line: list[Iteration] = []
    number = max(recorded, default=None)
    while number is not None and (one := recorded.pop(number, None)) is not None:
        line.append(one)
        number = one.record.parent
    if line:
        nodes = len(catalog.names_of(line[0].id))
        line = line[: max(MOST_NODES // share // max(nodes, 1), 2)]
    line.reverse()
    return line, _records(catalog, line)


def _records(catalog: Catalog, line: Sequence[Iteration]) -> list[PastIteration]:
    records: list[PastIteration] = []
    places: dict[str, int] = {}
    before: Iteration | None = None
    for place, iteration in enumerate(line):
        record = iteration.record
        nodes: tuple[PastNode, ...]
        if before is not None and before.record.version == record.version:
            nodes = records[-1].nodes  # a re-run has the nodes of the run before: no need to read them
        else:
            nodes = past_nodes(versions.nodes_of(catalog, iteration))
        gap_ns = None
        if before is not None:
            gap_ns = record.started_ns - before.record.started_ns - before.record.waited_ns
        seen = places.get(record.version)
        records.append(
            PastIteration(
                nodes=nodes,
                edits=record.edits,
                change=ChangeClass(record.change_class),
                returns_to=place - 1 - seen if seen is not None and record.edits else None,
                version=record.version,
                gap_s=None if gap_ns is None else max(gap_ns / 1e9, 0.0),
                looped=gap_ns is not None and gap_ns < LOOP_GAP_NS,
            )
        )
        places[record.version] = place
        before = iteration
    return records
