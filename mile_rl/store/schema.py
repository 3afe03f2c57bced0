"""The catalog's tables, and how a catalog of an older version becomes one of this version.

To change the schema: append a step to :data:`MIGRATIONS` (never edit an old one), add a dump of a catalog of
the version before to the tests, and note it in the changelog. A step is plain SQL that SQLite and PostgreSQL
both take; all missing steps run in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mile_rl.errors import NewerStore, StoreError
from mile_rl.store.connect import Connector

VERSION_1 = """
CREATE TABLE iterations (
    id INTEGER PRIMARY KEY, workflow TEXT NOT NULL, version TEXT NOT NULL, parent INTEGER,
    started_ns BIGINT NOT NULL, waited_ns BIGINT NOT NULL, everything_ns BIGINT, status TEXT NOT NULL,
    parameters TEXT NOT NULL, edits TEXT NOT NULL, change_class TEXT NOT NULL, metrics TEXT NOT NULL,
    policy TEXT NOT NULL, python TEXT NOT NULL, mile TEXT NOT NULL, source TEXT NOT NULL,
    computed INTEGER NOT NULL, loaded INTEGER NOT NULL, pruned INTEGER NOT NULL);
CREATE INDEX iterations_of_workflow ON iterations (workflow, id);
CREATE INDEX iterations_of_version ON iterations (version, workflow);
CREATE TABLE nodes (
    iteration INTEGER NOT NULL, position INTEGER NOT NULL, workflow TEXT NOT NULL, name TEXT NOT NULL,
    operator TEXT NOT NULL, stage TEXT NOT NULL, state TEXT NOT NULL, signature TEXT NOT NULL,
    parents TEXT NOT NULL, arguments TEXT NOT NULL, target TEXT NOT NULL, elapsed_ns BIGINT,
    size_bytes BIGINT, PRIMARY KEY (iteration, position));
CREATE INDEX computed_signature ON nodes (signature, iteration) WHERE state = 'compute';
CREATE INDEX computed_name ON nodes (name, workflow, iteration) WHERE state = 'compute';
CREATE INDEX computed_operator ON nodes (operator, iteration) WHERE state = 'compute';
CREATE TABLE signatures (
    signature TEXT PRIMARY KEY, base_signature TEXT NOT NULL, code TEXT NOT NULL, parts TEXT NOT NULL);
CREATE TABLE outputs (
    iteration INTEGER NOT NULL, position INTEGER NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL,
    signature TEXT NOT NULL, size_bytes BIGINT, load_ns BIGINT, write_ns BIGINT, kept INTEGER NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (iteration, position));
CREATE TABLE contents (
    content TEXT PRIMARY KEY, suffix TEXT NOT NULL, size_bytes BIGINT NOT NULL);
CREATE INDEX contents_size ON contents (size_bytes);
CREATE TABLE artifacts (
    signature TEXT PRIMARY KEY, content TEXT NOT NULL, codec TEXT NOT NULL, codec_version INTEGER NOT NULL,
    workflow TEXT NOT NULL, node TEXT NOT NULL, output TEXT NOT NULL, operator TEXT NOT NULL,
    stage TEXT NOT NULL, code TEXT NOT NULL, recreation_ns BIGINT NOT NULL, created_ns BIGINT NOT NULL,
    last_used INTEGER, loads INTEGER NOT NULL, load_ns BIGINT);
CREATE INDEX artifacts_of_content ON artifacts (content);
CREATE TABLE reservations (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, content TEXT NOT NULL,
    size_bytes BIGINT NOT NULL);
CREATE TABLE hidden_files (
    base_signature TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (base_signature, path));
CREATE TABLE operator_flags (
    code TEXT PRIMARY KEY, mutates_inputs INTEGER NOT NULL, uses_global_random INTEGER NOT NULL);
CREATE TABLE channels (
    codec TEXT NOT NULL, direction TEXT NOT NULL, latency_ns BIGINT NOT NULL, bytes_per_s BIGINT NOT NULL,
    PRIMARY KEY (codec, direction));
CREATE TABLE policy_state (name TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE counters (name TEXT PRIMARY KEY, count BIGINT NOT NULL);
"""

MIGRATIONS: tuple[str, ...] = (VERSION_1,)
"""Step i makes version i + 1 out of version i; version 0 is an empty database."""


def migrate(
    connector: Connector,
    *,
    migrations: Sequence[str] = MIGRATIONS,
    clock_ns: Callable[[], int] = time.time_ns,
) -> int:
    """Bring a catalog to the newest version this code knows; return the version found.

    Args:
        connector: the catalog.
        migrations: the steps, for tests.
        clock_ns: wall clock, for the creation time.

    Raises:
        NewerStore: the catalog is of a version that this code does not know.
        StoreError: the file is not a catalog of MILE-RL.
    """
    newest = len(migrations)
    found = _version(connector)
    if found > newest:
        raise NewerStore(
            f"the catalog {connector.where} has schema version {found}, this MILE-RL knows up to {newest}; "
            "upgrade MILE-RL (pip install -U mile-rl) or use another store"
        )
    if found < newest:
        with connector.writing() as transaction:
            transaction.run(
                "CREATE TABLE IF NOT EXISTS meta "
                "(schema_version INTEGER NOT NULL, created_ns BIGINT NOT NULL)"
            )
            rows = transaction.run("SELECT schema_version FROM meta")
            if not rows:
                transaction.run("INSERT INTO meta VALUES (0, :now)", {"now": clock_ns()})
            # another process may have done it while this one waited
            for step in migrations[rows[0][0] if rows else 0 :]:
                for statement in step.split(";"):
                    if statement.strip():
                        transaction.run(statement)
            transaction.run("UPDATE meta SET schema_version = :version", {"version": newest})
    return found


def _version(connector: Connector) -> int:
    try:
        rows = connector.read("SELECT schema_version FROM meta")
    except StoreError as error:
        if "no such table" in str(error) or "does not exist" in str(error):
            return 0
        raise
    return int(rows[0][0]) if rows else 0
