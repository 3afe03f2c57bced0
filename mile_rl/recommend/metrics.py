"""Which number among a workflow's results says how good it is, and which way is better."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mile_rl.recommend.errors import RecommendError
from mile_rl.workflows.dag import Dag, Output

_HIGHER = frozenset(
    "accuracy acc auc roc f1 fscore precision recall r2 score kappa mcc map ndcg iou dice bleu silhouette".split()
)
_LOWER = frozenset(
    "error err loss rmse mse mae mape perplexity wer brier deviance nll regret logloss".split()
)
_SHARES = frozenset("accuracy acc auc roc f1 fscore precision recall score error err".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that a workflow returns.

    Args:
        name: as the catalog knows it.
        higher: whether higher is better.
        share: whether it lies between 0 and 1 (or 100, see ``unit``), so that 1 - it is an error.
        unit: what stands for a whole: 1, or 100 for percentages.
        nodes: the nodes that it depends on.
    """

    name: str
    higher: bool
    share: bool
    unit: float
    nodes: frozenset[str]

    def error(self, value: float) -> float | None:
        """Return the error in [0, 1] that a value stands for, None where there is none."""
        if not self.share or not 0 <= value <= self.unit:
            return None
        return 1 - value / self.unit if self.higher else value / self.unit

    def change(self, error_now: float, error_then: float) -> float:
        """Return the change of the metric that goes with a change of the error."""
        return (error_now - error_then) * self.unit * (1 if self.higher else -1)

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.higher else -1


def metrics_of(
    dag: Dag, values: Mapping[str, Sequence[float]], wanted: str | None = None
) -> tuple[Metric, ...]:
    """Return the metrics of a workflow, the one that most likely matters first.

    Args:
        dag: the workflow.
        values: name -> what it was in the iterations so far.
        wanted: the name of the one that matters, if the person says.

    Raises:
        RecommendError: there is no metric, or none of that name.
    """
    if not values:
        raise RecommendError(
            f"workflow {dag.workflow} returns no number, so nothing says what is better: return a metric, as in "
            'return {"accuracy": accuracy(predicted, labels)}.'
        )
    if wanted is not None and wanted not in values:
        raise RecommendError(f"there is no metric {wanted!r}; there are: {', '.join(values)}.")
    leaves = list(_leaves(dag.result))
    known: list[Metric] = []
    unknown: list[Metric] = []
    for name, past in values.items():
        output = max(
            (leaf for leaf in leaves if name == leaf[0] or name.startswith(f"{leaf[0]}.") or not leaf[0]),
            key=lambda leaf: len(leaf[0]),
            default=None,
        )
        words = _words(name)
        if output is not None:
            words += _words(dag.nodes[output[1].node].operator.name)
        metric = Metric(
            name=name,
            higher=not _is_lower(words),
            share=_is_share(words, past),
            unit=100.0 if max(past) > 1 and set(words) & _SHARES else 1.0,
            nodes=_ancestors(dag, output[1].node) if output is not None else frozenset(dag.needed),
        )
        (known if set(words) & (_HIGHER | _LOWER) else unknown).append(metric)
    ordered = (*known, *unknown)
    if wanted is not None:
        return tuple(metric for metric in ordered if metric.name == wanted)
    return ordered


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]


def _is_lower(words: Sequence[str]) -> bool:
    return next((word in _LOWER for word in words if word in _HIGHER | _LOWER), False)


def _is_share(words: Sequence[str], past: Sequence[float]) -> bool:
    inside = all(0 <= value <= 1 for value in past)
    percent = bool(set(words) & _SHARES) and all(0 <= value <= 100 for value in past)
    named = bool(set(words) & _SHARES) or not set(words) & (_HIGHER | _LOWER)
    return (inside and named) or percent


def _ancestors(dag: Dag, node: str) -> frozenset[str]:
    found: set[str] = set()
    stack = [node]
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack.extend(parent.node for parent in dag.nodes[name].parents)
    return frozenset(found)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Output]]:
    if isinstance(value, Output):
        yield name, value
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from _leaves(item, f"{name}.{at}" if name else str(at))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
