"""Many replans at once: what iterations cost at least that want other things or can load others.

Each question is a bit. An integer says of an output in which questions it is wanted, of a node in which it is
computed, so that one walk over the graph answers all of them (:mod:`mile_rl.policies.walk`); a decision of a policy
that looks ahead asks a hundred. The answers are those of :mod:`mile_rl.policies.replan`, which is asked for what
stays undecided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mile_rl.policies.replan import Graph, least_cost
from mile_rl.policies.walk import Floats, Further, Walk, bits

MOST_ROUNDS = 8
"""So often it is looked for what to compute sooner than to load before it counts as undecided."""

MOST_SPLITS = 4
"""So often what is undecided is followed both ways, before each question is asked by itself."""


class Answers:
    """What iterations cost at least.

    Args:
        cost_ns: float64[questions].
        loaded: output -> the questions in whose plan it is loaded, where there are any.
    """

    __slots__ = ("cost_ns", "loaded")

    def __init__(self, *, cost_ns: Floats, loaded: dict[int, int]) -> None:
        self.cost_ns, self.loaded = cost_ns, loaded


def answer(
    graph: Graph,
    compute_ns: Floats,
    load_ns: Floats,
    requested: Iterable[tuple[int, int]],
    offered: Sequence[int],
    count: int,
) -> Answers:
    """Return the least cost of each question and what its plan loads.

    Args:
        graph: of all nodes that occur.
        compute_ns: float64[n], whole numbers.
        load_ns: float64[m], whole numbers, at least of what is offered.
        requested: outputs and the questions that want them in the end.
        offered: of each output, the questions in which it can be loaded.
        count: how many questions there are.
    """
    wants = tuple(requested)
    walk = Walk(graph, compute_ns.tolist(), load_ns.tolist(), offered, count)
    walk.up(wants)
    choice = _Choice(walk)
    undecided = choice.decide()
    found = Answers(cost_ns=walk.cost_ns(), loaded=walk.offers())
    if walk.count > count:
        found = _cheaper(found, choice.ways, count)
    every = (1 << count) - 1
    while undecided >> count:
        undecided = undecided & every | undecided >> count
    for question in bits(undecided):
        bit = 1 << question
        load = [ns if of & bit else -1.0 for ns, of in zip(walk.load, offered)]
        alone = [output for output, of in wants if of & bit]
        found.cost_ns[question], loaded = least_cost(graph, walk.compute, load, alone)
        for output in found.loaded:
            found.loaded[output] &= ~bit
        for output in loaded:
            found.loaded[output] = found.loaded.get(output, 0) | bit
    return found


def _cheaper(found: Answers, ways: int, count: int) -> Answers:
    """Return of each question the cheapest of its ways; way w of question q is bit w x ``count`` + q."""
    costs = found.cost_ns.reshape(-1, count)
    flags = np.unpackbits(
        np.frombuffer(ways.to_bytes((costs.size + 7) // 8, "little"), dtype=np.uint8),
        count=costs.size,
        bitorder="little",
    )
    costs = np.where(flags.reshape(costs.shape), costs, np.inf)
    best = costs.argmin(axis=0).tolist()
    chosen = [0] * costs.shape[0]
    for question, way in enumerate(best):
        chosen[way] |= 1 << question
    loaded = {}
    for output, of in found.loaded.items():
        in_best = 0
        for way, questions in enumerate(chosen):
            in_best |= of >> way * count & questions
        if in_best:
            loaded[output] = in_best
    return Answers(cost_ns=costs.min(axis=0), loaded=loaded)


class _Choice:
    """Decides what to compute sooner than to load, wherever loading takes longer than the node itself.

    Args:
        walk: of all questions, brought up; it is led on, and grows where questions are followed both ways.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.ways = (1 << walk.count) - 1
        """The bits that stand for a question."""
        self._loaded: dict[int, int] = {}  # node -> where it is settled that its offers are taken

    def decide(self) -> int:
        """Return what is still undecided."""
        undecided = self._compute_what_pays(self.ways)
        for _ in range(MOST_SPLITS):
            if not undecided:
                break
            undecided = self._compute_what_pays(self._split(undecided))
        return undecided

    def _split(self, undecided: int) -> int:
        """Follow questions both ways, computing one of their nodes or loading it; return all these."""
        walk, rest = self._walk, undecided
        width = walk.double(undecided)
        self.ways |= undecided << width
        for node, of in self._loaded.items():
            self._loaded[node] = of | (of & undecided) << width
        dear = self._dear(undecided)
        for node in sorted(dear, key=lambda each: -dear[each].bit_count()):
            of = dear[node] & rest
            if of:
                walk.take(walk.further(node, of), of)
                self._loaded[node] = self._loaded.get(node, 0) | of << width
                rest &= ~of
        return undecided | undecided << width

    def _compute_what_pays(self, active: int) -> int:
        """Compute the nodes whose offers cost more than that; return the questions that stay undecided.

        Right, whatever else is computed in the end, for then it only becomes cheaper; but not where it computes
        another such node on the way, which might pay alone. The others are not worth it where what they compute
        and load besides has nothing in common.
        """
        undecided = 0
        for _ in range(MOST_ROUNDS):
            dear = self._dear(active)
            if not dear:
                return undecided
            paid, entangled = self._one_round(dear)
            undecided |= entangled & ~paid
            active = paid
        return undecided | active

    def _dear(self, active: int) -> dict[int, int]:
        """Return the nodes whose offers take longer than computing them, and in which questions."""
        walk = self._walk
        by_node: dict[int, list[tuple[int, int]]] = {}
        for output, of in walk.offers().items():
            if of & active:
                by_node.setdefault(walk.graph.node_of[output], []).append((output, of & active))
        dear = {}
        for node, offers in by_node.items():
            of = walk.longer(node, offers) & ~self._loaded.get(node, 0)
            if of:
                dear[node] = of
        return dear

    def _one_round(self, dear: dict[int, int]) -> tuple[int, int]:
        """Compute each dear node where that pays; return in which questions one did, and where some may together."""
        walk, paid, entangled = self._walk, 0, 0
        reached = dict(dear)
        for node in sorted(dear):
            of = dear[node] & ~paid
            if not of:
                continue
            further = walk.further(node, of)
            alone = of
            for each, also in dear.items():
                if each != node:
                    alone &= ~(also & further.computed.get(each, 0))
            pays = walk.pays(further) & alone if alone else 0
            if pays:
                walk.take(further, pays)
                paid |= pays
            entangled |= self._entangled(further, dear, reached)
        return paid, entangled

    def _entangled(self, further: Further, dear: dict[int, int], reached: dict[int, int]) -> int:
        """Return where a way meets what others reach, or another offer becomes dear; note what it reaches."""
        walk, found = self._walk, 0
        for node, of in walk.new_nodes(further).items():
            found |= of & reached.get(node, 0)
            reached[node] = reached.get(node, 0) | of
            loads = of & ~further.computed.get(node, 0)
            if loads:
                known = dear.get(node, 0) | self._loaded.get(node, 0)
                found |= walk.longer(node, walk.offers_of(node, further, loads)) & ~known
        return found
