"""Which learners a person has tried in one place of their code, and what they scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mile_rl.recommend.families import ALIKE, FAMILIES, code_of, position, set_parameters
from mile_rl.recommend.gather import Past, State
from mile_rl.recommend.metrics import Metric
from mile_rl.recommend.outcome import Configuration, OutcomeModel, Seen
from mile_rl.recommend.written import Learner
from mile_rl.workflows.version import CLASS


class Tried:
    """Which learners this person has tried in one place, and what they scored.

    Args:
        state: the workflow and its past.
        model: the outcome model.
        learner: the place.
        nodes: whose operators make it.
        metric: what scores.
    """

    def __init__(
        self, state: State, model: OutcomeModel, learner: Learner, nodes: Sequence[str], metric: Metric
    ) -> None:
        self.families: set[str] = set()
        self.seen: list[Seen] = []
        self._exact: set[tuple[str, str]] = set()
        self._broken: set[str] = set()
        for one in state.past:
            if learner.whole:
                self._take_step(model, one, metric, steps_before(one) == steps_before(state.now))
                continue
            for record in one.learners:
                if record.get("function") != learner.function or record.get("class") not in ALIKE:
                    continue
                values = one.values.get(nodes[0], {})
                bound = {name: values[own] for name, own in record["bound"].items() if own in values}
                self._take(model, record["class"], {**record["given"], **bound}, one, nodes, metric)
        if not self.seen:
            value = state.now.metrics[metric.name]
            arguments = {**defaults(state, nodes[0]), **state.now.values.get(nodes[0], {})}
            self._take(model, learner.class_name, learner.parameters(arguments), state.now, nodes, metric)
            assert self.seen or metric.error(value) is None

    def _take_step(self, model: OutcomeModel, one: Past, metric: Metric, alike: bool) -> None:
        """Take up the learner at a pipeline's end; its score counts where the steps before it were what they are.

        Steps may be named after their classes: whichever learner the pipeline had is meant.
        """
        for node, values in one.values.items():
            if (name := str(values.get(CLASS))) in ALIKE:
                self._take(model, name, set_parameters(name, values), one, (node,), metric, scored=alike)
                return

    def _take(
        self,
        model: OutcomeModel,
        class_name: str,
        parameters: Mapping[str, Any],
        one: Past,
        nodes: Sequence[str],
        metric: Metric,
        *,
        scored: bool = True,
    ) -> None:
        family = ALIKE[class_name][0]
        self._exact.add((class_name, _canonical(family, parameters)))
        self.families.add(family)
        if not one.failed.isdisjoint(nodes):
            self._broken.add(class_name)
        value = one.metrics.get(metric.name)
        error = None if value is None or one.status != "ok" else metric.error(value)
        found = position(model.configurations, class_name, parameters)
        if error is None or found is None or not scored:
            return
        seconds = next((one.seconds[node] for node in nodes if node in one.seconds), None)
        self.seen.append(Seen(configuration=found[0], error=error, seconds=seconds, doubt=found[1]))

    def was_tried(self, configuration: Configuration) -> bool:
        """Tell whether this very configuration was tried, or its class raised here."""
        name = FAMILIES[configuration.family].class_name
        exact = (name, _canonical(configuration.family, code_of(configuration)))
        return exact in self._exact or name in self._broken


def steps_before(one: Past) -> frozenset[str]:
    """Return what an iteration's pipeline consisted of before its learner."""
    return frozenset(
        repr(sorted(values.items(), key=lambda item: item[0]))
        for values in one.values.values()
        if CLASS in values and values[CLASS] not in ALIKE
    )


def _canonical(family: str, parameters: Mapping[str, Any]) -> str:
    plain = plain_defaults(family)
    full = {**plain, **parameters}
    told = {}
    for name in sorted({*plain, *parameters} & _varied(family)):
        value = full[name]
        told[name] = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    return repr(told)


def _varied(family: str) -> set[str]:
    return {*FAMILIES[family].defaults, "l1_ratio"}


def plain_defaults(family: str) -> dict[str, Any]:
    """Return the defaults of a family's parameters as today's scikit-learn has them."""
    defaults = dict(FAMILIES[family].defaults)
    if family == "Logit":
        return {"C": defaults["C"]}
    if family == "MLP":
        defaults.pop("learning_rate")
    return defaults


def defaults(state: State, node: str) -> dict[str, Any]:
    """Return the defaults of a node's operator, which count as its arguments where none are given."""
    operator = state.prepared.dag.nodes[node].operator
    return {
        name: parameter.default
        for name, parameter in operator.signature.parameters.items()
        if parameter.default is not parameter.empty
    }
