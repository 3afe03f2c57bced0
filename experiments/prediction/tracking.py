"""Keeps a fit, a training or an evaluation as an MLflow run, through MLflow's explicit client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

EXPERIMENT = "prediction"
BATCH = 1_000
"""The most figures that a tracking server takes at once."""


def track(
    uri: str,
    run_name: str,
    parameters: Mapping[str, Any],
    report: Mapping[str, Any],
    files: Sequence[Path],
    artifacts: Path,
    *,
    experiment: str = EXPERIMENT,
    curves: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> str:
    """Write one run and return its id.

    Args:
        uri: the tracking store.
        run_name: the run's name.
        parameters: what the fit was told.
        report: nested figures; every number becomes a metric named by its path.
        files: kept as artifacts: the model, the report, the plots.
        artifacts: folder for the artifacts of a store that lies in a database.
        experiment: what the run belongs to.
        curves: name -> (step, value), logged as metrics over steps.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(experiment)
    if known is None:
        experiment_id = client.create_experiment(experiment, artifact_location=artifacts.resolve().as_uri())
    else:
        experiment_id = known.experiment_id
    run = client.create_run(experiment_id, run_name=run_name)
    params = [Param(name, str(value)[:500]) for name, value in parameters.items()]
    client.log_batch(run.info.run_id, params=params)
    now_ms = int(time.time() * 1000)
    metrics = [Metric(name, number, now_ms, 0) for name, number in _numbers("", report)]
    for name, points in (curves or {}).items():
        metrics += [Metric(f"curve/{name}", value, now_ms, int(step)) for step, value in points]
    for at in range(0, len(metrics), BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[at : at + BATCH])
    for path in files:
        client.log_artifact(run.info.run_id, str(path))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            clean = "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in str(name))
            yield from _numbers(f"{prefix}/{clean}" if prefix else clean, inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)
