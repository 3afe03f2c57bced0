"""What changed between two versions of a workflow: the one vocabulary of live and mined histories.

The engine's catalog, the traces, the prediction model and the environment all speak in these types.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, Self, get_args

Stage = Literal["preprocess", "learn", "evaluate"]
"""What an operator is for; Helix calls these DPR, L/I and PPR."""

STAGES: tuple[Stage, ...] = get_args(Stage)

EditKind = Literal["add", "remove", "replace", "parameter", "code", "data", "environment"]
EDIT_KINDS: tuple[EditKind, ...] = get_args(EditKind)

Scalar = str | int | float | bool | None
"""A parameter value as it stands in a history; anything richer is its repr as text."""


class ChangeClass(StrEnum):
    """One word for a whole iteration; the letters are those of the CC0 table of OpenML workflows.

    ``RETURN`` (a version seen before) and ``EVALUATE`` (only the evaluation changed) do not occur in that
    table and have letters of our own.
    """

    START = "S"
    NOTHING = "N"
    RETURN = "B"
    MODEL = "M"
    PREPROCESS = "P"
    MODEL_PARAMETER = "H"
    PREPROCESS_PARAMETER = "R"
    COMBINATION = "C"
    EVALUATE = "E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One difference between two consecutive versions.

    Args:
        kind: what sort of difference; see ``EDIT_KINDS``.
        node: the node's name, as it is after the edit (before it, for ``remove``).
        stage: what the node's operator is for.
        operator: the operator after the edit (before it, for ``remove``).
        before: for ``replace``, the operator that stood there.
        parameter: for ``parameter`` (and ``data`` given by argument), the argument's name.
        old: for ``parameter``, the value before; None also where it was not set.
        new: for ``parameter``, the value after; None also where it is not set any more.
        detail: what exactly changed, in words ("helper clean.strip", "pandas 3.0 -> 3.1"); may be empty.
    """

    kind: EditKind
    node: str
    stage: Stage
    operator: str
    before: str | None = None
    parameter: str | None = None
    old: Scalar = None
    new: Scalar = None
    detail: str = ""

    def __post_init__(self) -> None:
        if self.kind not in EDIT_KINDS:
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(EDIT_KINDS)}")
        if self.stage not in STAGES:
            raise ValueError(f"stage {self.stage!r} is none of {', '.join(STAGES)}")

    @property
    def magnitude(self) -> float | None:
        """How far a number moved: log10(new / old) for two numbers of one sign, else the difference.

        None where either side is not a number.
        """
        if not _is_number(self.old) or not _is_number(self.new):
            return None
        old, new = float(self.old), float(self.new)  # type: ignore[arg-type]
        if old * new > 0:
            return math.log10(new / old)
        return new - old

    def to_json(self) -> dict[str, Any]:
        """Return the edit as a JSON object, without the fields that are empty."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(**record)

    def words(self) -> str:
        """Return the edit as a person would say it."""
        match self.kind:
            case "add":
                text = f"added {self.node}"
            case "remove":
                text = f"removed {self.node}"
            case "replace":
                where = "" if self.node.partition("[")[0] == self.operator else f" in {self.node}"
                text = f"replaced {self.before} by {self.operator}{where}"
            case "parameter":
                text = f"{self.node}: {self.parameter} {self.old!r} -> {self.new!r}"
            case "code":
                text = f"changed the code of {self.node}"
            case "data":
                text = f"changed the data of {self.node}"
            case "environment":
                text = f"changed the environment of {self.node}"
        return f"{text} ({self.detail})" if self.detail else text


def change_class(edits: Iterable[Edit], *, first: bool = False, returned: bool = False) -> ChangeClass:
    """Sum up an iteration's edits in one word.

    An operator edit outweighs a parameter edit of the same stage, and evaluation edits count only where
    nothing else changed, as in the CC0 table. Edits of code, data and environment count as operator edits.

    Args:
        edits: the iteration's edits against the one before.
        first: whether it is the first of its history.
        returned: whether its version was seen before in its history (and is not simply run again).
    """
    edits = tuple(edits)
    if first:
        return ChangeClass.START
    if not edits:
        return ChangeClass.NOTHING
    if returned:
        return ChangeClass.RETURN
    learn = [edit.kind == "parameter" for edit in edits if edit.stage == "learn"]
    preprocess = [edit.kind == "parameter" for edit in edits if edit.stage == "preprocess"]
    if learn and preprocess:
        return ChangeClass.COMBINATION
    if learn:
        return ChangeClass.MODEL_PARAMETER if all(learn) else ChangeClass.MODEL
    if preprocess:
        return ChangeClass.PREPROCESS_PARAMETER if all(preprocess) else ChangeClass.PREPROCESS
    return ChangeClass.EVALUATE


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
