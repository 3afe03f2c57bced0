"""Effects of the changes that a project's catalog has recorded."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.engine import versions
from mile_rl.engine.history import opened
from mile_rl.engine.project import Project
from mile_rl.errors import StoreError
from mile_rl.report.impact.effects import Impact, impact
from mile_rl.report.metrics import WHAT_IF, choose_metric
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration

MOST_ITERATIONS = 1000
"""How many of the latest iterations are read."""

_SEARCHED = 100
"""How many iterations back a workflow is looked for that is not a what-if."""


def impact_of(
    catalog: Catalog,
    iterations: Sequence[Iteration],
    metric: str,
    *,
    between: tuple[Iteration, Iteration] | None = None,
) -> Impact:
    """Estimate what the changes between some recorded iterations did to a metric; see ``effects.impact``.

    Args:
        catalog: the project's catalog.
        iterations: of one workflow, the oldest first.
        metric: the metric's name.
        between: two of them whose gap a chain of versions is to explain.

    Raises:
        StoreError: there is too little to tell from.
    """
    return impact(iterations, lambda one: versions.nodes_of(catalog, one), metric, between=between)


def project_impact(
    project: Project,
    *,
    workflow: str | None = None,
    metric: str | None = None,
    between: tuple[str, str] | None = None,
) -> Impact:
    """Estimate what the changes of a workflow did to a metric, over all its iterations.

    Args:
        project: where to look.
        workflow: its name; that of the latest iteration (of ``between``) by default.
        metric: the metric's name; by default the one that most iterations recorded.
        between: the numbers of two iterations, or the beginnings of their versions.

    Raises:
        StoreError: there is no such workflow, metric or iteration, or too little to tell from.
    """
    with opened(project) as catalog:
        ends = None
        if between is not None:
            ends = (catalog.find(between[0], workflow=workflow), catalog.find(between[1], workflow=workflow))
            if ends[0].record.workflow != ends[1].record.workflow:
                raise StoreError("the two iterations are of two workflows: name two of one.")
            workflow = ends[0].record.workflow
        iterations = iterations_of(catalog, workflow, MOST_ITERATIONS)
        chosen = choose_metric(iterations, metric)
        if not chosen:
            raise StoreError(
                "the workflow returns no number, so there is no metric to tell an effect on: return one, as in "
                '{"accuracy": accuracy(model, rows)}.'
            )
        return impact_of(catalog, iterations, chosen, between=ends)


def iterations_of(catalog: Catalog, workflow: str | None, limit: int) -> list[Iteration]:
    """Return the latest iterations of a workflow, the oldest first; of the workflow run last by default.

    Args:
        catalog: the project's catalog.
        workflow: its name.
        limit: how many at most.

    Raises:
        StoreError: none ran.
    """
    if workflow is None:
        latest = (one.record.workflow for one in catalog.iterations(limit=_SEARCHED))
        workflow = next((name for name in latest if not name.endswith(WHAT_IF)), None)
        if workflow is None:
            raise StoreError("nothing was run here yet: `mile run FILE` makes a first iteration.")
    found = catalog.iterations(workflow, limit=limit)[::-1]
    if not found:
        known = ", ".join(catalog.workflows())
        raise StoreError(f"no workflow {workflow!r} ran here; these did: {known or 'none'}.")
    return found
