"""Candidates that add a step before a learner or take one away: scaling where it is missing, a pipeline's steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mile_rl.prediction.base import Prediction
from mile_rl.recommend.base import Change, Replacement
from mile_rl.recommend.candidate import Candidate, chance_better, interval
from mile_rl.recommend.families import ALIKE
from mile_rl.recommend.gather import State
from mile_rl.recommend.learners import asked_of, place_name
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.regressors import REGRESSORS
from mile_rl.recommend.rewrite import importing
from mile_rl.recommend.scan import Scan
from mile_rl.recommend.waiting import Waiting
from mile_rl.recommend.written import Learner
from mile_rl.workflows.edits import ChangeClass, Edit, EditKind
from mile_rl.workflows.version import CLASS

SCALED = frozenset(
    [
        name
        for name, (family, _) in ALIKE.items()
        if family in ("KNN", "kSVM", "lSVM", "Logit", "MLP", "Perceptron")
    ]
    + [name for name, one in REGRESSORS.items() if one.scaled]
)
"""Learners whose result depends on the columns' scales."""

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
    pipeline = scan.pipeline_around(learner)
    if learner.class_name not in SCALED or SCALERS.intersection(scan.everything_made):
        return
    if pipeline is None and asked_of(state, learner, nodes) & NOT_OF_A_PIPELINE:
        return
    scaler = "StandardScaler(with_mean=False)" if state.table_of(nodes[0]).sparse else "StandardScaler()"
    wanted = {"StandardScaler": "sklearn.preprocessing"}
    if pipeline is not None:
        before = scaler if not pipeline.names else f'("{_free_name(pipeline.names)}", {scaler})'
        added = Replacement(start=pipeline.spans[-1].start, old="", new=f"{before}, ")
    else:
        wanted["make_pipeline"] = "sklearn.pipeline"
        wrapped = f"make_pipeline({scaler}, {learner.span.text})"
        added = Replacement(start=learner.span.start, old=learner.span.text, new=wrapped)
    missing = {
        name: module for name, module in wanted.items() if scan.imported.get(name) != f"{module}.{name}"
    }
    yield "add", "StandardScaler", ((importing(scan, missing), added) if missing else (added,))


def _free_name(names: Sequence[str]) -> str:
    return next(name for name in ("scale", "standardscaler", "scale_again") if name not in names)


def _removed(scan: Scan, learner: Learner) -> Iterator[tuple[EditKind, str, tuple[Replacement, ...]]]:
    pipeline = scan.pipeline_around(learner)
    if pipeline is None:
        return
    for span, name, following in zip(pipeline.spans, pipeline.classes, pipeline.spans[1:]):
        if name[:1].isupper():
            old = scan.text[span.start : following.start]
            yield "remove", name, (Replacement(start=span.start, old=old, new=""),)


def _was_tried(state: State, learner: Learner, step: str, *, with_it: bool) -> bool:
    """Tell whether some iteration had this learner with a step (or without it)."""
    if learner.whole:
        made = [{str(values.get(CLASS)) for values in one.values.values()} for one in state.past]
        return any(learner.class_name in classes and (step in classes) == with_it for classes in made)
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
    place = place_name(state, learner, nodes)
    if kind == "add":
        words = f"standardise the columns before {learner.class_name} in {place}"
        why = f"{learner.class_name} depends on the scales of its columns, and nothing here makes them alike"
    else:
        words = f"remove {step} before {learner.class_name} in {place}"
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
