"""Runs of a tracking server -> histories, whether they came from a store or from a table."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mile_rl.workflows.edits import Scalar
from traces.link import Seen, link
from traces.logged import logged_components
from traces.objectives import choose_objective, oriented
from traces.schema import History
from traces.sources.base import Tally

LOOP_GAP_MS = 5_000
"""A run that starts within this time of the end of the one before was started by a loop, not by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """One run as a tracking server knows it; people and places are pseudonyms already.

    Args:
        run_id: unique in its experiment.
        person: who ran it.
        experiment: pseudonym of store and experiment.
        group: see :class:`traces.schema.History`.
        task: pseudonym of the repository or store.
        start_ms: Unix milliseconds.
        end_ms: Unix milliseconds, None while running or where it was never recorded.
        parent_run_id: the run that this one is nested in.
        program: the script that ran, "" if unknown.
        estimator: the class that scikit-learn autologging named.
        parameters: name -> text.
        metrics: name -> last value.
    """

    run_id: str
    person: str
    experiment: str
    group: str
    task: str
    start_ms: int | None
    end_ms: int | None = None
    parent_run_id: str | None = None
    program: str = ""
    estimator: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def tracked_histories(runs: Sequence[TrackedRun], source: str, tally: Tally) -> Iterator[History]:
    """Yield the history that one person's runs of one experiment make, if any run can be placed in time.

    Top-level runs are iterations, in order of their start. A run nested in another is a trial of a search:
    the outermost run that is here stands for it, counts it in ``trials``, and takes its best score where it
    has none of its own. A nested run whose parent is not here stands for itself.
    """
    by_id = {run.run_id: run for run in runs}
    top: list[TrackedRun] = []
    nested: dict[str, list[TrackedRun]] = {}
    for run in runs:
        root = _root(run, by_id)
        if root is run:
            top.append(run)
        else:
            nested.setdefault(root.run_id, []).append(run)
    timed = [run for run in top if run.start_ms is not None]
    if len(timed) < len(top):
        tally.left_out["runs without a start"] += len(top) - len(timed)
    tally.left_out["runs nested in another (counted as its trials)"] += len(runs) - len(top)
    if not timed:
        return
    timed.sort(key=lambda run: (run.start_ms, run.run_id))
    objective, sign = choose_objective(run.metrics for run in runs)
    seen: list[Seen] = []
    for before, run in zip([None, *timed], timed, strict=False):
        seen.append(_seen(run, before, nested.get(run.run_id, ()), objective, sign))
    first = timed[0]
    yield History(
        id=f"mlflow-{_digest(first.person, first.experiment)}",
        source=source,
        person=first.person,
        group=first.group,
        task=first.task,
        workflow=first.experiment,
        objective=objective,
        facts=_facts(timed),
        iterations=link(seen),
    )


def _root(run: TrackedRun, by_id: Mapping[str, TrackedRun]) -> TrackedRun:
    known = {run.run_id}
    while (parent := by_id.get(run.parent_run_id or "")) and parent.run_id not in known:
        run = parent
        known.add(run.run_id)
    return run


def _seen(
    run: TrackedRun, before: TrackedRun | None, trials: Sequence[TrackedRun], objective: str, sign: int
) -> Seen:
    score = oriented(run.metrics, objective, sign)
    if score is None:
        scores = [oriented(trial.metrics, objective, sign) for trial in trials]
        score = max((value for value in scores if value is not None), default=None)
    return Seen(
        components=logged_components(run.parameters, estimator=run.estimator, program=run.program),
        start_ms=run.start_ms,
        duration_ms=_duration(run),
        score=score,
        metrics=run.metrics,
        trials=len(trials),
        scripted=_by_loop(before, run),
    )


def _duration(run: TrackedRun) -> int | None:
    if run.end_ms is None or run.start_ms is None or run.end_ms < run.start_ms:
        return None
    return run.end_ms - run.start_ms


def _by_loop(before: TrackedRun | None, run: TrackedRun) -> bool:
    if before is None or before.start_ms is None or run.start_ms is None:
        return False
    end = before.end_ms if before.end_ms is not None else before.start_ms
    return run.start_ms - end < LOOP_GAP_MS


def _facts(runs: Sequence[TrackedRun]) -> dict[str, Scalar]:
    programs = Counter(run.program for run in runs if run.program)
    return {"programs": len(programs)}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()
