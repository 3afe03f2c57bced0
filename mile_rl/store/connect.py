"""Two ways to reach a catalog's database behind one protocol: stdlib sqlite3, and SQLAlchemy for any URL.

A whole run may cost 150 ms more than the same functions called plainly, and importing SQLAlchemy alone takes
most of that. So a local catalog is opened with the standard library, and only a URL brings SQLAlchemy in.
Both speak the same SQL with ``:name`` parameters. See docs/adr/0005-catalog-connectors.md.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from mile_rl.errors import StoreError

BUSY_S = 60
"""How long to wait for another process that is writing."""

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]
NOTHING: Parameters = MappingProxyType({})


class Transaction(Protocol):
    """Statements that take effect together or not at all."""

    def run(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        """Run one statement and return its rows, if it has any."""

    def many(self, sql: str, rows: Sequence[Parameters]) -> None:
        """Run one statement for each of several sets of parameters."""


class Connector(Protocol):
    """A database. Any thread may use it; a process that forks gets connections of its own.

    Attributes:
        dialect: "sqlite" or "postgresql".
        where: for messages.
    """

    dialect: str
    where: str

    def read(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        """Return the rows of a query; it sees every transaction committed before."""

    def writing(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that excludes every other writer from its first moment.

        Committed on leaving, rolled back on an exception. Not to be nested.
        """

    def close(self) -> None:
        """Close all connections."""


def connect(where: Path | str) -> Connector:
    """Return the connector for a file (sqlite3) or a URL (SQLAlchemy).

    Args:
        where: a path, or a URL such as ``postgresql+psycopg://host/db`` or ``sqlite:///file.db``.

    Raises:
        StoreError: the database cannot be opened.
    """
    if "://" in str(where):
        from mile_rl.store.connect_url import UrlConnector

        return UrlConnector(str(where))
    return SqliteConnector(Path(where))


class SqliteConnector:
    """A local SQLite file in WAL mode: one connection to read, one to write, each behind a lock.

    Args:
        path: of the file; it is made with mode 0600 where it does not exist.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._pid = os.getpid()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        with explaining(self.where, (sqlite3.Error, OSError)):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._reader = self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # A new file: nothing is in it yet that syncing to the disk (10 ms) would protect.
            connection.execute("PRAGMA synchronous=OFF")
            patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone())
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _after_fork(self) -> None:
        """Drop the parent's connections: SQLite's locks do not survive a fork."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._inherited = (self._reader, self._writer)  # closing them would break the parent's locks
            self._reader = self._writer = None
            self._read_lock, self._write_lock = threading.Lock(), threading.Lock()

    def read(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        """Return the rows of a query."""
        self._after_fork()
        with self._read_lock, explaining(self.where, (sqlite3.Error,)):
            if self._reader is None:
                self._reader = self._open()
            return self._reader.execute(sql, parameters or ()).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction with BEGIN IMMEDIATE."""
        self._after_fork()
        with self._write_lock:
            with explaining(self.where, (sqlite3.Error,)):
                if self._writer is None:
                    self._writer = self._open()
                writer = self._writer
                writer.execute("BEGIN IMMEDIATE")
            try:
                yield _SqliteTransaction(writer, self.where)
                with explaining(self.where, (sqlite3.Error,)):
                    writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close both connections."""
        for connection in (self._reader, self._writer):
            if connection is not None and self._pid == os.getpid():
                connection.close()
        self._reader = self._writer = None


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where

    def run(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        with explaining(self._where, (sqlite3.Error,)):
            return self._connection.execute(sql, parameters or ()).fetchall()

    def many(self, sql: str, rows: Sequence[Parameters]) -> None:
        with explaining(self._where, (sqlite3.Error,)):
            self._connection.executemany(sql, rows)


def patiently(action: Callable[[], object], *, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
    """Do something that SQLite refuses at once while others are busy, again and again up to the timeout."""
    deadline_ns = clock_ns() + BUSY_S * 10**9
    while True:
        try:
            action()
            return
        except Exception as error:
            if "locked" not in str(error) or clock_ns() > deadline_ns:
                raise
        time.sleep(0.002)


@contextmanager
def explaining(where: str, kinds: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn a database's exceptions into :class:`StoreError` with a remedy."""
    try:
        yield
    except kinds as error:
        text = str(error)
        if "not a database" in text or "malformed" in text:
            remedy = "it is damaged or not a catalog: move it away, and a new one will be made"
        elif "locked" in text:
            remedy = f"another process has kept it busy for {BUSY_S} s: wait for it or end it"
        elif "full" in text:
            remedy = "free some space"
        elif "unable to open" in text or isinstance(error, OSError):
            remedy = "check that its folder exists and may be written by you"
        else:
            remedy = "`mile store verify` checks what can be checked"
        raise StoreError(f"the catalog {where} cannot be used ({text}); {remedy}") from error
