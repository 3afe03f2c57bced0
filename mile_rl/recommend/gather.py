"""Everything that recommending needs to know about a workflow and its past, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mile_rl.engine import versions
from mile_rl.engine.prepared import Prepared
from mile_rl.recommend import journal
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.metrics import Metric, metrics_of
from mile_rl.recommend.outcome import Size
from mile_rl.recommend.places import makers_of
from mile_rl.recommend.scan import Scan
from mile_rl.recommend.written import Learner
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration
from mile_rl.workflows.edits import Edit, Scalar
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.maker import Maker

MOST_ITERATIONS = 120
"""How many of the latest iterations are read; a what-if iteration is one."""

MOST_NODES = 3_000
"""How many nodes of all iterations together are read (25 µs each)."""

LARGEST_LOOK = 64_000_000
"""Artifacts up to so many bytes are opened to see how large the data are."""

MOST_LABELS = 20_000
"""So many labels are looked at to count the classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An iteration, as recommending sees it.

    Args:
        id: its number.
        version: its version's digest.
        status: how it ended.
        metrics: name -> value.
        values: node -> parameter -> value.
        codes: node -> digest of its operator's code.
        seconds: node -> what computing it took, where it was computed.
        failed: the nodes whose operators raised.
        learners: as noted in the journal.
        edits: against the iteration before.
        parent: the iteration before.
        waited_ns: how long the person waited.
        beside: whether it stands beside the person's own line: ``mile try`` ran it, or a search of the same file.
    """

    id: int
    version: str
    status: str
    metrics: Mapping[str, float]
    values: Mapping[str, Mapping[str, Scalar]]
    codes: Mapping[str, str]
    seconds: Mapping[str, float]
    failed: frozenset[str]
    learners: Sequence[Mapping[str, Any]]
    edits: tuple[Edit, ...]
    parent: int | None
    waited_ns: int
    beside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a look into the store tells of the data that a learner is fitted on.

    Args:
        size: rows and columns, None where the table is not kept.
        sparse: whether it is a sparse matrix.
        classes: how many different labels there are, None where they are not kept.
    """

    size: Size | None = None
    sparse: bool = False
    classes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A workflow as it stands, and its past.

    Args:
        flow: the workflow.
        prepared: it, planned.
        scan: of its file; None where it has none that is plain Python.
        past: its iterations, what-ifs included, the latest last.
        now: the iteration that changes start from: the latest that ran to the end.
        metrics: what it returns, the one that matters first.
        tables: node -> what is known of the table that its learner is fitted on.
    """

    flow: Flow[..., Any]
    prepared: Prepared
    scan: Scan | None
    past: tuple[Past, ...]
    now: Past
    metrics: tuple[Metric, ...]
    tables: dict[str, Table] = field(default_factory=dict)

    def metric_of(self, nodes: Sequence[str]) -> Metric | None:
        """Return the metric that a change of these nodes can move, the one that matters first."""
        for metric in self.metrics:
            if metric.name in self.now.metrics and not metric.nodes.isdisjoint(nodes):
                return metric
        return None

    def learners(self) -> list[tuple[Learner, tuple[str, ...]]]:
        """Return the learners in the code, each with the nodes whose operators make it."""
        if self.scan is None:
            return []
        found = []
        by_function: dict[str, list[str]] = {}
        steps: dict[str, Maker] = {}
        for name in self.prepared.layout.nodes:
            operator = self.prepared.dag.nodes[name].operator
            function: Any = operator.function
            if getattr(function, "__module__", "") == self.flow.function.__module__:
                by_function.setdefault(getattr(function, "__name__", ""), []).append(name)
            elif isinstance(operator, Maker) and operator.stage == "learn":
                steps.setdefault(operator.name, operator)
        spans: set[int] = set()
        for called, nodes in by_function.items():
            for learner in self.scan.learners(called):
                if learner.span.start not in spans:
                    spans.add(learner.span.start)
                    found.append((learner, tuple(nodes)))
        for maker in steps.values():
            made = self.scan.made_once(maker.makes)
            if made is not None:
                found.append((made, makers_of(self.prepared.dag, maker)))
        return found

    def table_of(self, node: str) -> Table:
        """Return what is known of the table that a node's learner is fitted on."""
        if node not in self.tables:
            self.tables[node] = self._look(node)
        return self.tables[node]

    def _look(self, node: str) -> Table:
        """Look at what the node takes: of several tables a matrix counts, sparse or not, before a frame."""
        found: list[tuple[int, Size, bool]] = []
        classes = None
        for parent in self.prepared.dag.nodes[node].parents:
            signature = self.prepared.signatures[parent.node].outputs[parent.name]
            artifact = self.prepared.artifacts.get(signature)
            if artifact is None or artifact.size_bytes > LARGEST_LOOK:
                continue
            value = self.prepared.store.get(signature, artifact=artifact).value
            shape: tuple[int, ...] = getattr(value, "shape", ())
            if len(shape) == 2 and min(shape) > 0:
                sparse = hasattr(value, "tocsr")
                rank = 0 if sparse else 2 if hasattr(value, "columns") else 1
                found.append((rank, Size(rows=int(shape[0]), columns=int(shape[1])), sparse))
            elif classes is None and len(shape) == 1 and hasattr(value, "dtype"):
                classes = len(set(value[:MOST_LABELS].tolist()))
        if not found and isinstance(self.prepared.dag.nodes[node].operator, Maker):
            return self._given()
        if not found:
            return Table(classes=classes)
        _, size, sparse = min(found, key=lambda one: one[0])
        return Table(size=size, sparse=sparse, classes=classes)

    def _given(self) -> Table:
        """Return what is known of the data that a pipeline's workflow was made with; a fold has not quite all."""
        given = next(node.arguments for node in self.prepared.dag.nodes.values() if not node.parents)
        rows, labels = given.get("X"), given.get("y")
        shape: tuple[int, ...] = getattr(rows, "shape", ())
        if len(shape) != 2 or min(shape) < 1:
            return Table()
        classes = None
        if labels is not None and hasattr(labels, "tolist"):
            classes = len(set(labels[:MOST_LABELS].tolist()))
        size = Size(rows=int(shape[0]), columns=int(shape[1]))
        return Table(size=size, sparse=hasattr(rows, "tocsr"), classes=classes)


def gather(flow: Flow[..., Any], prepared: Prepared, *, metric: str | None = None) -> State:
    """Read the past of a planned workflow.

    Args:
        flow: the workflow.
        prepared: it, planned; it must stay open.
        metric: the name of the metric that matters; the likeliest where None.

    Raises:
        RecommendError: it was not run to the end yet, or returns no metric.
    """
    past = _past(prepared)
    ended = [one for one in past if one.status == "ok" and not one.beside]
    if not ended:
        raise RecommendError(
            f"workflow {prepared.dag.workflow} has not run to its end yet, so there is nothing to improve on: "
            "run it once with `mile run`."
        )
    same = [one for one in ended if one.version == prepared.version]
    now = (same or ended)[-1]
    values: dict[str, list[float]] = {
        name: [value] for name, value in now.metrics.items() if value == value and abs(value) < 1e300
    }
    for one in ended:
        for name, value in one.metrics.items():
            if name in values and value == value and abs(value) < 1e300:
                values[name].append(value)
    return State(
        flow=flow,
        prepared=prepared,
        scan=_scan(flow),
        past=tuple(past),
        now=now,
        metrics=metrics_of(prepared.dag, values, metric),
    )


def _scan(flow: Flow[..., Any]) -> Scan | None:
    try:
        return Scan(Path(flow.function.__globals__["__file__"]).read_text(encoding="utf-8"))
    except (OSError, KeyError, ValueError, SyntaxError):
        return None


def what_if_key(prepared: Prepared) -> str:
    """Return the key in the catalog of what was tried of a workflow."""
    if not prepared.source:
        return f"{prepared.workflow}{versions.WHAT_IF}"
    name = prepared.dag.workflow
    return f"{prepared.workflow if ':' in prepared.workflow else f'{name}.py:{name}'}{versions.WHAT_IF}"


def _past(prepared: Prepared) -> list[Past]:
    catalog = prepared.catalog
    notes = journal.read(prepared.project)
    file = prepared.workflow.rpartition(":")[0] or f"{prepared.workflow}.py"
    keys = (prepared.workflow, what_if_key(prepared), f"{file}:{versions.CROSS_VALIDATION}")
    recorded = [one for key in keys for one in catalog.iterations(key, limit=MOST_ITERATIONS)]
    recorded.sort(key=lambda one: -one.id)
    most = max(MOST_NODES // max(len(prepared.layout.nodes), 1), 3)
    latest = recorded[: min(MOST_ITERATIONS, most)]
    return [
        _one(catalog, one, notes.get(one.id, ()), beside=one.record.workflow != prepared.workflow)
        for one in reversed(latest)
    ]


def _one(
    catalog: Catalog, iteration: Iteration, learners: Sequence[Mapping[str, Any]], *, beside: bool
) -> Past:
    record = iteration.record
    nodes = catalog.nodes_of(iteration.id)
    return Past(
        id=iteration.id,
        version=record.version,
        status=record.status,
        metrics=dict(record.metrics),
        values={
            node.name: {
                name: value
                for name, value in node.arguments.items()
                if (value is None or isinstance(value, str | int | float | bool))
                and not (isinstance(value, str) and value in {_address(parent) for parent in node.parents})
            }
            for node in nodes
        },
        codes={node.name: versions.code_digest(node.parts) for node in nodes},
        seconds={
            node.name: node.elapsed_ns / 1e9
            for node in nodes
            if node.state == "compute" and node.elapsed_ns is not None
        },
        failed=frozenset(node.name for node in nodes if node.state == "failed"),
        learners=learners,
        edits=record.edits,
        parent=record.parent,
        waited_ns=record.waited_ns,
        beside=beside,
    )


def _address(parent: Sequence[str]) -> str:
    from mile_rl.workflows.dag import Output

    return str(Output(*parent))
