"""Keeps a fit as an MLflow run, through MLflow's explicit client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

EXPERIMENT = "prediction"


def track(
    uri: str,
    run_name: str,
    parameters: Mapping[str, Any],
    report: Mapping[str, Any],
    files: Sequence[Path],
    artifacts: Path,
) -> str:
    """Write one run and return its id.

    Args:
        uri: the tracking store.
        run_name: the run's name.
        parameters: what the fit was told.
        report: nested figures; every number becomes a metric named by its path.
        files: kept as artifacts: the model, the report, the plots.
        artifacts: folder for the artifacts of a store that lies in a database.
    """
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        experiment_id = client.create_experiment(EXPERIMENT, artifact_location=artifacts.resolve().as_uri())
    else:
        experiment_id = experiment.experiment_id
    run = client.create_run(experiment_id, run_name=run_name)
    for name, value in parameters.items():
        client.log_param(run.info.run_id, name, str(value)[:500])
    for name, number in _numbers("", report):
        client.log_metric(run.info.run_id, name, number)
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
