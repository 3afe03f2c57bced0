"""The catalog's contract, held by both connectors."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from mile_rl.errors import NewerStore, StoreError
from mile_rl.store.catalog import Catalog
from mile_rl.store.connect import connect
from mile_rl.store.records import Channel, IterationRecord, NodeRecord, OperatorFlags, OutputRecord
from mile_rl.store.schema import MIGRATIONS, migrate
from mile_rl.workflows.edits import Edit


def node(name: str, signature: str, **more: Any) -> NodeRecord:
    values: dict[str, Any] = {"operator": "fit", "stage": "learn", "state": "compute", "elapsed_ns": 7}
    return NodeRecord(name=name, signature=signature, **{**values, **more})


def record(version: str = "ab" * 16, **more: Any) -> IterationRecord:
    return IterationRecord(**{"workflow": "w", "version": version, "started_ns": 5, "waited_ns": 6, **more})


FULL = record(
    parent=None,
    everything_ns=10**12,
    status="failed",
    parameters={"C": 1.5, "path": "x", "none": None},
    edits=(
        Edit(kind="parameter", node="fit", stage="learn", operator="fit", parameter="C", old=1.0, new=None),
        Edit(kind="code", node="fit", stage="learn", operator="fit", detail="helper"),
    ),
    change_class="C",
    metrics={"accuracy": 0.5},
    policy="gdsf",
    python="3.11.7",
    mile="0.1.0",
    source="digits.py",
    nodes=(
        node(
            "read", "s1", stage="preprocess", parents=[], parts={"code": "x"}, code="c1", base_signature="b1"
        ),
        node("fit", "s2", state="load", parents=[["rows", "read"]], arguments={"C": "1"}, target="m"),
        node("old", "s3", state="prune", elapsed_ns=None, size_bytes=3),
        node("twin", "s1", stage="preprocess", parts={"code": "x"}, code="c1", base_signature="b1"),
    ),
    outputs=(
        OutputRecord(
            node="read", name="a", signature="s1a", size_bytes=4, write_ns=2, kept=True, reason="yes"
        ),
        OutputRecord(node="fit", name="result", signature="s2r", load_ns=3),
    ),
)


def test_iteration_comes_back_as_it_was_recorded(catalog: Catalog) -> None:
    identity = catalog.record_iteration(FULL)
    assert identity == 1
    found = catalog.iteration(identity)
    assert found is not None
    assert (found.id, found.computed, found.loaded, found.pruned) == (1, 2, 1, 1)
    nodes, outputs = tuple(catalog.nodes_of(1)), tuple(catalog.outputs_of(1))
    assert nodes == FULL.nodes
    assert outputs == FULL.outputs
    from dataclasses import replace

    assert replace(found.record, nodes=nodes, outputs=outputs) == FULL


def test_iterations_are_listed_latest_first_by_workflow_and_page(catalog: Catalog) -> None:
    for i in range(6):
        catalog.record_iteration(record(workflow="w" if i % 2 else "v", started_ns=i))
    assert [iteration.id for iteration in catalog.iterations()] == [6, 5, 4, 3, 2, 1]
    assert [iteration.id for iteration in catalog.iterations("w", limit=2)] == [6, 4]
    assert [iteration.id for iteration in catalog.iterations("w", limit=2, before=4)] == [2]
    assert catalog.workflows() == ["v", "w"]
    latest = catalog.latest("v")
    assert latest is not None
    assert latest.id == 5
    assert catalog.latest("unknown") is None


def test_iteration_is_found_by_id_and_by_the_beginning_of_its_version(catalog: Catalog) -> None:
    for version in ("aa11", "aa22", "aa11", "bb33"):
        catalog.record_iteration(record(version))
    assert catalog.find("2").id == 2
    assert catalog.find("aa1").id == 3
    assert catalog.find("BB").id == 4
    with pytest.raises(StoreError, match="several versions"):
        catalog.find("aa")
    with pytest.raises(StoreError, match="mile log"):
        catalog.find("cc")
    assert catalog.latest_of_version("w", "aa11") == 3
    assert catalog.latest_of_version("w", "cc") is None


def test_measured_prefers_the_signature_then_the_name_then_the_operator(catalog: Catalog) -> None:
    catalog.record_iteration(record(nodes=(node("fit", "s1", elapsed_ns=10, size_bytes=100),)))
    catalog.record_iteration(record(nodes=(node("fit", "s2", elapsed_ns=20),)))
    catalog.record_iteration(record(nodes=(node("fit", "s2", state="load", elapsed_ns=1),)))
    catalog.record_iteration(
        record(workflow="v", nodes=(node("fit", "s9", elapsed_ns=40), node("x", "s8", elapsed_ns=20)))
    )
    asked = [("s1", "fit", "fit"), ("new", "other", "fit"), ("new", "never", "unknown")]
    found = catalog.measured("w", asked)
    assert (found["fit"].elapsed_ns, found["fit"].size_bytes, found["fit"].scope) == (10, 100, "signature")
    assert (found["other"].elapsed_ns, found["other"].scope, found["other"].iteration) == (30, "operator", 4)
    assert "never" not in found
    by_name = catalog.measured("w", [("new", "fit", "unknown")])["fit"]
    assert (by_name.elapsed_ns, by_name.size_bytes, by_name.scope, by_name.iteration) == (20, None, "node", 2)


def test_thousands_of_keys_are_looked_up_in_one_call(catalog: Catalog) -> None:
    nodes = tuple(node(f"n{i}", f"s{i}", elapsed_ns=i) for i in range(1200))
    catalog.record_iteration(record(nodes=nodes))
    found = catalog.measured("w", [(n.signature, n.name, n.operator) for n in nodes])
    assert [found[f"n{i}"].elapsed_ns for i in range(1200)] == list(range(1200))


def test_what_was_learned_is_kept(catalog: Catalog) -> None:
    slow = Channel(codec="array", direction="load", latency_ns=1, bytes_per_s=2)
    fast = Channel(codec="array", direction="load", latency_ns=3, bytes_per_s=4)
    catalog.learn(
        hidden_files=[("b", "/y"), ("b", "/x"), ("b", "/x")],
        flags=[OperatorFlags(code="c", mutates_inputs=True)],
        channels=[slow],
        policy_state={"gdsf": {"age": 1.5}},
        counters={"corrupt": 2},
    )
    catalog.record_iteration(
        record(),
        flags=[OperatorFlags(code="c", uses_global_random=True)],
        channels=[fast],
        counters={"corrupt": 1},
    )
    assert catalog.hidden_files() == {"b": ("/x", "/y")}
    assert catalog.operator_flags(["c"]) == {
        "c": OperatorFlags(code="c", mutates_inputs=True, uses_global_random=True)
    }
    assert catalog.channels() == (fast,)
    assert catalog.policy_state("gdsf") == {"age": 1.5}
    assert catalog.policy_state("other") is None
    assert catalog.counters() == {"corrupt": 3}


def test_record_is_all_or_nothing(catalog: Catalog) -> None:
    broken = record(nodes=(node("a", "s"), node("b", "s", operator=None)))
    with pytest.raises(StoreError):
        catalog.record_iteration(broken)
    assert catalog.iterations() == []
    assert catalog.record_iteration(record()) == 1


def test_threads_record_at_once_without_losing_any(catalog: Catalog) -> None:
    threads = [
        threading.Thread(target=lambda: [catalog.record_iteration(record()) for _ in range(10)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [iteration.id for iteration in catalog.iterations()] == list(range(40, 0, -1))


def test_two_connectors_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    by_file, by_url = Catalog.open(path), Catalog.open(f"sqlite:///{path}")
    by_file.record_iteration(record())
    by_url.record_iteration(record())
    assert [iteration.id for iteration in by_file.iterations()] == [2, 1]
    by_file.close()
    by_url.close()


def test_newer_catalog_is_refused_with_a_clear_word(where: Path | str) -> None:
    Catalog.open(where).close()
    connector = connect(where)
    with connector.writing() as transaction:
        transaction.run("UPDATE meta SET schema_version = 99")
    connector.close()
    with pytest.raises(NewerStore, match=r"version 99.*upgrade"):
        Catalog.open(where)


MOODS = """
ALTER TABLE iterations ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine';
CREATE TABLE t (x INTEGER)
"""


def test_older_catalog_is_migrated_once_and_keeps_its_rows(where: Path | str) -> None:
    catalog = Catalog.open(where)
    catalog.record_iteration(FULL)
    later = (
        *MIGRATIONS,
        "ALTER TABLE iterations ADD COLUMN mood TEXT NOT NULL DEFAULT 'fine'; CREATE TABLE t (x INTEGER)",
    )
    assert migrate(catalog.connector, migrations=later) == len(MIGRATIONS)
    assert migrate(catalog.connector, migrations=later) == len(later)
    assert catalog.connector.read("SELECT mood FROM iterations") == [("fine",)]
    assert [iteration.record.workflow for iteration in catalog.iterations()] == ["w"]
    catalog.close()


def test_failed_migration_changes_nothing(where: Path | str) -> None:
    catalog = Catalog.open(where)
    broken = (*MIGRATIONS, "CREATE TABLE t (x INTEGER); CREATE TABLE t (x INTEGER)")
    with pytest.raises(StoreError):
        migrate(catalog.connector, migrations=broken)
    assert catalog.connector.read("SELECT schema_version FROM meta") == [(len(MIGRATIONS),)]
    with pytest.raises(StoreError, match="no such table"):
        catalog.connector.read("SELECT * FROM t")
    catalog.close()


def test_catalog_of_version_1_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.executescript((Path(__file__).parent / "catalog_v1.sql").read_text())
    old.close()
    catalog = Catalog.open(path)
    (iteration,) = catalog.iterations()
    assert iteration.record.edits == FULL.edits
    assert tuple(catalog.nodes_of(1)) == FULL.nodes
    assert tuple(catalog.outputs_of(1)) == FULL.outputs
    assert [artifact.signature for artifact in catalog.artifacts()] == ["s1a"]
    catalog.close()


def test_file_that_is_no_database_is_refused_with_the_remedy(where: Path | str, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"hello, this is plainly a text " * 100)
    with pytest.raises(StoreError, match="move it away"):
        Catalog.open(where)


def test_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder exists"):
        Catalog.open(tmp_path / "no" / "catalog.db")


@pytest.mark.parametrize("url", ["nonsense://x", "mysql://host/db", "://", "postgresql+nodriver://host/db"])
def test_url_that_cannot_be_used_is_a_clear_error(url: str) -> None:
    with pytest.raises(StoreError):
        Catalog.open(url)


def test_catalog_file_is_private(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "c.db")
    catalog.record_iteration(record())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}
    catalog.close()
