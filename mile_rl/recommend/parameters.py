"""Candidates for any workflow: a number a step up or down, a value that people in a like state take next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mile_rl.prediction.base import ParameterGuess, Prediction
from mile_rl.recommend.base import Change
from mile_rl.recommend.candidate import Candidate, chance_better, interval
from mile_rl.recommend.gather import State
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.nodes import is_ours
from mile_rl.recommend.own import OwnHistory
from mile_rl.recommend.places import Place, place_of
from mile_rl.recommend.waiting import Waiting
from mile_rl.workflows.edits import Edit, Scalar
from mile_rl.workflows.maker import Maker
from mile_rl.workflows.operator import Operator

NOT_A_KNOB = frozenset(
    "seed random_state rng verbose n_jobs jobs path test_size test_share train_size folds cv".split()
)
"""Parameters that say how to run or to judge, not how to do well: another seed is no improvement."""

STEP_KNOBS = frozenset(
    "C alpha gamma l1_ratio n_components k percentile threshold degree n_neighbors n_estimators max_depth "
    "max_features min_samples_split min_samples_leaf max_leaf_nodes learning_rate subsample n_clusters n_bins "
    "n_knots n_quantiles var_smoothing nu epsilon power with_std with_mean whiten".split()
)
"""Parameters of a pipeline's steps that are worth moving; others (tol, copy, cache_size …) hardly change a score."""

WIDE = frozenset(
    "c alpha beta gamma lambda_ l1 l2 tol lr learning_rate regularization reg eps penalty".split()
)
"""Parameters whose usual steps are powers of ten, not doublings."""

MOST_PARAMETERS = 30
"""How many parameters are looked at, the likeliest to move first."""


def candidates(
    state: State,
    said: Prediction,
    histories: Mapping[str, OwnHistory],
    waiting: Waiting,
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Yield a candidate for each new value of each parameter that can move the metric.

    Args:
        state: the workflow and its past.
        said: what the prediction model expects next.
        histories: metric -> what the person's own iterations say.
        waiting: plans.
        rng: for the draws of Thompson's rule.
    """
    for move in _moves(state, said):
        one = _candidate(state, move, histories[move.metric.name], waiting, rng)
        if one is not None:
            yield one


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """One new value of one parameter.

    Args:
        node, name: the parameter.
        now, value: its value now and then.
        why: the rule that proposes the value.
        place: where it is written; None where that is not plain to see.
        metric: that it moves.
        chance: that people in a like state move the parameter.
        tried: whether the person has run another value.
    """

    node: str
    name: str
    now: Scalar
    value: Scalar
    why: str
    place: Place | None
    metric: Metric
    chance: float
    tried: bool


def _moves(state: State, said: Prediction) -> Iterator[_Move]:
    guesses = {(guess.node, guess.parameter): guess for guess in said.parameters}
    told: set[tuple[Any, ...]] = set()
    for (node, name), now in _knobs(state, guesses)[:MOST_PARAMETERS]:
        place = None
        if state.scan is not None:
            place = place_of(state.scan, state.flow, state.prepared.dag, node, name)
        metric = state.metric_of(place.nodes if place else (node,))
        if metric is None:
            continue
        used, guess = _used(state, node, name), guesses.get((node, name))
        for value, why in _values(name, now, guess):
            key = (place.argument, value) if place and place.argument else (node, name, value)
            if any(_same(value, other) for other in used) or key in told:
                continue
            told.add(key)
            yield _Move(
                node=node,
                name=name,
                now=now,
                value=value,
                why=why,
                place=place,
                metric=metric,
                chance=guess.probability if guess else 0.0,
                tried=len(used) > 1,
            )


def _candidate(
    state: State, move: _Move, history: OwnHistory, waiting: Waiting, rng: np.random.Generator
) -> Candidate | None:
    node, name, place = move.node, move.name, move.place
    nodes = place.nodes if place else (node,)
    moved = {(one, name): move.value for one in nodes if (one, name) in history.version.values}
    if not moved:
        return None
    mean, deviation = history.change(history.version.with_values(moved))
    expected, low, high = interval(mean, deviation)
    arguments, replacements = place.put(move.value) if place else ({}, ())
    stage = state.prepared.dag.nodes[node].stage
    return Candidate(
        change=Change(
            words=f"{_called(state, node)}: {name} {move.now!r} -> {move.value!r}",
            edits=(_edit(state, move),),
            arguments=arguments,
            replacements=replacements,
            nodes=nodes,
        ),
        stage=stage,
        metric=move.metric,
        expected=expected,
        low=low,
        high=high,
        improves=chance_better(mean, deviation, move.metric.sign),
        waiting_ns=waiting.after(nodes),
        origin="own history" if move.tried else "traces",
        evidence=_evidence(state, move),
        family=place.argument if place and place.argument else f"{node}.{name}",
        untried=not move.tried,
        plausible=min(1.0, max(move.chance, 0.02)),
        draw=move.metric.sign * float(rng.normal(mean, deviation)),
    )


def _edit(state: State, move: _Move) -> Edit:
    about = state.prepared.dag.nodes[move.node]
    return Edit(
        kind="parameter",
        node=move.node,
        stage=about.stage,
        operator=about.operator.name,
        parameter=move.name,
        old=move.now,
        new=move.value,
    )


def _evidence(state: State, move: _Move) -> str:
    own = _own_evidence(state, move.node, move.name, move.metric) if move.tried else ""
    if own:
        return own
    return (
        f"people whose histories looked like yours moved {move.name} next with a chance of "
        f"{100 * move.chance:.0f} % ({move.why})"
        + ("" if move.tried else "; you have not tried another value yet")
    )


def _knobs(
    state: State, guesses: Mapping[tuple[str, str], ParameterGuess]
) -> list[tuple[tuple[str, str], Scalar]]:
    """Return ((node, parameter), present value) of what can be turned, the likeliest to move first."""
    dag = state.prepared.dag
    found = [
        ((node, name), value)
        for node, values in state.now.values.items()
        if node in dag.nodes and dag.nodes[node].stage != "evaluate"
        for name, value in values.items()
        if name.lower() not in NOT_A_KNOB and isinstance(value, int | float | bool)
        and math.isfinite(value)
        and name in dag.nodes[node].operator.signature.parameters
        and _is_knob(dag.nodes[node].operator, name)
    ]  # fmt: skip
    return sorted(found, key=lambda one: -(guesses[one[0]].probability if one[0] in guesses else 0.0))


def _is_knob(operator: Operator[..., Any], name: str) -> bool:
    if isinstance(operator, Maker):
        return name in STEP_KNOBS
    return not is_ours(operator)


def _called(state: State, node: str) -> str:
    """Return what a person calls a node: a pipeline's step has one in each fold."""
    operator = state.prepared.dag.nodes[node].operator
    return operator.name if isinstance(operator, Maker) else node


def _values(name: str, now: Scalar, guess: ParameterGuess | None) -> list[tuple[Scalar, str]]:
    """Return new values with the reason for each: those that people take next, then a step up and down."""
    found: list[tuple[Scalar, str]] = []
    if guess is not None:
        for one in guess.values:
            if type(one.value) is type(now) or (isinstance(now, float) and type(one.value) is int):
                found.append((type(now)(one.value) if now is not None else one.value, one.why))  # type: ignore[arg-type]
    if isinstance(now, bool):
        return [*found, (not now, "the switch thrown")]
    if isinstance(now, int):
        up, down = (now * 2, now // 2) if now > 1 else (now + 1, now - 1)
        steps: list[tuple[Scalar, str]] = [(up, "a step up")]
        if down > 0 or now <= 0:
            steps.append((down, "a step down"))
        return found + steps
    if isinstance(now, float) and now:
        factor = 10.0 if name.lower() in WIDE else 2.0
        up_value, down_value = float(f"{now * factor:.6g}"), float(f"{now / factor:.6g}")
        if 0 < now < 1 <= up_value:
            up_value = float(f"{(1 + now) / 2:.6g}") if name.lower() not in WIDE else up_value
        return [*found, (up_value, "a step up"), (down_value, "a step down")]
    return found


def _used(state: State, node: str, name: str) -> list[Scalar]:
    """Return the values that this person has run, whatever came of them."""
    found: list[Scalar] = []
    for one in state.past:
        values = one.values.get(node, {})
        if name in values and not any(_same(values[name], other) for other in found):
            found.append(values[name])
    return found


def _same(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _own_evidence(state: State, node: str, name: str, metric: Metric) -> str:
    """Return what the person's last edits of a parameter did: "your last 2 edits of C: …"."""
    by_id = {one.id: one for one in state.past}
    steps = []
    for one in state.past:
        before = by_id.get(one.parent or -1)
        edit = next((edit for edit in one.edits if edit.node == node and edit.parameter == name), None)
        if before is None or edit is None or metric.name not in one.metrics:
            continue
        if metric.name in before.metrics:
            moved = one.metrics[metric.name] - before.metrics[metric.name]
            steps.append(f"{edit.old!r} -> {edit.new!r} {moved:+.4g}")
    if not steps:
        return ""
    last: Sequence[str] = steps[-3:]
    count = f"last {len(last)} edits" if len(last) > 1 else "last edit"
    return f"your {count} of {name}: {', '.join(last)} {metric.name}"
