"""A layered layout of a DAG, from top to bottom; pure Python, the same picture for the same graph.

Layers by longest path, a layer that is too full going on in the next one; the order inside layers by barycentre
sweeps that keep the fewest crossings; positions by isotonic regression: as close to the neighbours' mean as the
boxes beside leave room for. Long edges from one box run together until they part.

Source: Sugiyama, Tagawa & Toda, "Methods for Visual Understanding of Hierarchical System Structures" (1981).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
_ALIGNMENTS = 12
_BEND_WIDTH = 14.0
WIDE, NARROW = 1000.0, 330.0
"""How wide the boxes of a layer may be together, in pixels: what fits on a screen, and on a phone."""

_BEND_WEIGHT = 4.0
"""A place where a long edge passes a layer pulls harder than a box, so that long edges run straight."""

Bend = tuple[str, int]
"""A passing place: the source of the edges, and the layer."""

Item = str | Bend


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What has to be placed.

    Args:
        name: unique.
        width: in pixels.
    """

    name: str
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything stands, in pixels from the upper left corner.

    Args:
        layer: box -> its layer, 0 at the top.
        centre: box -> horizontal centre.
        bends: (source, target) -> the (layer, x) that the edge passes on its way, from above to below.
        width: of the whole.
        layers: how many there are.
    """

    layer: Mapping[str, int]
    centre: Mapping[str, float]
    bends: Mapping[tuple[str, str], tuple[tuple[int, float], ...]]
    width: float
    layers: int


def layered(
    boxes: Sequence[Box], edges: Sequence[tuple[str, str]], *, full: float = WIDE, gap: float = 18.0
) -> Layout:
    """Place boxes so that every edge runs downwards.

    Args:
        boxes: in topological order.
        edges: (source, target); an edge against that order is left out.
        full: how wide the boxes of a layer may be together, in pixels; a single one may be wider.
        gap: between two boxes of a layer.

    Returns:
        The layout; O(n²) in the number of boxes and bends a layer.
    """
    order = {box.name: place for place, box in enumerate(boxes)}
    kept = [edge for edge in dict.fromkeys(edges) if order[edge[0]] < order[edge[1]]]
    layer = _layers(boxes, kept, full, gap)
    count = max(layer.values(), default=-1) + 1
    rows: list[list[Item]] = [[] for _ in range(count)]
    for name in order:
        rows[layer[name]].append(name)
    links: dict[tuple[Item, Item], None] = {}
    for source, target in kept:
        before: Item = source
        for passed in range(layer[source] + 1, layer[target]):
            bend = (source, passed)
            if (before, bend) not in links:
                rows[passed].append(bend)
                links[before, bend] = None
            before = bend
        links[before, target] = None
    ups, downs = _neighbours(links)
    rows = _fewest_crossings(rows, ups, downs)
    widths: dict[Item, float] = {box.name: box.width for box in boxes}
    x = _positions(rows, ups, downs, widths, gap)
    left = min((x[item] - widths.get(item, _BEND_WIDTH) / 2 for row in rows for item in row), default=0.0)
    right = max((x[item] + widths.get(item, _BEND_WIDTH) / 2 for row in rows for item in row), default=0.0)
    return Layout(
        layer=layer,
        centre={name: x[name] - left for name in order},
        bends={
            (source, target): tuple(
                (passed, x[source, passed] - left) for passed in range(layer[source] + 1, layer[target])
            )
            for source, target in kept
        },
        width=right - left,
        layers=count,
    )


def _layers(
    boxes: Sequence[Box], edges: Sequence[tuple[str, str]], full: float, gap: float
) -> dict[str, int]:
    """Return each box's layer: below all its inputs, and not in a full one; sources right above a taker.

    Source: Coffman & Graham, "Optimal scheduling for two-processor systems" (1972), with topological order in
    place of their labels.
    """
    room = {box.name: box.width + gap for box in boxes}
    layer = dict.fromkeys(room, 0)
    taken: dict[int, float] = {}
    below: dict[str, list[str]] = {name: [] for name in room}
    has_input: set[str] = set()
    for source, target in edges:
        below[source].append(target)
        has_input.add(target)
    for name in room:
        while taken.get(layer[name], 0.0) and taken[layer[name]] + room[name] > full:
            layer[name] += 1
        taken[layer[name]] = taken.get(layer[name], 0.0) + room[name]
        for target in below[name]:
            layer[target] = max(layer[target], layer[name] + 1)
    for name in room:
        if name not in has_input and below[name]:
            lower = min(layer[target] for target in below[name]) - 1
            if taken.get(lower, 0.0) + room[name] <= full:
                taken[layer[name]] -= room[name]
                taken[lower] = taken.get(lower, 0.0) + room[name]
                layer[name] = lower
    used = {number: place for place, number in enumerate(sorted(set(layer.values())))}
    return {name: used[number] for name, number in layer.items()}


def _neighbours(links: Iterable[tuple[Item, Item]]) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    ups: dict[Item, list[Item]] = {}
    downs: dict[Item, list[Item]] = {}
    for above, below in links:
        ups.setdefault(below, []).append(above)
        downs.setdefault(above, []).append(below)
    return ups, downs


def _fewest_crossings(
    rows: list[list[Item]], ups: Mapping[Item, list[Item]], downs: Mapping[Item, list[Item]]
) -> list[list[Item]]:
    best, fewest = [list(row) for row in rows], _crossings(rows, downs)
    rows = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            fixed = rows[number - 1] if down else rows[number + 1]
            place = {item: position for position, item in enumerate(fixed)}
            towards = ups if down else downs
            own = {item: position for position, item in enumerate(rows[number])}
            rows[number].sort(key=lambda item: _mean([place[n] for n in towards.get(item, ())], own[item]))
        crossings = _crossings(rows, downs)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[Item]], downs: Mapping[Item, list[Item]]) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        place = {item: position for position, item in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = [place[below] for below in downs.get(item, ())]
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _positions(
    rows: Sequence[Sequence[Item]],
    ups: Mapping[Item, list[Item]],
    downs: Mapping[Item, list[Item]],
    widths: Mapping[Item, float],
    gap: float,
) -> dict[Item, float]:
    x: dict[Item, float] = {}
    starts: list[list[float]] = []
    for row in rows:
        at, offsets = 0.0, []
        for item in row:
            room = widths[item] + gap if item in widths else _BEND_WIDTH
            offsets.append(at + room / 2)
            at += room
        starts.append(offsets)
        x.update((item, offset - at / 2) for item, offset in zip(row, offsets))
    for sweep in range(_ALIGNMENTS):
        down = sweep % 2 == 0
        for number in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            row, offsets = rows[number], starts[number]
            wished = [_wish(item, x, ups, downs, down=down) for item in row]
            weights = [1.0 if isinstance(item, str) else _BEND_WEIGHT for item in row]
            shifts = _isotonic([wish - offset for wish, offset in zip(wished, offsets)], weights)
            x.update((item, shift + offset) for item, shift, offset in zip(row, shifts, offsets))
    return x


def _wish(
    item: Item,
    x: Mapping[Item, float],
    ups: Mapping[Item, list[Item]],
    downs: Mapping[Item, list[Item]],
    *,
    down: bool,
) -> float:
    first, second = (ups, downs) if down else (downs, ups)
    near = first.get(item) or second.get(item) or [item]
    return _mean([x[other] for other in near], x[item])


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the non-decreasing sequence that is closest in weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [value for value, _, count in pools for _ in range(count)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
