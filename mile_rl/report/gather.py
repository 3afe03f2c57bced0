"""What the page of a workflow tells, read from the catalog and the store: frozen data without any HTML."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mile_rl.engine.history import iteration_json, opened_store
from mile_rl.engine.project import Project
from mile_rl.engine.recorded import recorded_report
from mile_rl.engine.report import Report
from mile_rl.errors import StoreError
from mile_rl.report.impact.effects import Impact
from mile_rl.report.impact.recorded import impact_of, iterations_of
from mile_rl.report.metrics import choose_metric
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Artifact, Iteration
from mile_rl.store.results import StoreInfo

MOST_ITERATIONS = 300
"""How many of the latest iterations a page tells about, unless asked for another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A recommended next change, as the page shows it.

    Args:
        title: the change in words.
        facts: name -> text: the expected change of the metric, the waiting, the evidence, …
        code: the code to change, "" where there is none.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowHistory:
    """All that the page of one workflow tells.

    Args:
        workflow: its name.
        iterations: those told about, the oldest first.
        older: how many more there are, not told about.
        metric: the metric that is drawn, "" where none was recorded.
        latest: the latest iteration's report.
        artifacts: what the store holds of this workflow.
        store: how full the store is.
        impact: what the changes did to the metric; None where there is too little to tell.
        suggestions: what to try next, the best first; empty where nothing recommends anything.
        made_ns: wall clock.
    """

    workflow: str
    iterations: tuple[Iteration, ...]
    older: int
    metric: str
    latest: Report
    artifacts: tuple[Artifact, ...]
    store: StoreInfo
    impact: Impact | None = None
    suggestions: tuple[Suggestion, ...] = ()
    made_ns: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object; times are integers in nanoseconds."""
        return {
            "workflow": self.workflow,
            "metric": self.metric,
            "older": self.older,
            "iterations": [iteration_json(one) for one in self.iterations],
            "latest": self.latest.to_json(),
            "artifacts": [asdict(artifact) for artifact in self.artifacts],
            "store": asdict(self.store) | {"root": str(self.store.root)},
            "impact": self.impact.to_json() if self.impact else None,
            "suggestions": [
                {"title": one.title, "facts": dict(one.facts), "code": one.code} for one in self.suggestions
            ],
        }


def gather(
    project: Project,
    *,
    workflow: str | None = None,
    metric: str | None = None,
    limit: int = MOST_ITERATIONS,
    suggestions: Iterable[Suggestion] = (),
    clock_ns: Callable[[], int] = time.time_ns,
) -> WorkflowHistory:
    """Read what the page of a workflow tells.

    Args:
        project: where to look.
        workflow: its name; that of the latest iteration by default.
        metric: what to draw; by default what most iterations recorded.
        limit: how many of the latest iterations.
        suggestions: what to try next.
        clock_ns: the wall clock.

    Raises:
        StoreError: nothing was run here, or no workflow or metric of that name.
    """
    with opened_store(project) as store:
        catalog = store.catalog
        iterations = iterations_of(catalog, workflow, limit)
        name = iterations[0].record.workflow
        chosen = choose_metric(iterations, metric)
        return WorkflowHistory(
            workflow=name,
            iterations=tuple(iterations),
            older=len(catalog.iterations(name, before=iterations[0].id)),
            metric=chosen,
            latest=recorded_report(catalog, iterations[-1]),
            artifacts=tuple(store.artifacts(name)),
            store=store.info(),
            impact=_impact(catalog, iterations, chosen),
            suggestions=tuple(suggestions),
            made_ns=clock_ns(),
        )


def _impact(catalog: Catalog, iterations: Sequence[Iteration], metric: str) -> Impact | None:
    """Return what the changes did, None where there is too little to tell from."""
    try:
        return impact_of(catalog, iterations, metric) if metric else None
    except StoreError:
        return None
