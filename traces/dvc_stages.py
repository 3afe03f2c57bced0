"""One version of a ``dvc.lock`` file as components, whether it was read from Git or from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mile_rl.workflows.edits import Scalar, Stage
from traces.dvc_rules import STAGE_OF_CATEGORY, stage_of_other
from traces.errors import BadRow
from traces.schema import Component

ARGUMENTS = "cmd"
"""The parameter that holds the digest of a stage's full command: its arguments, which may name people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What a stage depends on: path, content digest ("" where unknown) and kind (up, code, config, data)."""

    path: str
    digest: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStage:
    """One stage of a lock file.

    Args:
        name: its name.
        category: see ``traces.dvc_rules.category``.
        program: program and script of its command.
        command_digest: digest of the full command.
        dependencies: in the order of the file.
        parameters: flattened; names from files other than params.* start with "FILE:".
        output_bytes: size of its outputs together, None where one is unknown.
        parents: names of the stages whose outputs it takes.
    """

    name: str
    category: str
    program: str
    command_digest: str
    dependencies: tuple[Dependency, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    output_bytes: int | None = None
    parents: tuple[str, ...] = ()


def lock_components(stages: Sequence[LockStage]) -> tuple[Component, ...]:
    """Return the stages of one lock file as components in topological order.

    A change of the program is another operator; of the command's arguments a parameter; of a config file a
    parameter named after it; of code and of outside data edits of those kinds. The outputs of other stages
    are edges, and their content is a consequence, no edit.

    Raises:
        BadRow: the stages depend on each other in a circle.
    """
    ordered = _topological(stages)
    learners = frozenset(stage.name for stage in stages if stage.category == "model")
    ancestors: dict[str, frozenset[str]] = {}
    components = []
    for stage in ordered:
        ancestors[stage.name] = frozenset(stage.parents).union(
            *(ancestors[parent] for parent in stage.parents)
        )
        where: Stage
        if stage.category in STAGE_OF_CATEGORY:
            where = STAGE_OF_CATEGORY[stage.category]
        else:
            where = stage_of_other(stage.name, learners, ancestors[stage.name])
        components.append(_component(stage, where))
    return tuple(components)


def _component(stage: LockStage, where: Stage) -> Component:
    parameters: dict[str, Scalar] = dict(stage.parameters)
    parts: dict[str, str] = {}
    for dependency in stage.dependencies:
        if dependency.kind == "config":
            parameters[f"config {dependency.path}"] = dependency.digest
        elif dependency.kind == "code":
            parts[f"code {dependency.path}"] = dependency.digest
        elif dependency.kind == "data":
            parts[f"file {dependency.path}"] = dependency.digest
    if stage.command_digest:
        parameters[ARGUMENTS] = stage.command_digest
    return Component(
        name=stage.name,
        operator=stage.program or stage.name,
        stage=where,
        category=stage.category,
        parameters=parameters,
        parts=parts,
        parents=stage.parents,
        size_bytes=stage.output_bytes,
    )


def _topological(stages: Sequence[LockStage]) -> list[LockStage]:
    """Return the stages with parents first, otherwise by name, so that one content has one order."""
    waiting = {stage.name: stage for stage in sorted(stages, key=lambda stage: stage.name)}
    ordered: dict[str, LockStage] = {}
    while waiting:
        ready = [stage for stage in waiting.values() if all(parent in ordered for parent in stage.parents)]
        if not ready:
            raise BadRow("stages depend on each other in a circle", ", ".join(waiting))
        for stage in ready:
            ordered[stage.name] = waiting.pop(stage.name)
    return list(ordered.values())
