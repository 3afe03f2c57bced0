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
CHECKPOINT_PAGES = 1000
"""How long the write-ahead log may get before it is put into the database; SQLite's default."""

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
    """A local SQLite file in WAL mode.

    One connection reads and writes; a second one is opened when somebody reads while a transaction is open.

    Args:
        path: of the file; it is made with mode 0600 where it does not exist.
    """

    dialect = "sqlite"
    _main: sqlite3.Connection | None
    _reader: sqlite3.Connection | None

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._log = f"{path}-wal"
        self._forget()
        with explaining(self.where, (sqlite3.Error, OSError)):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._main = self._open()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._main = self._reader = None
        self._main_lock, self._read_lock, self._write_lock = (threading.Lock() for _ in range(3))
        self._in_transaction = False
        self._wrote = False

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
            inherited = (self._main, self._reader)
            self._forget()
            self._inherited = inherited  # closing them would break the parent's locks

    def read(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        """Return the rows of a query."""
        self._after_fork()
        try:
            if self._in_transaction:
                # Its own connection, or this would wait for the writer and see what it has not committed.
                with self._read_lock:
                    if self._reader is None:
                        self._reader = self._open()
                    return self._reader.execute(sql, parameters or ()).fetchall()
            with self._main_lock:
                if self._main is None:
                    self._main = self._open()
                return self._main.execute(sql, parameters or ()).fetchall()
        except sqlite3.Error as error:
            raise explained(self.where, error) from error

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction with BEGIN IMMEDIATE."""
        self._after_fork()
        with self._write_lock:
            self._in_transaction = True
            try:
                with self._main_lock:
                    yield from self._transaction()
            finally:
                self._in_transaction = False

    def _transaction(self) -> Iterator[Transaction]:
        unsynced = False
        with explaining(self.where, (sqlite3.Error,)):
            if self._main is None:
                self._main = self._open()
            connection = self._main
            if not self._wrote:
                unsynced = self._begin_unsynced(connection)
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
        try:
            yield _SqliteTransaction(connection, self.where)
            with explaining(self.where, (sqlite3.Error,)):
                connection.execute("COMMIT")
            self._wrote = True
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            if unsynced:
                _sync_from_now(connection)

    def _begin_unsynced(self, connection: sqlite3.Connection) -> bool:
        """Begin a transaction that will not be synced to the disk, if that protects nothing; tell whether.

        The first commit into a write-ahead log syncs the log's head (0.5 to 10 ms), because an older log of the
        same file may lie beneath it. A log that is still empty covers none; before anything of it goes into the
        database, which this transaction must not do, all of it is synced.
        """
        if not self._log_is_empty():
            return False
        # Neither can be set within a transaction, and only within one nobody else can write.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        try:
            connection.execute("BEGIN IMMEDIATE")
            if self._log_is_empty():
                return True
            connection.execute("ROLLBACK")
        except BaseException:
            _sync_from_now(connection)
            raise
        _sync_from_now(connection)
        return False

    def _log_is_empty(self) -> bool:
        try:
            return os.stat(self._log).st_size == 0
        except OSError:
            return False

    def close(self) -> None:
        """Close both connections."""
        for connection in (self._reader, self._main):
            if connection is not None and self._pid == os.getpid():
                connection.close()
        self._reader = self._main = None
        self._wrote = False


def _sync_from_now(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where

    def run(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters or ()).fetchall()
        except sqlite3.Error as error:
            raise explained(self._where, error) from error

    def many(self, sql: str, rows: Sequence[Parameters]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise explained(self._where, error) from error


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
        raise explained(where, error) from error


def explained(where: str, error: Exception) -> StoreError:
    """Return a database's exception as an error with a remedy."""
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
    return StoreError(f"the catalog {where} cannot be used ({text}); {remedy}")
