"""Candidates of the outcome model: other learners and other parameters for those that the code makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from mile_rl.recommend import evidence as evidence_module
from mile_rl.recommend.base import Change
from mile_rl.recommend.belief import Belief, from_scale
from mile_rl.recommend.candidate import Candidate
from mile_rl.recommend.families import ALIKE, FAMILIES, code_of, fitting_ratio, position
from mile_rl.recommend.gather import State
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.outcome import Configuration, OutcomeModel
from mile_rl.recommend.places import place_of
from mile_rl.recommend.rewrite import Written, other_class, other_parameters
from mile_rl.recommend.tried import Tried, defaults, plain_defaults
from mile_rl.recommend.waiting import Waiting
from mile_rl.recommend.written import Learner
from mile_rl.workflows.edits import Edit, Scalar

MODEL_ATTRIBUTES = frozenset(
    "predict_proba predict_log_proba decision_function coef_ intercept_ feature_importances_ classes_ "
    "estimators_ tree_ n_iter_ support_vectors_ kneighbors staged_predict warm_start partial_fit".split()
)
"""What code may ask of a model beyond ``fit`` and ``predict``; a learner that lacks it cannot stand in."""

MOST = 16
"""How many candidates a learner yields."""


def candidates(
    state: State, model: OutcomeModel, waiting: Waiting, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield the candidates for every learner that the workflow's code makes, best first for each.

    Args:
        state: the workflow and its past.
        model: the outcome model.
        waiting: plans.
        rng: for the draws of Thompson's rule.
    """
    for learner, nodes in state.learners():
        metric = state.metric_of(nodes) if learner.class_name in ALIKE else None
        error = None if metric is None else metric.error(state.now.metrics[metric.name])
        if metric is not None and error is not None:
            yield from _Replacer(state, model, waiting, learner, nodes, metric, error).candidates(rng)


class _Replacer:
    """What could stand in the place of one learner."""

    def __init__(
        self,
        state: State,
        model: OutcomeModel,
        waiting: Waiting,
        learner: Learner,
        nodes: tuple[str, ...],
        metric: Metric,
        error: float,
    ) -> None:
        self.state, self.model, self.waiting = state, model, waiting
        self.learner, self.nodes, self.metric, self.error = learner, nodes, metric, error
        self.node = nodes[0]
        self.place = place_name(state, learner, nodes)
        self.table = state.table_of(self.node)
        arguments = {**defaults(state, self.node), **state.now.values.get(self.node, {})}
        self.parameters = learner.parameters(arguments)
        found = position(model.configurations, learner.class_name, self.parameters)
        assert found is not None  # the scan yields known classes only
        self.current = found[0]
        self.tried = Tried(state, model, learner, nodes, metric)

    def candidates(self, rng: np.random.Generator) -> Iterator[Candidate]:
        belief = self._belief()
        values, drawn = belief.value(), from_scale(belief.draw(rng))
        count = 0
        told: set[str] = set()
        for at in np.argsort(-values, kind="stable"):
            configuration = self.model.configurations[int(at)]
            if count >= MOST and configuration.family in self.tried.families:
                continue
            if not self._fits(configuration) or self.tried.was_tried(configuration):
                continue
            written = self._written(configuration)
            if written is None or (key := repr(written)) in told:
                continue
            if count >= MOST and configuration.family in {one for one in told if one in FAMILIES}:
                continue
            told |= {key, configuration.family}
            count += 1
            yield self._candidate(int(at), configuration, written, belief, float(drawn[at]))

    def _belief(self) -> Belief:
        """Return the belief, with the waiting that the outcomes are too small and too binary to tell of."""
        belief = self.model.belief(self.tried.seen, self.table.size, level_doubt=_level_doubt(self.metric))
        now = self.model.configurations[self.current].family
        rows = self.table.size.rows if self.table.size else None
        ratios = [
            fitting_ratio(now, one.family, rows, self.table.classes) for one in self.model.configurations
        ]
        return replace(belief, log_seconds=belief.log_seconds + np.log(ratios))

    def _fits(self, configuration: Configuration) -> bool:
        family = FAMILIES[configuration.family]
        asked = self._asked & MODEL_ATTRIBUTES
        return asked <= family.abilities and not (self.table.sparse and family.dense)

    @cached_property
    def _asked(self) -> frozenset[str]:
        return asked_of(self.state, self.learner, self.nodes)

    def _written(self, configuration: Configuration) -> Written | None:
        family = FAMILIES[configuration.family]
        assert self.state.scan is not None
        if family.class_name != self.learner.class_name:
            return other_class(self.state.scan, self.learner, configuration)
        wanted = {**plain_defaults(configuration.family), **code_of(configuration)}
        own = {**plain_defaults(configuration.family), **self.parameters}
        changed = {
            # 4 and 4.0 are two values to a signature: what is a number with a point stays one.
            name: float(value) if isinstance(own.get(name), float) and type(value) is int else value
            for name, value in wanted.items()
            if own.get(name) != value
        }
        if not changed:
            return None
        places = {
            bound: place_of(self.state.scan, self.state.flow, self.state.prepared.dag, self.node, bound)
            for name, bound in self.learner.bound.items()
            if name in changed
        }
        return other_parameters(self.learner, changed, places)

    def _candidate(
        self, at: int, configuration: Configuration, written: Written, belief: Belief, drawn: float
    ) -> Candidate:
        median, low, high = belief.change_from(at, self.error)
        stage = self.state.prepared.dag.nodes[self.node].stage
        change = self.metric.change
        ends = sorted((change(self.error, low), change(self.error, high)))
        family = FAMILIES[configuration.family]
        same = family.class_name == self.learner.class_name
        return Candidate(
            change=Change(
                words=self._words(configuration, same),
                edits=self._edits(configuration, same),
                arguments=written[0],
                replacements=written[1],
                nodes=self.nodes,
            ),
            stage=stage,
            metric=self.metric,
            expected=change(self.error, median),
            low=ends[0],
            high=ends[1],
            improves=belief.below(at, self.error),
            waiting_ns=self.waiting.after(self.nodes, self._compute_ns(at, belief)),
            origin="outcome model",
            evidence=self._evidence(at, configuration),
            family=configuration.family,
            untried=configuration.family not in self.tried.families,
            draw=self.error - drawn,
        )

    def _words(self, configuration: Configuration, same: bool) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in code_of(configuration).items())
        if not same:
            called = FAMILIES[configuration.family].class_name
            return f"replace {self.learner.class_name} by {called}({listed}) in {self.place}"
        moved = self._moved(configuration)
        told = ", ".join(
            f"{name} {old!r} -> {new!r}" if old is not None or name in self.parameters else f"{name}={new!r}"
            for name, (old, new) in moved.items()
        )
        return f"{self.place}: {told}"

    def _moved(self, configuration: Configuration) -> dict[str, tuple[Any, Any]]:
        plain = plain_defaults(configuration.family)
        wanted, own = {**plain, **code_of(configuration)}, {**plain, **self.parameters}
        return {name: (own.get(name), value) for name, value in wanted.items() if own.get(name) != value}

    def _edits(self, configuration: Configuration, same: bool) -> tuple[Edit, ...]:
        node = self.state.prepared.dag.nodes[self.node]
        if not same:
            return (
                Edit(
                    kind="replace",
                    node=self.node,
                    stage=node.stage,
                    operator=FAMILIES[configuration.family].class_name,
                    before=self.learner.class_name,
                ),
            )
        return tuple(
            Edit(
                kind="parameter",
                node=self.node,
                stage=node.stage,
                operator=node.operator.name,
                parameter=name,
                old=_scalar(old),
                new=_scalar(new),
            )
            for name, (old, new) in self._moved(configuration).items()
        )

    def _evidence(self, at: int, configuration: Configuration) -> str:
        told = evidence_module.shipped().told(self.current, at, self.table.size)
        now = self.model.configurations[self.current]
        before, after = _short(now), _short(configuration)
        share = 100 * told.better / max(told.datasets, 1)
        gain = 100 * told.median_gain
        text = (
            f"in {2 * told.datasets} OpenML runs on {told.datasets} datasets {told.where}, {after} made fewer "
            f"errors than {before} on {share:.0f} % of them ({gain:+.1f} points of balanced accuracy in the median)"
        )
        if count := len(self.tried.seen):
            text += (
                f"; {count} score{'s' if count > 1 else ''} of yours told which of them are like your data"
            )
        return text

    def _compute_ns(self, at: int, belief: Belief) -> dict[str, int]:
        """Return what the nodes would take with another learner: what they took, by the ratio of fitting."""
        layout = self.state.prepared.layout
        ratio = float(np.exp(np.clip(belief.log_seconds[at] - belief.log_seconds[self.current], -8, 8)))
        return {
            name: round(int(layout.compute_ns[layout.node_at[name]]) * ratio)
            for name in self.nodes
            if name in layout.node_at
        }


def place_name(state: State, learner: Learner, nodes: Sequence[str]) -> str:
    """Return what a person calls the place of a learner: a node, or a step of a pipeline in all folds."""
    return state.prepared.dag.nodes[nodes[0]].operator.name if learner.whole else nodes[0]


def asked_of(state: State, learner: Learner, nodes: Sequence[str]) -> frozenset[str]:
    """Return what the code around a learner asks of it, and much else."""
    dag, scan = state.prepared.dag, state.scan
    assert scan is not None
    if learner.whole:
        scorers = [node.arguments.get("scorer") for node in dag.nodes.values()]
        methods = {getattr(scorer, "_response_method", None) for scorer in scorers}
        return scan.asked_anywhere() | {method for method in methods if isinstance(method, str)}
    takers = [node for node in dag.nodes.values() if any(p.node in nodes for p in node.parents)]
    functions = [getattr(node.operator.function, "__name__", "") for node in takers]
    return scan.asked_of([learner.function, *functions])


def _level_doubt(metric: Metric) -> float:
    """Return how far the level of a metric may lie from the balanced accuracy that the outcomes are of."""
    return 0.02 if "balanced" in metric.name.lower() else 0.25


def _short(configuration: Configuration) -> str:
    listed = ", ".join(f"{name}={value!r}" for name, value in code_of(configuration).items())
    return f"{FAMILIES[configuration.family].class_name}({listed})"


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
