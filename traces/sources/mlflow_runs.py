"""MLflow: any tracking store by URI, or a folder ``mlruns/``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from traces.errors import BadRow, NotWhatItClaims, TraceError
from traces.people import Pseudonyms
from traces.schema import History
from traces.sources.base import OnProgress, Tally, no_progress
from traces.tracked import TrackedRun, tracked_histories

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_PAGE = 1_000


class MlflowRuns:
    """The runs of one tracking store.

    Args:
        location: a tracking URI (sqlite:///…, postgresql://…, http(s)://…, file:…) or the path of a folder
            in the form of ``mlruns/``.
        pseudonyms: turns users and experiments into pseudonyms.
        group: see :class:`traces.schema.History`; by default a pseudonym of the location.

    Raises:
        NotWhatItClaims: the folder is no tracking store.
    """

    name = "mlflow"

    def __init__(self, location: str, pseudonyms: Pseudonyms, *, group: str = "") -> None:
        self._uri, self.place = _uri(location)
        self._pseudonyms = pseudonyms
        self._group = group or pseudonyms("mlflow-store", location)

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a user and experiment. See :class:`traces.sources.base.Source`.

        One experiment's runs are held at a time.
        """
        with _client(self._uri, self.place) as client:
            experiments = _experiments(client)
            for done, experiment in enumerate(experiments, 1):
                runs: dict[str, list[TrackedRun]] = defaultdict(list)
                for run in _runs(client, experiment.experiment_id):
                    tally.read += 1
                    try:
                        tracked = self._tracked(run, experiment)
                    except BadRow as bad:
                        tally.count_bad(bad)
                        continue
                    runs[tracked.person].append(tracked)
                for own in runs.values():
                    yield from tracked_histories(own, self.name, tally)
                on_progress(done, len(experiments), "experiments")

    def _tracked(self, run: Any, experiment: Any) -> TrackedRun:
        tags = run.data.tags
        user = tags.get("mlflow.user") or run.info.user_id or "unknown"
        source = tags.get("mlflow.source.name", "")
        return TrackedRun(
            run_id=run.info.run_id,
            person=self._pseudonyms("mlflow-user", user),
            experiment=self._pseudonyms("mlflow-experiment", f"{self._uri}/{experiment.experiment_id}"),
            group=self._group,
            task=self._group,
            start_ms=run.info.start_time,
            end_ms=run.info.end_time,
            parent_run_id=tags.get("mlflow.parentRunId"),
            program=source.replace("\\", "/").rstrip("/").rpartition("/")[2],
            estimator=tags.get("estimator_name"),
            parameters=dict(run.data.params),
            metrics={name: float(value) for name, value in run.data.metrics.items()},
        )


def _uri(location: str) -> tuple[str, str]:
    """Return the tracking URI, and a place for people without passwords and home directories."""
    parts = urlsplit(location)
    if len(parts.scheme) > 1 and parts.scheme != "file":
        host = parts.hostname or ""
        name = parts.path.rstrip("/").rpartition("/")[2]
        return location, urlunsplit((parts.scheme, host, f"/{name}" if name else "", "", ""))
    folder = Path(parts.path if parts.scheme == "file" else location)
    if folder.is_file():
        raise NotWhatItClaims(
            f"{folder} is a file; for a database give its URI, like sqlite:///{folder.name}"
        )
    if not any(folder.glob("*/meta.yaml")):
        raise NotWhatItClaims(f"{folder} is no folder of MLflow runs: no */meta.yaml in it")
    return folder.resolve().as_uri(), folder.name


@contextmanager
def _client(uri: str, place: str) -> Iterator[MlflowClient]:
    import os
    import warnings

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # Folders of runs are what this reads; that MLflow would rather not keep them any more is no news here.
    with warnings.catch_warnings(), _allowing_folders():
        warnings.simplefilter("ignore")
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        try:
            yield MlflowClient(tracking_uri=uri)
        except MlflowException as error:
            message = str(error).splitlines()[0][:300]
            raise TraceError(f"the tracking store {place} cannot be read: {message}") from error


@contextmanager
def _allowing_folders() -> Iterator[None]:
    """Tell MLflow 3 that a folder is meant; it refuses them otherwise."""
    import os

    name = "MLFLOW_ALLOW_FILE_STORE"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _experiments(client: MlflowClient) -> list[Any]:
    from mlflow.entities import ViewType

    found: list[Any] = []
    token = None
    while True:
        page = client.search_experiments(
            view_type=ViewType.ALL, max_results=_PAGE, order_by=["experiment_id"], page_token=token
        )
        found.extend(page)
        token = page.token
        if not token:
            return found


def _runs(client: MlflowClient, experiment_id: str) -> Iterator[Any]:
    from mlflow.entities import ViewType

    token = None
    while True:
        page = client.search_runs(
            [experiment_id],
            run_view_type=ViewType.ALL,
            max_results=_PAGE,
            order_by=["attribute.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return
