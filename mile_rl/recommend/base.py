"""What a recommendation is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from mile_rl.workflows.edits import STAGES, Edit, Scalar, Stage

Origin = Literal["outcome model", "own history", "traces", "no outcomes"]
"""Where a recommendation comes from: real outcomes of others on other data, the person's own iterations, what
people changed in a like state of their histories, or nothing but that it was not tried yet."""

ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One replacement in a file's text.

    Args:
        start: the position of its first character.
        old: what stands there.
        new: what shall stand there instead.
    """

    start: int
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to change, in words and so that it can be applied.

    Args:
        words: what to change, as a person would say it.
        edits: the same in the glossary's terms.
        arguments: the workflow's arguments to run with: parameter -> value.
        replacements: in the text of the workflow's file; they do not overlap.
        nodes: the nodes that it touches.
    """

    words: str
    edits: tuple[Edit, ...] = ()
    arguments: Mapping[str, Scalar] = field(default_factory=dict)
    replacements: tuple[Replacement, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def applicable(self) -> bool:
        """Whether ``mile try`` can make it; else it is up to the person what exactly to write."""
        return bool(self.arguments or self.replacements)

    @property
    def key(self) -> str:
        """Equal changes have equal keys, whatever the text around them."""
        changed = [f"{name}={value!r}" for name, value in sorted(self.arguments.items())]
        changed += [f"{one.old} -> {one.new}" for one in self.replacements]
        return "; ".join(changed) or self.words

    def to_json(self) -> dict[str, Any]:
        """Return the change as a JSON object."""
        return {
            "words": self.words,
            "edits": [edit.to_json() for edit in self.edits],
            "arguments": dict(self.arguments),
            "replacements": [asdict(one) for one in self.replacements],
            "nodes": list(self.nodes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            words=record["words"],
            edits=tuple(Edit.from_json(edit) for edit in record["edits"]),
            arguments=record["arguments"],
            replacements=tuple(Replacement(**one) for one in record["replacements"]),
            nodes=tuple(record["nodes"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One next change, and what to expect of it.

    Args:
        change: what to change.
        stage: of the workflow that it belongs to.
        metric: the name of the metric that is expected to change.
        now: its value in the iteration that the change starts from.
        expected: the expected change of the metric, in the metric's own units (positive: higher).
        low, high: the ends of the 80 % interval of the change.
        improves: the probability that the metric gets better.
        evidence: what that rests on, in a sentence or two.
        waiting_ns: how long trying it will take, planned with what is in the store now.
        origin: where it comes from.
        explores: whether it tries a family (a learner, a parameter, a node) that was not tried yet.
        terms: what its terms mean, one sentence each; filled for novices.
    """

    change: Change
    stage: Stage
    metric: str
    now: float
    expected: float
    low: float
    high: float
    improves: float
    evidence: str
    waiting_ns: int
    origin: Origin
    explores: bool = False
    terms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"expected {self.expected} lies outside [{self.low}, {self.high}]")
        if not 0 <= self.improves <= 1:
            raise ValueError(f"improves is {self.improves}, no probability")
        if self.stage not in STAGES or self.origin not in ORIGINS or self.waiting_ns < 0:
            raise ValueError(f"stage {self.stage!r}, origin {self.origin!r}, waiting {self.waiting_ns} ns")

    def to_json(self) -> dict[str, Any]:
        """Return the recommendation as a JSON object; times are integers in nanoseconds."""
        return {
            "change": self.change.to_json(),
            "applicable": self.change.applicable,
            "stage": self.stage,
            "metric": self.metric,
            "now": self.now,
            "expected": self.expected,
            "low": self.low,
            "high": self.high,
            "improves": self.improves,
            "evidence": self.evidence,
            "waiting_ns": self.waiting_ns,
            "origin": self.origin,
            "explores": self.explores,
            "terms": list(self.terms),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        values = {key: value for key, value in record.items() if key != "applicable"}
        return cls(**values | {"change": Change.from_json(record["change"]), "terms": tuple(record["terms"])})
