"""An iteration as an MLflow run: parameters, metrics, edits, plan, time saved, the picture of the DAG.

The only module that imports mlflow; it is imported only where runs are to be logged.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mile_rl.engine.project import Project
from mile_rl.engine.report import Report

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

AUTO = "auto"

_SURROUNDINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that does not answer must not keep the person from their result for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""What mlflow is told where the person has not said otherwise."""

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
_BATCH = 100
_LONGEST_NAME, _LONGEST_VALUE, _LONGEST_TAG = 250, 500, 5000
_ENDED = {"ok": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


def log_run(project: Project, report: Report) -> str:
    """Log an iteration as an MLflow run.

    Args:
        project: whose iteration it is; its setting ``mlflow`` says where to.
        report: what was done.

    Returns:
        What went wrong, in words; "" where nothing did.
    """
    uri = tracking_uri(project)
    try:
        with _quiet():
            _log(uri, project, report)
    except (Exception, KeyboardInterrupt) as error:
        # Whatever a tracking store raises (or the person interrupts waiting for it), the result is there.
        first = next(iter(str(error).splitlines()), "").replace(uri, _place(uri))[:200]
        note = f"the run was not logged to MLflow at {_place(uri)}: {type(error).__name__}: {first}"
        log.info(note)
        return note
    return ""


def tracking_uri(project: Project) -> str:
    """Return the tracking URI that a project's settings mean."""
    wanted = project.settings.mlflow
    if wanted != AUTO:
        return wanted
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project.home / 'mlflow.db'}"


def _log(uri: str, project: Project, report: Report) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    from mile_rl.report.shapes import report_svg

    _make_private(uri, project)
    client = MlflowClient(tracking_uri=uri)
    started_ns, arguments = _recorded(project, report)
    end_ms = (started_ns + report.waited_ns) // 1_000_000
    one = client.create_run(
        _experiment(client, uri, project, report.workflow),
        start_time=started_ns // 1_000_000,
        run_name=f"{report.workflow} {report.iteration or report.version[:10]}",
        tags=_tags(report),
    )
    identity = one.info.run_id
    params = [Param(name, value) for name, value in _named({**report.parameters, **arguments}).items()]
    figures = _named({**report.metrics, **_figures(report)})
    metrics = [Metric(name, float(value), end_ms, 0) for name, value in figures.items()]
    for start in range(0, max(len(params), len(metrics)), _BATCH):
        batch = slice(start, start + _BATCH)
        client.log_batch(identity, metrics=metrics[batch], params=params[batch])
    client.log_dict(identity, report.to_json(), "mile/plan.json")
    client.log_text(identity, report_svg(report, alone=True), "mile/dag.svg")
    client.set_terminated(identity, status=_ENDED.get(report.status, "FINISHED"), end_time=end_ms)


def _make_private(uri: str, project: Project) -> None:
    """Make the database beside the catalog readable for its owner only, as the catalog is."""
    path = project.home / "mlflow.db"
    if uri == f"sqlite:///{path}" and not path.exists():
        path.touch(mode=0o600)
        (project.home / "mlflow-artifacts").mkdir(mode=0o700, exist_ok=True)


def _experiment(client: MlflowClient, uri: str, project: Project, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # A database has no place for files of its own: beside it, not in whatever folder the run began.
    local = uri.startswith("sqlite:") and project.settings.mlflow == AUTO
    where = (project.home / "mlflow-artifacts").resolve().as_uri() if local else None
    return str(client.create_experiment(name, artifact_location=where))


def _recorded(project: Project, report: Report) -> tuple[int, dict[str, str]]:
    """Return when an iteration began, and the arguments of its nodes as "node.parameter" -> text."""
    from mile_rl.engine.history import opened

    if report.iteration is None:
        import time

        return time.time_ns() - report.waited_ns, {}
    with opened(project) as catalog:
        one = catalog.iteration(report.iteration)
        nodes = catalog.nodes_of(report.iteration)
    outputs = {output.name for node in report.nodes for output in node.outputs}
    arguments = {
        f"{node.name}.{name}": str(value)
        for node in nodes
        for name, value in node.arguments.items()
        if str(value) not in outputs
    }
    return one.record.started_ns if one else 0, arguments


def _tags(report: Report) -> dict[str, str]:
    import getpass

    from mile_rl.engine.text import edits_in_words, since_text

    edits = "\n".join(edits_in_words(report.edits))
    tags = {
        "mile.workflow": report.workflow,
        "mile.version": report.version,
        "mile.iteration": "" if report.iteration is None else str(report.iteration),
        "mile.previous": "" if report.previous is None else str(report.previous),
        "mile.change": report.change_class.name.lower(),
        "mile.edits": edits,
        "mile.policy": report.policy,
        "mile.status": report.status,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": report.workflow,
        "mlflow.note.content": f"{since_text(report)}\n\n"
        + "\n".join(f"- {line}" for line in edits.splitlines()),
    }
    with contextlib.suppress(OSError, KeyError):  # no name is known where no user is
        tags["mlflow.user"] = getpass.getuser()
    return {name: value[:_LONGEST_TAG] for name, value in tags.items() if value}


def _figures(report: Report) -> dict[str, float]:
    states = [node.state for node in report.nodes]
    return {
        "mile.waited_s": report.waited_ns / 1e9,
        "mile.everything_s": report.everything_ns / 1e9,
        "mile.saved_s": max(0, report.everything_ns - report.waited_ns) / 1e9,
        "mile.computed": float(states.count("compute")),
        "mile.loaded": float(states.count("load")),
        "mile.pruned": float(states.count("prune")),
    }


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by names that MLflow takes; two names that become one get a number."""
    named: dict[str, Any] = {}
    for name, value in values.items():
        clean = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]
        number, free = 1, clean
        while free in named:
            number += 1
            free = f"{clean}_{number}"
        named[free] = value[:_LONGEST_VALUE] if isinstance(value, str) else value
    return named


def _place(uri: str) -> str:
    """Return a URI for people: without user, password and query."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else uri.partition("?")[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep mlflow from writing to the terminal, from waiting for long and from telling others; then undo that."""
    missing = {name: value for name, value in _SURROUNDINGS.items() if name not in os.environ}
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    os.environ.update(missing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mlflow  # noqa: F401  sets its loggers' levels once, before ours

            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        for name in missing:
            os.environ.pop(name, None)
