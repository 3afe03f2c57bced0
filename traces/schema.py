"""The types of a history: what one person did to one workflow, iteration by iteration.

Edits, kinds, stages and change classes are those of ``mile_rl.workflows.edits``, so that mined and live
histories are one. Everything that follows from the components alone (edits, returns, change classes, version
digests) is computed by ``traces.link`` in one way for all sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mile_rl.workflows.edits import STAGES, ChangeClass, Edit, Scalar, Stage

SCHEMA_VERSION = 1
"""Raised whenever a column changes its meaning; see docs/traces.md for the procedure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One operator at work in one iteration: a node of the workflow's DAG.

    Args:
        name: the node's name, unique in its iteration and steady over a history ("clf", "train@fold1").
        operator: what is called, short ("SVC", "python train.py"); two components of one operator are
            instances of the same thing.
        class_name: the operator's full name where it has one ("sklearn.svm._classes.SVC"), else "".
        stage: what the operator is for.
        category: a finer word for the stage where the source has one (DVC: data, features, model, evaluation,
            report, other), else "".
        parameters: name -> value, as the person set them.
        parts: label -> content digest of what else the result depends on. The labels' first words are those
            of the engine: "code PATH", "file PATH" (data), "package NAME".
        parents: names of the components whose outputs this one takes.
        compute_ns: how long it ran, None where unknown.
        size_bytes: size of all its outputs together, None where unknown.
    """

    name: str
    operator: str
    stage: Stage
    class_name: str = ""
    category: str = ""
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    compute_ns: int | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"stage {self.stage!r} of {self.name!r} is none of {', '.join(STAGES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One run of one version.

    Args:
        index: its place in the history, from 0.
        parent: index of the iteration that it was edited from, None for a first one. Mostly ``index - 1``;
            in Git histories branches make it differ. Transitions are always over ``parent``.
        components: the workflow's components in topological order; parents come before their children.
        edits: what was changed against ``parent``; empty for a first iteration and for a re-run.
        change: the edits in one word.
        version: digest of the components without times and sizes: equal digest, equal version.
        returns_to: index of the latest earlier iteration with this version, where this is a return.
        start_ms: when it was started (uploaded, committed), Unix milliseconds.
        duration_ms: how long it ran.
        think_ms: time between the end of the iteration before it in time (its start, where the end is
            unknown) and its start.
        score: the history's objective, turned so that greater is better.
        metrics: everything measured, by the source's own names.
        trials: how many runs a search nested in it made; 0 where it is no search.
        scripted: whether a loop or an automatic account started it, by the source's own evidence.
    """

    index: int
    components: tuple[Component, ...]
    version: str
    change: ChangeClass
    edits: tuple[Edit, ...] = ()
    parent: int | None = None
    returns_to: int | None = None
    start_ms: int | None = None
    duration_ms: int | None = None
    think_ms: int | None = None
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    trials: int = 0
    scripted: bool = False

    def touched(self) -> frozenset[str]:
        """Return the names of the components of this iteration that an edit of the person's touched."""
        names = {edit.node for edit in self.edits if edit.kind != "remove"}
        return frozenset(component.name for component in self.components if component.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The iterations of one person on one task or workflow, in order.

    Args:
        id: unique in the traces; a pseudonym.
        source: where it was mined: openml, openml-table, mlflow, dvc, catalog, dvc-table, mlflow-table.
        person: a pseudonym; equal pseudonyms are one person within the source.
        group: histories of one group share a person, an owner or a fork: keep a group on one side of every
            split.
        iterations: at least one.
        task: the task worked on, in the source's words (an OpenML task id, else a pseudonym), "" if unknown.
        workflow: a name for the workflow, "" if unknown.
        objective: name of the metric behind ``score``, "" if unknown.
        facts: what is known of the data and the place: rows, columns, language, …
        demo: whether it comes from a template, a course or a demonstration.
        synthetic: whether a program made it up; never to be counted among real ones.
    """

    id: str
    source: str
    person: str
    group: str
    iterations: tuple[Iteration, ...]
    task: str = ""
    workflow: str = ""
    objective: str = ""
    facts: Mapping[str, Scalar] = field(default_factory=dict)
    demo: bool = False
    synthetic: bool = False

    def __post_init__(self) -> None:
        if not self.iterations:
            raise ValueError(f"history {self.id!r} has no iteration")

    def __len__(self) -> int:
        return len(self.iterations)
