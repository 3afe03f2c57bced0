"""One iteration from a call of the workflow to its record in the catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mile_rl.engine.execute import Executor
from mile_rl.engine.keeper import IterationKeeper
from mile_rl.engine.opened import OPENED
from mile_rl.engine.prepare import prepare
from mile_rl.engine.project import Project
from mile_rl.engine.record import record
from mile_rl.engine.report import Report
from mile_rl.engine.reporting import Ended, planned, ran
from mile_rl.engine.running import Progress
from mile_rl.engine.turns import is_inside, turn
from mile_rl.errors import OperatorFailed
from mile_rl.workflows.dag import fill
from mile_rl.workflows.flow import Flow


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
        return planned(prepared)
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
            try:
                keeper.settle()
            except KeyboardInterrupt:
                status = "interrupted"
                raise
            finally:
                report = ran(prepared, keeper, status, failed_node, outputs, clock_ns() - begun_ns)
                report = record(prepared, keeper, report, started_ns)
                if on_end is not None:
                    on_end(report)
        return Done(outputs=outputs, report=report)
    finally:
        prepared.close()
