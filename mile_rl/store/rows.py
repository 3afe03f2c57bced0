"""Between records and rows: the only place that knows the order of columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mile_rl.store.connect import Row
from mile_rl.store.records import (
    Artifact,
    ArtifactMeta,
    Iteration,
    IterationRecord,
    NodeRecord,
    OutputRecord,
)
from mile_rl.workflows.edits import Edit

ARTIFACT_COLUMNS = (
    "a.signature, a.content, c.suffix, c.size_bytes, a.codec, a.codec_version, a.workflow, a.node, a.output, "
    "a.operator, a.stage, a.code, a.recreation_ns, a.created_ns, a.last_used, a.loads, a.load_ns"
)
ITERATION_COLUMNS = (
    "id, workflow, version, parent, started_ns, waited_ns, everything_ns, status, parameters, edits, "
    "change_class, metrics, policy, python, mile, source, computed, loaded, pruned"
)
NODE_COLUMNS = (
    "n.name, n.operator, n.stage, n.state, n.signature, s.base_signature, n.parents, n.arguments, n.target, "
    "s.parts, n.elapsed_ns, n.size_bytes, s.code"
)
OUTPUT_COLUMNS = "node, name, signature, size_bytes, load_ns, write_ns, kept, reason"


def text(value: Any) -> str:
    """Return a value as JSON; what JSON does not know becomes its repr."""
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(default=repr, separators=(",", ":"), ensure_ascii=False)


def artifact_row(artifact: Artifact) -> dict[str, Any]:
    """Return the parameters that insert an artifact."""
    meta = artifact.meta
    return {
        "signature": artifact.signature,
        "content": artifact.content,
        "codec": artifact.codec,
        "codec_version": artifact.codec_version,
        "workflow": meta.workflow,
        "node": meta.node,
        "output": meta.output,
        "operator": meta.operator,
        "stage": meta.stage,
        "code": meta.code,
        "recreation_ns": meta.recreation_ns,
        "created_ns": artifact.created_ns,
        "last_used": artifact.last_used,
        "loads": artifact.loads,
        "load_ns": artifact.load_ns,
    }


def to_artifact(row: Row) -> Artifact:
    """Read a row of :data:`ARTIFACT_COLUMNS`."""
    signature, content, suffix, size_bytes, codec, codec_version, *rest = row
    workflow, node, output, operator, stage, code, recreation_ns, *use = rest
    created_ns, last_used, loads, load_ns = use
    return Artifact(
        signature=signature,
        content=content,
        suffix=suffix,
        size_bytes=size_bytes,
        codec=codec,
        codec_version=codec_version,
        meta=ArtifactMeta(
            workflow=workflow,
            node=node,
            output=output,
            operator=operator,
            stage=stage,
            code=code,
            recreation_ns=recreation_ns,
        ),
        created_ns=created_ns,
        last_used=last_used,
        loads=loads,
        load_ns=load_ns,
    )


def iteration_row(record: IterationRecord, identity: int) -> dict[str, Any]:
    """Return the parameters that insert an iteration."""
    states = [node.state for node in record.nodes]
    return {
        "id": identity,
        "workflow": record.workflow,
        "version": record.version,
        "parent": record.parent,
        "started_ns": record.started_ns,
        "waited_ns": record.waited_ns,
        "everything_ns": record.everything_ns,
        "status": record.status,
        "parameters": text(dict(record.parameters)),
        "edits": text([edit.to_json() for edit in record.edits]),
        "change_class": str(record.change_class),
        "metrics": text(dict(record.metrics)),
        "policy": record.policy,
        "python": record.python,
        "mile": record.mile,
        "source": record.source,
        "computed": states.count("compute"),
        "loaded": states.count("load"),
        "pruned": states.count("prune"),
    }


def to_iteration(row: Row) -> Iteration:
    """Read a row of :data:`ITERATION_COLUMNS`."""
    values = dict(zip(ITERATION_COLUMNS.split(", "), row))
    counts = {name: values.pop(name) for name in ("id", "computed", "loaded", "pruned")}
    for name in ("parameters", "metrics"):
        values[name] = json.loads(values[name])
    values["edits"] = tuple(Edit.from_json(edit) for edit in json.loads(values["edits"]))
    return Iteration(record=IterationRecord(**values), **counts)


def node_rows(record: IterationRecord, identity: int) -> list[dict[str, Any]]:
    """Return the parameters that insert the nodes of an iteration, with those of their signatures."""
    return [
        {
            "iteration": identity,
            "position": position,
            "workflow": record.workflow,
            "name": node.name,
            "operator": node.operator,
            "stage": node.stage,
            "state": node.state,
            "signature": node.signature,
            "parents": text(node.parents),
            "arguments": text(_plain(node.arguments)),
            "target": node.target,
            "elapsed_ns": node.elapsed_ns,
            "size_bytes": node.size_bytes,
        }
        for position, node in enumerate(record.nodes)
    ]


def signature_row(node: NodeRecord) -> dict[str, Any]:
    """Return the parameters that insert what a signature was made of."""
    return {
        "signature": node.signature,
        "base": node.base_signature,
        "code": node.code,
        "parts": text(_plain(node.parts)),
    }


def to_node(row: Row) -> NodeRecord:
    """Read a row of :data:`NODE_COLUMNS`."""
    names = [name.partition(".")[2] for name in NODE_COLUMNS.split(", ")]
    values = dict(zip(names, row))
    for name in ("parents", "arguments", "parts"):
        values[name] = json.loads(values[name])
    return NodeRecord(**values)


def output_rows(record: IterationRecord, identity: int) -> list[dict[str, Any]]:
    """Return the parameters that insert the outputs of an iteration."""
    return [
        {
            "iteration": identity,
            "position": position,
            "node": output.node,
            "name": output.name,
            "signature": output.signature,
            "size_bytes": output.size_bytes,
            "load_ns": output.load_ns,
            "write_ns": output.write_ns,
            "kept": int(output.kept),
            "reason": output.reason,
        }
        for position, output in enumerate(record.outputs)
    ]


def to_output(row: Row) -> OutputRecord:
    """Read a row of :data:`OUTPUT_COLUMNS`."""
    record = OutputRecord(**dict(zip(OUTPUT_COLUMNS.split(", "), row)))
    return replace(record, kept=bool(record.kept))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
