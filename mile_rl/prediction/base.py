"""What the iteration-prediction model is told, and what it answers.

The model sees a history as a sequence of :class:`PastIteration`; the engine's catalog and the mined traces
are both turned into it, so that live and mined histories are one. It answers with a :class:`Prediction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from mile_rl.workflows.edits import STAGES, ChangeClass, Edit, Scalar, Stage

Granularity = Literal["commit", "run"]
"""What one iteration of a history is: a commit (several runs may lie between two) or a single run."""

CLASSES: tuple[ChangeClass, ...] = (
    ChangeClass.NOTHING,
    ChangeClass.RETURN,
    ChangeClass.MODEL,
    ChangeClass.PREPROCESS,
    ChangeClass.MODEL_PARAMETER,
    ChangeClass.PREPROCESS_PARAMETER,
    ChangeClass.COMBINATION,
    ChangeClass.EVALUATE,
)
"""The change classes that a next iteration can have, in the order of every probability vector here."""

CLASS_INDEX: Mapping[ChangeClass, int] = {change: index for index, change in enumerate(CLASSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastNode:
    """A node of one version, as the model sees it.

    Args:
        name: the node's name, steady from one version to the next.
        stage: what its operator is for.
        operator: the operator's name.
        parents: the names of the nodes whose outputs it takes.
        parameters: its parameters, name -> value.
    """

    name: str
    stage: Stage
    operator: str = ""
    parents: tuple[str, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ValueError(f"stage {self.stage!r} is none of {', '.join(STAGES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastIteration:
    """One iteration of a history, as the model sees it.

    Args:
        nodes: the version's nodes.
        edits: the differences from the iteration that it was edited from; empty for the first.
        change: the iteration's change class.
        returns_to: how many iterations back the same version was seen, None where it was not.
        version: equal text, equal version; "" where unknown.
        gap_s: seconds from the end of the previous iteration to the start of this one, None if unknown.
        looped: whether a program launched it right behind the previous one (a loop, not a person).
    """

    nodes: tuple[PastNode, ...]
    edits: tuple[Edit, ...] = ()
    change: ChangeClass = ChangeClass.START
    returns_to: int | None = None
    version: str = ""
    gap_s: float | None = None
    looped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueGuess:
    """A value that a parameter may take next.

    Args:
        value: the value.
        probability: of exactly this value, given that the parameter moves.
        why: the rule that proposed it, in words ("the same step again").
    """

    value: Scalar
    probability: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGuess:
    """What is expected of one parameter.

    Args:
        node: the node that has it.
        parameter: its name.
        probability: that it moves in the next iteration.
        values: the likeliest next values, best first.
    """

    node: str
    parameter: str
    probability: float
    values: tuple[ValueGuess, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnGuess:
    """An earlier iteration that the person may go back to.

    Args:
        back: how many iterations back from the latest one it lies; 1 is the one before the latest.
        probability: that the next iteration goes back to it.
    """

    back: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What is expected of the next iteration.

    Args:
        classes: change class -> probability, given that there is a next iteration; sums to 1.
        touched: node of the latest version -> probability that the next iteration edits it.
        stop: probability that there is no further iteration.
        parameters: the parameters that are likeliest to move, best first.
        returns: the earlier iterations that are likeliest to be returned to, best first.
        edits_seen: how many iterations of this person the answer rests on.
    """

    classes: Mapping[ChangeClass, float]
    touched: Mapping[str, float]
    stop: float
    parameters: tuple[ParameterGuess, ...]
    returns: tuple[ReturnGuess, ...]
    edits_seen: int


class Predictor(Protocol):
    """Follows one history and says what comes next.

    A predictor belongs to one history and one thread. It keeps what it needs of the records that it is told,
    never the records' owner, and changes none of them.
    """

    def observe(self, record: PastIteration) -> None:
        """Take in the history's next iteration."""
        ...

    def predict(self) -> Prediction:
        """Return what is expected of the iteration after the latest one observed.

        Raises:
            PredictionError: nothing was observed yet.
        """
        ...

    def sample(self, rng: np.random.Generator) -> PastIteration | None:
        """Draw the next iteration, None where the history ends; it is not observed by drawing it."""
        ...
