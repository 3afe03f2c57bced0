"""The engine's own catalog: live histories, in the schema of the mined ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mile_rl.errors import MileError
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration, NodeRecord
from mile_rl.workflows.dag import Output
from traces.errors import BadRow, NotWhatItClaims, TraceError
from traces.link import Seen, link
from traces.objectives import choose_objective, oriented
from traces.people import Pseudonyms
from traces.schema import Component, History
from traces.sources.base import OnProgress, Tally, no_progress
from traces.values import plain

_IN_PARAMETERS = ("argument", "default", "parent")
"""First words of parts that a component has as parameters or as edges."""


class EngineCatalog:
    """The iterations of every workflow in a catalog.

    Args:
        location: the catalog's path (``.mile/catalog.db``), the project's folder, or a database URL.
        pseudonyms: turns the place into a pseudonym of the person whose project it is.

    Raises:
        TraceError: there is no catalog.
    """

    name = "catalog"

    def __init__(self, location: str, pseudonyms: Pseudonyms) -> None:
        self._where: Path | str = location
        self.place = "catalog"
        if "://" not in location:
            path = Path(location)
            candidates = (path, path / "catalog.db", path / ".mile" / "catalog.db")
            found = next((candidate for candidate in candidates if candidate.is_file()), None)
            if found is None:
                raise TraceError(f"{location} holds no catalog; give a project in which `mile run` was used")
            self._where = found
        self._person = pseudonyms("catalog", self._where)

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a workflow. See :class:`traces.sources.base.Source`."""
        try:
            catalog = Catalog.open(self._where)
        except MileError as error:
            raise NotWhatItClaims(f"{self._where} is no catalog of MILE-RL: {error}") from error
        try:
            workflows = catalog.workflows()
            for done, workflow in enumerate(workflows, 1):
                history = self._history(catalog, workflow, tally)
                if history is not None:
                    yield history
                on_progress(done, len(workflows), "workflows")
        finally:
            catalog.close()

    def _history(self, catalog: Catalog, workflow: str, tally: Tally) -> History | None:
        recorded = list(reversed(catalog.iterations(workflow)))
        objective, sign = choose_objective(each.record.metrics for each in recorded)
        index_of: dict[int, int] = {}
        runs: list[Seen] = []
        for iteration in recorded:
            tally.read += 1
            nodes = catalog.nodes_of(iteration.id)
            if not nodes:
                tally.count_bad(BadRow("an iteration without nodes", str(iteration.id)))
                continue
            parent = iteration.record.parent
            known = None if parent is None else index_of.get(parent)
            index_of[iteration.id] = len(runs)
            runs.append(_seen(iteration, nodes, known, objective, sign))
        if not runs:
            return None
        return History(
            id=f"catalog-{self._person}-{workflow}",
            source=self.name,
            person=self._person,
            group=self._person,
            workflow=workflow,
            objective=objective,
            iterations=link(runs),
        )


def _seen(
    iteration: Iteration, nodes: list[NodeRecord], parent: int | None, objective: str, sign: int
) -> Seen:
    record = iteration.record
    return Seen(
        components=tuple(_component(node) for node in nodes),
        parent=parent,
        start_ms=record.started_ns // 1_000_000,
        duration_ms=record.waited_ns // 1_000_000,
        score=oriented(record.metrics, objective, sign),
        metrics=dict(record.metrics),
        edits=record.edits if parent is not None else (),
        version=record.version,
    )


def _component(node: NodeRecord) -> Component:
    parents = [Output(*parent) for parent in node.parents]
    taken = {str(parent) for parent in parents}
    return Component(
        name=node.name,
        operator=node.operator,
        stage=node.stage,
        parameters={name: plain(value) for name, value in node.arguments.items() if str(value) not in taken},
        parts={
            label: str(digest)
            for label, digest in node.parts.items()
            if label.split(" ", 1)[0] not in _IN_PARAMETERS
        },
        parents=tuple(dict.fromkeys(parent.node for parent in parents)),
        compute_ns=node.elapsed_ns if node.state == "compute" else None,
        size_bytes=node.size_bytes,
    )
