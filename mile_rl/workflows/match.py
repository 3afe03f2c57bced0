"""Which node of a new version is which node of the old one.

Nodes of the same name and operator are the same; the rest are paired by what they have in common, so that a
node keeps its name when its variable is renamed, a second use of its operator appears, or a constant that was
part of its name is edited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mile_rl.workflows.version import VersionNode


def match(old: Sequence[VersionNode], new: Sequence[VersionNode]) -> dict[str, str]:
    """Pair nodes of the same operator.

    Args:
        old: the nodes of the earlier version, in topological order.
        new: those of the later one.

    Returns:
        New name -> old name, for the nodes that have a counterpart.
    """
    old_by_name = {node.name: node for node in old}
    pairs = {
        node.name: node.name
        for node in new
        if node.name in old_by_name and old_by_name[node.name].operator == node.operator
    }
    if len(pairs) == len(new):
        return pairs
    free: dict[str, list[VersionNode]] = defaultdict(list)
    matched = set(pairs.values())
    for node in old:
        if node.name not in matched:
            free[node.operator].append(node)
    _pair_first_uses(new, old_by_name, free, pairs)
    for node in new:
        candidates = free[node.operator]
        if node.name in pairs or not candidates:
            continue
        best = max(candidates, key=lambda candidate: _likeness(candidate, node, pairs))
        candidates.remove(best)
        pairs[node.name] = best.name
    return pairs


def _pair_first_uses(
    new: Sequence[VersionNode],
    old_by_name: Mapping[str, VersionNode],
    free: Mapping[str, list[VersionNode]],
    pairs: dict[str, str],
) -> None:
    """Give the one old use of an operator to the new use that is most like it, not to the first in line."""
    rivals: dict[str, list[VersionNode]] = defaultdict(list)
    for node in new:
        if node.name not in pairs:
            rivals[node.operator].append(node)
    for operator, nodes in rivals.items():
        if len(free.get(operator, ())) == 1 and len(nodes) > 1:
            only = free[operator][0]
            best = max(nodes, key=lambda node: _likeness(only, node, pairs))
            pairs[best.name] = only.name
            free[operator].remove(only)


def _likeness(old: VersionNode, new: VersionNode, pairs: Mapping[str, str]) -> tuple[int, int, int]:
    same_target = int(bool(new.target) and old.target == new.target)
    parents = {(pairs.get(parent.node, parent.node), parent.name) for parent in new.parents}
    shared_parents = len(parents & {(parent.node, parent.name) for parent in old.parents})
    constants = sum(old.arguments.get(name, _ABSENT) == value for name, value in new.arguments.items())
    return (shared_parents + constants, same_target, -abs(len(old.arguments) - len(new.arguments)))


_ABSENT = object()
