"""Catalogs by URL, through SQLAlchemy: a team's PostgreSQL, or SQLite where somebody asks for it so."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mile_rl.errors import StoreError
from mile_rl.store.connect import BUSY_S, NOTHING, Parameters, Row, Transaction, explaining, patiently

if TYPE_CHECKING:
    from sqlalchemy import Connection, TextClause

WRITERS = 0x6D696C65
"""The advisory lock of PostgreSQL that makes writers wait for each other ("mile")."""


class UrlConnector:
    """Any database that SQLAlchemy reaches; its pool gives each thread a connection.

    Args:
        url: in SQLAlchemy's form.

    Raises:
        StoreError: unknown kind of database, missing driver, or no way to reach it.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        self._errors = (SQLAlchemyError, ImportError, OSError)
        try:
            address = sqlalchemy.make_url(url)
            self.where = address.render_as_string(hide_password=True)
            self.dialect = address.get_backend_name()
            if self.dialect not in ("sqlite", "postgresql"):
                raise StoreError(f"{self.where}: a catalog is kept in SQLite or PostgreSQL")
            patience = {"timeout": BUSY_S} if self.dialect == "sqlite" else {}
            self._engine = sqlalchemy.create_engine(address, connect_args=patience)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(f"the store URL cannot be used ({error}); check its form and driver") from error
        self._texts: dict[str, TextClause] = {}
        self._write_lock = threading.Lock()
        if self.dialect == "sqlite":
            sqlalchemy.event.listen(self._engine, "connect", _prepare_sqlite)
        with explaining(self.where, self._errors), self._engine.connect():
            pass

    def _text(self, sql: str) -> TextClause:
        from sqlalchemy import text

        if sql not in self._texts:
            self._texts[sql] = text(sql)
        return self._texts[sql]

    def read(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        """Return the rows of a query."""
        with explaining(self.where, self._errors), self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(self._text(sql), dict(parameters))]

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction that excludes other writers."""
        with self._write_lock:
            with explaining(self.where, self._errors):
                connection = self._engine.connect()
            try:
                with explaining(self.where, self._errors):
                    if self.dialect == "sqlite":
                        connection.exec_driver_sql("BEGIN IMMEDIATE")
                    else:
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
                yield _UrlTransaction(self, connection)
                with explaining(self.where, self._errors):
                    connection.commit()
            finally:
                connection.close()  # rolls back what is not committed

    def close(self) -> None:
        """Close the pool."""
        self._engine.dispose()


class _UrlTransaction:
    def __init__(self, connector: UrlConnector, connection: Connection) -> None:
        self._connector = connector
        self._connection = connection

    def run(self, sql: str, parameters: Parameters = NOTHING) -> list[Row]:
        with explaining(self._connector.where, self._connector._errors):
            result = self._connection.execute(self._connector._text(sql), dict(parameters))
            return [tuple(row) for row in result] if result.returns_rows else []

    def many(self, sql: str, rows: Sequence[Parameters]) -> None:
        if rows:
            with explaining(self._connector.where, self._connector._errors):
                self._connection.execute(self._connector._text(sql), [dict(row) for row in rows])


def _prepare_sqlite(connection: Any, record: object) -> None:
    """Leave transactions to us and set what the sqlite3 connector sets."""
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        patiently(lambda: connection.execute("PRAGMA journal_mode=WAL").fetchone())
    connection.execute("PRAGMA synchronous=NORMAL")
