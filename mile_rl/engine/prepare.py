"""The first half of an iteration: capture, sign, slice, diff, plan. Nothing is computed, nothing recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mile_rl.engine import versions
from mile_rl.engine.carried import costs_of, kept_of, take_up, terms_of
from mile_rl.engine.layout import Layout
from mile_rl.engine.opening import Opening
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.project import Project
from mile_rl.planner import Costs
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS
from mile_rl.policies.guard import Guard, settled_ns
from mile_rl.policies.registry import make_policy
from mile_rl.store.records import Artifact, Measured
from mile_rl.workflows.dag import Dag
from mile_rl.workflows.diff import diff
from mile_rl.workflows.edits import Edit, change_class
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.sign import NodeSignature, Signer


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
    guard = Guard(make_policy(settings.policy), terms=terms_of(settings), settled_ns=settled_ns())
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
    costs = costs_of(catalog)
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
        kept={signature: kept_of(artifact, costs) for signature, artifact in artifacts.items()},
        volatile=_volatile(dag, layout.nodes),
        guard=guard,
        opening=opening,
        notes=[*signer.warnings, *_text_paths(dag, layout.nodes)],
    )


def _begin(prepared: Prepared) -> None:
    """Let the policy take up where it stopped, and let go what it does not want any more."""
    guard = prepared.guard
    take_up(guard, prepared.opening.reads)
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
