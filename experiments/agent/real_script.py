"""From the catalogs of real plays to a script: measured times and sizes, the real versions, the real outlooks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Literal

from envs.outlooks import expectations
from envs.script import Script
from envs.writing import Expected, NodeRow, Writer
from mile_rl.engine import versions
from mile_rl.engine.foresight_run import COLD_NS, LONG_NS
from mile_rl.engine.keeper import DECIDING_SHARE
from mile_rl.engine.outlook import at_first_sight
from mile_rl.engine.past import past
from mile_rl.policies.outlook import scenario_limit
from mile_rl.policies.scenarios import likely_scenarios
from mile_rl.prediction.model import TreePredictor
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration, NodeRecord

Sight = Literal["engine", "first", "model"]
"""Where outlooks come from: what the engine would use in a new process, its first sight, or the model always."""


def node_times(homes: Sequence[Path]) -> dict[str, int]:
    """Return node signature -> the median time of its computations in some plays."""
    found: dict[str, list[int]] = defaultdict(list)
    for home in homes:
        catalog = Catalog.open(home / "catalog.db")
        try:
            for iteration in catalog.iterations():
                for node in catalog.nodes_of(iteration.id):
                    if node.state == "compute" and node.elapsed_ns is not None:
                        found[node.signature].append(node.elapsed_ns)
        finally:
            catalog.close()
    return {signature: int(median(times)) for signature, times in found.items()}


def script_of(
    home: Path,
    workflow: str,
    *,
    times: Mapping[str, int],
    sizes: Mapping[str, tuple[int, int]],
    sight: Sight = "engine",
    name: str = "",
) -> Script:
    """Return a workflow's recorded history as a script.

    Args:
        home: the project's state folder.
        workflow: its key in the catalog.
        times: node signature -> nanoseconds; see :func:`node_times`.
        sizes: output signature -> (bytes, codec); what is absent cannot be kept.
        sight: where the outlooks come from.
        name: of the session.
    """
    catalog = Catalog.open(home / "catalog.db")
    try:
        return _Recorded(catalog, workflow, times, sizes, sight).script(name or workflow)
    finally:
        catalog.close()


class _Recorded:
    """A recorded history while it is written down."""

    def __init__(
        self,
        catalog: Catalog,
        workflow: str,
        times: Mapping[str, int],
        sizes: Mapping[str, tuple[int, int]],
        sight: Sight,
    ) -> None:
        self.catalog, self.times, self.sizes, self.sight = catalog, times, sizes, sight
        self.line, self.records = past(catalog, workflow)
        self.writer = Writer()
        self.rows: dict[tuple[str, int], int] = {}
        self.codes: dict[str, int] = {}
        self.versions: list[dict[str, int]] = []
        self.seen: set[str] = set()
        self.predictor = TreePredictor() if sight != "first" else None

    def script(self, name: str) -> Script:
        """Write all iterations down."""
        for turn, iteration in enumerate(self.line):
            nodes = self.catalog.nodes_of(iteration.id)
            signatures: dict[str, dict[str, str]] = defaultdict(dict)
            for output in self.catalog.outputs_of(iteration.id):
                signatures[output.node][output.name] = output.signature
            rows: dict[str, int] = {}
            twins: dict[str, int] = {}
            for node in nodes:
                which = twins[node.signature] = twins.get(node.signature, -1) + 1
                rows[node.name] = self._row(node, which, rows, signatures)
            self.versions.append(rows)
            taken = {parent[0] for node in nodes for parent in node.parents}
            # What a run was for is not recorded: it is what nothing takes (as mile_rl.engine.outlook has it).
            requested = [
                self.writer.output(rows[node.name], at)
                for node in nodes
                if node.name not in taken
                for at in range(len(signatures[node.name]))
            ]
            expected, stop = self._expected(turn, iteration, nodes)
            gap_s = self.records[turn].gap_s
            self.writer.add_turn(rows.values(), requested, expected, stop=stop, think_s=gap_s or 0.0)
            self.seen.update(node.name for node in nodes)
        return self.writer.script(name=name, source="own", group=name)

    def _row(
        self,
        node: NodeRecord,
        which: int,
        rows: Mapping[str, int],
        signatures: Mapping[str, Mapping[str, str]],
    ) -> int:
        key = (node.signature, which)
        if key not in self.rows:
            places = {parent: list(signatures[parent]) for parent, _ in node.parents}
            takes = dict.fromkeys(
                (rows[parent], places[parent].index(output)) for parent, output in node.parents
            )
            outputs = tuple(
                self.sizes.get(signature, (0, -1)) for signature in signatures[node.name].values()
            )
            digest = versions.own_digest(node.parts)
            self.rows[key] = self.writer.add_node(
                NodeRow(
                    name=node.name,
                    operator=node.operator,
                    stage=node.stage,
                    code=self.codes.setdefault(digest, len(self.codes)),
                    takes=tuple(takes),
                    compute_ns=self.times.get(node.signature, 0),
                    outputs=outputs,
                )
            )
        return self.rows[key]

    def _expected(
        self, turn: int, iteration: Iteration, nodes: Sequence[NodeRecord]
    ) -> tuple[list[Expected], float]:
        if self.predictor is not None:
            self.predictor.observe(self.records[turn])
        if self.predictor is not None and (self.sight == "model" or self._asks(nodes)):
            said = self.predictor.predict(n_parameters=0)
            return expectations(said, self.versions), said.stop
        rows = self.versions[-1]
        names = list(rows)
        # Nothing else of a prepared iteration is looked at.
        prepared: Any = SimpleNamespace(
            layout=SimpleNamespace(nodes=names), edits=iteration.record.edits if turn else ()
        )
        sight = at_first_sight(prepared)
        found = likely_scenarios(
            [sight.touched[each] for each in names], sight.nothing, 0.0, (), scenario_limit(len(names))
        )
        return [
            Expected(kind=each.kind, p=each.p, turn=turn, roots=tuple(rows[names[i]] for i in each.roots))
            for each in found
        ], sight.stop

    def _asks(self, nodes: Sequence[NodeRecord]) -> bool:
        """Return whether the engine, in a new process, would ask the model: where that is small beside the run."""
        times = [self.times.get(node.signature, 0) for node in nodes]
        known = [ns for node, ns in zip(nodes, times) if node.name in self.seen]
        return sum(times) * DECIDING_SHARE >= COLD_NS or max(known, default=0) >= LONG_NS


def spent(home: Path, workflow: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield what each iteration of a play took in ns: the waiting in all, computing, loading, writing."""
    catalog = Catalog.open(home / "catalog.db")
    try:
        for iteration in reversed(catalog.iterations(workflow)):
            nodes = catalog.nodes_of(iteration.id)
            outputs = catalog.outputs_of(iteration.id)
            yield (
                iteration.record.waited_ns,
                sum(node.elapsed_ns or 0 for node in nodes if node.state == "compute"),
                sum(output.load_ns or 0 for output in outputs),
                sum(output.write_ns or 0 for output in outputs),
            )
    finally:
        catalog.close()


def drift(home: Path, times: Mapping[str, int]) -> float:
    """Return how much longer a play's operators took than the very same computations did elsewhere.

    What differs from 1 is the machine's mood, not the simulator's mistake.

    Args:
        home: the play's project.
        times: node signature -> nanoseconds elsewhere.
    """
    here = there = 0
    catalog = Catalog.open(home / "catalog.db")
    try:
        for iteration in catalog.iterations():
            for node in catalog.nodes_of(iteration.id):
                if node.state == "compute" and node.signature in times:
                    here += node.elapsed_ns or 0
                    there += times[node.signature]
    finally:
        catalog.close()
    return here / there if there else 1.0
