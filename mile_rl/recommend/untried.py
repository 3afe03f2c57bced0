"""Candidates for regressors: a kind of learner not tried yet, without outcomes that would tell how it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mile_rl.prediction.base import Prediction
from mile_rl.recommend.base import Change
from mile_rl.recommend.candidate import Candidate, chance_better, interval
from mile_rl.recommend.gather import State
from mile_rl.recommend.learners import MODEL_ATTRIBUTES, asked_of, place_name
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.regressors import REGRESSORS, Regressor
from mile_rl.recommend.rewrite import calling
from mile_rl.recommend.waiting import Waiting
from mile_rl.recommend.written import Learner
from mile_rl.workflows.edits import ChangeClass, Edit
from mile_rl.workflows.version import CLASS


def candidates(
    state: State,
    said: Prediction,
    histories: Mapping[str, OwnHistory],
    waiting: Waiting,
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Yield a regressor of each kind not tried yet, for each regressor that the workflow's code makes.

    What to expect of it is what the person's own changes of code did, and the evidence says that it is no more.

    Args:
        state: the workflow and its past.
        said: what the prediction model expects next.
        histories: metric -> what the person's own iterations say.
        waiting: plans.
        rng: for the draws of Thompson's rule.
    """
    chance = said.classes.get(ChangeClass.MODEL, 0.0)
    for learner, nodes in state.learners():
        metric = state.metric_of(nodes) if learner.class_name in REGRESSORS else None
        if metric is None or state.scan is None:
            continue
        history, node = histories[metric.name], state.prepared.dag.nodes[nodes[0]]
        mean, deviation = history.change(history.version.with_code(nodes))
        for name in _untried(state, learner, nodes):
            one = REGRESSORS[name]
            seed = {"random_state": learner.written.get("random_state", "0")} if one.random else {}
            expected, low, high = interval(mean, deviation)
            place = place_name(state, learner, nodes)
            yield Candidate(
                change=Change(
                    words=f"replace {learner.class_name} by {name}() in {place}",
                    edits=(
                        Edit(
                            kind="replace",
                            node=nodes[0],
                            stage=node.stage,
                            operator=name,
                            before=learner.class_name,
                        ),
                    ),
                    replacements=calling(state.scan, learner, one.module, name, seed),
                    nodes=nodes,
                ),
                stage=node.stage,
                metric=metric,
                expected=expected,
                low=low,
                high=high,
                improves=chance_better(mean, deviation, metric.sign),
                waiting_ns=waiting.after(nodes, _compute_ns(state, nodes, one)),
                origin="no outcomes",
                evidence=f"how regressors did on other people's data is not known here; {name} is of a kind "
                f"({one.kind}) that you have not tried",
                family=one.kind,
                untried=True,
                plausible=min(1.0, 0.3 + chance),
                draw=metric.sign * float(rng.normal(mean, deviation)),
            )


def _compute_ns(state: State, nodes: tuple[str, ...], regressor: Regressor) -> dict[str, int]:
    """Return about how long the nodes would take, nothing where the size of the data is not known."""
    size = state.table_of(nodes[0]).size
    return {} if size is None else dict.fromkeys(nodes, regressor.fit_ns(size.rows, size.columns))


def _untried(state: State, learner: Learner, nodes: tuple[str, ...]) -> Iterator[str]:
    """Yield the regressor to begin with of each kind that no iteration had, what-ifs and failures included."""
    asked = asked_of(state, learner, nodes) & MODEL_ATTRIBUTES
    sparse = state.table_of(nodes[0]).sparse
    tried = {learner.class_name}
    for one in state.past:
        tried |= {str(record.get("class")) for record in one.learners}
        tried |= {str(values.get(CLASS)) for values in one.values.values()}
    kinds = {REGRESSORS[name].kind for name in tried & REGRESSORS.keys()}
    for name, kind in REGRESSORS.items():
        fits = asked <= kind.abilities and not (sparse and kind.dense)
        if kind.suggested and kind.kind not in kinds and fits:
            yield name
