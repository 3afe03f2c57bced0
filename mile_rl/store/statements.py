"""The statements by which a catalog records an iteration and looks costs up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mile_rl.store import rows
from mile_rl.store.connect import Transaction
from mile_rl.store.records import Channel, IterationRecord, OperatorFlags, Scope


def _last(column: str, more: str = "") -> str:
    """Return the query for the mean cost in the last iteration that computed each key, and took its time."""
    return (
        "WITH keys (k) AS (VALUES {keys}), last (k, i) AS (SELECT k, (SELECT MAX(iteration) FROM nodes "
        f"WHERE {column} = k AND state = 'compute' AND elapsed_ns IS NOT NULL{more}) FROM keys) "
        "SELECT k, AVG(n.elapsed_ns), AVG(n.size_bytes), i FROM last JOIN nodes n "
        f"ON n.{column} = k AND n.iteration = i AND n.state = 'compute'{more} GROUP BY k, i"
    )


LAST: dict[Scope, str] = {
    "signature": _last("signature"),
    "node": _last("name", " AND workflow = :workflow"),
    "operator": _last("operator"),
}


def _insert(table: str, columns: str) -> str:
    names = [name.partition(".")[2] or name for name in columns.split(", ")]
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"


ITERATION = _insert("iterations", rows.ITERATION_COLUMNS)
_NODE = _insert(
    "nodes",
    "iteration, position, workflow, name, operator, stage, state, signature, parents, arguments, target, "
    "elapsed_ns, size_bytes",
)
_OUTPUT = _insert("outputs", f"iteration, position, {rows.OUTPUT_COLUMNS}")


def record_nodes(transaction: Transaction, record: IterationRecord, identity: int) -> None:
    """Insert an iteration's nodes and what their signatures were made of; inside a transaction."""
    transaction.many(_NODE, rows.node_rows(record, identity))
    distinct = {node.signature: node for node in record.nodes}
    transaction.many(
        "INSERT INTO signatures VALUES (:signature, :base, :code, :parts) ON CONFLICT (signature) DO NOTHING",
        [rows.signature_row(node) for node in distinct.values()],
    )


def record_outputs(transaction: Transaction, record: IterationRecord, identity: int) -> None:
    """Insert an iteration's outputs and note the use of their artifacts; inside a transaction."""
    outputs = rows.output_rows(record, identity)
    transaction.many(_OUTPUT, outputs)
    transaction.many(
        "UPDATE artifacts SET last_used = :iteration, loads = loads + 1, load_ns = :load_ns "
        "WHERE signature = :signature",
        [_use(row) for row in outputs if row["load_ns"] is not None],
    )
    transaction.many(
        "UPDATE artifacts SET last_used = :iteration WHERE signature = :signature",
        [_use(row) for row in outputs if row["load_ns"] is None and row["write_ns"] is not None],
    )


def _use(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("iteration", "signature", "load_ns")}


def learn(
    transaction: Transaction,
    hidden_files: Iterable[tuple[str, str]],
    flags: Iterable[OperatorFlags],
    channels: Iterable[Channel],
    policy_state: Mapping[str, Any],
    counters: Mapping[str, int],
) -> None:
    """Write what an iteration taught beside itself; see :meth:`Catalog.record_iteration`."""
    for base, path in hidden_files:
        transaction.run(
            "INSERT INTO hidden_files VALUES (:base, :path) ON CONFLICT (base_signature, path) DO NOTHING",
            {"base": base, "path": path},
        )
    for flag in flags:
        transaction.run(
            "INSERT INTO operator_flags VALUES (:code, :mutates, :random) ON CONFLICT (code) DO UPDATE SET "
            "mutates_inputs = CASE WHEN operator_flags.mutates_inputs = 1 THEN 1 ELSE :mutates END, "
            "uses_global_random = CASE WHEN operator_flags.uses_global_random = 1 THEN 1 ELSE :random END",
            {"code": flag.code, "mutates": int(flag.mutates_inputs), "random": int(flag.uses_global_random)},
        )
    for channel in channels:
        transaction.run(
            "INSERT INTO channels VALUES (:codec, :direction, :latency, :bandwidth) "
            "ON CONFLICT (codec, direction) DO UPDATE SET latency_ns = :latency, bytes_per_s = :bandwidth",
            {
                "codec": channel.codec,
                "direction": channel.direction,
                "latency": channel.latency_ns,
                "bandwidth": channel.bytes_per_s,
            },
        )
    for name, state in policy_state.items():
        transaction.run(
            "INSERT INTO policy_state VALUES (:name, :state) ON CONFLICT (name) DO UPDATE SET state = :state",
            {"name": name, "state": rows.text(state)},
        )
    for name, count in counters.items():
        transaction.run(
            "INSERT INTO counters VALUES (:name, :count) "
            "ON CONFLICT (name) DO UPDATE SET count = counters.count + :count",
            {"name": name, "count": count},
        )
