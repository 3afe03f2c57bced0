"""Runs whose learners are noted and that may be logged to MLflow: what the command line and ``run`` call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mile_rl.engine import iteration
from mile_rl.engine.iteration import Done
from mile_rl.engine.project import Project
from mile_rl.engine.report import Report
from mile_rl.engine.running import Progress
from mile_rl.errors import OperatorFailed, SettingsError
from mile_rl.recommend import journal
from mile_rl.workflows.flow import Flow

OFF = ("", "off")
"""Values of the setting ``mlflow`` that mean not to log."""


def run(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    project: Project,
    on_progress: Progress | None = None,
    on_end: Callable[[Report], None] | None = None,
) -> Done:
    """Run an iteration as ``engine.iteration.run`` does, where it may be logged to MLflow.

    One that ends early is logged here. One that returns is for the caller to :func:`track`, who can show the
    result first: importing mlflow alone takes longer than many a run.

    Args:
        flow: the workflow.
        args: its positional arguments.
        kwargs: its keyword arguments.
        project: where its state lives, and its settings.
        on_progress: hears of every node that begins.
        on_end: hears the report.

    Raises:
        SettingsError: MLflow is asked for and not installed; nothing has run then.
        MileError: whatever running raises.
    """
    reports: list[Report] = []

    def ended(report: Report) -> None:
        reports.append(report)
        journal.note(flow, report.iteration, project)
        if on_end is not None:
            on_end(report)

    if project.settings.mlflow in OFF:
        return iteration.run(flow, args, kwargs, project=project, on_progress=on_progress, on_end=ended)
    require_mlflow()
    try:
        return iteration.run(flow, args, kwargs, project=project, on_progress=on_progress, on_end=ended)
    except (OperatorFailed, KeyboardInterrupt):
        for report in reports:
            track(project, report)
        raise


def require_mlflow() -> None:
    """See to it that mlflow can be imported, before anything runs.

    Raises:
        SettingsError: it is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("mlflow") is None:
        raise SettingsError(
            "logging runs to MLflow needs mlflow, which is not installed: pip install 'mile-rl[mlflow]', or leave "
            "--mlflow and the setting mlflow away."
        )


def track(project: Project, report: Report) -> str:
    """Log an iteration as an MLflow run, if the settings say so. Not part of the waiting that is reported.

    Args:
        project: whose iteration it is; its setting ``mlflow`` says where to.
        report: what was done.

    Returns:
        What went wrong, in words; "" where nothing did. Nothing is raised: the result is there.
    """
    if project.settings.mlflow in OFF:
        return ""
    from mile_rl.report.mlflow_log import log_run

    return log_run(project, report)
