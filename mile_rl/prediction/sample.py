"""Drawing the next iteration: a whole edit of the workflow that could have been a person's.

First whether there is one, then its change class, then node by node what is touched (each node knows what was
decided for those before it, so that edits come in the bursts that people make), then how, and to which values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASSES, PastIteration, PastNode
from mile_rl.prediction.differences import differences, edit_of
from mile_rl.prediction.leanings import Leanings
from mile_rl.prediction.node_features import NODE_NAMES, node_rows
from mile_rl.prediction.proposals import is_number, like
from mile_rl.prediction.trees import sigmoid
from mile_rl.workflows.edits import STAGES, ChangeClass, Edit, Scalar, Stage, change_class

if TYPE_CHECKING:
    from mile_rl.prediction.links import Links, Twins
    from mile_rl.prediction.model import Model
    from mile_rl.prediction.state import HistoryState

Floats = NDArray[np.float64]

GENERATED_NAMES: tuple[str, ...] = (
    *NODE_NAMES,
    *(f"now_{change.name.lower()}" for change in CLASSES),
    "decided_share",
    "decided_any",
    "parents_now",
    "twins_now",
    "undecided",
)
"""What says whether a node is touched while an iteration is drawn: also its class and what is decided."""

REACH: Mapping[ChangeClass, tuple[Stage, ...]] = {
    ChangeClass.MODEL: ("learn",),
    ChangeClass.MODEL_PARAMETER: ("learn",),
    ChangeClass.PREPROCESS: ("preprocess",),
    ChangeClass.PREPROCESS_PARAMETER: ("preprocess",),
    ChangeClass.COMBINATION: ("preprocess", "learn"),
    ChangeClass.EVALUATE: ("evaluate",),
}
"""The stages that an iteration of each class must touch; it may touch ``evaluate`` besides, no other."""

BLOCK = 24
"""So many nodes are asked about at once while an iteration is drawn."""

ONLY_PARAMETERS = (ChangeClass.MODEL_PARAMETER, ChangeClass.PREPROCESS_PARAMETER)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Plain frequencies that only drawing needs.

    Args:
        adds: "granularity class stage" -> how likely 0, 1, 2, … nodes of that stage are added.
        kinds: "granularity class stage" -> edit kind -> how likely a touched node is edited in that way.
        gaps_s: granularity -> equally likely gaps between two iterations, in seconds.
        leanings: granularity -> corrections of what is drawn.
    """

    adds: Mapping[str, tuple[float, ...]]
    kinds: Mapping[str, Mapping[str, float]]
    gaps_s: Mapping[str, tuple[float, ...]]
    leanings: Mapping[str, Leanings]

    def to_json(self) -> dict[str, Any]:
        """Return the tables as a JSON object."""
        return {
            "adds": dict(self.adds),
            "kinds": dict(self.kinds),
            "gaps_s": dict(self.gaps_s),
            "leanings": {key: own.to_json() for key, own in self.leanings.items()},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            adds={key: tuple(shares) for key, shares in record["adds"].items()},
            kinds=record["kinds"],
            gaps_s={key: tuple(gaps) for key, gaps in record["gaps_s"].items()},
            leanings={key: Leanings.from_json(own) for key, own in record["leanings"].items()},
        )


def draw(model: Model, state: HistoryState, rng: np.random.Generator) -> PastIteration | None:
    """Draw the iteration that follows a state, None where the history ends.

    Args:
        model: what was fitted.
        state: the history so far; it is not changed.
        rng: where chance comes from.
    """
    leanings = model.tables.leanings[state.granularity]
    if rng.random() < leanings.end(model.stop(state), state.hand):
        return None
    classes = model.classes(state)
    returns = model.returns(state, 1.0)
    chances = _possible(state, leanings.of_classes(classes), bool(returns))
    change = CLASSES[rng.choice(len(CLASSES), p=chances)]
    gap_s = float(rng.choice(model.tables.gaps_s[state.granularity]))
    if change is ChangeClass.NOTHING:
        return _record(state, state.nodes, (), gap_s)
    if change is ChangeClass.RETURN:
        shares = np.array([guess.probability for guess in returns])
        back = returns[rng.choice(len(returns), p=shares / shares.sum())].back
        nodes = state.records[-1 - back]
        return _returned(state, nodes, tuple(_way_back(state.nodes, nodes, state, back)), gap_s, back)
    nodes, edits = _Drawing(model, state, classes, change, rng).run()
    seen = state.seen_before(nodes) if all(edit.kind == "parameter" for edit in edits) else None
    if seen is not None:  # the values drawn are those of an earlier version: that is what a return is
        return _returned(state, nodes, edits, gap_s, seen)
    return replace(_record(state, nodes, edits, gap_s), version=f"drawn-{rng.integers(1 << 62):x}")


def _returned(
    state: HistoryState, nodes: tuple[PastNode, ...], edits: tuple[Edit, ...], gap_s: float, back: int
) -> PastIteration:
    return replace(
        _record(state, nodes, edits, gap_s),
        change=ChangeClass.RETURN,
        returns_to=back,
        version=state.versions[-1 - back],
    )


def _record(
    state: HistoryState, nodes: tuple[PastNode, ...], edits: tuple[Edit, ...], gap_s: float
) -> PastIteration:
    version = state.versions[-1] if state.versions else ""
    return PastIteration(nodes=nodes, edits=edits, change=change_class(edits), gap_s=gap_s, version=version)


def _possible(state: HistoryState, classes: Floats, can_return: bool) -> Floats:
    """Return the chances of the classes that the current workflow allows."""
    chances = classes.copy()
    tunable = {node.stage for node in state.nodes if node.parameters}
    for index, change in enumerate(CLASSES):
        if (change is ChangeClass.RETURN and not can_return) or (
            change in ONLY_PARAMETERS and REACH[change][0] not in tunable
        ):
            chances[index] = 0.0
    shares: Floats = chances / chances.sum()
    return shares


def _way_back(
    before: tuple[PastNode, ...], after: tuple[PastNode, ...], state: HistoryState, back: int
) -> Iterator[Edit]:
    """Yield the edits that lead to a version seen ``back`` iterations ago.

    A node that was touched since then without a difference that the model can see had its code changed.
    """
    seen = list(differences(before, after))
    yield from seen
    edited = {edit.node for edit in seen}
    since = dict(zip(state.table.names, state.table.since)) if state.table else {}
    for node in after:
        if node.name not in edited and since.get(node.name, back) < back:
            yield edit_of("code", node)


class _Drawing:
    """One iteration that changes something new, while it is drawn."""

    def __init__(
        self,
        model: Model,
        state: HistoryState,
        classes: Floats,
        change: ChangeClass,
        rng: np.random.Generator,
    ) -> None:
        self.model, self.state, self.rng, self.change = model, state, rng, change
        self.classes = classes
        self.key = f"{state.granularity} {change.name}"
        self.edits: list[Edit] = []
        self.moves: dict[str, list[tuple[str, float]]] | None = None

    def run(self) -> tuple[tuple[PastNode, ...], tuple[Edit, ...]]:
        """Return the new version's nodes and the edits that lead to it."""
        added = self._adds()
        touched = self._touched(added)
        nodes = [node if not hit else self._changed(node) for node, hit in zip(self.state.nodes, touched)]
        kept = [node for node in nodes if node is not None]
        for stage, count in added.items():
            for _ in range(count):
                kept.append(self._added(stage, kept))
        names = {node.name for node in kept}
        return tuple(
            node
            if all(parent in names for parent in node.parents)
            else replace(node, parents=tuple(parent for parent in node.parents if parent in names))
            for node in kept
        ), tuple(self.edits)

    def _adds(self) -> dict[Stage, int]:
        adds: dict[Stage, int] = {}
        if self.change not in ONLY_PARAMETERS:
            for stage in STAGES:
                shares = self.model.tables.adds.get(f"{self.key} {stage}")
                if shares:
                    adds[stage] = int(self.rng.choice(len(shares), p=np.asarray(shares) / sum(shares)))
        return adds

    def _touched(self, added: Mapping[Stage, int]) -> list[bool]:
        """Decide node by node, then make sure that every stage that the class stands for is reached."""
        state, table = self.state, self.state.table
        assert table is not None
        reach = REACH[self.change]
        allowed = [
            (node.stage in reach and (bool(node.parameters) or self.change not in ONLY_PARAMETERS))
            or (node.stage == "evaluate" and self.change is not ChangeClass.EVALUATE)
            for node in state.nodes
        ]
        now, chances = self._decided(allowed)
        size = len(state.nodes)
        for stage in reach:
            own = [i for i in range(size) if state.nodes[i].stage == stage and allowed[i]]
            if added.get(stage, 0) == 0 and own and not now[own].any():
                weights = chances[own] + 1e-9
                now[own[self.rng.choice(len(own), p=weights / weights.sum())]] = 1.0
            elif added.get(stage, 0) == 0 and not own:
                added[stage] = 1  # type: ignore[index]
        return [bool(hit) for hit in now]

    def _decided(self, allowed: Sequence[bool]) -> tuple[Floats, Floats]:
        """Return which nodes are touched, decided one after the other, and how likely each was.

        A run of nodes is asked about at once as if none of them were touched; what was said of those behind the
        first that is touched is thrown away and asked again. The answer is that of asking one by one.
        """
        table = self.state.table
        assert table is not None
        rows = np.zeros((len(allowed), len(GENERATED_NAMES)))
        rows[:, : len(NODE_NAMES)] = node_rows(self.state, self.classes)
        now, chances = np.zeros(len(allowed)), np.zeros(len(allowed))
        waiting = [index for index, open_ in enumerate(allowed) if open_]
        while waiting:
            block = waiting[:BLOCK]
            for index in block:
                rows[index, len(NODE_NAMES) :] = decided(self.change, now, index, table.parents, table.twins)
            said = sigmoid(self.model.raw("generated", rows[block]))[:, 0]
            for index, chance in zip(block, said):
                chances[index] = chance
                now[index] = float(self.rng.random() < chance)
                if now[index]:
                    break
            waiting = waiting[block.index(index) + 1 :]
        return now, chances

    def _changed(self, node: PastNode) -> PastNode | None:
        kinds = dict(self.model.tables.kinds.get(f"{self.key} {node.stage}", {"code": 1.0}))
        if not node.parameters:
            kinds.pop("parameter", None)
        if self.change in ONLY_PARAMETERS and node.stage in REACH[self.change]:
            kinds = {"parameter": 1.0}
        if not kinds:
            kinds = {"code": 1.0}
        shares = np.array(list(kinds.values()))
        kind = str(self.rng.choice(list(kinds), p=shares / shares.sum()))
        match kind:
            case "parameter":
                return self._tuned(node)
            case "remove":
                self.edits.append(edit_of("remove", node))
                return None
            case "replace":
                other = replace(node, operator=f"{node.operator or node.name}*")
                self.edits.append(edit_of("replace", other, before=node.operator))
                return other
            case _:
                self.edits.append(edit_of("data" if kind == "data" else "code", node))
                return node

    def _tuned(self, node: PastNode) -> PastNode:
        state = self.state
        if self.moves is None:
            self.moves = {}
            for at, name, chance in self.model.moves(state, self.classes, np.full(len(state.nodes), 0.9)):
                self.moves.setdefault(at, []).append((name, chance))
        moves = self.moves[node.name]
        chosen = [name for name, chance in moves if self.rng.random() < chance] or [moves[0][0]]
        parameters = dict(node.parameters)
        for name in chosen:
            old, new = parameters[name], self._value(node.name, name)
            parameters[name] = new
            self.edits.append(edit_of("parameter", node, parameter=name, old=old, new=new))
        return replace(node, parameters=parameters)

    def _value(self, node: str, name: str) -> Scalar:
        """Draw a parameter's next value; where no candidate is meant, one that was never seen."""
        chance = self.rng.random()
        for guess in self.model.values(self.state, [(node, name)])[0]:
            chance -= guess.probability
            if chance < 0:
                return guess.value
        now = self.state.traces[node, name].values[-1]
        if is_number(now):
            assert isinstance(now, int | float)
            value = (now or 1) * math.exp(self.rng.normal(0.0, 0.7))
            drawn = like(round(value) if isinstance(now, int) else value, isinstance(now, int))
            return drawn if drawn != now else now + 1
        return (not now) if isinstance(now, bool) else f"{now}'"

    def _added(self, stage: Stage, nodes: list[PastNode]) -> PastNode:
        taken = {node.name for node in nodes} | {node.name for node in self.state.nodes}
        name = next(f"{stage}_{n}" for n in range(1, len(taken) + 2) if f"{stage}_{n}" not in taken)
        earlier = [node.name for node in nodes if STAGES.index(node.stage) <= STAGES.index(stage)]
        parents = (str(self.rng.choice(earlier)),) if earlier else ()
        node = PastNode(name=name, stage=stage, operator=name, parents=parents)
        self.edits.append(edit_of("add", node))
        return node


def decided(change: ChangeClass, now: Floats, index: int, parents: Links, twins: Twins) -> tuple[float, ...]:
    """Return what a node's row holds besides ``NODE_NAMES`` while an iteration is drawn.

    Args:
        change: the iteration's class.
        now: 1 for the nodes before ``index`` that are touched, 0 for all others.
        index: the node's place.
        parents, twins: as in ``NodeTable``.
    """
    before = float(now[:index].sum())
    return (
        *(float(change is other) for other in CLASSES),
        before / max(index, 1),
        math.log1p(before),
        parents.mean_of(index, now),
        twins.mean_of(index, now),
        math.log1p(len(now) - index),
    )
