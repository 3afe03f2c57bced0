"""What the catalog remembers of a project: its iterations, and how any two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mile_rl.engine import versions
from mile_rl.engine.node_changes import NodeChange, node_changes
from mile_rl.engine.opening import open_catalog, release
from mile_rl.engine.project import Project
from mile_rl.engine.text import edits_in_words
from mile_rl.errors import StoreError
from mile_rl.policies.words import duration
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration
from mile_rl.store.store import Store
from mile_rl.workflows.diff import diff
from mile_rl.workflows.edits import Edit
from mile_rl.workflows.match import match


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one iteration differs from another.

    Args:
        a: the iteration compared from.
        b: the one compared to.
        edits: what turns a's version into b's.
        metrics: name -> (a's value, b's value); None where one has none.
        differing: the nodes (by b's names) whose result is not that of a, in topological order.
        nodes: what became of each node of both, in topological order.
    """

    a: Iteration
    b: Iteration
    edits: tuple[Edit, ...]
    metrics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    differing: tuple[str, ...] = ()
    nodes: tuple[NodeChange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON object."""
        return {
            "a": iteration_json(self.a),
            "b": iteration_json(self.b),
            "edits": [{**edit.to_json(), "words": edit.words()} for edit in self.edits],
            "metrics": {name: list(pair) for name, pair in self.metrics.items()},
            "differing": list(self.differing),
            "nodes": [node.to_json() for node in self.nodes],
        }

    def text(self) -> str:
        """Return the comparison in words."""
        lines = [
            f"iteration {self.a.id} ({self.a.record.version[:10]}) -> {self.b.id} ({self.b.record.version[:10]})"
        ]
        if not self.edits:
            lines.append("  the same version" if not self.differing else "  no edits of its own")
        lines.extend(f"  {words}" for words in edits_in_words(self.edits))
        for name, (old, new) in self.metrics.items():
            change = f"  ({new - old:+.4g})" if old is not None and new is not None else ""
            lines.append(f"  {name}: {_number(old)} -> {_number(new)}{change}")
        lines.extend(self._times())
        if self.differing:
            lines.append(f"  results that differ: {', '.join(self.differing)}")
        if self.edits and (same := [node.name for node in self.nodes if node.change == "unchanged"]):
            lines.append(f"  results that are the same: {', '.join(same)}")
        return "\n".join(lines)

    def _times(self) -> Iterator[str]:
        """Yield what the change did to the time that everything takes, and to the waiting."""
        a, b = self.a.record, self.b.record
        if a.everything_ns is not None and b.everything_ns is not None:
            yield f"  everything takes: {duration(a.everything_ns)} -> {duration(b.everything_ns)}"
        yield f"  waited: {duration(a.waited_ns)} -> {duration(b.waited_ns)}"


@contextmanager
def opened(project: Project) -> Iterator[Catalog]:
    """Open a project's catalog for reading and close it afterwards.

    Raises:
        StoreError: there is none yet, or it cannot be used.
    """
    if not project.settings.catalog and not (project.home / "catalog.db").exists():
        raise StoreError(
            f"nothing was run here yet: there is no {project.home / 'catalog.db'}. `mile run FILE` makes it."
        )
    catalog = open_catalog(project)
    try:
        yield catalog
    finally:
        release(project, catalog)


@contextmanager
def opened_store(project: Project) -> Iterator[Store]:
    """Open a project's store and close its catalog afterwards.

    Raises:
        StoreError: there is none yet, or it cannot be used.
    """
    with opened(project) as catalog:
        yield Store.open(project.store_root, budget_bytes=project.settings.budget_bytes, catalog=catalog)


def log(project: Project, *, workflow: str | None = None, limit: int | None = None) -> list[Iteration]:
    """Return the project's iterations, the latest first.

    Args:
        project: where to look.
        workflow: its name; None for all.
        limit: how many at most.

    Raises:
        StoreError: there is no catalog, or no workflow of that name in it.
    """
    with opened(project) as catalog:
        if workflow is not None and workflow not in (known := catalog.workflows()):
            raise StoreError(f"no workflow {workflow!r} ran here; these did: {', '.join(known)}.")
        return catalog.iterations(workflow, limit=limit)


def compare(project: Project, a: str, b: str, *, workflow: str | None = None) -> Comparison:
    """Compare two iterations.

    Args:
        project: where to look.
        a: the number of an iteration, or the beginning of a version's digest.
        b: likewise.
        workflow: look only among this workflow's versions.

    Raises:
        StoreError: there is no such iteration, or they are of two workflows.
    """
    with opened(project) as catalog:
        one, other = catalog.find(a, workflow=workflow), catalog.find(b, workflow=workflow)
        if versions.as_run(one.record.workflow) != versions.as_run(other.record.workflow):
            raise StoreError(
                f"iteration {one.id} is of {one.record.workflow}, iteration {other.id} of "
                f"{other.record.workflow}: two workflows cannot be compared."
            )
        old, new = versions.nodes_of(catalog, one), versions.nodes_of(catalog, other)
        edits = diff(old, new)
        nodes = node_changes(catalog.nodes_of(one.id), catalog.nodes_of(other.id), match(old, new), edits)
        differing = tuple(node.name for node in nodes if node.change not in ("removed", "unchanged"))
        names = dict.fromkeys((*one.record.metrics, *other.record.metrics))
        return Comparison(
            a=one,
            b=other,
            edits=edits,
            metrics={name: (one.record.metrics.get(name), other.record.metrics.get(name)) for name in names},
            differing=differing,
            nodes=nodes,
        )


def iteration_json(iteration: Iteration) -> dict[str, Any]:
    """Return a recorded iteration as a JSON object; times are integers in nanoseconds."""
    record = iteration.record
    return {
        "iteration": iteration.id,
        "workflow": record.workflow,
        "version": record.version,
        "previous": record.parent,
        "started_ns": record.started_ns,
        "waited_ns": record.waited_ns,
        "everything_ns": record.everything_ns,
        "status": record.status,
        "parameters": dict(record.parameters),
        "edits": [{**edit.to_json(), "words": edit.words()} for edit in record.edits],
        "change_class": record.change_class,
        "metrics": dict(record.metrics),
        "policy": record.policy,
        "computed": iteration.computed,
        "loaded": iteration.loaded,
        "pruned": iteration.pruned,
    }


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
