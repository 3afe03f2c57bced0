"""Versions of a workflow: their digest, their nodes for the catalog, and names carried from one to the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration, NodeRecord
from mile_rl.workflows.dag import Dag, Node, Output, fill, leaves
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.match import match
from mile_rl.workflows.sign import NodeSignature
from mile_rl.workflows.version import VersionNode

_LONGEST_TEXT = 200

WHAT_IF = " (what-if)"
"""Behind a workflow's name: what `mile try` ran of it, which is no part of the person's own history."""

CROSS_VALIDATION = "cross-validation"
"""What the history of the searches and cross-validations that a file calls is named."""


def as_run(key: str) -> str:
    """Return the key of a workflow of which ``mile try`` ran a what-if; of any other, its own."""
    if not key.endswith(WHAT_IF):
        return key
    file, _, name = key.removesuffix(WHAT_IF).rpartition(":")
    return name if file in ("", f"{name}.py") else f"{file}:{name}"


def workflow_key(flow: Flow[..., Any], root: Path) -> str:
    """Return what a workflow is called in its project's catalog: its name, and its file where these differ.

    A script that runs as ``__main__`` has the key that it has when it is imported; a notebook has no file.
    """
    source = flow.function.__globals__.get("__file__")
    if not source:
        return flow.name
    path, within = os.path.realpath(source), os.path.join(root, "")
    relative = path.removeprefix(within) if path.startswith(within) else os.path.basename(path)
    return flow.name if relative == f"{flow.name}.py" else f"{relative}:{flow.name}"


def version_digest(dag: Dag, signatures: Mapping[str, NodeSignature], needed: Sequence[str]) -> str:
    """Return the digest (hex) of a version: what is returned, and the signatures it depends on.

    A volatile node's signature is new in every iteration; here it counts by what it is made of.
    """
    steady: dict[str, str] = {}
    if any(dag.nodes[name].operator.volatile for name in needed):
        for name in needed:
            own = own_digest(signatures[name].parts)
            parents = [f"{steady[parent.node]}.{parent.name}" for parent in dag.nodes[name].parents]
            steady[name] = _digest("\n".join([own, *parents]))
    else:
        steady = {name: signatures[name].digest for name in needed}
    result = fill(dag.result, {output: f"{steady[output.node]}.{output.name}" for output in dag.requested})
    return _digest(repr(result))


def describe(
    dag: Dag, signatures: Mapping[str, NodeSignature] | None, names: Sequence[str]
) -> tuple[VersionNode, ...]:
    """Return nodes as the catalog remembers them."""
    return tuple(
        VersionNode(
            name=name,
            operator=dag.nodes[name].operator.name,
            stage=dag.nodes[name].stage,
            parents=dag.nodes[name].parents,
            arguments=_arguments(dag.nodes[name]),
            parts=signatures[name].parts if signatures is not None else {},
            target=dag.nodes[name].target,
        )
        for name in names
    )


def _arguments(node: Node) -> dict[str, Any]:
    """Return a node's arguments for people; a default counts like an argument, so it is told like one."""
    told: dict[str, Any] = {}
    for name, parameter in node.operator.signature.parameters.items():
        if name in node.arguments:
            told[name] = _for_people(node.arguments[name])
        elif parameter.default is not parameter.empty:
            told[name] = _for_people(parameter.default)
    return told


def nodes_of(catalog: Catalog, iteration: Iteration | None) -> tuple[VersionNode, ...]:
    """Return the nodes of a recorded iteration."""
    if iteration is None:
        return ()
    return tuple(map(node_of, catalog.nodes_of(iteration.id)))


def node_of(node: NodeRecord) -> VersionNode:
    """Return a recorded node as one of a version."""
    return VersionNode(
        name=node.name,
        operator=node.operator,
        stage=node.stage,
        parents=tuple(Output(*parent) for parent in node.parents),
        arguments=node.arguments,
        parts=node.parts,
        target=node.target,
    )


def with_old_names(dag: Dag, catalog: Catalog, previous: Iteration | None) -> Dag:
    """Return the DAG with the names that its nodes had in an earlier version, as far as they had any."""
    if previous is None:
        return dag
    before = dict(catalog.names_of(previous.id))
    if all(before.get(name) == node.operator.name for name, node in dag.nodes.items()):
        return dag
    pairs = match(nodes_of(catalog, previous), describe(dag, None, tuple(dag.nodes)))
    names: dict[str, str] = {}
    taken = set(pairs.values())
    for name in dag.nodes:
        new = pairs.get(name, name)
        if name not in pairs:
            number = 2
            while new in taken:
                new, number = f"{name}#{number}", number + 1
            taken.add(new)
        names[name] = new
    if all(old_name == new_name for old_name, new_name in names.items()):
        return dag
    return _renamed(dag, names)


def own_digest(parts: Mapping[str, str]) -> str:
    """Return the digest of a node by itself: its operator's code and its arguments, not its inputs."""
    return _digest_of(parts, ("parent", "volatile"))


def code_digest(parts: Mapping[str, str]) -> str:
    """Return the digest of a node's operator's code, whatever it is called with."""
    return _digest_of(parts, ("parent", "volatile", "argument", "default", "file", "hidden"))


def _digest_of(parts: Mapping[str, str], left_out: tuple[str, ...]) -> str:
    lines = (f"{label}={value}" for label, value in parts.items() if label.split(" ", 1)[0] not in left_out)
    return _digest("\n".join(sorted(lines)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _renamed(dag: Dag, names: Mapping[str, str]) -> Dag:
    addresses = {
        Output(node.name, output): Output(names[node.name], output)
        for node in dag.nodes.values()
        for output in node.outputs
    }
    nodes: dict[str, Node] = {}
    for node in dag.nodes.values():
        nodes[names[node.name]] = replace(
            node,
            name=names[node.name],
            arguments={key: fill(value, addresses) for key, value in node.arguments.items()},
            parents=tuple(addresses[parent] for parent in node.parents),
        )
    return Dag(
        workflow=dag.workflow, nodes=nodes, result=fill(dag.result, addresses), parameters=dag.parameters
    )


def _for_people(value: Any) -> Any:
    """Return an argument as a JSON scalar or a short text."""
    if isinstance(value, Output):
        return str(value)
    if isinstance(value, File):
        return value.written
    if isinstance(value, type):
        return value.__qualname__
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, str) else value[:_LONGEST_TEXT]
    if isinstance(value, list | tuple | dict) and any(leaves(value)):
        value = fill(value, _Addresses())
    return repr(value)[:_LONGEST_TEXT]


class _Addresses(dict[Output, Any]):
    """Maps every output to its own address."""

    def __missing__(self, output: Output) -> Any:
        return _Bare(str(output))


class _Bare(str):
    """A text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
