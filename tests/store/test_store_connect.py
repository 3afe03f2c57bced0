"""What the connector to a local catalog does beyond its contract: who waits for whom, and what is synced when."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from mile_rl.errors import StoreError
from mile_rl.store import connect as module
from mile_rl.store.connect import CHECKPOINT_PAGES, SqliteConnector, Transaction

OFF, NORMAL = 0, 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A catalog's file that was closed, so that its log is gone."""
    made = tmp_path / "catalog.db"
    connector = SqliteConnector(made)
    with connector.writing() as transaction:
        transaction.run("CREATE TABLE numbers (number INTEGER)")
    connector.close()
    return made


def safety(transaction: Transaction) -> tuple[int, int]:
    """Return how a transaction is synced, and after how many pages the log is put into the database."""
    level = transaction.run("PRAGMA synchronous")[0][0]
    return level, transaction.run("PRAGMA wal_autocheckpoint")[0][0]


def test_only_the_first_transaction_into_an_empty_log_is_not_synced(path: Path) -> None:
    connector = SqliteConnector(path)
    with connector.writing() as transaction:
        assert safety(transaction) == (OFF, 0)
        transaction.run("INSERT INTO numbers VALUES (1)")
    with connector.writing() as transaction:
        assert safety(transaction) == (NORMAL, CHECKPOINT_PAGES)
    connector.close()


def test_a_log_that_holds_something_is_synced_from_the_first_transaction_on(path: Path) -> None:
    other = SqliteConnector(path)
    with other.writing() as transaction:
        transaction.run("INSERT INTO numbers VALUES (1)")
    connector = SqliteConnector(path)
    with connector.writing() as transaction:
        assert safety(transaction) == (NORMAL, CHECKPOINT_PAGES)
    other.close()
    connector.close()


def test_a_log_that_another_process_fills_at_the_last_moment_is_synced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector, other = SqliteConnector(path), sqlite3.connect(path, isolation_level=None)
    looks = []
    real = SqliteConnector._log_is_empty

    def look(self: SqliteConnector) -> bool:
        found = real(self)
        if not looks:
            other.execute("INSERT INTO numbers VALUES (1)")
        looks.append(found)
        return found

    monkeypatch.setattr(SqliteConnector, "_log_is_empty", look)
    with connector.writing() as transaction:
        assert looks == [True, False]
        assert safety(transaction) == (NORMAL, CHECKPOINT_PAGES)
        transaction.run("INSERT INTO numbers VALUES (2)")
    assert connector.read("SELECT number FROM numbers ORDER BY 1") == [(1,), (2,)]
    other.close()
    connector.close()


def test_a_transaction_that_fails_leaves_syncing_on(path: Path) -> None:
    connector = SqliteConnector(path)
    with pytest.raises(StoreError), connector.writing() as transaction:
        transaction.many("INSERT INTO numbers VALUES (:number)", [{"number": 1}, {}])
    assert connector.read("PRAGMA synchronous") == [(NORMAL,)]
    assert connector.read("PRAGMA wal_autocheckpoint") == [(CHECKPOINT_PAGES,)]
    assert connector.read("SELECT * FROM numbers") == []
    connector.close()


def test_a_transaction_that_cannot_begin_leaves_syncing_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.01)
    connector, other = SqliteConnector(path), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="busy"), connector.writing():
        pass
    other.execute("ROLLBACK")
    assert connector.read("PRAGMA synchronous") == [(NORMAL,)]
    with connector.writing() as transaction:
        transaction.run("INSERT INTO numbers VALUES (1)")
    other.close()
    connector.close()


def test_a_large_first_transaction_is_put_into_the_database_only_after_a_sync(path: Path) -> None:
    connector = SqliteConnector(path)
    size_bytes = path.stat().st_size
    rows = [{"number": number} for number in range(600_000)]
    with connector.writing() as transaction:
        transaction.many("INSERT INTO numbers VALUES (:number)", rows)
    assert path.with_name("catalog.db-wal").stat().st_size > CHECKPOINT_PAGES * 4096
    assert path.stat().st_size == size_bytes
    connector.close()


def test_a_read_does_not_wait_for_an_open_transaction_and_sees_only_what_is_committed(path: Path) -> None:
    connector = SqliteConnector(path)
    found: list[object] = []
    with connector.writing() as transaction:
        transaction.run("INSERT INTO numbers VALUES (1)")
        reader = threading.Thread(target=lambda: found.append(connector.read("SELECT * FROM numbers")))
        reader.start()
        reader.join(timeout=10)
        assert found == [[]]
        assert connector.read("SELECT * FROM numbers") == []
    assert connector.read("SELECT * FROM numbers") == [(1,)]
    connector.close()
