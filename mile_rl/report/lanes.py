"""The history as a graph of versions: a tree that branches where the person went back and changed something else.

Each version stands in a row, the newest first, in a lane; its parent is the version that it was edited from.
Running a version again adds to its row; going back to one and editing it starts a new lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mile_rl.store.records import Iteration


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version in the history.

    Args:
        version: its digest.
        iterations: its iterations, the first first.
        parent: the version it was edited from, "" for a first one.
        lane: its column, 0 at the left.
        passing: lanes of which a line runs past it, from the row above to the row below.
        joining: lanes that end here from above: a version was edited from this one, in another lane.
        above: whether a line runs from it upwards in its own lane.
        below: whether a line runs from it downwards, to its parent.
    """

    version: str
    iterations: tuple[Iteration, ...]
    parent: str
    lane: int
    passing: tuple[int, ...]
    joining: tuple[int, ...]
    above: bool
    below: bool


def version_rows(iterations: Sequence[Iteration]) -> list[Row]:
    """Return a row a version, the newest (by its first iteration) first.

    Args:
        iterations: of one workflow, in the order they ran.
    """
    by_id = {one.id: one for one in iterations}
    of_version: dict[str, list[Iteration]] = {}
    parent_of: dict[str, str] = {}
    for one in iterations:
        version = one.record.version
        if version not in of_version:
            before = by_id.get(one.record.parent) if one.record.parent is not None else None
            parent_of[version] = before.record.version if before else ""
        of_version.setdefault(version, []).append(one)
    rows: list[Row] = []
    waiting: list[str | None] = []  # a lane each: the version that its line leads down to
    for version in reversed(of_version):
        ends = [lane for lane, target in enumerate(waiting) if target == version]
        lane = ends[0] if ends else _free(waiting)
        for end in ends:
            waiting[end] = None
        passing = tuple(other for other, target in enumerate(waiting) if target is not None)
        parent = parent_of[version]
        if parent:
            waiting[lane] = parent
        rows.append(
            Row(
                version=version,
                iterations=tuple(of_version[version]),
                parent=parent,
                lane=lane,
                passing=passing,
                joining=tuple(ends[1:]),
                above=bool(ends),
                below=bool(parent),
            )
        )
    return rows


def _free(waiting: list[str | None]) -> int:
    """Return the leftmost lane without a line, a new one if there is none."""
    for lane, target in enumerate(waiting):
        if target is None:
            return lane
    waiting.append(None)
    return len(waiting) - 1
