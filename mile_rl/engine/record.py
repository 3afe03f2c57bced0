"""Writing an iteration down in the catalog, with all that it taught; ``recorded`` reads it back."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from mile_rl._version import __version__
from mile_rl.engine import versions
from mile_rl.engine.carried import channels, counters, policy_state
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.report import Report
from mile_rl.errors import StoreError
from mile_rl.store.records import IterationRecord, NodeRecord, OutputRecord

if TYPE_CHECKING:
    from mile_rl.engine.keeper import IterationKeeper

log = logging.getLogger(__name__)


def record(prepared: Prepared, keeper: IterationKeeper, report: Report, started_ns: int) -> Report:
    """Write the iteration down; an iteration that cannot be recorded is still returned, with a note."""
    guard = prepared.guard
    guard.saved(_saved_ns(prepared, keeper))
    record = IterationRecord(
        workflow=prepared.workflow,
        version=prepared.version,
        parent=report.previous,
        started_ns=started_ns,
        waited_ns=report.waited_ns,
        everything_ns=report.everything_ns,
        status=report.status,  # type: ignore[arg-type]
        parameters=report.parameters,
        edits=report.edits,
        change_class=str(report.change_class),
        metrics=report.metrics,
        policy=report.policy,
        python=platform.python_version(),
        mile=__version__,
        source=prepared.source,
        nodes=tuple(_node_records(prepared, keeper, report)),
        outputs=tuple(_output_records(keeper, report)),
    )
    try:
        identity = prepared.catalog.record_iteration(
            record,
            channels=channels(prepared.costs),
            policy_state=policy_state(guard),
            counters=counters(guard),
        )
    except StoreError as error:
        log.warning("the iteration was not recorded: %s", error)
        return replace(report, notes=(*report.notes, f"the iteration was not recorded: {error}"))
    return replace(report, iteration=identity)


def _saved_ns(prepared: Prepared, keeper: IterationKeeper) -> int:
    """Return the measured time of what was not computed, less the time of the loads."""
    loads = sum(keeper.load_times_of(name) or 0 for name in prepared.layout.nodes)
    spared = sum(ns for name, ns in prepared.measured_ns.items() if name not in keeper.elapsed_ns)
    return spared - loads


def _node_records(prepared: Prepared, keeper: IterationKeeper, report: Report) -> Iterator[NodeRecord]:
    nodes = versions.describe(prepared.dag, None, prepared.layout.nodes)
    described = {node.name: node for node in nodes}
    for node in report.nodes:
        signature = keeper.signatures[node.name]
        about = described[node.name]
        sizes = [output.size_bytes for output in node.outputs if output.size_bytes is not None]
        yield NodeRecord(
            name=node.name,
            operator=node.operator,
            stage=node.stage,
            state=node.state,
            signature=node.signature,
            base_signature=signature.base,
            parents=[list(parent) for parent in about.parents],
            arguments=about.arguments,
            target=about.target,
            parts=signature.parts,
            elapsed_ns=node.elapsed_ns,
            size_bytes=sum(sizes) if sizes else None,
        )


def _output_records(keeper: IterationKeeper, report: Report) -> Iterator[OutputRecord]:
    for node in report.nodes:
        fates = keeper.output_fates(node.name)
        for name, output in zip(keeper.signatures[node.name].outputs, node.outputs):
            fate = fates.get(name)
            yield OutputRecord(
                node=node.name,
                name=name,
                signature=output.signature,
                size_bytes=output.size_bytes,
                load_ns=fate.load_ns if fate else None,
                write_ns=fate.write_ns if fate else None,
                kept=output.kept,
                reason=output.reason,
            )
