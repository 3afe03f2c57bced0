"""Writes histories as Parquet tables, one history at a time, in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mile_rl.workflows.edits import Edit
from traces.columns import TABLES, Table
from traces.digest import TraceDigest
from traces.errors import TraceError
from traces.schema import SCHEMA_VERSION, Component, History, Iteration
from traces.texts import object_text, texts

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MANIFEST = "manifest.json"
_BATCH_ROWS = 50_000


class TraceWriter:
    """A folder of traces being written. Use it in a ``with`` statement.

    Rows go to files of other names, which take their own only when the ``with`` ends without an error; the
    manifest comes last. An interrupted writing leaves a folder that the reader refuses, never a half one.

    Args:
        folder: made if need be. It may hold earlier traces, which are replaced, but nothing else.

    Raises:
        TraceError: the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digest = TraceDigest()
        self._tables: dict[str, _TableWriter] = {}
        self._histories = 0
        self._sources: list[dict[str, Any]] = []
        known = {MANIFEST, *(f"{table.name}.parquet" for table in TABLES)}
        known |= {f".{name}.partial" for name in known}
        if folder.exists():
            if not folder.is_dir():
                raise TraceError(f"{folder} is no folder; name one to write traces into")
            others = sorted(path.name for path in folder.iterdir() if path.name not in known | _REPORT)
            if others:
                raise TraceError(f"{folder} holds {others[0]!r}, which is no traces; name an empty folder")

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._tables = {table.name: _TableWriter(table, self.folder) for table in TABLES}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for table in self._tables.values():
            table.close()
        if kind is None:
            self._publish()
        else:
            for table in self._tables.values():
                table.partial.unlink(missing_ok=True)

    def add(self, history: History) -> None:
        """Write one more history.

        Complexity: linear in its size; at most ``50_000`` rows a table wait in memory.
        """
        ordinal = self._histories
        self._histories += 1
        self._digest.add(history)
        tables = self._tables
        tables["histories"].add([_history_row(ordinal, history)])
        for iteration in history.iterations:
            tables["iterations"].add([_iteration_row(ordinal, iteration)])
            tables["edits"].add([_edit_row(ordinal, iteration.index, edit) for edit in iteration.edits])
            tables["components"].add(
                [
                    _component_row(ordinal, iteration.index, position, component)
                    for position, component in enumerate(iteration.components)
                ]
            )
            tables["dag"].add(_edge_rows(ordinal, iteration))

    def add_source(self, record: Mapping[str, Any]) -> None:
        """Remember in the manifest what was mined: name, place, counts, bad rows by cause."""
        self._sources.append(dict(record))

    def _publish(self) -> None:
        manifest = self.folder / MANIFEST
        manifest.unlink(missing_ok=True)
        for table in self._tables.values():
            os.replace(table.partial, self.folder / f"{table.table.name}.parquet")
        record = {
            "schema": SCHEMA_VERSION,
            "digest": self._digest.hexdigest(),
            "rows": {name: table.rows for name, table in self._tables.items()},
            "sources": self._sources,
        }
        partial = self.folder / f".{MANIFEST}.partial"
        partial.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        os.replace(partial, manifest)


_REPORT = {"report.html", "report.md", "figures", "figures.json"}
"""What ``python -m traces describe`` leaves in a folder; it survives a new mining."""


class _TableWriter:
    """One Parquet file being written, in row groups of at most ``_BATCH_ROWS``."""

    def __init__(self, table: Table, folder: Path) -> None:
        import pyarrow.parquet as pq

        self.table = table
        self.partial = folder / f".{table.name}.parquet.partial"
        self.rows = 0
        self._schema = table.arrow()
        self._waiting: list[tuple[Any, ...]] = []
        self._file: pq.ParquetWriter = pq.ParquetWriter(self.partial, self._schema, compression="zstd")

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take some rows, their values in the order of the table's columns."""
        self._waiting.extend(rows)
        if len(self._waiting) >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            arrays = [
                pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)
            ]
            self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self.rows += len(self._waiting)
            self._waiting = []

    def close(self) -> None:
        """Write what waits and end the file."""
        self._flush()
        self._file.close()


def _history_row(ordinal: int, history: History) -> tuple[Any, ...]:
    return (
        ordinal,
        history.id,
        history.source,
        history.person,
        history.group,
        history.task,
        history.workflow,
        history.objective,
        object_text(dict(history.facts)),
        history.demo,
        history.synthetic,
        len(history.iterations),
    )


def _iteration_row(ordinal: int, iteration: Iteration) -> tuple[Any, ...]:
    return (
        ordinal,
        iteration.index,
        iteration.parent,
        iteration.version,
        iteration.change.value,
        iteration.returns_to,
        iteration.start_ms,
        iteration.duration_ms,
        iteration.think_ms,
        iteration.score,
        object_text(dict(iteration.metrics)),
        iteration.trials,
        iteration.scripted,
    )


def _component_row(ordinal: int, iteration: int, position: int, component: Component) -> tuple[Any, ...]:
    written = texts(component)
    return (
        ordinal,
        iteration,
        position,
        component.name,
        component.operator,
        component.class_name,
        component.stage,
        component.category,
        written.parameters,
        written.parts,
        component.compute_ns,
        component.size_bytes,
    )


def _edge_rows(ordinal: int, iteration: Iteration) -> list[tuple[Any, ...]]:
    positions: dict[str, int] = {}
    rows: list[tuple[Any, ...]] = []
    for position, component in enumerate(iteration.components):
        for parent in component.parents:
            if parent not in positions:
                raise ValueError(f"component {component.name!r} stands before its parent {parent!r}")
            rows.append((ordinal, iteration.index, positions[parent], position))
        positions[component.name] = position
    return rows


def _edit_row(ordinal: int, iteration: int, edit: Edit) -> tuple[Any, ...]:
    return (
        ordinal,
        iteration,
        edit.kind,
        edit.node,
        edit.stage,
        edit.operator,
        edit.before,
        edit.parameter,
        None if edit.old is None else object_text(edit.old),
        None if edit.new is None else object_text(edit.new),
        edit.magnitude,
        edit.detail,
    )
