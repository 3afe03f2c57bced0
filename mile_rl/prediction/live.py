"""From the engine's own types to what the model reads, and the question most people ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mile_rl.prediction.base import Granularity, PastIteration, PastNode, Prediction
from mile_rl.prediction.differences import differences
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.model import Model, TreePredictor
from mile_rl.workflows.edits import ChangeClass, Scalar, change_class
from mile_rl.workflows.version import VersionNode


def past_nodes(nodes: Sequence[VersionNode]) -> tuple[PastNode, ...]:
    """Return a version's nodes, as the catalog or the engine knows them, as the model sees them.

    Args:
        nodes: in topological order. Arguments that stand for another node's output are no parameters.
    """
    return tuple(
        PastNode(
            name=node.name,
            stage=node.stage,
            operator=node.operator,
            parents=tuple(dict.fromkeys(parent.node for parent in node.parents)),
            parameters=_parameters(node),
        )
        for node in nodes
    )


def _parameters(node: VersionNode) -> Mapping[str, Scalar]:
    addresses = {str(parent) for parent in node.parents}
    return {
        name: value if isinstance(value, str | int | float | None) else repr(value)
        for name, value in node.arguments.items()
        if not (isinstance(value, str) and value in addresses)
    }


def predict(
    history: Sequence[PastIteration],
    workflow: Sequence[PastNode] | None = None,
    *,
    granularity: Granularity = "run",
    memory: PersonMemory | None = None,
    model: Model | None = None,
) -> Prediction:
    """Return what is expected to be changed next.

    Args:
        history: its iterations so far, the latest last.
        workflow: the nodes as they stand now, where they may differ from those of the latest iteration (an
            edit that was not run yet); None where they do not.
        granularity: what one iteration is.
        memory: what is known of the person from their other histories; it is not changed.
        model: what was fitted; the shipped one where None.

    Raises:
        PredictionError: there is neither a history nor a workflow.

    Example:
        >>> nodes = (PastNode(name="fit", stage="learn", parameters={"C": 1.0}),)
        >>> said = predict([PastIteration(nodes=nodes)])
        >>> round(sum(said.classes.values()), 6)
        1.0
    """
    predictor = TreePredictor(model, granularity=granularity, memory=memory.fork() if memory else None)
    for iteration in history:
        predictor.observe(iteration)
    if workflow is not None:
        now = tuple(workflow)
        edits = tuple(differences(history[-1].nodes, now)) if history else ()
        if edits or not history:
            change = change_class(edits) if history else ChangeClass.START
            predictor.observe(PastIteration(nodes=now, edits=edits, change=change))
    return predictor.predict()
