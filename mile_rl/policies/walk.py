"""One walk over a graph for many questions: what is computed in each, what is wanted, and what that costs.

Questions are the bits of integers; see :mod:`mile_rl.policies.questions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mile_rl.policies.replan import Graph

Floats = npt.NDArray[np.float64]


class Further:
    """What is computed and wanted besides, where a node is computed that could be loaded: by node, by output."""

    __slots__ = ("computed", "wanted")

    def __init__(self, computed: dict[int, int], wanted: dict[int, int]) -> None:
        self.computed, self.wanted = computed, wanted


class Walk:
    """All questions on their way up from what is requested.

    Args:
        graph: of all nodes.
        compute_ns: of each node, whole numbers.
        load_ns: of each output, whole numbers, at least of what is offered.
        offered: of each output, the questions in which it can be loaded.
        count: how many questions there are.
    """

    def __init__(
        self,
        graph: Graph,
        compute_ns: Sequence[float],
        load_ns: Sequence[float],
        offered: Sequence[int],
        count: int,
    ) -> None:
        self.graph, self.compute, self.load, self.count = graph, compute_ns, load_ns, count
        self._offered = list(offered)
        self._wanted = [0] * len(offered)
        self._computed = [0] * len(compute_ns)

    def up(self, requested: Iterable[tuple[int, int]]) -> None:
        """Walk up from what is requested to what can be loaded.

        Args:
            requested: outputs and the questions that want them in the end.
        """
        node_of, offered, wanted, computed = self.graph.node_of, self._offered, self._wanted, self._computed
        for output, of in requested:
            wanted[output] |= of
            computed[node_of[output]] |= of & ~offered[output]
        for node in range(len(computed) - 1, -1, -1):
            of = computed[node]
            if of:
                for output in self.graph.takes[node]:
                    wanted[output] |= of
                    computed[node_of[output]] |= of & ~offered[output]

    def offers(self) -> dict[int, int]:
        """Return of each output the questions in which it is loaded as things stand, where there are any."""
        node_of, computed, offered = self.graph.node_of, self._computed, self._offered
        found = {}
        for output, of in enumerate(self._wanted):
            if of:
                of &= offered[output] & ~computed[node_of[output]]
                if of:
                    found[output] = of
        return found

    def cost_ns(self) -> Floats:
        """Return what each question costs as things stand, float64[count]."""
        terms = [(self.compute[node], of) for node, of in enumerate(self._computed) if of]
        terms += [(self.load[output], of) for output, of in self.offers().items()]
        return self._sums(terms)

    def longer(self, node: int, offers: list[tuple[int, int]]) -> int:
        """Return the questions in which offers of a node together take longer than computing it."""
        if sum([self.load[output] for output, _ in offers]) <= self.compute[node]:
            return 0
        if len(offers) == 1:
            return offers[0][1]
        sums = self._sums([(self.load[output], of) for output, of in offers])
        return self._which(sums > self.compute[node])

    def further(self, first: int, of: int) -> Further:
        """Return what is computed and wanted besides, where a node is computed in some questions."""
        graph, wanted, computed, offered = self.graph, self._wanted, self._computed, self._offered
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
        return Further(more, besides)

    def pays(self, further: Further) -> int:
        """Return the questions in which computing more costs no more than what it saves."""
        graph, load, offered = self.graph, self.load, self._offered
        terms = []
        for node, of in further.computed.items():
            terms.append((self.compute[node], of))
            for output in graph.outputs[node]:
                spared = self._wanted[output] & offered[output] & of
                if spared:
                    terms.append((-load[output], spared))
        for output, of in further.wanted.items():
            node = graph.node_of[output]
            of &= offered[output] & ~(self._computed[node] | further.computed.get(node, 0))
            if of:
                terms.append((load[output], of))
        return self._which(self._sums(terms) <= 0)

    def take(self, further: Further, of: int) -> None:
        """Go on that way in some questions."""
        for node, more in further.computed.items():
            self._computed[node] |= more & of
        for output, more in further.wanted.items():
            self._wanted[output] |= more & of

    def new_nodes(self, further: Further) -> dict[int, int]:
        """Return the nodes that a way reaches anew; what is computed in any case comes for nothing."""
        new: dict[int, int] = {}
        for output, of in further.wanted.items():
            node = self.graph.node_of[output]
            of &= ~self._computed[node]
            if of:
                new[node] = new.get(node, 0) | of
        return new

    def offers_of(self, node: int, further: Further, of: int) -> list[tuple[int, int]]:
        """Return what a node would be loaded for in some questions, those on a way included."""
        found = []
        for output in self.graph.outputs[node]:
            wanted = self._wanted[output] | further.wanted.get(output, 0)
            if loads := wanted & self._offered[output] & of:
                found.append((output, loads))
        return found

    def double(self, of: int) -> int:
        """Add a copy of some questions, as far up as there were questions before; return how far that is."""
        width = self.count
        for masks in (self._offered, self._wanted, self._computed):
            for at, mask in enumerate(masks):
                if mask := mask & of:
                    masks[at] |= mask << width
        self.count = 2 * width
        return width

    def _sums(self, terms: list[tuple[float, int]]) -> Floats:
        """Return the sum of the terms of each question."""
        if not terms:
            return np.zeros(self.count)
        size = (self.count + 7) // 8
        amounts = np.array([amount for amount, _ in terms])
        raw = b"".join([of.to_bytes(size, "little") for _, of in terms])
        masks = np.frombuffer(raw, dtype=np.uint8).reshape(len(terms), size)
        held = np.unpackbits(masks, axis=1, count=self.count, bitorder="little")
        sums: Floats = amounts @ held.astype(np.float64)
        return sums

    def _which(self, flags: npt.NDArray[np.bool_]) -> int:
        """Return questions as the bits of an integer."""
        return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
