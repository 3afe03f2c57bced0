"""Candidates for workflows of anybody's own code: the node worth working on next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mile_rl.prediction.base import Prediction
from mile_rl.recommend.base import Change
from mile_rl.recommend.candidate import Candidate, chance_better, interval
from mile_rl.recommend.gather import State
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.waiting import Waiting
from mile_rl.workflows.edits import Edit
from mile_rl.workflows.operator import Operator

LEAST_MINUTES = 0.5
"""An edit counts as at least so much work, or a loop's runs would make a node look miraculous."""

GIVE_UP = 3
"""After so many edits in a row that made it worse, a node is not named again."""


@dataclass(slots=True)
class Work:
    """What a person's edits of one node did.

    Args:
        gains: of the metric, one an iteration, the latest last; positive: better.
        minutes: waited for them.
    """

    gains: list[float]
    minutes: float = 0.0

    @property
    def hopeless(self) -> bool:
        """Whether the latest edits all made it worse."""
        return len(self.gains) >= GIVE_UP and all(gain < 0 for gain in self.gains[-GIVE_UP:])


def candidates(
    state: State,
    said: Prediction,
    histories: Mapping[str, OwnHistory],
    waiting: Waiting,
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Yield each node whose code could be worked on, with what the person's own edits of it gained a minute.

    Args:
        state: the workflow and its past.
        said: what the prediction model expects next.
        histories: metric -> what the person's own iterations say.
        waiting: plans.
        rng: for the draws of Thompson's rule.
    """
    for name in state.prepared.layout.nodes:
        node = state.prepared.dag.nodes[name]
        metric = state.metric_of((name,))
        if metric is None or node.stage == "evaluate" or is_ours(node.operator):
            continue
        work = _work(state, name, metric)
        if work.hopeless:
            continue
        yield _candidate(state, name, metric, work, histories[metric.name], said, waiting, rng)


def is_ours(operator: Operator[..., Any]) -> bool:
    """Tell whether an operator is one that wires a pipeline: no code of the person's that could be worked on."""
    return str(getattr(operator.function, "__module__", "")).startswith("mile_rl.")


def _candidate(
    state: State,
    name: str,
    metric: Metric,
    work: Work,
    history: OwnHistory,
    said: Prediction,
    waiting: Waiting,
    rng: np.random.Generator,
) -> Candidate:
    node, touched = state.prepared.dag.nodes[name], said.touched.get(name, 0.0)
    mean, deviation = _expected(work, history.deviation, metric)
    expected, low, high = interval(mean, deviation)
    edit = Edit(kind="code", node=name, stage=node.stage, operator=node.operator.name, detail="up to you")
    return Candidate(
        change=Change(
            words=f"work on {name}: change its code or what it is given", edits=(edit,), nodes=(name,)
        ),
        stage=node.stage,
        metric=metric,
        expected=expected,
        low=low,
        high=high,
        improves=chance_better(mean, deviation, metric.sign),
        waiting_ns=waiting.after((name,)),
        origin="own history" if work.gains else "traces",
        evidence=_evidence(name, work, metric, touched),
        family=f"node {name}",
        untried=not work.gains,
        # Less to the point than a change that says what to write, the more so where nothing was gained yet.
        plausible=(0.5 if work.gains else 0.1) * min(1.0, touched),
        draw=metric.sign * float(rng.normal(mean, deviation)),
    )


def _work(state: State, name: str, metric: Metric) -> Work:
    by_id = {one.id: one for one in state.past}
    work = Work([])
    for one in state.past:
        before = by_id.get(one.parent or -1)
        if before is None or not any(edit.node == name for edit in one.edits):
            continue
        now, then = one.metrics.get(metric.name), before.metrics.get(metric.name)
        if now is None or then is None or not math.isfinite(now - then):
            continue
        work.gains.append(metric.sign * (now - then) / len({edit.node for edit in one.edits}))
        work.minutes += max(one.waited_ns / 60e9, LEAST_MINUTES)
    return work


def _expected(work: Work, deviation: float, metric: Metric) -> tuple[float, float]:
    """Return (mean, deviation) of one more edit's effect: the gains so far, drawn to zero while they are few."""
    count = len(work.gains)
    mean = sum(work.gains) / (count + 2)
    squares = sum((gain - mean) ** 2 for gain in work.gains)
    spread = math.sqrt((2 * deviation**2 + squares) / (count + 2)) * math.sqrt(1 + 1 / (count + 2))
    return metric.sign * mean, max(spread, 1e-9)


def _evidence(name: str, work: Work, metric: Metric, touched: float) -> str:
    if not work.gains:
        return (
            f"people whose histories looked like yours edited such a node next with a chance of "
            f"{100 * touched:.0f} %; you have not edited {name} yet"
        )
    total, count = sum(work.gains), len(work.gains)
    edits = f"last {count} edits of {name}" if count > 1 else f"only edit of {name} so far"
    rate = metric.sign * total / work.minutes
    return f"your {edits} moved {metric.name} by {metric.sign * total:+.4g} together, {rate:+.3g} a minute of work"
