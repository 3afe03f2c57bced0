"""A version as the catalog remembers it: what each node was made of, without the code that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import Stage

CLASS = "estimator_class"
"""The argument that names the class of what a node makes from its other arguments, where it does so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionNode:
    """A node of a version.

    Args:
        name: its name.
        operator: its operator's name.
        stage: what the operator is for.
        parents: the outputs that it takes, in order of first use.
        arguments: parameter -> constant argument as JSON scalar or text, for people and for edits. A
            parameter that takes an output holds the output's address as text.
        parts: label -> digest (or short text) of everything that went into the signature.
        target: the variable that the call is assigned to, "" where there is none.
    """

    name: str
    operator: str
    stage: Stage
    parents: tuple[Output, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
