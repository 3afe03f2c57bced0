"""From a plan, or from an iteration that has run, to the report of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from mile_rl.engine.prepared import Prepared
from mile_rl.engine.report import NodeReport, OutputReport, Report, State
from mile_rl.workflows.dag import Output

if TYPE_CHECKING:
    from mile_rl.engine.keeper import IterationKeeper
    from mile_rl.engine.stock import Fate
    from mile_rl.workflows.sign import NodeSignature

Ended = Literal["ok", "failed", "interrupted"]


def planned(prepared: Prepared) -> Report:
    """Return the report of an iteration that is not run."""
    layout, plan = prepared.layout, prepared.plan
    nodes = []
    for name in layout.nodes:
        state: State = "prune"
        expected_ns = 0
        loads = [output for output in plan.load if output.node == name]
        if loads:
            state = "load"
            expected_ns = sum(int(layout.load_ns[layout.output_at[output]]) for output in loads)
        elif name in plan.compute:
            state, expected_ns = "compute", int(layout.compute_ns[layout.node_at[name]])
        nodes.append(_node(prepared, name, prepared.signatures[name], state, expected_ns=expected_ns))
    return _report(
        prepared,
        nodes,
        status="planned",
        waited_ns=plan.total_ns,
        everything_ns=int(layout.compute_ns.sum()),
        notes=prepared.notes,
    )


def ran(
    prepared: Prepared, keeper: IterationKeeper, status: Ended, failed: str, outputs: Any, waited_ns: int
) -> Report:
    """Return the report of an iteration that has ended.

    Args:
        prepared: the iteration.
        keeper: what became of it.
        status: how it ended.
        failed: the node that failed, "" where none did.
        outputs: what the workflow returned; None where it did not come to that.
        waited_ns: how long the person waited.
    """
    return _report(
        prepared,
        [_ran_node(prepared, keeper, name, status, failed) for name in prepared.layout.nodes],
        status=status,
        waited_ns=waited_ns,
        everything_ns=_everything_ns(prepared, keeper),
        metrics=dict(_metrics(outputs)),
        notes=dict.fromkeys(keeper.notes),
    )


def _everything_ns(prepared: Prepared, keeper: IterationKeeper) -> int:
    """Return what computing every needed node would have taken: measured now, before, or estimated."""
    layout = prepared.layout
    return sum(keeper.elapsed_ns.get(name, int(ns)) for name, ns in zip(layout.nodes, layout.compute_ns))


def _report(prepared: Prepared, nodes: list[NodeReport], *, notes: Iterable[str], **ended: Any) -> Report:
    return Report(
        workflow=prepared.workflow,
        version=prepared.version,
        iteration=None,
        previous=prepared.previous.id if prepared.previous else None,
        edits=prepared.edits,
        change_class=prepared.change_class,
        returned_to=prepared.returned_to,
        nodes=tuple(nodes),
        policy=prepared.guard.name,
        parameters={name: repr(value)[:200] for name, value in prepared.dag.parameters.items()},
        notes=tuple(notes),
        **ended,
    )


def _ran_node(
    prepared: Prepared, keeper: IterationKeeper, name: str, status: Ended, failed: str
) -> NodeReport:
    elapsed_ns: int | None
    if name == failed:
        state: State = "failed"
        elapsed_ns = keeper.elapsed_ns.get(name)
    elif name in keeper.elapsed_ns:
        state, elapsed_ns = "compute", keeper.elapsed_ns[name]
    else:
        elapsed_ns = keeper.load_times_of(name)
        state = "load" if elapsed_ns is not None else "prune" if status == "ok" else "skipped"
    return _node(
        prepared,
        name,
        keeper.signatures[name],
        state,
        fates=keeper.output_fates(name),
        expected_ns=keeper.expected_ns(name) if state != "prune" else 0,
        elapsed_ns=elapsed_ns,
    )


def _node(
    prepared: Prepared,
    name: str,
    signature: NodeSignature,
    state: State,
    *,
    expected_ns: int,
    elapsed_ns: int | None = None,
    fates: Mapping[str, Fate] = MappingProxyType({}),
) -> NodeReport:
    node = prepared.dag.nodes[name]
    outputs = []
    for output in node.outputs:
        fate = fates.get(output)
        artifact = prepared.artifacts.get(signature.outputs[output])
        outputs.append(
            OutputReport(
                name=str(Output(name, output)),
                signature=signature.outputs[output],
                size_bytes=fate.size_bytes if fate else artifact.size_bytes if artifact else None,
                kept=fate.kept if fate else artifact is not None,
                reason=fate.reason if fate else "",
            )
        )
    return NodeReport(
        name=name,
        operator=node.operator.name,
        stage=node.stage,
        state=state,
        signature=signature.digest,
        expected_ns=expected_ns,
        elapsed_ns=elapsed_ns,
        outputs=tuple(outputs),
        parents=node.parents,
    )


def _metrics(outputs: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers among a workflow's outputs, by name."""
    if isinstance(outputs, dict):
        for key, value in outputs.items():
            yield from _metrics(value, f"{name}.{key}" if name else str(key))
    elif isinstance(outputs, tuple | list):
        for position, value in enumerate(outputs[:20]):
            yield from _metrics(value, f"{name}.{position}" if name else str(position))
    elif isinstance(outputs, int | float) and not isinstance(outputs, bool):
        # An integer may be too large for a float; it is no metric then.
        if abs(outputs) < 1e308 or outputs != outputs:
            yield name or "result", float(outputs)
    elif getattr(outputs, "shape", None) == () and hasattr(outputs, "item"):
        number = outputs.item()
        if isinstance(number, int | float) and not isinstance(number, bool):
            yield name or "result", float(number)
