"""The rows of the catalog as the rest of MILE-RL sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mile_rl.workflows.edits import Edit, Stage

Status = Literal["ok", "failed", "interrupted"]
State = Literal["compute", "load", "prune", "failed", "skipped"]
Scope = Literal["signature", "node", "operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactMeta:
    """What the engine knows about an output when it asks the store to keep it.

    Args:
        workflow: name of the workflow.
        node: name of the node.
        output: name of the output.
        operator: name of the node's operator.
        stage: what the operator is for.
        code: digest of the operator's code, "" where unknown.
        recreation_ns: time to get the value back without the artifact.
    """

    workflow: str
    node: str
    output: str
    operator: str
    stage: Stage
    code: str = ""
    recreation_ns: int = 0

    def __post_init__(self) -> None:
        if self.recreation_ns < 0:
            raise ValueError(f"recreation_ns is {self.recreation_ns}, must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A kept intermediate.

    Args:
        signature: of the output.
        content: digest of the file's bytes (also the file's name and checksum).
        suffix: of the file.
        size_bytes: of the file; artifacts of equal content share one.
        codec: name of the codec that wrote it.
        codec_version: that codec's format.
        meta: whose output it is.
        created_ns: wall clock.
        last_used: the last iteration that kept or loaded it, None if none was recorded yet.
        loads: how often recorded iterations loaded it.
        load_ns: how long the last load took, None if it was never loaded.
    """

    signature: str
    content: str
    suffix: str
    size_bytes: int
    codec: str
    codec_version: int
    meta: ArtifactMeta
    created_ns: int
    last_used: int | None = None
    loads: int = 0
    load_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node of one iteration.

    Args:
        name: unique in its workflow.
        operator: name of the operator.
        stage: what the operator is for.
        state: what the iteration did with it.
        signature: of the node.
        base_signature: the signature without hidden files, by which those are found.
        parents: parameter or position -> output, as JSON; for people and for redrawing the DAG.
        arguments: parameter -> value as text.
        target: the variable it was assigned to.
        parts: what the signature was made of, name -> digest; equal signatures have equal parts.
        elapsed_ns: compute or load time, None where neither took place.
        size_bytes: its outputs together, None where unknown.
        code: digest of the operator's code.
    """

    name: str
    operator: str
    stage: Stage
    state: State
    signature: str
    base_signature: str = ""
    parents: Any = field(default_factory=list)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    parts: Any = field(default_factory=dict)
    elapsed_ns: int | None = None
    size_bytes: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRecord:
    """One output of one iteration, and what was decided about it.

    Args:
        node: the node that yields it.
        name: of the output.
        signature: of the output.
        size_bytes: as a file, None where it was never written.
        load_ns: how long it took to load, None where it was not loaded.
        write_ns: how long it took to write, None where it was not written.
        kept: whether it is in the store after the iteration.
        reason: why, in words.
    """

    node: str
    name: str
    signature: str
    size_bytes: int | None = None
    load_ns: int | None = None
    write_ns: int | None = None
    kept: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationRecord:
    """One iteration, as the engine hands it over.

    Args:
        workflow: its name.
        version: digest of the DAG with its signatures, lower-case hexadecimal.
        parent: id of the iteration before it in its history.
        started_ns: wall clock, since the epoch.
        waited_ns: how long the person waited.
        everything_ns: how long computing everything would have taken, as estimated.
        status: how it ended.
        parameters: the workflow's arguments, JSON values.
        edits: against the parent.
        change_class: one word for them.
        metrics: name -> number.
        policy: name of the policy in force.
        python: version.
        mile: version of MILE-RL.
        source: the file of the workflow, for people.
        nodes: in topological order.
        outputs: what became of every output.
    """

    workflow: str
    version: str
    started_ns: int
    waited_ns: int
    parent: int | None = None
    everything_ns: int | None = None
    status: Status = "ok"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    change_class: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    policy: str = ""
    python: str = ""
    mile: str = ""
    source: str = ""
    nodes: tuple[NodeRecord, ...] = ()
    outputs: tuple[OutputRecord, ...] = ()

    def __post_init__(self) -> None:
        if self.waited_ns < 0:
            raise ValueError(f"waited_ns is {self.waited_ns}, must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """A recorded iteration: its id, the record without nodes and outputs, and counts of states."""

    id: int
    record: IterationRecord
    computed: int
    loaded: int
    pruned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What computing a node cost when it was last computed.

    Args:
        elapsed_ns: compute time.
        size_bytes: its outputs together, None where unknown.
        iteration: when.
        scope: whether that was this very signature, a node of this name, or any node of this operator (then
            the mean over the last iteration that had one).
    """

    elapsed_ns: int
    size_bytes: int | None
    iteration: int
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Raw numbers of one codec in one direction ("load" or "write") on this store."""

    codec: str
    direction: Literal["load", "write"]
    latency_ns: int
    bytes_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFlags:
    """What was observed about an operator's code."""

    code: str
    mutates_inputs: bool = False
    uses_global_random: bool = False
