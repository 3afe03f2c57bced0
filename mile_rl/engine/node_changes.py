"""What became of each node between two recorded iterations: the difference of two versions, node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mile_rl.store.records import NodeRecord
from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import Edit, Stage

Change = Literal["added", "removed", "changed", "affected", "unchanged"]
"""``changed``: edited itself; ``affected``: not edited, but its result is another since an input's is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange:
    """One node of two versions.

    Args:
        name: its name in the later version (in the earlier one, if it was removed).
        operator: its operator's name, likewise.
        stage: what the operator is for.
        change: what became of it.
        edits: its own edits in words.
        parents: the outputs that it takes; those of a removed node by the names of the later version, where
            they are still there.
        takers: of a removed node, the nodes that took its outputs, likewise.
        before_ns: what computing or loading it took in the earlier iteration; None where it did neither.
        after_ns: likewise in the later one.
        before_state: "compute", "load", "prune", …; "" where it was not there.
        after_state: likewise.
    """

    name: str
    operator: str
    stage: Stage
    change: Change
    edits: tuple[str, ...] = ()
    parents: tuple[Output, ...] = ()
    takers: tuple[str, ...] = ()
    before_ns: int | None = None
    after_ns: int | None = None
    before_state: str = ""
    after_state: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the node as a JSON object; times are integers in nanoseconds."""
        return {
            "name": self.name,
            "operator": self.operator,
            "stage": self.stage,
            "change": self.change,
            "edits": list(self.edits),
            "parents": [str(parent) for parent in self.parents],
            "takers": list(self.takers),
            "before_ns": self.before_ns,
            "after_ns": self.after_ns,
            "before_state": self.before_state,
            "after_state": self.after_state,
        }


def node_changes(
    old: Sequence[NodeRecord], new: Sequence[NodeRecord], pairs: Mapping[str, str], edits: Sequence[Edit]
) -> tuple[NodeChange, ...]:
    """Return the nodes of both versions: the later one's in topological order, removed ones before their takers.

    Args:
        old: the nodes of the earlier iteration.
        new: those of the later one.
        pairs: new name -> old name, of those that are the same node; a replaced node is none of them.
        edits: what turns the earlier version into the later one.
    """
    words: dict[str, list[str]] = {}
    for edit in edits:
        if edit.kind != "remove":
            words.setdefault(edit.node, []).append(edit.words())
    before = {node.name: node for node in old}
    later = {old_name: new_name for new_name, old_name in pairs.items()}
    taken = {node.name for node in new}
    named = {
        node.name: later.get(node.name) or (f"{node.name} (removed)" if node.name in taken else node.name)
        for node in old
    }
    after = [
        _changed(node, before.get(pairs.get(node.name, "")), tuple(words.get(node.name, ()))) for node in new
    ]
    gone = [_removed(node, old, named) for node in old if node.name not in later]
    return tuple(_in_order(after, gone))


def _changed(node: NodeRecord, before: NodeRecord | None, words: tuple[str, ...]) -> NodeChange:
    change: Change
    if before is None:
        change = "added"
    elif words:
        change = "changed"
    else:
        change = "unchanged" if before.signature == node.signature else "affected"
    return NodeChange(
        name=node.name,
        operator=node.operator,
        stage=node.stage,
        change=change,
        edits=words,
        parents=tuple(Output(*parent) for parent in node.parents),
        before_ns=before.elapsed_ns if before else None,
        after_ns=node.elapsed_ns,
        before_state=before.state if before else "",
        after_state=node.state,
    )


def _removed(node: NodeRecord, old: Sequence[NodeRecord], named: Mapping[str, str]) -> NodeChange:
    return NodeChange(
        name=named[node.name],
        operator=node.operator,
        stage=node.stage,
        change="removed",
        parents=tuple(Output(named[parent], name) for parent, name in node.parents if parent in named),
        takers=tuple(
            named[other.name] for other in old if any(parent == node.name for parent, _ in other.parents)
        ),
        before_ns=node.elapsed_ns,
        before_state=node.state,
    )


def _in_order(after: Sequence[NodeChange], gone: Sequence[NodeChange]) -> list[NodeChange]:
    """Put each removed node right behind the last of its inputs, so that the order stays topological."""
    ordered = list(after)
    for node in gone:
        inputs = {parent.node for parent in node.parents}
        places = [place for place, other in enumerate(ordered) if other.name in inputs]
        ordered.insert(max(places) + 1 if places else 0, node)
    return ordered
