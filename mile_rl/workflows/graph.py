"""Digests of the items of a reference graph, cycles included, wherever one starts to walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mile_rl.workflows.digest import combine


class Referring(Protocol):
    """An item: what it is by itself, and what it refers to."""

    local: bytes
    refs: list[int]


def finish(items: Sequence[Referring], root: int, finals: dict[int, bytes]) -> bytes:
    """Return the final digest of an item: of it and of all that it reaches.

    It depends only on what can be seen by following references from the item, so it is the same from
    wherever a walk starts. Tarjan's algorithm finds the cycles, without recursion; O(items + references).

    Args:
        items: all of them; ``refs`` are positions in here, their order counts.
        root: the position of the item.
        finals: position -> final digest, as far as known; the ones found are added.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: list[int] = []
    is_open: set[int] = set()
    work: list[tuple[int, int]] = [(root, 0)] if root not in finals else []
    while work:
        at, step = work.pop()
        if at not in order:
            order[at] = low[at] = len(order)
            open_.append(at)
            is_open.add(at)
        refs = items[at].refs
        while step < len(refs):
            ref = refs[step]
            if ref not in finals and ref not in order:
                work += [(at, step), (ref, 0)]
                break
            if ref in is_open:
                low[at] = min(low[at], low[ref])
            step += 1
        else:
            if low[at] == order[at]:
                _close(items, at, open_, is_open, finals)
    return finals[root]


def _close(
    items: Sequence[Referring], first: int, open_: list[int], is_open: set[int], finals: dict[int, bytes]
) -> None:
    """Take a component off the stack and give its items their digests."""
    members = []
    while True:
        member = open_.pop()
        is_open.discard(member)
        members.append(member)
        if member == first:
            break
    if len(members) == 1 and first not in items[first].refs:
        finals[first] = combine("item", items[first].local, *(finals[ref] for ref in items[first].refs))
        return
    # Colour refinement: items of one colour cannot be told apart by following references.
    inside = set(members)
    colours = {member: items[member].local for member in members}
    count = 0
    while True:
        colours = {
            member: combine(
                "colour",
                items[member].local,
                *(b"i" + colours[ref] if ref in inside else b"o" + finals[ref] for ref in items[member].refs),
            )
            for member in members
        }
        if len(set(colours.values())) == count:
            break
        count = len(set(colours.values()))
    cycle = combine("cycle", *sorted(set(colours.values())))
    for member in members:
        finals[member] = combine("member", cycle, colours[member])
