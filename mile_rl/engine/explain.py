"""Why a node is computed, loaded or pruned now: down to the helper, constant, file or version that changed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mile_rl.engine.prepare import prepare
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.project import Project
from mile_rl.engine.report import State
from mile_rl.errors import WorkflowError
from mile_rl.policies.words import duration
from mile_rl.workflows.dag import Output
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.version import VersionNode

_CONSEQUENCES = ("parent", "volatile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a node is in the state that the plan gives it.

    Args:
        node: its name.
        state: "compute", "load" or "prune".
        changes: what changed in the node itself since the last iteration, in words.
        causes: ancestor -> what changed in it, in words, in topological order; only ancestors with changes.
        reasons: the explanation, a sentence each.
        parts: everything that the node's signature is made of, label -> digest or text.
    """

    node: str
    state: State
    changes: tuple[str, ...]
    causes: Mapping[str, tuple[str, ...]]
    reasons: tuple[str, ...]
    parts: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as a JSON object."""
        return {
            "node": self.node,
            "state": self.state,
            "changes": list(self.changes),
            "causes": {name: list(changes) for name, changes in self.causes.items()},
            "reasons": list(self.reasons),
            "parts": dict(self.parts),
        }

    def text(self) -> str:
        """Return the explanation in words."""
        lines = [f"{self.node}: {self.state}"]
        lines.extend(f"  {reason}" for reason in self.reasons)
        lines.append("what its result depends on:")
        lines.extend(f"  {label}  {value[:16]}" for label, value in self.parts.items())
        return "\n".join(lines)


def explain(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    node: str,
    *,
    project: Project,
) -> Explanation:
    """Explain a node of the next iteration; nothing is computed.

    Args:
        flow: the workflow.
        args: its positional arguments.
        kwargs: its keyword arguments.
        node: the node's name, or its operator's where it has one use.
        project: where its state lives, and its settings.

    Raises:
        WorkflowError: there is no such node.
        MileError: the workflow, an input, a setting or the store cannot be used as it is.
    """
    prepared = prepare(flow, args, kwargs, project=project)
    try:
        name = _find(prepared, node)
        compute, load = prepared.plan.compute, prepared.plan.load
        loads = [output for output in load if output.node == name]
        state: State = "load" if loads else "compute" if name in compute else "prune"
        old = _previous_nodes(prepared)
        changes = _changes(old.get(name), _described(prepared)[name])
        causes = _causes(prepared, name, old)
        match state:
            case "compute":
                reasons = _why_computed(prepared, name, changes, causes, old)
            case "load":
                reasons = _why_loaded(prepared, name, loads)
            case _:
                reasons = _why_pruned(prepared, name)
        reasons.extend(_decisions(prepared, name))
        return Explanation(
            node=name,
            state=state,
            changes=changes,
            causes=causes,
            reasons=tuple(reasons),
            parts=prepared.signatures[name].parts,
        )
    finally:
        prepared.close()


def _find(prepared: Prepared, node: str) -> str:
    names = prepared.layout.nodes
    if node in names:
        return node
    alike = [name for name in names if prepared.dag.nodes[name].operator.name == node]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise WorkflowError(f"operator {node} is used several times: {', '.join(alike)}; name one of these.")
    close = difflib.get_close_matches(node, names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names[:20])}."
    raise WorkflowError(f"workflow {prepared.workflow} has no needed node {node!r}. {hint}")


def _previous_nodes(prepared: Prepared) -> dict[str, VersionNode]:
    if prepared.previous is None:
        return {}
    from mile_rl.engine.versions import nodes_of

    return {node.name: node for node in nodes_of(prepared.catalog, prepared.previous)}


def _described(prepared: Prepared) -> dict[str, VersionNode]:
    from mile_rl.engine.versions import describe

    nodes = describe(prepared.dag, prepared.signatures, prepared.layout.nodes)
    return {node.name: node for node in nodes}


def _changes(old: VersionNode | None, new: VersionNode) -> tuple[str, ...]:
    if old is None:
        return ("the node is new",)
    changes = []
    for label in dict.fromkeys((*old.parts, *new.parts)):
        before, after = old.parts.get(label), new.parts.get(label)
        if before == after or label.split(" ", 1)[0] in _CONSEQUENCES:
            continue
        if before is None:
            changes.append(f"{label} is new")
        elif after is None:
            changes.append(f"{label} is gone")
        elif label.startswith("argument "):
            parameter = label.removeprefix("argument ")
            changes.append(
                f"{label} changed from {old.arguments.get(parameter, 'its default')!r} "
                f"to {new.arguments.get(parameter, 'its default')!r}"
            )
        elif label.startswith(("package ", "python")):
            changes.append(f"{label} changed from {before} to {after}")
        else:
            changes.append(f"{label} changed")
    if not changes and old.parents != new.parents:
        changes.append(
            f"it takes {', '.join(map(str, new.parents)) or 'nothing'} "
            f"instead of {', '.join(map(str, old.parents)) or 'nothing'}"
        )
    return tuple(changes)


def _causes(prepared: Prepared, name: str, old: Mapping[str, VersionNode]) -> dict[str, tuple[str, ...]]:
    ancestors: set[str] = set()
    stack = [name]
    while stack:
        for parent in prepared.dag.nodes[stack.pop()].parents:
            if parent.node not in ancestors:
                ancestors.add(parent.node)
                stack.append(parent.node)
    described = _described(prepared)
    found = {}
    for ancestor in prepared.layout.nodes:
        if ancestor in ancestors and (changes := _changes(old.get(ancestor), described[ancestor])):
            found[ancestor] = changes
    return found


def _why_computed(
    prepared: Prepared,
    name: str,
    changes: tuple[str, ...],
    causes: Mapping[str, tuple[str, ...]],
    old: Mapping[str, VersionNode],
) -> list[str]:
    if name in prepared.volatile:
        return [f"it is {prepared.volatile[name]}, so it is computed in every iteration."]
    if prepared.previous is None:
        return ["this is the first iteration."]
    reasons = [f"{change}." for change in changes]
    for ancestor, why in causes.items():
        reasons.append(f"it depends on {ancestor}, where {'; '.join(why)}.")
    outputs = prepared.dag.nodes[name].outputs
    signature = prepared.signatures[name]
    kept = [output for output in outputs if signature.outputs[output] in prepared.artifacts]
    if kept:
        reasons.append(
            f"its artifact is kept, but computing it ({duration(_compute_ns(prepared, name))}) is no slower "
            "than loading it."
        )
    elif not reasons:
        reasons.append("nothing that it depends on has changed, but its result is not in the store.")
    return reasons


def _decisions(prepared: Prepared, name: str) -> list[str]:
    """Return what was last decided about a node's results: kept or let go, and the policy's reason."""
    signatures = prepared.signatures[name].outputs
    decisions = prepared.catalog.decisions_on(signatures.values())
    told = []
    for output, signature in signatures.items():
        if signature in decisions:
            number, kept, reason = decisions[signature]
            what = f"was {'kept' if kept else 'not kept'} in iteration {number}"
            if kept and signature not in prepared.artifacts:
                what += " and let go since; then it counted"
            told.append(f"{Output(name, output)} {what}: {reason}.")
    return told


def _why_loaded(prepared: Prepared, name: str, loads: list[Output]) -> list[str]:
    layout = prepared.layout
    load_ns = sum(int(layout.load_ns[layout.output_at[output]]) for output in loads)
    recreation_ns = max(layout.recreation_ns(output) for output in loads)
    return [
        "nothing that it depends on has changed since its result was kept.",
        f"loading it takes {duration(load_ns)}, making it again {duration(recreation_ns)}.",
    ]


def _why_pruned(prepared: Prepared, name: str) -> list[str]:
    takers = [
        child
        for output, children in prepared.dag.children.items()
        if output.node == name
        for child in children
        if child in prepared.layout.node_at
    ]
    if not takers:
        return ["nothing needs it."]
    return [f"what takes its result ({', '.join(takers)}) is loaded or pruned, so it is not needed."]


def _compute_ns(prepared: Prepared, name: str) -> int:
    return int(prepared.layout.compute_ns[prepared.layout.node_at[name]])
