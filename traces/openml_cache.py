"""What was fetched from OpenML, in one SQLite file: lists page by page, setups, flows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from xml.etree import ElementTree

from traces.errors import NotWhatItClaims

_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS pages (call TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run_id INTEGER PRIMARY KEY, query TEXT NOT NULL, task_id INTEGER NOT NULL, flow_id INTEGER NOT NULL,
    setup_id INTEGER NOT NULL, uploader INTEGER NOT NULL, upload_time TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_person ON runs (query, uploader, task_id, upload_time, run_id);
CREATE TABLE IF NOT EXISTS scores (run_id INTEGER, metric TEXT, value REAL, PRIMARY KEY (run_id, metric))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setups (setup_id INTEGER PRIMARY KEY, settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS flows (flow_id INTEGER PRIMARY KEY, xml TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class CachedRun:
    """A row of the run list; ``upload_time`` as the server writes it."""

    run_id: int
    task_id: int
    flow_id: int
    setup_id: int
    uploader: int
    upload_time: str


class OpenmlCache:
    """The file, made if need be. A page is written whole or not at all, so mining goes on where it stopped.

    Args:
        path: the SQLite file.

    Raises:
        NotWhatItClaims: the file is something else.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path)
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise NotWhatItClaims(f"{path} is a cache of version {version}, not {_VERSION}; name another")
            self._db.executescript(_TABLES)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._db.commit()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise NotWhatItClaims(f"{path} is no cache of OpenML answers ({error}); name another") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def has_page(self, call: str) -> bool:
        """Tell whether this full page of a list is here."""
        return self._db.execute("SELECT 1 FROM pages WHERE call = ?", (call,)).fetchone() is not None

    def add_runs(self, query: str, runs: Iterable[CachedRun], full_page: str | None) -> None:
        """Keep a page of the run list; a full page is not asked for again."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO runs (run_id, task_id, flow_id, setup_id, uploader, upload_time, query)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*astuple(run), query) for run in runs],
            )
            self._mark(full_page)

    def add_scores(self, metric: str, scores: Iterable[tuple[int, float]], full_page: str | None) -> None:
        """Keep a page of the list of evaluations."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO scores (run_id, value, metric) VALUES (?, ?, ?)",
                [(run_id, value, metric) for run_id, value in scores],
            )
            self._mark(full_page)

    def _mark(self, full_page: str | None) -> None:
        if full_page is not None:
            self._db.execute("INSERT OR IGNORE INTO pages VALUES (?)", (full_page,))

    def count_runs(self, query: str) -> int:
        """Return how many runs of a query are here."""
        return int(self._db.execute("SELECT count(*) FROM runs WHERE query = ?", (query,)).fetchone()[0])

    def missing_setups(self, query: str) -> list[int]:
        """Return the setups that runs of a query name and that are not here."""
        return self._ids(
            "SELECT DISTINCT setup_id FROM runs WHERE query = ? AND setup_id NOT IN (SELECT setup_id FROM setups)"
            " ORDER BY setup_id",
            query,
        )

    def missing_flows(self, query: str) -> list[int]:
        """Return the flows that runs of a query name and that are not here."""
        return self._ids(
            "SELECT DISTINCT flow_id FROM runs WHERE query = ? AND flow_id NOT IN (SELECT flow_id FROM flows)"
            " ORDER BY flow_id",
            query,
        )

    def _ids(self, sql: str, query: str) -> list[int]:
        return [row[0] for row in self._db.execute(sql, (query,))]

    def add_setups(self, setups: Iterable[tuple[int, Sequence[tuple[int, str, str]]]]) -> None:
        """Keep setups: (id, [(flow of the component, parameter, value), …])."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO setups VALUES (?, ?)",
                [(setup_id, json.dumps(settings)) for setup_id, settings in setups],
            )

    def add_flow(self, flow_id: int, flow: ElementTree.Element | None) -> None:
        """Keep a flow; None where the server does not have it."""
        xml = "" if flow is None else ElementTree.tostring(flow, encoding="unicode")
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO flows VALUES (?, ?)", (flow_id, xml))

    def setup(self, setup_id: int) -> dict[tuple[int, str], str] | None:
        """Return a setup's values, None where it is not here."""
        row = self._db.execute("SELECT settings FROM setups WHERE setup_id = ?", (setup_id,)).fetchone()
        if row is None:
            return None
        return {(flow_id, name): value for flow_id, name, value in json.loads(row[0])}

    def flow(self, flow_id: int) -> ElementTree.Element | None:
        """Return a flow's description, None where it is not here or the server does not have it."""
        row = self._db.execute("SELECT xml FROM flows WHERE flow_id = ?", (flow_id,)).fetchone()
        return ElementTree.fromstring(row[0]) if row and row[0] else None

    def runs(self, query: str, metric: str) -> Iterator[tuple[CachedRun, float | None]]:
        """Yield the runs of a query with their score, by person and task, each in order of time."""
        rows = self._db.execute(
            "SELECT runs.run_id, task_id, flow_id, setup_id, uploader, upload_time, value FROM runs"
            " LEFT JOIN scores ON scores.run_id = runs.run_id AND metric = ?"
            " WHERE query = ? ORDER BY uploader, task_id, upload_time, runs.run_id",
            (metric, query),
        )
        for *run, value in rows:
            yield CachedRun(*run), value
