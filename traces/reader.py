"""Reads a folder of traces back, one history at a time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mile_rl.workflows.edits import ChangeClass, Edit, Scalar
from traces.columns import TABLES, table
from traces.errors import TraceError
from traces.schema import SCHEMA_VERSION, Component, History, Iteration
from traces.writer import MANIFEST

_BATCH_ROWS = 20_000
_CACHE_SIZE = 20_000
Row = dict[str, Any]


class Traces:
    """A folder of traces, open for reading. Iterating yields its histories lazily, in their written order.

    Args:
        folder: what ``python -m traces mine … --out`` wrote.

    Raises:
        TraceError: it is no complete folder of traces, or of a newer schema.

    Example:
        >>> for history in Traces(Path("traces-data")):  # doctest: +SKIP
        ...     print(history.person, len(history))
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest = _manifest(self.folder)

    @property
    def digest(self) -> str:
        """The trace digest: equal for equal histories in any order."""
        return str(self.manifest["digest"])

    def __len__(self) -> int:
        """Return the number of histories."""
        return int(self.manifest["rows"]["histories"])

    def __iter__(self) -> Iterator[History]:
        return self.read()

    def read(self, keep: Callable[[Row], bool] = lambda row: True) -> Iterator[History]:
        """Yield the histories whose row of the table ``histories`` ``keep`` accepts.

        Args:
            keep: given the row as a dict; what it refuses is skipped before it is put together.

        Complexity: a few row batches and one history in memory at a time.
        """
        names = ("iterations", "components", "dag", "edits")
        cursors = {name: _Cursor(self.folder / f"{name}.parquet") for name in names}
        components = _ComponentCache()
        for row in _rows(self.folder / "histories.parquet"):
            parts = {name: cursor.take(row["history"]) for name, cursor in cursors.items()}
            if keep(row):
                yield _history(row, parts, components)


def _manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        version = manifest["schema"]
    except FileNotFoundError:
        raise TraceError(
            f"{folder} holds no finished traces ({MANIFEST} is missing); make some with "
            f"`python -m traces mine SOURCE --out {folder}`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise TraceError(f"{path} is damaged ({error}); mine the traces again") from error
    if version > SCHEMA_VERSION:
        raise TraceError(
            f"{folder} was written in schema {version}, newer than {SCHEMA_VERSION}; update this checkout"
        )
    for each in TABLES:
        _check_table(folder, each.name, manifest["rows"].get(each.name))
    return manifest


def _check_table(folder: Path, name: str, rows: int | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{name}.parquet"
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise TraceError(f"{path} cannot be read ({error}); mine the traces again") from error
    with file:
        if file.metadata.num_rows != rows:
            raise TraceError(f"{path} has {file.metadata.num_rows} rows, not {rows}; mine the traces again")
        if not file.schema_arrow.equals(table(name).arrow(), check_metadata=False):
            raise TraceError(f"{path} has other columns than docs/traces.md says; mine the traces again")


def _rows(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield from batch.to_pylist()


class _Cursor:
    """Walks a table in step with the histories: ``take`` gives one history's rows, by iteration."""

    def __init__(self, path: Path) -> None:
        self._rows = _rows(path)
        self._next: Row | None = next(self._rows, None)

    def take(self, history: int) -> dict[int, list[Row]]:
        taken: dict[int, list[Row]] = defaultdict(list)
        while self._next is not None and self._next["history"] == history:
            taken[self._next["iteration"]].append(self._next)
            self._next = next(self._rows, None)
        return taken


class _ComponentCache:
    """Gives one object for equal components, since most stay the same from one iteration to the next."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Component] = {}

    def get(self, row: Row, parents: tuple[str, ...]) -> Component:
        key = (*(row[name] for name in _COMPONENT_FIELDS), parents)
        component = self._known.get(key)
        if component is None:
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            values = {name: row[name] for name in _COMPONENT_FIELDS}
            values["parameters"] = json.loads(row["parameters"])
            values["parts"] = json.loads(row["parts"])
            component = self._known[key] = Component(parents=parents, **values)
        return component


_COMPONENT_FIELDS = tuple(name for name in Component.__slots__ if name != "parents")


def _history(row: Row, parts: Mapping[str, dict[int, list[Row]]], cache: _ComponentCache) -> History:
    iterations = []
    for index in range(row["iterations"]):
        (own,) = parts["iterations"][index]
        components = parts["components"].get(index, [])
        parents: dict[int, list[str]] = defaultdict(list)
        for edge in parts["dag"].get(index, ()):
            parents[edge["child"]].append(components[edge["parent"]]["name"])
        iterations.append(
            Iteration(
                index=index,
                components=tuple(
                    cache.get(each, tuple(parents.get(position, ())))
                    for position, each in enumerate(components)
                ),
                edits=tuple(_edit(each) for each in parts["edits"].get(index, ())),
                change=ChangeClass(own["change"]),
                metrics=json.loads(own["metrics"]),
                **{name: own[name] for name in _ITERATION_FIELDS},
            )
        )
    values = {name: row[name] for name in _HISTORY_FIELDS}
    return History(iterations=tuple(iterations), facts=json.loads(row["facts"]), **values)


_ITERATION_FIELDS = tuple(
    name for name in Iteration.__slots__ if name not in ("index", "components", "edits", "change", "metrics")
)
_HISTORY_FIELDS = tuple(name for name in History.__slots__ if name not in ("iterations", "facts"))


def _edit(row: Row) -> Edit:
    return Edit(
        kind=row["kind"],
        node=row["node"],
        stage=row["stage"],
        operator=row["operator"],
        before=row["before"],
        parameter=row["parameter"],
        old=_scalar(row["old"]),
        new=_scalar(row["new"]),
        detail=row["detail"],
    )


def _scalar(text: str | None) -> Scalar:
    value: Scalar = None if text is None else json.loads(text)
    return value
