"""``mile run`` and ``mile plan``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import (
    Arguments,
    Budget,
    Full,
    Jobs,
    Json,
    Mlflow,
    Plot,
    Policy,
    Store,
    Target,
    opened,
)
from mile_rl.errors import OperatorFailed

if TYPE_CHECKING:
    from mile_rl.engine.report import NodeReport, Report

_MLFLOW_PLACE = re.compile(r"[a-z][\w+.-]*://|sqlite:|file:|databricks\b|auto$|off$")
"""What follows ``--mlflow`` and is its value; a folder has to be given as ``--mlflow=FOLDER``."""


class RunCommand(TyperCommand):
    """``mile run``: its ``--mlflow`` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give ``--mlflow`` its default where no URI follows it, so that it swallows no argument."""
        following = [*args[1:], ""]
        filled = [
            "--mlflow=auto" if word == "--mlflow" and not _MLFLOW_PLACE.match(after) else word
            for word, after in zip(args, following)
        ]
        return super().parse_args(ctx, filled)


@guarded
def run(
    workflow: Target,
    arguments: Arguments = None,
    policy: Policy = None,
    budget: Budget = None,
    jobs: Jobs = None,
    store: Store = None,
    mlflow: Mlflow = None,
    full: Full = False,
    json: Json = False,
    plot: Plot = False,
) -> None:
    """Run a workflow again; wait only for what changed.

    Prints what changed since the last iteration, what was done with each node (compute: run it; load: take it
    from the store; prune: not needed), the outputs, and the time waited beside the time that everything would
    have taken.

    \b
    Examples:
      mile run digits.py
      mile run digits.py C=10 trees=50
      mile run models.py:small --budget 2GB --json
      mile run digits.py --mlflow
    """
    from mile_rl.cli.progress import bar
    from mile_rl.report import tracked

    with console.prints_go_to_stderr(json):
        flow, given, project = opened(
            workflow, arguments, policy=policy, budget=budget, jobs=jobs, store=store, mlflow=mlflow
        )
        ended: list[Report] = []
        try:
            with bar() as on_progress:
                done = tracked.run(
                    flow, (), given, project=project, on_progress=on_progress, on_end=ended.append
                )
        except (KeyboardInterrupt, OperatorFailed) as error:
            if ended:
                error.add_note(_kept(ended))
            raise
    if json:
        from mile_rl.cli.values import to_json

        told = {**done.report.to_json(), "outputs": to_json(done.outputs)}
        if note := tracked.track(project, done.report):
            told["notes"].append(note)
        console.out_json(told)
        return
    _show(done.report, done.outputs, full=full, plot=plot)
    if note := tracked.track(project, done.report):
        console.out(f"note: {note}")


@guarded
def plan(
    workflow: Target,
    arguments: Arguments = None,
    policy: Policy = None,
    budget: Budget = None,
    jobs: Jobs = None,
    store: Store = None,
    full: Full = False,
    json: Json = False,
    plot: Plot = False,
) -> None:
    """Tell what `mile run` would do, without doing it.

    The same as a run prints, with the times that are expected.

    \b
    Examples:
      mile plan digits.py C=10
      mile plan digits.py --plot
    """
    from mile_rl.engine import iteration

    with console.prints_go_to_stderr(json):
        flow, given, project = opened(
            workflow, arguments, policy=policy, budget=budget, jobs=jobs, store=store
        )
        report = iteration.plan(flow, (), given, project=project)
    if json:
        console.out_json(report.to_json())
        return
    _show(report, None, full=full, plot=plot)


def _show(report: Report, outputs: object, *, full: bool, plot: bool) -> None:
    from mile_rl.engine.text import report_text

    console.out(report_text(report, outputs, full=full))
    if plot:
        from mile_rl.cli.chart import bars
        from mile_rl.policies.words import duration

        times = [(node, _time_ns(node)) for node in report.nodes if node.state != "prune"]
        rows = [(node.name, ns, f"{duration(ns)}  {node.state}") for node, ns in times]
        console.out("\n" + bars(rows, columns=console.width()))


def _time_ns(node: NodeReport) -> int:
    return node.expected_ns if node.elapsed_ns is None else node.elapsed_ns


def _kept(reports: list[Report]) -> str:
    """Return how many results an iteration that ended early has put into the store, in words."""
    count = sum(
        output.kept
        for report in reports
        for node in report.nodes
        if node.state == "compute"
        for output in node.outputs
    )
    if not count:
        return "kept no results"
    return f"kept {count} result{'s' if count > 1 else ''}; the next run goes on from there"
