"""The catalog: every iteration that ran, what it cost, and what was learned on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mile_rl.errors import StoreError
from mile_rl.store import rows
from mile_rl.store.connect import NOTHING, Connector, Parameters, connect
from mile_rl.store.records import (
    Artifact,
    Channel,
    Iteration,
    IterationRecord,
    Measured,
    NodeRecord,
    OperatorFlags,
    OutputRecord,
)
from mile_rl.store.schema import migrate
from mile_rl.store.statements import ITERATION, LAST, learn, record_nodes, record_outputs

BATCH = 500
"""How many keys one query asks for; databases bound the number of parameters."""


class Catalog:
    """A catalog, open for any number of threads; every method is one transaction or one query.

    Args:
        connector: a database of the newest schema; :meth:`open` makes sure of it.
    """

    def __init__(self, connector: Connector) -> None:
        self.connector = connector

    @classmethod
    def open(cls, where: Path | str) -> Self:
        """Open the catalog at a path or URL; it is made or migrated as needed.

        Raises:
            NewerStore: a newer MILE-RL wrote it.
            StoreError: it cannot be opened, or is not a catalog.
        """
        connector = connect(where)
        try:
            migrate(connector)
        except BaseException:
            connector.close()
            raise
        return cls(connector)

    def close(self) -> None:
        """Close the database."""
        self.connector.close()

    # What a run reads ------------------------------------------------------------------------------------

    def artifacts_for(self, signatures: Iterable[str]) -> dict[str, Artifact]:
        """Return the artifacts among some output signatures, by signature."""
        found = self._among(
            f"SELECT {rows.ARTIFACT_COLUMNS} FROM artifacts a JOIN contents c ON c.content = a.content "
            "WHERE a.signature IN ({keys})",
            signatures,
        )
        return {row[0]: rows.to_artifact(row) for row in found}

    def artifacts(self, workflow: str | None = None) -> list[Artifact]:
        """Return all artifacts, of one workflow or of all, the oldest first."""
        where = "" if workflow is None else "WHERE a.workflow = :workflow "
        found = self.connector.read(
            f"SELECT {rows.ARTIFACT_COLUMNS} FROM artifacts a JOIN contents c ON c.content = a.content "
            f"{where}ORDER BY a.created_ns, a.signature",
            {"workflow": workflow},
        )
        return [rows.to_artifact(row) for row in found]

    def measured(self, workflow: str, nodes: Sequence[tuple[str, str, str]]) -> dict[str, Measured]:
        """Return what nodes cost when they were last computed.

        The very signature counts first, else the node's name in this workflow, else its operator anywhere.

        Args:
            workflow: name of the workflow.
            nodes: (node signature, node name, operator name) of each.

        Returns:
            Node name -> measurement; nodes whose operator never ran are absent.
        """
        known: dict[str, Measured] = {}
        for position, scope in enumerate(LAST):
            missing = [node for node in nodes if node[1] not in known]
            found = {
                row[0]: Measured(
                    elapsed_ns=int(row[1]),
                    size_bytes=None if row[2] is None else int(row[2]),
                    iteration=row[3],
                    scope=scope,
                )
                for row in self._among(
                    LAST[scope], {node[position] for node in missing}, {"workflow": workflow}, values=True
                )
            }
            for node in missing:
                if node[position] in found:
                    known[node[1]] = found[node[position]]
        return known

    def hidden_files(self) -> dict[str, tuple[str, ...]]:
        """Return the undeclared files that operators were seen to open, by base signature.

        All of them: which base signatures a run will have is not known before its first node is signed.
        """
        found: dict[str, tuple[str, ...]] = {}
        for base, path in self.connector.read(
            "SELECT base_signature, path FROM hidden_files ORDER BY base_signature, path"
        ):
            found[base] = (*found.get(base, ()), path)
        return found

    def operator_flags(self, codes: Iterable[str]) -> dict[str, OperatorFlags]:
        """Return what was observed about operators, by code digest."""
        found = self._among(
            "SELECT code, mutates_inputs, uses_global_random FROM operator_flags WHERE code IN ({keys})",
            codes,
        )
        return {
            code: OperatorFlags(code=code, mutates_inputs=bool(mutates), uses_global_random=bool(random))
            for code, mutates, random in found
        }

    def channels(self) -> tuple[Channel, ...]:
        """Return the measured speed of each codec in each direction."""
        found = self.connector.read(
            "SELECT codec, direction, latency_ns, bytes_per_s FROM channels ORDER BY codec, direction"
        )
        return tuple(
            Channel(codec=codec, direction=direction, latency_ns=latency, bytes_per_s=bandwidth)
            for codec, direction, latency, bandwidth in found
        )

    def policy_state(self, name: str) -> Any:
        """Return what a policy saved under its name (JSON), None if nothing."""
        found = self.connector.read("SELECT state FROM policy_state WHERE name = :name", {"name": name})
        return json.loads(found[0][0]) if found else None

    def counters(self) -> dict[str, int]:
        """Return how often things happened that should not (corrupt, truncated, vanished, …)."""
        return dict(self.connector.read("SELECT name, count FROM counters ORDER BY name"))

    # What a run writes -----------------------------------------------------------------------------------

    def record_iteration(
        self,
        record: IterationRecord,
        *,
        hidden_files: Iterable[tuple[str, str]] = (),
        flags: Iterable[OperatorFlags] = (),
        channels: Iterable[Channel] = (),
        policy_state: Mapping[str, Any] | None = None,
        counters: Mapping[str, int] | None = None,
    ) -> int:
        """Record an iteration with all that it taught, in one transaction.

        Loaded outputs count as loads of their artifacts, kept ones as uses.

        Args:
            record: the iteration.
            hidden_files: (base signature, path) of files seen to be opened undeclared.
            flags: of operators observed; a flag once set stays set.
            channels: new measurements, replacing the old.
            policy_state: by policy name, JSON values, replacing the old.
            counters: increments.

        Returns:
            The iteration's id: 1, 2, … in the order of recording.
        """
        with self.connector.writing() as transaction:
            identity = int(transaction.run("SELECT COALESCE(MAX(id), 0) + 1 FROM iterations")[0][0])
            transaction.run(ITERATION, rows.iteration_row(record, identity))
            if record.nodes:
                record_nodes(transaction, record, identity)
            if record.outputs:
                record_outputs(transaction, record, identity)
            learn(transaction, hidden_files, flags, channels, policy_state or {}, counters or {})
        return identity

    def learn(
        self,
        *,
        hidden_files: Iterable[tuple[str, str]] = (),
        flags: Iterable[OperatorFlags] = (),
        channels: Iterable[Channel] = (),
        policy_state: Mapping[str, Any] | None = None,
        counters: Mapping[str, int] | None = None,
    ) -> None:
        """Write what :meth:`record_iteration` writes beside an iteration, without one."""
        with self.connector.writing() as transaction:
            learn(transaction, hidden_files, flags, channels, policy_state or {}, counters or {})

    # What people ask -------------------------------------------------------------------------------------

    def workflows(self) -> list[str]:
        """Return the names of all workflows that ran."""
        return [
            name for (name,) in self.connector.read("SELECT DISTINCT workflow FROM iterations ORDER BY 1")
        ]

    def iterations(
        self, workflow: str | None = None, *, limit: int | None = None, before: int | None = None
    ) -> list[Iteration]:
        """Return iterations, the latest first.

        Args:
            workflow: its name; None for all.
            limit: how many at most.
            before: only iterations with a smaller id, to page on.
        """
        clauses = []
        if workflow is not None:
            clauses.append("workflow = :workflow")
        if before is not None:
            clauses.append("id < :before")
        where = f"WHERE {' AND '.join(clauses)} " if clauses else ""
        bound = "" if limit is None else "LIMIT :limit"
        found = self.connector.read(
            f"SELECT {rows.ITERATION_COLUMNS} FROM iterations {where}ORDER BY id DESC {bound}",
            {"workflow": workflow, "before": before, "limit": limit},
        )
        return [rows.to_iteration(row) for row in found]

    def iteration(self, identity: int) -> Iteration | None:
        """Return one iteration by id, None if there is none."""
        found = self.connector.read(
            f"SELECT {rows.ITERATION_COLUMNS} FROM iterations WHERE id = :id", {"id": identity}
        )
        return rows.to_iteration(found[0]) if found else None

    def latest(self, workflow: str) -> Iteration | None:
        """Return the workflow's last iteration, None before the first."""
        return next(iter(self.iterations(workflow, limit=1)), None)

    def latest_of_version(self, workflow: str, version: str) -> int | None:
        """Return the id of the last iteration of exactly this version, None if it never ran."""
        sql = "SELECT MAX(id) FROM iterations WHERE workflow = :workflow AND version = :version"
        identity = self.connector.read(sql, {"workflow": workflow, "version": version})[0][0]
        return None if identity is None else int(identity)

    def find(self, reference: str, *, workflow: str | None = None) -> Iteration:
        """Return the iteration that a person means: an id, or the beginning of a version's digest.

        Of several iterations of one version the last is meant.

        Raises:
            StoreError: there is none, or the beginning fits several versions.
        """
        if reference.isdecimal() and (found := self.iteration(int(reference))):
            return found
        where = "" if workflow is None else " AND workflow = :workflow"
        # a range, not LIKE: it uses the index in every database ("g" follows the hexadecimal digits)
        versions = self.connector.read(
            "SELECT version, MAX(id) FROM iterations WHERE version >= :low AND version < :high"
            f"{where} GROUP BY version LIMIT 2",
            {"low": reference.lower(), "high": reference.lower() + "g", "workflow": workflow},
        )
        if len(versions) == 1 and reference and (found := self.iteration(versions[0][1])):
            return found
        if versions:
            raise StoreError(f"{reference!r} fits several versions; give more of its digits")
        raise StoreError(f"there is no iteration {reference!r}; `mile log` lists them")

    def nodes_of(self, identity: int) -> list[NodeRecord]:
        """Return an iteration's nodes in topological order."""
        found = self.connector.read(
            f"SELECT {rows.NODE_COLUMNS} FROM nodes n JOIN signatures s ON s.signature = n.signature "
            "WHERE n.iteration = :id ORDER BY n.position",
            {"id": identity},
        )
        return [rows.to_node(row) for row in found]

    def names_of(self, identity: int) -> list[tuple[str, str]]:
        """Return (name, operator) of an iteration's nodes in topological order; cheap for many nodes."""
        found = self.connector.read(
            "SELECT name, operator FROM nodes WHERE iteration = :id ORDER BY position", {"id": identity}
        )
        return [(name, operator) for name, operator in found]

    def decisions_on(self, signatures: Iterable[str]) -> dict[str, tuple[int, bool, str]]:
        """Return what was last decided about outputs: signature -> (iteration, whether it was kept, why).

        An iteration that only found or loaded an artifact decided nothing.
        """
        found = self._among(
            "SELECT signature, iteration, kept, reason FROM outputs WHERE signature IN ({keys}) "
            "AND reason NOT IN ('', 'loaded', 'kept before') ORDER BY iteration",
            signatures,
        )
        return {signature: (number, bool(kept), reason) for signature, number, kept, reason in found}

    def outputs_of(self, identity: int) -> list[OutputRecord]:
        """Return an iteration's outputs in the order of recording."""
        found = self.connector.read(
            f"SELECT {rows.OUTPUT_COLUMNS} FROM outputs WHERE iteration = :id ORDER BY position",
            {"id": identity},
        )
        return [rows.to_output(row) for row in found]

    def _among(
        self,
        sql: str,
        keys: Iterable[str],
        parameters: Parameters = NOTHING,
        *,
        values: bool = False,
    ) -> Iterator[tuple[Any, ...]]:
        """Run a query for many keys, some hundreds at a time; ``{keys}`` in it stands for them."""
        remaining = list(dict.fromkeys(keys))
        for start in range(0, len(remaining), BATCH):
            batch = remaining[start : start + BATCH]
            pattern = "(:k{})" if values else ":k{}"
            names = ", ".join(pattern.format(i) for i in range(len(batch)))
            bound = {f"k{i}": key for i, key in enumerate(batch)}
            yield from self.connector.read(sql.replace("{keys}", names), {**bound, **parameters})
