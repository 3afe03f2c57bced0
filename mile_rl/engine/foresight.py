"""What a person will probably change next in a workflow: the catalog's history, told to the shipped model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mile_rl.engine import versions
from mile_rl.engine.history import opened
from mile_rl.engine.past import MOST_NODES, past
from mile_rl.engine.prepare import prepare
from mile_rl.engine.prepared import Prepared
from mile_rl.engine.project import Project
from mile_rl.errors import StoreError
from mile_rl.prediction.base import PastIteration, Prediction
from mile_rl.prediction.errors import PredictionError
from mile_rl.prediction.live import past_nodes
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.model import TreePredictor
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import Iteration
from mile_rl.workflows.edits import ChangeClass, Edit
from mile_rl.workflows.flow import Flow

MOST_OTHERS = 100
"""How many iterations of the project's other workflows are read, the latest first."""

OTHERS_SHARE = 3
"""Of the other workflows so much less is read than of the workflow itself: they add little."""

LARGEST = 50_000
"""How many nodes a workflow may have: at this size a prediction takes half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What will probably be changed next in a workflow.

    Args:
        workflow: its key in the catalog.
        latest: the number of the iteration that the prediction starts from; None where none was run yet.
        pending: what was changed since then and was not run yet; the prediction is of what comes after it.
        prediction: what the model says.
        values: node -> parameter -> present value.
        stages: node -> what its operator is for.
        returns: (number of an iteration, probability that the next one goes back to it), likeliest first.
        iterations: how many iterations of this workflow were read.
        looped: how many of these a loop launched: they are context, but no decisions of the person.
        elsewhere: how many iterations of the project's other workflows were read.
    """

    workflow: str
    latest: int | None
    pending: tuple[Edit, ...]
    prediction: Prediction
    values: Mapping[str, Mapping[str, Any]]
    stages: Mapping[str, str]
    returns: tuple[tuple[int, float], ...]
    iterations: int
    looped: int
    elsewhere: int

    @property
    def likeliest(self) -> tuple[ChangeClass, float]:
        """The likeliest change class and its probability."""
        return max(self.prediction.classes.items(), key=lambda item: item[1])

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as a JSON object; lists have the likeliest first."""
        said = self.prediction
        return {
            "workflow": self.workflow,
            "iteration": self.latest,
            "pending": [{**edit.to_json(), "words": edit.words()} for edit in self.pending],
            "edits_seen": said.edits_seen,
            "iterations": self.iterations,
            "looped": self.looped,
            "iterations_elsewhere": self.elsewhere,
            "change_classes": {change.name.lower(): chance for change, chance in ranked(said.classes)},
            "nodes": [{"node": name, "probability": chance} for name, chance in ranked(said.touched)],
            "parameters": [
                {
                    "node": guess.node,
                    "parameter": guess.parameter,
                    "value": self.values[guess.node][guess.parameter],
                    "probability": guess.probability,
                    "values": [
                        {"value": value.value, "probability": value.probability, "why": value.why}
                        for value in guess.values
                    ],
                }
                for guess in said.parameters
            ],
            "returns": [{"iteration": number, "probability": chance} for number, chance in self.returns],
            "stop": said.stop,
        }

    def text(self, *, top: int = 3) -> str:
        """Return the prediction in words.

        Args:
            top: how many nodes and earlier iterations are named.
        """
        from mile_rl.engine.foresight_text import foresight_text

        return foresight_text(self, top=top)


def foresee_last(project: Project, *, workflow: str | None = None, top: int = 3) -> Foresight:
    """Predict from the catalog alone; nothing of the person's is imported.

    Args:
        project: where its state lives.
        workflow: the workflow's key in the catalog; the one that ran last, unless given.
        top: for how many parameters, and how many values of each, to answer.

    Raises:
        StoreError: nothing was run here yet, or no workflow of that name.
        PredictionError: the workflow has too many nodes.
    """
    nothing = StoreError(
        "nothing was run here yet, so there is no history to predict from: name a workflow's file, as in "
        "`mile predict digits.py`."
    )
    if not project.settings.catalog and not (project.home / "catalog.db").exists():
        raise nothing
    with opened(project) as catalog:
        last = _latest(catalog, workflow)
        if last is None:
            known = catalog.workflows()
            if not known:
                raise nothing
            raise StoreError(f"no workflow {workflow!r} ran here; these did: {', '.join(known)}.")
        return _foresight(catalog, last.record.workflow, top=top)


def foresee(
    flow: Flow[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    project: Project,
    top: int = 3,
) -> Foresight:
    """Predict for a workflow as it stands now; what was changed since its last run counts as changed.

    Nothing is computed and nothing recorded.

    Args:
        flow: the workflow; it need not have run before.
        args: its positional arguments.
        kwargs: its keyword arguments.
        project: where its state lives, and its settings.
        top: for how many parameters, and how many values of each, to answer.

    Raises:
        MileError: the workflow, an input, a setting or the store cannot be used as it is.
    """
    prepared = prepare(flow, args, kwargs, project=project)
    try:
        return _foresight(prepared.catalog, prepared.workflow, top=top, prepared=prepared)
    finally:
        prepared.close()


def _latest(catalog: Catalog, workflow: str | None) -> Iteration | None:
    """Return the latest iteration; unless a workflow is named, none that only asked what if."""
    if workflow is not None:
        return next(iter(catalog.iterations(workflow, limit=1)), None)
    before: int | None = None
    while found := catalog.iterations(limit=50, before=before):
        for one in found:
            if not one.record.workflow.endswith(versions.WHAT_IF):
                return one
        before = found[-1].id
    return None


def ranked(chances: Mapping[Any, float]) -> list[tuple[Any, float]]:
    """Return the items, likeliest first."""
    return sorted(chances.items(), key=lambda item: -item[1])


def _check_size(workflow: str, nodes: int) -> None:
    if nodes > LARGEST:
        raise PredictionError(
            f"workflow {workflow} has {nodes:,} nodes, and predictions are made for {LARGEST:,} at most: "
            "`mile log` and `mile plan` do without them."
        )


def _foresight(catalog: Catalog, workflow: str, *, top: int, prepared: Prepared | None = None) -> Foresight:
    line, records = past(catalog, workflow)
    numbers: list[int | None] = [iteration.id for iteration in line]
    changed = pending(prepared, records)
    if changed is not None:
        records.append(changed)
        numbers.append(None)
    _check_size(workflow, len(records[-1].nodes))
    memory = PersonMemory()
    elsewhere = _remember(catalog, workflow, memory)
    predictor = TreePredictor(memory=memory)
    for record in records:
        predictor.observe(record)
    said = predictor.predict(n_parameters=top, n_values=top)
    returns = [(numbers[-1 - guess.back], guess.probability) for guess in said.returns]
    return Foresight(
        workflow=workflow,
        latest=line[-1].id if line else None,
        pending=changed.edits if changed else (),
        prediction=said,
        values={node.name: node.parameters for node in records[-1].nodes},
        stages={node.name: node.stage for node in records[-1].nodes},
        returns=tuple((number, chance) for number, chance in returns if number is not None),
        iterations=len(line),
        looped=sum(record.looped for record in records),
        elsewhere=elsewhere,
    )


def pending(prepared: Prepared | None, records: Sequence[PastIteration]) -> PastIteration | None:
    """Return the iteration that a run would be now, None where it would only repeat the latest one."""
    if prepared is None or (records and not prepared.edits):
        return None
    nodes = versions.describe(prepared.dag, prepared.signatures, prepared.layout.nodes)
    return PastIteration(
        nodes=past_nodes(nodes),
        edits=prepared.edits,
        change=prepared.change_class,
        version=prepared.version,
    )


def _remember(catalog: Catalog, workflow: str, memory: PersonMemory) -> int:
    """Tell the memory of the person what they did in the project's other workflows; return how much that was."""
    read = nodes = 0
    for other, count in _latest_of_others(catalog, workflow).items():
        if nodes >= MOST_NODES // OTHERS_SHARE:
            break
        predictor = TreePredictor(memory=memory)
        for record in past(catalog, other, limit=count, share=OTHERS_SHARE)[1]:
            nodes += len(record.nodes)
            if len(record.nodes) <= LARGEST:
                predictor.observe(record)
                read += 1
    return read


def _latest_of_others(catalog: Catalog, workflow: str) -> dict[str, int]:
    """Return how many iterations to read of each other workflow: the latest of all, ``MOST_OTHERS`` together."""
    names = [name for name in catalog.workflows() if name != workflow and not name.endswith(versions.WHAT_IF)]
    latest: Iterable[Iteration] = (
        iteration for name in names for iteration in catalog.iterations(name, limit=MOST_OTHERS)
    )
    counts: dict[str, int] = {}
    for iteration in sorted(latest, key=lambda iteration: -iteration.id)[:MOST_OTHERS]:
        counts[iteration.record.workflow] = counts.get(iteration.record.workflow, 0) + 1
    return counts
