"""Candidates that add a step before a learner or take one away: scaling where it is missing, a pipeline's steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mile_rl.prediction.base import Prediction
from mile_rl.recommend.base import Change, Replacement
from mile_rl.recommend.candidate import Candidate, chance_better, interval
from mile_rl.recommend.families import ALIKE
from mile_rl.recommend.gather import State
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.rewrite import importing
from mile_rl.recommend.scan import Learner, Scan
from mile_rl.recommend.waiting import Waiting
from mile_rl.workflows.edits import ChangeClass, Edit, EditKind

SCALED = frozenset(("KNN", "kSVM", "lSVM", "Logit", "MLP", "Perceptron"))
"""Families whose result depends on the columns' scales."""

SCALERS = frozenset(
    "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler QuantileTransformer PowerTransformer".split()
)

NOT_OF_A_PIPELINE = frozenset(
    "coef_ intercept_ feature_importances_ estimators_ support_vectors_ tree_ n_iter_".split()
)
"""What code may ask of a learner and not of a pipeline that ends with it."""


def candidates(
    state: State,
    said: Prediction,
    histories: Mapping[str, OwnHistory],
    waiting: Waiting,
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Yield scaling before a learner that needs it, and each step of a pipeline taken away.

    Real outcomes of such changes are not known (OpenML's runs with and without a step differ in much else), so
    what to expect of them is what the person's own changes of code did.

    Args:
        state: the workflow and its past.
        said: what the prediction model expects next.
        histories: metric -> what the person's own iterations say.
        waiting: plans.
        rng: for the draws of Thompson's rule.
    """
    scan = state.scan
    if scan is None:
        return
    chance = said.classes.get(ChangeClass.PREPROCESS, 0.0)
    for learner, nodes in state.learners():
        metric = state.metric_of(nodes)
        if metric is None:
            continue
        for kind, step, replacements in (*_added(state, scan, learner, nodes), *_removed(scan, learner)):
            if _was_tried(state, learner, step, with_it=kind == "add"):
                continue
            yield _candidate(
                state,
                metric,
                histories[metric.name],
                nodes,
                kind,
                step,
                learner,
                replacements,
                chance,
                waiting,
                rng,
            )


def _added(
    state: State, scan: Scan, learner: Learner, nodes: Sequence[str]
) -> Iterator[tuple[EditKind, str, tuple[Replacement, ...]]]:
    everywhere = {name for function in scan.functions for name in scan.made(function)}
    asked = scan.asked_of([learner.function, *_takers(state, nodes)])
    if ALIKE[learner.class_name][0] not in SCALED or everywhere & SCALERS or asked & NOT_OF_A_PIPELINE:
        return
    scaler = "StandardScaler(with_mean=False)" if state.table_of(nodes[0]).sparse else "StandardScaler()"
    wanted = {"make_pipeline": "sklearn.pipeline", "StandardScaler": "sklearn.preprocessing"}
    missing = {
        name: module for name, module in wanted.items() if scan.imported.get(name) != f"{module}.{name}"
    }
    around = Replacement(
        start=learner.span.start, old=learner.span.text, new=f"make_pipeline({scaler}, {learner.span.text})"
    )
    yield "add", "StandardScaler", ((importing(scan, missing), around) if missing else (around,))


def _removed(scan: Scan, learner: Learner) -> Iterator[tuple[EditKind, str, tuple[Replacement, ...]]]:
    pipeline = scan.pipeline_around(learner)
    if pipeline is None or len(pipeline.args) < 2:
        return
    spans = [scan.span(one) for one in pipeline.args]
    for at, span in enumerate(spans[:-1]):
        end = spans[at + 1].start
        old = scan.text[span.start : end]
        name = span.text.partition("(")[0].rpartition(".")[2]
        if name[:1].isupper():
            yield "remove", name, (Replacement(start=span.start, old=old, new=""),)


def _takers(state: State, nodes: Sequence[str]) -> list[str]:
    return [
        getattr(node.operator.function, "__name__", "")
        for node in state.prepared.dag.nodes.values()
        if any(parent.node in nodes for parent in node.parents)
    ]


def _was_tried(state: State, learner: Learner, step: str, *, with_it: bool) -> bool:
    """Tell whether some iteration had this learner with a step (or without it)."""
    return any(
        (step in record.get("beside", ())) == with_it
        for one in state.past
        for record in one.learners
        if record.get("function") == learner.function and record.get("class") == learner.class_name
    )


def _candidate(
    state: State,
    metric: Metric,
    history: OwnHistory,
    nodes: tuple[str, ...],
    kind: EditKind,
    step: str,
    learner: Learner,
    replacements: tuple[Replacement, ...],
    chance: float,
    waiting: Waiting,
    rng: np.random.Generator,
) -> Candidate:
    mean, deviation = history.change(history.version.with_code(nodes))
    expected, low, high = interval(mean, deviation)
    node = state.prepared.dag.nodes[nodes[0]]
    if kind == "add":
        words = f"standardise the columns before {learner.class_name} in {nodes[0]}"
        why = f"{learner.class_name} depends on the scales of its columns, and nothing here makes them alike"
    else:
        words = f"remove {step} before {learner.class_name} in {nodes[0]}"
        why = f"you have not seen what {step} is worth"
    return Candidate(
        change=Change(
            words=words,
            edits=(Edit(kind=kind, node=nodes[0], stage="preprocess", operator=step),),
            replacements=replacements,
            nodes=nodes,
        ),
        stage="preprocess" if node.stage == "learn" else node.stage,
        metric=metric,
        expected=expected,
        low=low,
        high=high,
        improves=chance_better(mean, deviation, metric.sign),
        waiting_ns=waiting.after(nodes),
        origin="traces",
        evidence=f"{why}; people whose histories looked like yours changed preprocessing next with a chance of "
        f"{100 * chance:.0f} %",
        family=f"step {step}",
        untried=True,
        plausible=min(1.0, 0.2 + chance),
        draw=metric.sign * float(rng.normal(mean, deviation)),
    )
