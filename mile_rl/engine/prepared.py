"""An iteration that is planned: what the rest of the engine goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mile_rl.engine import versions
from mile_rl.engine.layout import Choice, Layout
from mile_rl.engine.opening import Opening
from mile_rl.engine.project import Project
from mile_rl.planner import Costs
from mile_rl.policies.base import Candidate, Kept
from mile_rl.policies.guard import Guard
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Artifact, Iteration, OperatorFlags
from mile_rl.store.store import Store
from mile_rl.workflows.dag import Dag
from mile_rl.workflows.edits import ChangeClass, Edit
from mile_rl.workflows.sign import NodeSignature, Signer


@dataclass(slots=True, kw_only=True)
class Prepared:
    """An iteration that is planned and can be run. Belongs to one thread; ``close`` it in the end.

    Args:
        project: where its state lives.
        workflow: the workflow's key in the catalog.
        dag: what was captured, with the names that its nodes had before.
        signer: what signed it.
        signatures: node -> signature, for every node.
        hidden: node's base digest -> files that it was seen to read.
        version: the version's digest.
        previous: the last iteration of this workflow.
        edits: what changed since then.
        change_class: the edits in one word.
        returned_to: an earlier iteration of this version, if the person went back.
        layout: the needed nodes with their costs.
        costs: estimates, updated as the iteration runs.
        measured_ns: node -> its own measured time, where this very signature was computed before.
        known_ns: node -> its time in any version, where it was computed before.
        artifacts: output signature -> artifact, everything in the store when the plan was made.
        kept: the same as the policy sees it.
        volatile: node -> why nothing of it can be kept, for volatile operators and what depends on them.
        guard: the policy behind its guard.
        opening: the project's catalog and store, perhaps still being made.
        notes: warnings, one line each.
        source: the workflow's file, "" where there is none.
        plan: what to compute and what to load.
    """

    project: Project
    workflow: str
    dag: Dag
    signer: Signer
    signatures: Mapping[str, NodeSignature]
    hidden: Mapping[str, Sequence[Path]]
    version: str
    previous: Iteration | None
    edits: tuple[Edit, ...]
    change_class: ChangeClass
    returned_to: int | None
    layout: Layout
    artifacts: Mapping[str, Artifact]
    costs: Costs
    measured_ns: Mapping[str, int]
    known_ns: Mapping[str, int]
    kept: Mapping[str, Kept]
    volatile: Mapping[str, str]
    guard: Guard
    opening: Opening
    notes: list[str]
    source: str
    plan: Choice = field(init=False)
    _flags: dict[str, OperatorFlags] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)

    def code_of(self, node: str) -> str:
        """Return the digest of a node's operator's code, whatever its arguments and inputs are."""
        if node not in self._codes:
            self._codes[node] = versions.code_digest(self.signatures[node].parts)
        return self._codes[node]

    def flags(self, node: str) -> OperatorFlags:
        """Return what was observed about a node's operator's code."""
        if not self._flags:
            codes = {self.code_of(name) for name in self.layout.nodes}
            self._flags = {code: OperatorFlags(code=code) for code in codes}
            self._flags |= self.opening.reads.operator_flags(codes)
        return self._flags[self.code_of(node)]

    def set_flags(self, node: str, *, mutates_inputs: bool = False, uses_global_random: bool = False) -> None:
        """Remember something about a node's operator's code, now and in the catalog; a flag once set stays."""
        before = self.flags(node)
        changed = OperatorFlags(
            code=before.code,
            mutates_inputs=before.mutates_inputs or mutates_inputs,
            uses_global_random=before.uses_global_random or uses_global_random,
        )
        self._flags[changed.code] = changed
        self.catalog.learn(flags=(changed,))

    @property
    def next_iteration(self) -> int:
        """The number that the iteration will probably have."""
        return (self.previous.id if self.previous else 0) + 1

    def kept_record(self, candidate: Candidate) -> Kept:
        """Return what a candidate will be once it is kept."""
        iteration = self.next_iteration
        return Kept(
            signature=candidate.signature,
            output=candidate.output,
            node=candidate.node,
            size_bytes=candidate.size_bytes,
            load_ns=candidate.load_ns,
            recreation_ns=candidate.recreation_ns,
            loads=0,
            last_used=iteration,
            kept_at=iteration,
            code=versions.own_digest(self.signatures[candidate.node].parts),
        )

    @property
    def catalog(self) -> Catalog:
        """The project's catalog."""
        return self.opening.catalog

    @property
    def store(self) -> Store:
        """The project's store."""
        return self.opening.store

    def close(self) -> None:
        """Let the catalog go."""
        self.opening.close()
