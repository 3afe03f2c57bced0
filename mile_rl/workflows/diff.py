"""The edits between two versions of a workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import Edit, EditKind, Scalar
from mile_rl.workflows.match import match
from mile_rl.workflows.version import CLASS, VersionNode

_KIND_OF_PART: dict[str, EditKind] = {
    "argument": "parameter",
    "default": "parameter",
    "file": "data",
    "hidden": "data",
    "package": "environment",
    "python": "environment",
    "environment": "environment",
    "format": "environment",
}
"""First word of a part's label -> kind of edit; any other part is code."""

_CONSEQUENCES = ("parent", "volatile")


def diff(old: Sequence[VersionNode], new: Sequence[VersionNode]) -> tuple[Edit, ...]:
    """Return what a person changed between two versions, node by node in topological order.

    A node whose inputs changed is no edit; the change that they came from is.

    Args:
        old: the needed nodes of the earlier version.
        new: those of the later one.
    """
    pairs = match(old, new)
    by_name = {node.name: node for node in old}
    kept = set(pairs.values())
    gone = [node for node in old if node.name not in kept]
    takers_before, takers_after = _takers(old), _takers(new)
    edits: list[Edit] = []
    for node in new:
        if node.name in pairs:
            before = by_name[pairs[node.name]]
            if before.parts != node.parts or before.parents != node.parents:
                edits.extend(_own_edits(before, node, pairs, gone))
            continue
        replaced = _replaced_by(node, gone, pairs, takers_before, takers_after)
        if replaced is None:
            edits.append(Edit(kind="add", node=node.name, stage=node.stage, operator=node.operator))
            continue
        gone.remove(replaced)
        pairs[node.name] = replaced.name
        edits.append(
            Edit(
                kind="replace",
                node=node.name,
                stage=node.stage,
                operator=node.operator,
                before=replaced.operator,
            )
        )
    edits.extend(
        Edit(kind="remove", node=node.name, stage=node.stage, operator=node.operator) for node in gone
    )
    return tuple(edits)


def kind_of_part(label: str) -> EditKind | None:
    """Return the kind of edit that a change of a part of a signature is, None for a mere consequence of one.

    Args:
        label: the part's, as ``VersionNode.parts`` has it.
    """
    word = label.split(" ", 1)[0]
    return None if word in _CONSEQUENCES else _KIND_OF_PART.get(word, "code")


def _own_edits(
    before: VersionNode, after: VersionNode, pairs: Mapping[str, str], gone: Sequence[VersionNode]
) -> list[Edit]:
    changed = [
        label
        for label in dict.fromkeys((*before.parts, *after.parts))
        if before.parts.get(label) != after.parts.get(label) and kind_of_part(label)
    ]
    edits = []
    details: dict[EditKind, list[str]] = {}
    same_inputs = before.parents == tuple(
        Output(pairs.get(parent.node, ""), parent.name) for parent in after.parents
    )
    made_before, made_after = before.arguments.get(CLASS), after.arguments.get(CLASS)
    if made_before != made_after:
        # Another class has other parameters: that is one edit.
        return [_replaced_class(after, str(made_before), str(made_after))]
    for label in changed:
        kind = kind_of_part(label) or "code"
        name = label.partition(" ")[2]
        if kind == "parameter":
            if not same_inputs and (_is_wiring(name, before) or _is_wiring(name, after)):
                continue
            old, new = _scalar(before.arguments.get(name)), _scalar(after.arguments.get(name))
            edits.append(_edit("parameter", after, parameter=name, old=old, new=new))
        else:
            details.setdefault(kind, []).append(_detail(label, before, after))
    for kind, words in details.items():
        edits.append(_edit(kind, after, detail=", ".join(words)))
    if not edits:
        edits.extend(_rewired(before, after, pairs, gone))
    return edits


def _replaced_class(node: VersionNode, before: str, after: str) -> Edit:
    return Edit(kind="replace", node=node.name, stage=node.stage, operator=after, before=before)


def _is_wiring(parameter: str, node: VersionNode) -> bool:
    """Tell whether an argument is a list or dict of other nodes' outputs rather than a value of its own."""
    value = node.arguments.get(parameter)
    return isinstance(value, str) and any(str(parent) in value for parent in node.parents)


def _rewired(
    before: VersionNode, after: VersionNode, pairs: Mapping[str, str], gone: Sequence[VersionNode]
) -> Iterable[Edit]:
    """Yield an edit a parameter that now takes another output, where no added or removed node explains it."""
    if any(parent.node not in pairs for parent in after.parents) or any(
        parent.node == node.name for parent in before.parents for node in gone
    ):
        return
    renamed = tuple(Output(pairs[parent.node], parent.name) for parent in after.parents)
    if renamed == before.parents:
        return
    for name, value in after.arguments.items():
        old = before.arguments.get(name)
        if old != value:
            yield _edit("parameter", after, parameter=name, old=_scalar(old), new=_scalar(value))


def _replaced_by(
    node: VersionNode,
    gone: Sequence[VersionNode],
    pairs: Mapping[str, str],
    takers_before: Mapping[str, set[str]],
    takers_after: Mapping[str, set[str]],
) -> VersionNode | None:
    """Return the removed node in whose place ``node`` stands: same stage, same inputs or same takers."""
    inputs = {pairs.get(parent.node) for parent in node.parents}
    takers = {pairs.get(child) for child in takers_after.get(node.name, ())}
    best: tuple[int, VersionNode] | None = None
    for candidate in gone:
        if candidate.stage != node.stage:
            continue
        shared = len(inputs & {parent.node for parent in candidate.parents})
        shared += len(takers & takers_before.get(candidate.name, set()))
        alone = not inputs and not candidate.parents
        if (shared or alone) and (best is None or shared > best[0]):
            best = (shared, candidate)
    return best[1] if best else None


def _takers(nodes: Sequence[VersionNode]) -> dict[str, set[str]]:
    takers: dict[str, set[str]] = {}
    for node in nodes:
        for parent in node.parents:
            takers.setdefault(parent.node, set()).add(node.name)
    return takers


def _edit(kind: EditKind, node: VersionNode, **values: object) -> Edit:
    return Edit(kind=kind, node=node.name, stage=node.stage, operator=node.operator, **values)  # type: ignore[arg-type]


def _detail(label: str, before: VersionNode, after: VersionNode) -> str:
    old, new = before.parts.get(label), after.parts.get(label)
    if old is None:
        return f"{label} is new"
    if new is None:
        return f"{label} is gone"
    if label.startswith(("package ", "python")):
        return f"{label} {old} -> {new}"
    return label


def _scalar(value: object) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
