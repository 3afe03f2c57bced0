"""Synthetic histories of which the true effects are known."""

from dataclasses import dataclass

from mile_rl.store.records import Iteration, IterationRecord
from mile_rl.workflows.edits import Edit
from mile_rl.workflows.version import VersionNode


@dataclass
class Made:
    """A history under construction: a state, and what each version scores."""

    score: object
    metric: str = "accuracy"

    def __post_init__(self):
        self.iterations, self.nodes, self.before = [], {}, None

    def run(self, nodes, edits=(), **values):
        """Record an iteration of a version that is made of ``nodes``."""
        digest = f"{abs(hash(repr([(n.name, n.operator, n.arguments, n.parts) for n in nodes]))):032x}"[:32]
        identity = len(self.iterations) + 1
        record = IterationRecord(
            workflow="made",
            version=digest,
            started_ns=identity * 10**9,
            waited_ns=10**9,
            parent=self.before,
            metrics={self.metric: self.score(nodes)} if self.score else values,
            edits=tuple(edits),
            change_class="H",
        )
        one = Iteration(id=identity, record=record, computed=len(nodes), loaded=0, pruned=0)
        self.iterations.append(one)
        self.nodes[identity] = tuple(nodes)
        self.before = identity
        return one

    def nodes_of(self, iteration):
        return self.nodes[iteration.id]


def node(name, operator=None, stage="learn", parents=(), parts=None, **arguments):
    """A node with constant arguments; every argument is part of its signature."""
    told = {f"argument {key}": repr(value) for key, value in arguments.items()}
    return VersionNode(
        name=name,
        operator=operator or name,
        stage=stage,
        parents=tuple(parents),
        arguments=arguments,
        parts={f"operator {operator or name}": "1"} | told | (parts or {}),
    )


def parameter(nodes, name, key):
    """The value of a parameter in a version, None where the node is not there."""
    return next((one.arguments[key] for one in nodes if one.name == name), None)


def replaced(new, old, stage="learn"):
    """The edit that puts one operator in another's place."""
    return Edit(kind="replace", node=new, stage=stage, operator=new, before=old)
