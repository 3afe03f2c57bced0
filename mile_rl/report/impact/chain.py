"""The shortest chain of versions that explains a gap: from one version to another, one change at a time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mile_rl.report.impact.states import Factor, Version, differing


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A step of a chain.

    Args:
        before: the digest of the version before it.
        after: of the one after it.
        changes: what changed, in words; several where no version that ran lies between.
        gain: what the metric did in this step; the gains of a chain add up to the gap.
    """

    before: str
    after: str
    changes: tuple[str, ...]
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A way from one version to another through versions that ran.

    Args:
        start: the metric at its beginning.
        end: the metric at its end.
        links: its steps, in order; empty where both are one version.
    """

    start: float
    end: float
    links: tuple[Link, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the chain as a JSON object."""
        return {
            "start": self.start,
            "end": self.end,
            "gap": self.end - self.start,
            "links": [
                {"before": one.before, "after": one.after, "changes": list(one.changes), "gain": one.gain}
                for one in self.links
            ],
        }


def shortest_chain(
    versions: Sequence[Version], scores: Sequence[float], factors: Sequence[Factor], start: int, end: int
) -> Chain:
    """Return the chain whose steps change as little as possible each, and of these the shortest.

    A step may lead between any two versions that ran, whether or not one was edited from the other, and costs
    the square of the number of changes it makes: two single changes are better than a double one, and a detour
    is taken only if it tells changes apart.

    Args:
        versions: all that ran, with a known metric.
        scores: their metric.
        factors: what they differ in.
        start: the index of the first version.
        end: that of the last.

    Returns:
        The chain; O(versions² × factors). Source: Dijkstra, "A Note on Two Problems in Connexion with
        Graphs" (1959).
    """
    cost: dict[int, int] = {start: 0}
    before: dict[int, int] = {}
    done: set[int] = set()
    queue = [(0, start)]
    while queue and end not in done:
        spent, here = heapq.heappop(queue)
        if here in done:
            continue
        done.add(here)
        for there in range(len(versions)):
            if there in done:
                continue
            step = max(1, len(differing(factors, here, there))) ** 2
            if spent + step < cost.get(there, 1 << 60):
                cost[there] = spent + step
                before[there] = here
                heapq.heappush(queue, (spent + step, there))
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    path.reverse()
    links = tuple(
        Link(
            before=versions[one].digest,
            after=versions[other].digest,
            changes=tuple(
                factors[index].words(factors[index].at[one], factors[index].at[other])
                for index in differing(factors, one, other)
            )
            or ("something that is no factor by itself",),
            gain=scores[other] - scores[one],
        )
        for one, other in pairwise(path)
    )
    return Chain(start=scores[start], end=scores[end], links=links)
