"""The DAG that a workflow makes: nodes, their outputs and who takes what from whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mile_rl.workflows.edits import Stage
from mile_rl.workflows.file import files_in

if TYPE_CHECKING:
    import networkx as nx

    from mile_rl.workflows.operator import Operator

RESULT = "result"
"""The output name of an operator that yields one value."""


class Output(NamedTuple):
    """The address of one output in a DAG: which node yields it, and under which name."""

    node: str
    name: str = RESULT

    def __str__(self) -> str:
        return self.node if self.name == RESULT else f"{self.node}.{self.name}"


@dataclass(slots=True, kw_only=True)
class Node:
    """One use of an operator in a workflow.

    Args:
        name: stable and unique in its DAG.
        operator: what it calls.
        arguments: parameter name -> bound argument, in the order of the operator's signature, defaults not
            included. An argument is a constant or holds :class:`Output` leaves, alone or nested in lists,
            tuples and dicts. Variadic parameters stand under their own name: ``*rows`` as a tuple under
            "rows", ``**options`` as a dict under "options".
        parents: the distinct outputs that occur in ``arguments``, in order of first use.
        target: the name(s) of the variable that the call was assigned to, "" where there is none.
    """

    name: str
    operator: Operator[..., Any]
    arguments: dict[str, Any]
    parents: tuple[Output, ...]
    target: str = ""

    @property
    def stage(self) -> Stage:
        """What the operator is for."""
        return self.operator.stage

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs; ``(RESULT,)`` for an operator that yields one value."""
        return self.operator.outputs

    def files(self) -> Iterator[Path]:
        """Yield the declared files: those of the arguments, and of the operator's defaults."""
        yield from files_in(list(self.arguments.values()))
        for name, parameter in self.operator.signature.parameters.items():
            if name not in self.arguments:
                yield from files_in(parameter.default)


@dataclass(slots=False, kw_only=True)
class Dag:
    """A captured workflow. It is acyclic by construction: a node can only take outputs that exist already.

    Args:
        workflow: the workflow's name.
        nodes: name -> node, in topological order (the order of capture).
        result: what the workflow function returned: :class:`Output` leaves, alone or nested in lists,
            tuples and dicts (constants may stand between them).
        parameters: the workflow's own arguments of this call, name -> value, for people to read.
    """

    workflow: str
    nodes: Mapping[str, Node]
    result: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def requested(self) -> tuple[Output, ...]:
        """The distinct outputs that ``result`` holds, in order of first use."""
        return tuple(dict.fromkeys(leaves(self.result)))

    @cached_property
    def needed(self) -> frozenset[str]:
        """The names of the nodes that some requested output needs; the others are sliced away."""
        needed: set[str] = set()
        stack = [output.node for output in self.requested]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(parent.node for parent in self.nodes[name].parents)
        return frozenset(needed)

    @cached_property
    def children(self) -> Mapping[Output, tuple[str, ...]]:
        """Every output -> the nodes that take it, in topological order."""
        children: dict[Output, list[str]] = {
            Output(node.name, name): [] for node in self.nodes.values() for name in node.outputs
        }
        for node in self.nodes.values():
            for parent in node.parents:
                children[parent].append(node.name)
        return {output: tuple(names) for output, names in children.items()}

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The nodes as a networkx graph: node attribute ``stage``, edge attribute ``outputs``."""
        import networkx as nx

        graph = nx.DiGraph()
        for node in self.nodes.values():
            graph.add_node(node.name, stage=node.stage, operator=node.operator.name)
            for parent in node.parents:
                taken = (
                    graph.edges[parent.node, node.name]["outputs"]
                    if graph.has_edge(parent.node, node.name)
                    else ()
                )
                graph.add_edge(parent.node, node.name, outputs=(*taken, parent.name))
        return graph


def leaves(value: Any) -> Iterator[Output]:
    """Yield the outputs in ``value``: it alone, or those nested in lists, tuples and dicts."""
    if isinstance(value, Output):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)


def fill(value: Any, values: Mapping[Output, Any]) -> Any:
    """Return ``value`` with every output in it replaced by ``values[output]``; containers are rebuilt.

    Args:
        value: an argument of a node or the result of a DAG.
        values: what each output stands for.
    """
    if isinstance(value, Output):
        return values[value]
    if type(value) is list:
        return [fill(item, values) for item in value]
    if type(value) is tuple:
        return tuple(fill(item, values) for item in value)
    if type(value) is dict:
        return {key: fill(item, values) for key, item in value.items()}
    return value
