"""What each kind of change and each parameter did to a metric, from all iterations of a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mile_rl.errors import StoreError
from mile_rl.report.impact.chain import Chain, shortest_chain
from mile_rl.report.impact.design import Design
from mile_rl.report.impact.estimate import SHARE, Estimate, estimate
from mile_rl.report.impact.questions import Question, changes, kinds, moves_of, parameters
from mile_rl.report.impact.states import Factor, Version, factors_of
from mile_rl.workflows.edits import EditKind, Stage

if TYPE_CHECKING:
    from mile_rl.store.records import Iteration
    from mile_rl.workflows.version import VersionNode

MOST_VERSIONS = 300
"""How many of the latest versions are looked at; the answer takes about their number cubed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change, or the changes of one kind, did to the metric, all else being equal.

    Args:
        what: in words: "fit.C 1 -> 10", "parameter changes of learn nodes", "fit.C, tenfold".
        kind: the kind of edit.
        stage: what the nodes concerned are for.
        times: how often it was changed from one iteration to the next.
        alone: in how many of these cases nothing else changed.
        estimate: the effect, corrected for what else changed.
        factor: what was changed ("fit.C"); "" for the changes of a kind.
        confounded: what it cannot be told apart from in this history, since it never changed without; its
            estimate is then mostly the assumption that they share the effect.
        together: the effect of all that changed with it, where it is confounded and that can be told.
    """

    what: str
    kind: EditKind
    stage: Stage
    times: int
    alone: int
    estimate: Estimate
    factor: str = ""
    confounded: tuple[str, ...] = ()
    together: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the effect as a JSON object."""
        return {
            "what": self.what,
            "kind": self.kind,
            "stage": self.stage,
            "times": self.times,
            "alone": self.alone,
            **_json_of(self.estimate),
            "factor": self.factor,
            "confounded": list(self.confounded),
            "together": _json_of(self.together) if self.together else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What the changes of a workflow's history did to one metric.

    Args:
        workflow: its name.
        metric: the metric's name.
        versions: how many versions with that metric were compared.
        share: how much probability the intervals hold.
        kinds: the mean effect of the changes of each kind and stage, as they were made; going back counts not.
        parameters: the effect of each parameter: between the values that were tried, and of its trend.
        changes: the effect of every other change.
        chain: from one version to another; None where that was not asked for.
    """

    workflow: str
    metric: str
    versions: int
    share: float
    kinds: tuple[Effect, ...]
    parameters: tuple[Effect, ...]
    changes: tuple[Effect, ...]
    chain: Chain | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "workflow": self.workflow,
            "metric": self.metric,
            "versions": self.versions,
            "share": self.share,
            "kinds": [effect.to_json() for effect in self.kinds],
            "parameters": [effect.to_json() for effect in self.parameters],
            "changes": [effect.to_json() for effect in self.changes],
            "chain": self.chain.to_json() if self.chain else None,
        }


def impact(
    iterations: Sequence[Iteration],
    nodes_of: Callable[[Iteration], tuple[VersionNode, ...]],
    metric: str,
    *,
    between: tuple[Iteration, Iteration] | None = None,
) -> Impact:
    """Estimate what the changes of a history did to a metric.

    Args:
        iterations: of one workflow, the oldest first; those that failed or have no such metric count not.
        nodes_of: returns an iteration's nodes.
        metric: the metric's name.
        between: two iterations whose gap a chain of versions is to explain.

    Raises:
        StoreError: fewer than two versions have the metric, or one of ``between`` has none.
    """
    versions, scores, index_of = _versions(iterations, nodes_of, metric)
    if len(versions) < 2:
        raise StoreError(
            f"{len(versions)} version{'s' if len(versions) != 1 else ''} of this workflow recorded {metric!r}: "
            "what a change did can be told from two on. Change something and run again."
        )
    factors = factors_of(versions)
    design = Design(factors, range(len(versions)))
    moves = moves_of(versions, factors)
    groups = (kinds(design, moves), parameters(design, moves), changes(design, moves))
    asked = [one for group in groups for one in group]
    contrasts = [one.contrast for one in asked] + [one.together for one in asked if one.together is not None]
    found = estimate(design, scores, contrasts)
    rest = iter(found[len(asked) :])
    effects = [_effect(design, one, told, rest) for one, told in zip(asked, found)]
    first, second = len(groups[0]), len(groups[0]) + len(groups[1])
    return Impact(
        workflow=iterations[0].record.workflow,
        metric=metric,
        versions=len(versions),
        share=SHARE,
        kinds=tuple(effects[:first]),
        parameters=tuple(effects[first:second]),
        changes=tuple(effects[second:]),
        chain=_chain(between, versions, scores, factors, index_of, metric),
    )


def _versions(
    iterations: Sequence[Iteration], nodes_of: Callable[[Iteration], tuple[VersionNode, ...]], metric: str
) -> tuple[list[Version], list[float], dict[str, int]]:
    """Return the versions that have the metric, its mean over each one's iterations, and digest -> index."""
    by_id = {one.id: one for one in iterations}
    values: dict[str, list[float]] = {}
    first: dict[str, Iteration] = {}
    for one in iterations:
        value = one.record.metrics.get(metric)
        if one.record.status == "ok" and value is not None and abs(value) < 1e300:
            values.setdefault(one.record.version, []).append(value)
            first.setdefault(one.record.version, one)
    digests = list(values)[-MOST_VERSIONS:]
    index_of = {digest: index for index, digest in enumerate(digests)}
    versions = []
    for digest in digests:
        one = first[digest]
        parent = by_id.get(one.record.parent) if one.record.parent is not None else None
        versions.append(
            Version(
                digest=digest,
                nodes=nodes_of(one),
                parent=index_of.get(parent.record.version) if parent else None,
                edits=one.record.edits,
            )
        )
    return versions, [sum(values[digest]) / len(values[digest]) for digest in digests], index_of


def _effect(design: Design, asked: Question, told: Estimate, rest: Any) -> Effect:
    together: Estimate | None = next(rest) if asked.together is not None else None
    partners = design.partners(asked.contrast, set(asked.own))
    confounded: tuple[str, ...] = ()
    if partners is not None:
        confounded = tuple(design.factors[index].label for index in partners)
    return Effect(
        what=asked.what,
        kind=asked.kind,
        stage=asked.stage,
        times=asked.times,
        alone=asked.alone,
        estimate=told,
        factor=design.factors[min(asked.own)].label if asked.one else "",
        confounded=confounded,
        together=together if confounded else None,
    )


def _chain(
    between: tuple[Iteration, Iteration] | None,
    versions: Sequence[Version],
    scores: Sequence[float],
    factors: Sequence[Factor],
    index_of: Mapping[str, int],
    metric: str,
) -> Chain | None:
    if between is None:
        return None
    ends = []
    for one in between:
        if one.record.version not in index_of:
            raise StoreError(
                f"iteration {one.id} recorded no {metric!r}: name one that did; `mile log --json` lists the metrics."
            )
        ends.append(index_of[one.record.version])
    return shortest_chain(versions, scores, factors, *ends)


def _json_of(told: Estimate) -> dict[str, float]:
    return {"effect": told.mean, "low": told.low, "high": told.high, "probability_of_a_rise": told.positive}
