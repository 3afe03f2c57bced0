"""What an iteration (or a plan of one) tells: frozen data that goes to JSON, to text and to the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import ChangeClass, Edit, Stage

State = Literal["compute", "load", "prune", "failed", "skipped"]
"""What became of a node; ``skipped``: the iteration ended before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReport:
    """What became of one output.

    Args:
        name: its address ("split.train").
        signature: its digest.
        size_bytes: its size as an artifact (or in memory, where it is none); None where not known.
        kept: whether it is in the store now.
        reason: why it is kept or not, in words; "" where there was nothing to decide.
    """

    name: str
    signature: str
    size_bytes: int | None = None
    kept: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What became of one node.

    Args:
        name: its name.
        operator: its operator's name.
        stage: what the operator is for.
        state: whether it was computed, loaded or pruned.
        signature: its digest.
        expected_ns: the planned time of computing or loading it; 0 for a pruned node.
        elapsed_ns: the time it took; None where it did not run (yet).
        outputs: its outputs.
        parents: the outputs that it takes, in order of first use.
    """

    name: str
    operator: str
    stage: Stage
    state: State
    signature: str
    expected_ns: int
    elapsed_ns: int | None = None
    outputs: tuple[OutputReport, ...] = ()
    parents: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A plan, or an iteration that has run.

    Args:
        workflow: the workflow's name.
        version: the version's digest (hex).
        iteration: its number in the catalog; None for a plan.
        previous: the number of the iteration that the edits are against; None for a first one.
        edits: what changed since then.
        change_class: the edits in one word.
        returned_to: the number of an earlier iteration of the same version, if the person went back.
        nodes: the needed nodes in topological order.
        waited_ns: how long the person waited (for a plan: the expected time).
        everything_ns: what computing everything would have taken.
        policy: the policy that decided what to keep.
        status: "planned", "ok", "failed" or "interrupted".
        parameters: the workflow's arguments as text.
        metrics: numbers among the outputs, by name.
        notes: warnings, one line each.
    """

    workflow: str
    version: str
    iteration: int | None
    previous: int | None
    edits: tuple[Edit, ...]
    change_class: ChangeClass
    returned_to: int | None = None
    nodes: tuple[NodeReport, ...]
    waited_ns: int
    everything_ns: int
    policy: str
    status: Literal["planned", "ok", "failed", "interrupted"]
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object; times are integers in nanoseconds."""
        return {
            "workflow": self.workflow,
            "version": self.version,
            "iteration": self.iteration,
            "previous": self.previous,
            "edits": [{**edit.to_json(), "words": edit.words()} for edit in self.edits],
            "change_class": self.change_class.name.lower(),
            "returned_to": self.returned_to,
            "status": self.status,
            "policy": self.policy,
            "parameters": dict(self.parameters),
            "waited_ns": self.waited_ns,
            "everything_ns": self.everything_ns,
            "nodes": [_node_json(node) for node in self.nodes],
            "metrics": dict(self.metrics),
            "notes": list(self.notes),
        }


def _node_json(node: NodeReport) -> dict[str, Any]:
    return {
        "name": node.name,
        "operator": node.operator,
        "stage": node.stage,
        "state": node.state,
        "signature": node.signature,
        "expected_ns": node.expected_ns,
        "elapsed_ns": node.elapsed_ns,
        "parents": [str(parent) for parent in node.parents],
        "outputs": [
            {
                "name": output.name,
                "signature": output.signature,
                "size_bytes": output.size_bytes,
                "kept": output.kept,
                "reason": output.reason,
            }
            for output in node.outputs
        ],
    }
