"""From a word on the command line to a source: the only place that knows sources by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from traces.errors import TraceError
from traces.openml_cache import OpenmlCache
from traces.openml_http import OFFICIAL, OpenmlApi
from traces.people import Pseudonyms
from traces.sources.base import Source
from traces.sources.catalog import EngineCatalog
from traces.sources.dvc_lock import DvcLock
from traces.sources.mlflow_runs import MlflowRuns
from traces.sources.openml_live import OpenmlLive, Selection
from traces.sources.openml_table import OpenmlTable
from traces.sources.tables import DvcTable, MlflowTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What sources need beside their place.

    Args:
        pseudonyms: of people and places.
        cache: file in which answers of OpenML are kept.
        server: OpenML's REST interface.
        metric: OpenML's name of the measure to score runs by.
        interval_ms: least time between two requests.
        synthetic: whether tables of runs are made up, and their histories to be marked so.
    """

    pseudonyms: Pseudonyms
    cache: Path
    server: str = OFFICIAL
    metric: str = "predictive_accuracy"
    interval_ms: int = 500
    synthetic: bool = False


def _openml(location: str, settings: Settings) -> Source:
    """Open ``task/31,59/uploader/1``, ``flow/…`` or ``study/…``."""
    words = location.strip("/").split("/")
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not set(names) <= {"task", "uploader", "flow", "study"}:
        raise TraceError(f"openml:{location} is no selection; write it like openml:task/31,59/uploader/1")
    try:
        ids = {name: tuple(map(int, value.split(","))) for name, value in zip(names, values, strict=True)}
    except ValueError:
        raise TraceError(f"openml:{location} has an id that is no number") from None
    selection = Selection(
        tasks=ids.get("task", ()),
        uploaders=ids.get("uploader", ()),
        flows=ids.get("flow", ()),
        study=ids["study"][0] if "study" in ids else None,
        metric=settings.metric,
    )
    api = OpenmlApi(settings.server, interval_ms=settings.interval_ms)
    return OpenmlLive(selection, api, OpenmlCache(settings.cache), settings.pseudonyms)


SOURCES: dict[str, Callable[[str, Settings], Source]] = {
    "openml": _openml,
    "openml-table": lambda location, settings: OpenmlTable(
        location, settings.pseudonyms, synthetic=settings.synthetic
    ),
    "mlflow": lambda location, settings: MlflowRuns(location, settings.pseudonyms),
    "dvc": lambda location, settings: DvcLock(Path(location), settings.pseudonyms),
    "catalog": lambda location, settings: EngineCatalog(location, settings.pseudonyms),
    "dvc-table": lambda location, settings: DvcTable(Path(location)),
    "mlflow-table": lambda location, settings: MlflowTable(Path(location)),
}
"""Name of a source -> what opens it."""


def open_source(text: str, settings: Settings) -> Source:
    """Return the source that ``text`` names.

    Args:
        text: ``NAME:PLACE``, or a place alone where it tells what it is: a zip or CSV (the CC0 table), a
            published table by its name, a repository, a folder of MLflow runs, a project of MILE-RL, the URI of
            a tracking database.
        settings: see :class:`Settings`.

    Raises:
        TraceError: no source of this name, or the place does not tell.
    """
    name, colon, place = text.partition(":")
    if colon and name in SOURCES:
        return SOURCES[name](place, settings)
    kind = _kind(text)
    if kind is not None:
        return SOURCES[kind](text, settings)
    close = difflib.get_close_matches(name, SOURCES, 1)
    hint = (
        f"did you mean {close[0]}:{place}?"
        if close and colon
        else f"write one of {', '.join(SOURCES)} before it"
    )
    raise TraceError(f"{text} does not tell what it is; {hint}")


def _kind(text: str) -> str | None:
    path = Path(text)
    if re.search(r"\.(zip|csv)$", text):
        return "openml-table"
    if re.match(r"(sqlite|postgresql|mysql|mssql)[+\w]*://|https?://", text):
        return "mlflow"
    if path.name.startswith("dvc_versions"):
        return "dvc-table"
    if path.name.startswith("mlflow_runs"):
        return "mlflow-table"
    if path.suffix == ".db" or path.name == ".mile" or (path / ".mile" / "catalog.db").exists():
        return "catalog"
    if path.is_dir():
        if any(path.glob("*/meta.yaml")):
            return "mlflow"
        if (path / ".git").exists() or (path / "HEAD").exists():
            return "dvc"
    return None
