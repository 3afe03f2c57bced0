"""A recorded iteration as the report that it once gave, read back from the catalog."""

from __future__ import annotations

from mile_rl.engine.report import NodeReport, OutputReport, Report
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration
from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import ChangeClass


def recorded_report(catalog: Catalog, iteration: Iteration) -> Report:
    """Return the report of an iteration that ran, as far as the catalog has it.

    Expected times and notes are not recorded; ``returned_to`` is found again from the versions.

    Args:
        catalog: the project's catalog.
        iteration: one of its iterations.
    """
    record = iteration.record
    outputs: dict[str, list[OutputReport]] = {}
    for output in catalog.outputs_of(iteration.id):
        outputs.setdefault(output.node, []).append(
            OutputReport(
                name=str(Output(output.node, output.name)),
                signature=output.signature,
                size_bytes=output.size_bytes,
                kept=output.kept,
                reason=output.reason,
            )
        )
    nodes = tuple(
        NodeReport(
            name=node.name,
            operator=node.operator,
            stage=node.stage,
            state=node.state,
            signature=node.signature,
            expected_ns=0,
            elapsed_ns=node.elapsed_ns,
            outputs=tuple(outputs.get(node.name, ())),
            parents=tuple(Output(*parent) for parent in node.parents),
        )
        for node in catalog.nodes_of(iteration.id)
    )
    change = ChangeClass(record.change_class) if record.change_class else ChangeClass.NOTHING
    return Report(
        workflow=record.workflow,
        version=record.version,
        iteration=iteration.id,
        previous=record.parent,
        edits=record.edits,
        change_class=change,
        returned_to=_seen_before(catalog, iteration) if change is ChangeClass.RETURN else None,
        nodes=nodes,
        waited_ns=record.waited_ns,
        everything_ns=record.everything_ns or 0,
        policy=record.policy,
        status=record.status,
        parameters={name: str(value) for name, value in record.parameters.items()},
        metrics=dict(record.metrics),
    )


def _seen_before(catalog: Catalog, iteration: Iteration) -> int | None:
    earlier = catalog.iterations(iteration.record.workflow, before=iteration.id)
    return next((one.id for one in earlier if one.record.version == iteration.record.version), None)
