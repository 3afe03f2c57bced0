"""``recommend``: from a workflow as it stands to a short list of next changes."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mile_rl.engine.past import past
from mile_rl.engine.prepare import prepare
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.project import Project, find
from mile_rl.prediction.base import Prediction
from mile_rl.prediction.model import TreePredictor
from mile_rl.recommend import learners, nodes, parameters, steps, untried
from mile_rl.recommend.base import Recommendation
from mile_rl.recommend.candidate import Candidate
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.gather import State, gather
from mile_rl.recommend.novice import terms_of
from mile_rl.recommend.outcome import OutcomeModel, shipped
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.select import select, without_doubles
from mile_rl.recommend.waiting import Waiting
from mile_rl.workflows.edits import STAGES, Stage
from mile_rl.workflows.flow import Flow

FILE = "recommendations.json"
"""In the state folder: what was recommended last, so that ``mile try 2`` knows what is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What was recommended, and for what.

    Args:
        workflow: its key in the catalog.
        name: the workflow's name.
        source: its file, "" where it has none.
        digest: of the file's text when this was recommended.
        arguments: that the workflow was given, as JSON scalars; others have their defaults.
        iteration: the number of the iteration that the changes start from.
        recommendations: best first.
        notes: what to know about all of them, one line each.
    """

    workflow: str
    name: str
    source: str
    digest: str
    arguments: Mapping[str, Any]
    iteration: int
    recommendations: tuple[Recommendation, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "workflow": self.workflow,
            "name": self.name,
            "source": self.source,
            "digest": self.digest,
            "arguments": dict(self.arguments),
            "iteration": self.iteration,
            "recommendations": [one.to_json() for one in self.recommendations],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Advice:
        """Read what :meth:`to_json` wrote."""
        return cls(
            **{
                **record,
                "recommendations": tuple(Recommendation.from_json(one) for one in record["recommendations"]),
                "notes": tuple(record["notes"]),
            }
        )


def recommend(
    workflow: Flow[..., Any],
    n: int = 5,
    stage: Stage | None = None,
    minutes: float | None = None,
    novice: bool = False,
    **settings: Any,
) -> list[Recommendation]:
    """Return up to ``n`` next changes of a workflow that has run, best first.

    Nothing is computed and nothing of the person's is changed.

    Args:
        workflow: what ``@workflow`` made; with its defaults, as it stands now.
        n: how many at most.
        stage: only changes of this stage.
        minutes: only changes that take at most so long to try.
        novice: whether to say what the terms mean.
        **settings: ``arguments`` (of the workflow), ``metric`` (the name of the one that matters), ``project``.

    Raises:
        RecommendError: it has not run yet, or returns no metric.
        MileError: the workflow, an input, a setting or the store cannot be used as it is.

    Example: ``for one in recommend(digits, stage="learn"): print(one.change.words, one.expected)``
    """
    return list(
        advise(workflow, n=n, stage=stage, minutes=minutes, novice=novice, **settings).recommendations
    )


def advise(
    flow: Flow[..., Any],
    *,
    n: int = 5,
    stage: Stage | None = None,
    minutes: float | None = None,
    novice: bool = False,
    arguments: Mapping[str, Any] | None = None,
    metric: str | None = None,
    project: Project | None = None,
    model: OutcomeModel | None = None,
) -> Advice:
    """Return the recommendations with what they are for; see :func:`recommend`.

    Args:
        flow: the workflow.
        n, stage, minutes, novice: see :func:`recommend`.
        arguments: of the workflow, by name.
        metric: the name of the one that matters.
        project: where its state lives; found from its file where None.
        model: the outcome model; the shipped one where None.
    """
    if stage is not None and stage not in STAGES:
        raise RecommendError(f"stage {stage!r} is none of {', '.join(STAGES)}.")
    if n < 1:
        raise RecommendError(f"n = {n}: ask for at least one change.")
    if minutes is not None and not minutes > 0:
        raise RecommendError(f"minutes = {minutes:g}: say how long a try may take, more than 0.")
    given = dict(arguments or {})
    prepared = prepare(flow, (), given, project=project or _project(flow))
    try:
        state = gather(flow, prepared, metric=metric)
        model = model or shipped()
        found = _candidates(state, model)
        limit_ns = math.inf if minutes is None else minutes * 60e9
        found = [one for one in found if one.waiting_ns <= limit_ns and (stage is None or one.stage == stage)]
        chosen = select(found, n, waiting_power=model.ranking.waiting_power)
        return Advice(
            workflow=prepared.workflow,
            name=flow.name,
            source=prepared.source,
            digest=digest_of(prepared.source),
            arguments={name: _plain(value) for name, value in given.items()},
            iteration=state.now.id,
            recommendations=tuple(_told(state, one, explores, novice) for one, explores in chosen),
            notes=_notes(state, prepared, chosen),
        )
    finally:
        prepared.close()


def _candidates(state: State, model: OutcomeModel) -> list[Candidate]:
    """Return every candidate; what is drawn depends on the version and its past only, so answers are steady."""
    seed = hashlib.sha256(f"{state.prepared.version} {len(state.past)}".encode()).digest()
    rng = np.random.default_rng(list(seed[:16]))
    waiting = Waiting(state.prepared)
    said = _prediction(state)
    histories = {metric.name: OwnHistory(state.past, metric, state.now) for metric in _usable(state)}
    found = [
        *learners.candidates(state, model, waiting, rng),
        *parameters.candidates(state, said, histories, waiting, rng),
        *untried.candidates(state, said, histories, waiting, rng),
        *steps.candidates(state, said, histories, waiting, rng),
        *nodes.candidates(state, said, histories, waiting, rng),
    ]
    return without_doubles(found)


def _usable(state: State) -> list[Any]:
    return [metric for metric in state.metrics if metric.name in state.now.metrics]


def _prediction(state: State) -> Prediction:
    """Return what the prediction model expects next, by the person's own line of iterations."""
    prepared = state.prepared
    predictor = TreePredictor()
    _, records = past(prepared.catalog, prepared.workflow)
    for record in records:
        predictor.observe(record)
    count = sum(len(values) for values in state.now.values.values())
    return predictor.predict(n_parameters=max(min(count, 40), 1), n_values=4)


def _told(state: State, one: Candidate, explores: bool, novice: bool) -> Recommendation:
    recommendation = Recommendation(
        change=one.change,
        stage=one.stage,
        metric=one.metric.name,
        now=state.now.metrics[one.metric.name],
        expected=one.expected,
        low=one.low,
        high=one.high,
        improves=one.improves,
        evidence=one.evidence,
        waiting_ns=one.waiting_ns,
        origin=one.origin,
        explores=explores,
    )
    return replace(recommendation, terms=terms_of(recommendation)) if novice else recommendation


def _notes(state: State, prepared: Prepared, chosen: Sequence[tuple[Candidate, bool]]) -> tuple[str, ...]:
    notes = []
    if state.now.version != prepared.version:
        notes.append(
            f"the workflow was edited since iteration {state.now.id}: what you expect of that edit is not known "
            "before it has run"
        )
    if not chosen:
        notes.append("nothing is left to recommend within these limits: allow other stages or more minutes")
    unsure = [one.metric.name for one, _ in chosen if not one.metric.share]
    if unsure and any(one.metric.higher for one, _ in chosen if not one.metric.share):
        notes.append(f"of {unsure[0]} it is taken for granted that higher is better")
    return tuple(notes)


def save(advice: Advice, project: Project) -> None:
    """Remember what was recommended, for ``mile try``."""
    path = project.home / FILE
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_text(json.dumps(advice.to_json()), encoding="utf-8")
    os.replace(beside, path)


def load(project: Project) -> Advice:
    """Return what was recommended last.

    Raises:
        RecommendError: nothing was, or the record cannot be read.
    """
    path = project.home / FILE
    try:
        return Advice.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RecommendError("nothing was recommended here yet: run `mile recommend FILE` first.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecommendError(f"{path} cannot be read ({error}): run `mile recommend FILE` again.") from error


def digest_of(source: str) -> str:
    """Return the digest of a file's text, "" where there is none."""
    try:
        return hashlib.blake2b(Path(source).read_bytes(), digest_size=16).hexdigest() if source else ""
    except OSError:
        return ""


def _project(flow: Flow[..., Any]) -> Project:
    source = flow.function.__globals__.get("__file__")
    start = Path(source).resolve().parent if source else Path.cwd()
    return find(start if start.is_dir() else Path.cwd())


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
