"""Edits between two versions, as far as the model's own view of them shows any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mile_rl.prediction.base import PastNode
from mile_rl.prediction.parameters import same
from mile_rl.workflows.edits import Edit, EditKind, Scalar


def differences(before: Sequence[PastNode], after: Sequence[PastNode]) -> Iterator[Edit]:
    """Yield the edits that the model's own view of two versions shows: no edits of code or data."""
    old = {node.name: node for node in before}
    for node in after:
        was = old.pop(node.name, None)
        if was is None:
            yield edit_of("add", node)
            continue
        if was.operator != node.operator:
            yield edit_of("replace", node, before=was.operator)
        for name in {**was.parameters, **node.parameters}:
            left, right = was.parameters.get(name), node.parameters.get(name)
            if not same(left, right):
                yield edit_of("parameter", node, parameter=name, old=left, new=right)
    for node in old.values():
        yield edit_of("remove", node)


def edit_of(
    kind: EditKind,
    node: PastNode,
    *,
    before: str | None = None,
    parameter: str | None = None,
    old: Scalar = None,
    new: Scalar = None,
) -> Edit:
    """Return an edit of a node."""
    return Edit(
        kind=kind,
        node=node.name,
        stage=node.stage,
        operator=node.operator or node.name,
        before=before,
        parameter=parameter,
        old=old,
        new=new,
    )
