"""A new catalog that is copied is what the migrations make."""

import sqlite3
import stat
import zlib

from mile_rl.store import template
from mile_rl.store.catalog import Catalog


def _content(path):
    connection = sqlite3.connect(path)
    try:
        tables = connection.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        version = connection.execute("SELECT schema_version FROM meta").fetchall()
        return tables, version, connection.execute("PRAGMA journal_mode").fetchall()
    finally:
        connection.close()


def test_the_template_is_what_the_migrations_make(tmp_path):
    (tmp_path / "made.db").write_bytes(template.make())
    (tmp_path / "kept.db").write_bytes(zlib.decompress(template.FILE.read_bytes()))
    assert _content(tmp_path / "kept.db") == _content(tmp_path / "made.db")


def test_a_placed_catalog_is_private_and_works(tmp_path):
    path = tmp_path / "catalog.db"
    assert template.place(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    catalog = Catalog.open(path)
    catalog.learn(counters={"seen": 1})
    assert catalog.counters() == {"seen": 1}
    catalog.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["catalog.db"]


def test_a_catalog_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "catalog.db"
    path.write_bytes(b"another process made this")
    assert not template.place(path)
    assert path.read_bytes() == b"another process made this"
    assert [entry.name for entry in tmp_path.iterdir()] == ["catalog.db"]
