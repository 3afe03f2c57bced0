"""One iteration from a call of the workflow to its record in the catalog."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mile_rl._version import __version__
from mile_rl.engine import versions
from mile_rl.engine.carried import channels, counters, policy_state
from mile_rl.engine.execute import Executor
from mile_rl.engine.keeper import IterationKeeper
from mile_rl.engine.opened import OPENED
from mile_rl.engine.prepare import prepare
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.project import Project
from mile_rl.engine.report import NodeReport, OutputReport, Report, State
from mile_rl.engine.running import Progress
from mile_rl.engine.turns import is_inside, turn
from mile_rl.errors import OperatorFailed, StoreError
from mile_rl.store.records import IterationRecord, NodeRecord, OutputRecord
from mile_rl.workflows.dag import Output, fill
from mile_rl.workflows.flow import Flow

log = logging.getLogger(__name__)

Ended = Literal["ok", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An iteration that has run.

    Args:
        outputs: what the workflow function returns, with values in place of handles.
        report: what was done.
    """

    outputs: Any
    report: Report


def plan(
    flow: Flow[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, project: Project
) -> Report:
    """Tell what :func:`run` would do, without doing it.

    Raises:
        MileError: the workflow, an input, a setting or the store cannot be used as it is.
    """
    prepared = prepare(flow, args, kwargs, project=project)
    try:
        compute, load = prepared.plan.compute, prepared.plan.load
        nodes = []
        for name in prepared.layout.nodes:
            state: State = "compute" if name in compute else "prune"
            loads = [output for output in load if output.node == name]
            expected_ns = int(prepared.layout.compute_ns[prepared.layout.node_at[name]])
            if loads:
                state = "load"
                expected_ns = sum(
                    int(prepared.layout.load_ns[prepared.layout.output_at[output]]) for output in loads
                )
            nodes.append(_planned_node(prepared, name, state, expected_ns))
        return Report(
            workflow=prepared.workflow,
            version=prepared.version,
            iteration=None,
            previous=prepared.previous.id if prepared.previous else None,
            edits=prepared.edits,
            change_class=prepared.change_class,
            returned_to=prepared.returned_to,
            nodes=tuple(nodes),
            waited_ns=prepared.plan.total_ns,
            everything_ns=int(prepared.layout.compute_ns.sum()),
            policy=prepared.guard.name,
            status="planned",
            parameters=_texts(prepared.dag.parameters),
            notes=tuple(prepared.notes),
        )
    finally:
        prepared.close()


def run(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    project: Project,
    on_progress: Progress | None = None,
    on_end: Callable[[Report], None] | None = None,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
    previous: int | None = None,
) -> Done:
    """Run an iteration. Everything that is kept is on disk when this returns or raises.

    Operators share the process's global generators and working directory, so runs in several threads of one
    process wait for one another; runs in several processes do not.

    Args:
        flow: the workflow.
        args: its positional arguments.
        kwargs: its keyword arguments.
        project: where its state lives, and its settings.
        on_progress: hears of every node that begins.
        on_end: hears the report, of a failed or interrupted iteration too.
        clock_ns: a clock.
        previous: the number of the iteration that it was edited from; the workflow's latest, unless given.

    Raises:
        OperatorFailed: an operator raised; what was earned until then is kept.
        KeyboardInterrupt: the person interrupted it; likewise.
        MileError: the workflow, an input, a setting or the store cannot be used as it is.
    """
    begun_ns, started_ns = clock_ns(), time.time_ns()
    prepared = prepare(flow, args, kwargs, project=project, begin=True, previous=previous)
    try:
        keeper = IterationKeeper(prepared, clock_ns=clock_ns)
        executor = Executor(
            prepared.dag,
            keeper,
            state_folder=project.home,
            jobs=project.settings.jobs,
            on_progress=on_progress,
            clock_ns=clock_ns,
        )
        status: Ended = "failed"
        failed_node = ""
        outputs: Any = None
        try:
            if is_inside():
                # An operator's own run: it seeds the global generators that others beside the operator draw from.
                OPENED.moves += 1
            with turn():
                keeper.refresh_caches()
                values = executor.run()
            outputs = fill(prepared.dag.result, values)
            status = "ok"
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        except OperatorFailed as error:
            failed_node = error.node
            raise
        finally:
            keeper.settle()
            report = _report(prepared, keeper, status, failed_node, outputs, clock_ns() - begun_ns)
            report = _record(prepared, keeper, report, started_ns)
            if on_end is not None:
                on_end(report)
        return Done(outputs=outputs, report=report)
    finally:
        prepared.close()


def _report(
    prepared: Prepared, keeper: IterationKeeper, status: Ended, failed: str, outputs: Any, waited_ns: int
) -> Report:
    return Report(
        workflow=prepared.workflow,
        version=prepared.version,
        iteration=None,
        previous=prepared.previous.id if prepared.previous else None,
        edits=prepared.edits,
        change_class=prepared.change_class,
        returned_to=prepared.returned_to,
        nodes=tuple(_ran_node(prepared, keeper, name, status, failed) for name in prepared.layout.nodes),
        waited_ns=waited_ns,
        everything_ns=keeper.everything_ns(),
        policy=prepared.guard.name,
        status=status,
        parameters=_texts(prepared.dag.parameters),
        metrics=dict(_metrics(outputs)),
        notes=tuple(dict.fromkeys(keeper.notes)),
    )


def _ran_node(
    prepared: Prepared, keeper: IterationKeeper, name: str, status: Ended, failed: str
) -> NodeReport:
    node = prepared.dag.nodes[name]
    elapsed_ns: int | None
    if name == failed:
        state: State = "failed"
        elapsed_ns = keeper.elapsed_ns.get(name)
    elif name in keeper.elapsed_ns:
        state, elapsed_ns = "compute", keeper.elapsed_ns[name]
    else:
        elapsed_ns = keeper.load_times_of(name)
        state = "load" if elapsed_ns is not None else "prune" if status == "ok" else "skipped"
    fates = keeper.output_fates(name)
    signature = keeper.signatures[name]
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
        expected_ns=keeper.expected_ns(name) if state != "prune" else 0,
        elapsed_ns=elapsed_ns,
        outputs=tuple(outputs),
        parents=node.parents,
    )


def _planned_node(prepared: Prepared, name: str, state: State, expected_ns: int) -> NodeReport:
    node, signature = prepared.dag.nodes[name], prepared.signatures[name]
    outputs = []
    for output in node.outputs:
        artifact = prepared.artifacts.get(signature.outputs[output])
        outputs.append(
            OutputReport(
                name=str(Output(name, output)),
                signature=signature.outputs[output],
                size_bytes=artifact.size_bytes if artifact else None,
                kept=artifact is not None,
            )
        )
    return NodeReport(
        name=name,
        operator=node.operator.name,
        stage=node.stage,
        state=state,
        signature=signature.digest,
        expected_ns=0 if state == "prune" else expected_ns,
        outputs=tuple(outputs),
        parents=node.parents,
    )


def _record(prepared: Prepared, keeper: IterationKeeper, report: Report, started_ns: int) -> Report:
    """Write the iteration down; an iteration that cannot be recorded is still returned, with a note."""
    guard = prepared.guard
    guard.saved(keeper.saved_ns())
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


def _texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value)[:200] for name, value in parameters.items()}


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
