"""Many replans at once: what iterations cost at least that want other things or can load others.

Each question is a bit. An integer says of an output in which questions it is wanted, of a node in which it is
computed, so that one walk over the graph answers all of them; a decision of a policy that looks ahead asks a hundred.
The answers are those of :mod:`mile_rl.policies.replan`, which is asked for what stays undecided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mile_rl.policies.replan import Graph, least_cost

Floats = npt.NDArray[np.float64]

MOST_ROUNDS = 8
"""So often it is looked for what to compute sooner than to load, before each question is asked by itself."""


@dataclass(slots=True, kw_only=True)
class Answers:
    """What iterations cost at least.

    Args:
        cost_ns: float64[questions].
        loaded: output -> the questions in whose plan it is loaded, where there are any.
    """

    cost_ns: Floats
    loaded: dict[int, int]


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
    return _Walk(graph, compute_ns, load_ns, tuple(requested), offered, count).answers()


@dataclass(slots=True)
class _Further:
    """What is computed and wanted besides, where a node is computed that could be loaded."""

    computed: dict[int, int]
    wanted: dict[int, int]


class _Walk:
    """All questions on their way up from what is requested; see :mod:`mile_rl.policies.replan` for the steps."""

    def __init__(
        self,
        graph: Graph,
        compute_ns: Floats,
        load_ns: Floats,
        requested: tuple[tuple[int, int], ...],
        offered: Sequence[int],
        count: int,
    ) -> None:
        self.graph, self.offered, self.count, self.requested = graph, offered, count, requested
        self.compute, self.load = compute_ns.tolist(), load_ns.tolist()
        self.wanted = [0] * len(offered)
        self.computed = [0] * len(self.compute)
        self.bytes = (count + 7) // 8
        self._walk()

    def _walk(self) -> None:
        node_of, offered, wanted, computed = self.graph.node_of, self.offered, self.wanted, self.computed
        for output, of in self.requested:
            wanted[output] |= of
            computed[node_of[output]] |= of & ~offered[output]
        for node in range(len(computed) - 1, -1, -1):
            of = computed[node]
            if of:
                for output in self.graph.takes[node]:
                    wanted[output] |= of
                    computed[node_of[output]] |= of & ~offered[output]

    def answers(self) -> Answers:
        """Settle what is dear to load, and add everything up."""
        undecided = self._compute_what_pays()
        offers = self._offers()
        terms = [(self.compute[node], of) for node, of in enumerate(self.computed) if of]
        terms += [(self.load[output], of) for output, of in offers.items()]
        cost_ns = self._sums(terms)
        if undecided:
            for output in offers:
                offers[output] &= ~undecided
            for question in bits(undecided):
                self._ask_alone(question, cost_ns, offers)
        return Answers(cost_ns=cost_ns, loaded={output: of for output, of in offers.items() if of})

    def _offers(self) -> dict[int, int]:
        """Return of each output the questions in which it is loaded as things stand."""
        node_of, computed, offered = self.graph.node_of, self.computed, self.offered
        found = {}
        for output, of in enumerate(self.wanted):
            if of:
                of &= offered[output] & ~computed[node_of[output]]
                if of:
                    found[output] = of
        return found

    def _ask_alone(self, question: int, cost_ns: Floats, offers: dict[int, int]) -> None:
        bit = 1 << question
        load = [ns if of & bit else -1.0 for ns, of in zip(self.load, self.offered)]
        requested = [output for output, of in self.requested if of & bit]
        cost_ns[question], loaded = least_cost(self.graph, self.compute, load, requested)
        for output in loaded:
            offers[output] = offers.get(output, 0) | bit

    def _compute_what_pays(self) -> int:
        """Compute the nodes whose offers cost more than that; return the questions that stay undecided.

        Right, whatever else is computed in the end, for then it only becomes cheaper; but not where it computes
        another such node on the way, which might pay alone. The others are not worth it where what they compute
        and load besides has nothing in common.
        """
        active, undecided = (1 << self.count) - 1, 0
        for _ in range(MOST_ROUNDS):
            dear = self._dear(self._offers(), active)
            if not dear:
                return undecided
            paid, entangled = self._one_round(dear)
            undecided |= entangled & ~paid
            active = paid
            if not active:
                return undecided
        return undecided | active

    def _dear(self, offers: dict[int, int], active: int) -> dict[int, int]:
        """Return the nodes whose offers take longer than computing them, and in which questions."""
        dear: dict[int, int] = {}
        together: dict[int, list[int]] = {}
        for output, of in offers.items():
            node = self.graph.node_of[output]
            if len(self.graph.outputs[node]) > 1:
                together.setdefault(node, []).append(output)
            elif self.load[output] > self.compute[node] and of & active:
                dear[node] = of & active
        for node, outputs in together.items():
            of = self._longer(node, [(output, offers[output]) for output in outputs]) & active
            if of:
                dear[node] = of
        return dear

    def _longer(self, node: int, offers: list[tuple[int, int]]) -> int:
        """Return the questions in which the offers of a node together take longer than computing it."""
        if sum(self.load[output] for output, _ in offers) <= self.compute[node]:
            return 0
        if len(offers) == 1:
            return offers[0][1]
        sums = self._sums([(self.load[output], of) for output, of in offers])
        return self._of(sums > self.compute[node])

    def _one_round(self, dear: dict[int, int]) -> tuple[int, int]:
        """Compute each dear node where that pays; return in which questions one did, and where some may together."""
        paid = entangled = 0
        reached = dict(dear)
        for node in sorted(dear):
            of = dear[node] & ~paid
            if not of:
                continue
            further = self._further(node, of)
            alone = of
            for each, also in dear.items():
                if each != node:
                    alone &= ~(also & further.computed.get(each, 0))
            pays = self._pays(further) & alone if alone else 0
            if pays:
                self._take(further, pays)
                paid |= pays
            entangled |= self._entangled(further, dear, reached)
        return paid, entangled

    def _further(self, first: int, of: int) -> _Further:
        graph, wanted, computed, offered = self.graph, self.wanted, self.computed, self.offered
        more: dict[int, int] = {first: of}
        besides: dict[int, int] = {}
        for node in range(first, -1, -1):
            of = more.get(node, 0)
            if not of:
                continue
            for output in graph.takes[node]:
                new = of & ~wanted[output]
                if new:
                    besides[output] = besides.get(output, 0) | new
                    parent = graph.node_of[output]
                    new &= ~(offered[output] | computed[parent])
                    if new:
                        more[parent] = more.get(parent, 0) | new
        return _Further(more, besides)

    def _pays(self, further: _Further) -> int:
        """Return the questions in which computing more costs no more than what it saves."""
        graph, load, offered = self.graph, self.load, self.offered
        terms = []
        for node, of in further.computed.items():
            terms.append((self.compute[node], of))
            for output in graph.outputs[node]:
                spared = self.wanted[output] & offered[output] & of
                if spared:
                    terms.append((-load[output], spared))
        for output, of in further.wanted.items():
            node = graph.node_of[output]
            of &= offered[output] & ~(self.computed[node] | further.computed.get(node, 0))
            if of:
                terms.append((load[output], of))
        return self._of(self._sums(terms) <= 0)

    def _take(self, further: _Further, of: int) -> None:
        for node, more in further.computed.items():
            self.computed[node] |= more & of
        for output, more in further.wanted.items():
            self.wanted[output] |= more & of

    def _entangled(self, further: _Further, dear: dict[int, int], reached: dict[int, int]) -> int:
        """Return where a way meets what others reach, or another offer becomes dear; note what it reaches."""
        node_of, computed, found = self.graph.node_of, self.computed, 0
        new: dict[int, int] = {}
        for output, of in further.wanted.items():
            node = node_of[output]
            of &= ~computed[node]  # else it comes for nothing
            if of:
                new[node] = new.get(node, 0) | of
        for node, of in new.items():
            found |= of & reached.get(node, 0)
            reached[node] = reached.get(node, 0) | of
            loads = of & ~further.computed.get(node, 0)
            if loads:
                offers = [
                    (output, also)
                    for output in self.graph.outputs[node]
                    if (
                        also := (self.wanted[output] | further.wanted.get(output, 0))
                        & self.offered[output]
                        & loads
                    )
                ]
                found |= self._longer(node, offers) & ~dear.get(node, 0)
        return found

    def _sums(self, terms: list[tuple[float, int]]) -> Floats:
        """Return the sum of the terms of each question."""
        if not terms:
            return np.zeros(self.count)
        amounts = np.array([amount for amount, _ in terms])
        raw = b"".join([of.to_bytes(self.bytes, "little") for _, of in terms])
        masks = np.frombuffer(raw, dtype=np.uint8).reshape(len(terms), self.bytes)
        held = np.unpackbits(masks, axis=1, count=self.count, bitorder="little")
        sums: Floats = amounts @ held.astype(np.float64)
        return sums

    def _of(self, which: npt.NDArray[np.bool_]) -> int:
        """Return questions as an integer."""
        return int.from_bytes(np.packbits(which, bitorder="little").tobytes(), "little")


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
