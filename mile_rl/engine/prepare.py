"""The first half of an iteration: capture, sign, slice, diff, plan. Nothing is computed, nothing recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mile_rl.engine import versions
from mile_rl.engine.layout import Choice, Layout
from mile_rl.engine.opening import NothingYet, Opening
from mile_rl.engine.project import Project
from mile_rl.planner import Channel, Costs
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS
from mile_rl.policies.base import Candidate, Kept
from mile_rl.policies.guard import Guard, settled_ns
from mile_rl.policies.ledger import Terms
from mile_rl.policies.registry import make_policy
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Artifact, Iteration, Measured, OperatorFlags
from mile_rl.store.store import Store
from mile_rl.workflows.dag import Dag
from mile_rl.workflows.diff import diff
from mile_rl.workflows.edits import ChangeClass, Edit, change_class
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.sign import NodeSignature, Signer

LEDGER = "ledger."
"""Counters of the catalog that begin so are the guard's sums."""

_TRUSTED_SAMPLES = 5
"""How many transfers a channel of the catalog counts as having seen."""


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


def prepare(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    project: Project,
    begin: bool = False,
    previous: int | None = None,
) -> Prepared:
    """Plan an iteration.

    Args:
        flow: the workflow.
        args: its positional arguments.
        kwargs: its keyword arguments.
        project: where its state lives, and its settings.
        begin: whether the iteration will be run: then the policy hears of it, and may let artifacts go.
        previous: the number of the iteration that it was edited from; the workflow's latest, unless given.

    Raises:
        MileError: the workflow, an input, a setting or the store cannot be used as it is.
    """
    settings = project.settings
    terms = Terms(
        share=settings.write_share,
        fraction=settings.write_fraction,
        allowance_ns=int(settings.write_allowance_ms * 1e6),
    )
    guard = Guard(make_policy(settings.policy), terms=terms, settled_ns=settled_ns())
    opening = Opening(project)
    try:
        dag = flow.capture(*args, **kwargs)
        signer = Signer()
        prepared = _prepared(flow, dag, signer, signer.sign(dag), project, guard, opening, previous)
        if begin:
            _begin(prepared)
        prepared.plan = prepared.layout.choose()
    except BaseException:
        opening.close()
        raise
    return prepared


def _prepared(
    flow: Flow[..., Any],
    dag: Dag,
    signer: Signer,
    signatures: Mapping[str, NodeSignature],
    project: Project,
    guard: Guard,
    opening: Opening,
    edited_from: int | None,
) -> Prepared:
    catalog = opening.reads
    workflow = versions.workflow_key(flow, project.root)
    previous = catalog.latest(workflow) if edited_from is None else opening.catalog.iteration(edited_from)
    named = dag if previous is None else versions.with_old_names(dag, opening.catalog, previous)
    hidden = {base: tuple(map(Path, paths)) for base, paths in catalog.hidden_files().items()}
    if named is not dag or any(signature.base in hidden for signature in signatures.values()):
        # What the catalog remembers makes a difference: other names, or files that nodes were seen to read.
        dag, signer = named, Signer(hidden=hidden)
        signatures = signer.sign(dag)
    layout = Layout(dag)
    version = versions.version_digest(dag, signatures, layout.nodes)
    same = previous is not None and previous.record.version == version
    edits: tuple[Edit, ...] = ()
    if previous is not None and not same:
        old = versions.nodes_of(opening.catalog, previous)
        edits = diff(old, versions.describe(dag, signatures, layout.nodes))
    returned_to = None
    if previous is not None and not same:
        returned_to = opening.catalog.latest_of_version(workflow, version)
    artifacts = {artifact.signature: artifact for artifact in catalog.artifacts()}
    costs = _channels(catalog)
    measured = catalog.measured(
        workflow, [(signatures[name].digest, name, dag.nodes[name].operator.name) for name in layout.nodes]
    )
    _set_costs(layout, dag, signatures, costs, artifacts, measured)
    return Prepared(
        project=project,
        workflow=workflow,
        source=str(flow.function.__globals__.get("__file__") or ""),
        dag=dag,
        signer=signer,
        signatures=signatures,
        hidden=hidden,
        version=version,
        previous=previous,
        edits=edits,
        change_class=change_class(edits, first=previous is None, returned=returned_to is not None),
        returned_to=returned_to,
        layout=layout,
        costs=costs,
        measured_ns={name: row.elapsed_ns for name, row in measured.items() if row.scope == "signature"},
        known_ns={name: row.elapsed_ns for name, row in measured.items() if row.scope != "operator"},
        artifacts=artifacts,
        kept={signature: _kept(artifact, costs) for signature, artifact in artifacts.items()},
        volatile=_volatile(dag, layout.nodes),
        guard=guard,
        opening=opening,
        notes=[*signer.warnings, *_text_paths(dag, layout.nodes)],
    )


def _begin(prepared: Prepared) -> None:
    """Let the policy take up where it stopped, and let go what it does not want any more."""
    guard, catalog = prepared.guard, prepared.opening.reads
    counters = catalog.counters()
    guard.restore(
        {
            "ledger": {name: counters.get(f"{LEDGER}{name}", 0) for name in guard.changes()},
            "policy": {guard.name: catalog.policy_state(guard.name) or {}},
        }
    )
    guard.begin_run()
    code = {
        name: versions.own_digest(prepared.signatures[name].parts)
        for name in (prepared.layout.nodes if guard.name == "helix" else ())
    }
    gone = set(guard.on_iteration(prepared.next_iteration, code, tuple(prepared.kept.values())))
    if gone:
        prepared.store.evict(gone)
        prepared.kept = {key: kept for key, kept in prepared.kept.items() if key not in gone}
        prepared.layout.forget(
            output
            for output in prepared.layout.outputs
            if prepared.signatures[output.node].outputs[output.name] in gone
        )


def _channels(catalog: Catalog | NothingYet) -> Costs:
    load: dict[str, Channel] = {}
    write: dict[str, Channel] = {}
    for row in catalog.channels():
        (load if row.direction == "load" else write)[row.codec] = Channel(
            codec=row.codec, latency_ns=row.latency_ns, bytes_per_s=row.bytes_per_s, samples=_TRUSTED_SAMPLES
        )
    return Costs(load_channels=load, write_channels=write)


def _set_costs(
    layout: Layout,
    dag: Dag,
    signatures: Mapping[str, NodeSignature],
    costs: Costs,
    artifacts: Mapping[str, Artifact],
    measured: Mapping[str, Measured],
) -> None:
    compute_ns = {
        name: measured[name].elapsed_ns if name in measured else DEFAULT_COMPUTE_NS for name in layout.nodes
    }
    load_ns = {}
    if artifacts:
        for output in layout.outputs:
            artifact = artifacts.get(signatures[output.node].outputs[output.name])
            if artifact is not None:
                load_ns[output] = costs.load_ns(artifact.codec, artifact.size_bytes)
    layout.set_costs(compute_ns, load_ns)


def _kept(artifact: Artifact, costs: Costs) -> Kept:
    used = artifact.last_used or 0
    return Kept(
        signature=artifact.signature,
        output=artifact.meta.output,
        node=artifact.meta.node,
        size_bytes=artifact.size_bytes,
        load_ns=costs.load_ns(artifact.codec, artifact.size_bytes),
        recreation_ns=artifact.meta.recreation_ns,
        loads=artifact.loads,
        last_used=used,
        kept_at=used,
        code=artifact.meta.code,
    )


def _volatile(dag: Dag, needed: Sequence[str]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for name in needed:
        node = dag.nodes[name]
        if node.operator.volatile:
            reasons[name] = "volatile"
        else:
            source = next((p.node for p in node.parents if p.node in reasons), None)
            if source is not None:
                reasons[name] = f"depends on the volatile {source}"
    return reasons


def _text_paths(dag: Dag, needed: Sequence[str]) -> list[str]:
    """Return a note for every text argument that names an existing file, since it ought to be declared."""
    notes = []
    for name in needed:
        for parameter, value in dag.nodes[name].arguments.items():
            if isinstance(value, str | os.PathLike) and not isinstance(value, File):
                text = os.fspath(value)
                if isinstance(text, str) and _LIKE_A_PATH(text) and os.path.isfile(text):
                    notes.append(
                        f"argument {parameter} of {name} names the file {text}; "
                        f"its content counts for certain only if you write File({text!r})"
                    )
    return notes


_LIKE_A_PATH = re.compile(r"[^\n]{0,250}[./\\][^\n]{1,250}").fullmatch
