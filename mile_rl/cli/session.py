"""Recorded sessions: what a person did to a workflow, run after run, so that it can be played again.

A session is a JSON file, a list of steps. Each step says what the person thinks (``say``), the exact
replacements that this makes in the workflow's file (``edit``, a list of ``{"old": ..., "new": ...}``) and all
the arguments that the workflow is then run with (``arguments``; what is not named has its default, whatever
the step before said). The first step has no edit: it runs the file as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mile_rl.errors import WorkflowError
from mile_rl.workflows.edits import Scalar

_KEYS = {"say", "edit", "arguments"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One exact replacement in a text.

    Args:
        old: what is replaced; it must occur exactly once.
        new: what stands there afterwards.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        if not self.old or self.old == self.new:
            raise WorkflowError(f"replacement of {self.old!r} by {self.new!r} changes nothing: leave it out.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run of a session, and what was changed before it.

    Args:
        number: its place in the session, from 1.
        say: what the person thinks, in one sentence.
        edit: the replacements in the workflow's file, made one after the other.
        arguments: the arguments that the workflow is run with, all of them.
    """

    number: int
    say: str
    edit: tuple[Replacement, ...] = ()
    arguments: Mapping[str, Scalar] = field(default_factory=dict)

    def apply(self, source: str) -> str:
        """Return the workflow's text after this step's edit.

        Args:
            source: the text as the step before left it.

        Raises:
            WorkflowError: a text to replace does not occur exactly once.

        Example:
            >>> step = Step(number=2, say="Wider.", edit=(Replacement(old="bins=5", new="bins=9"),))
            >>> step.apply("cut(rows, bins=5)")
            'cut(rows, bins=9)'
        """
        for replacement in self.edit:
            count = source.count(replacement.old)
            if count != 1:
                raise WorkflowError(
                    f"step {self.number} ({self.say!r}) replaces {replacement.old!r}, which occurs "
                    f"{count} times in the workflow's file: quote enough of its surroundings that it occurs "
                    "exactly once, and play the session on the file that it was recorded on."
                )
            source = source.replace(replacement.old, replacement.new)
        return source


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A recorded session.

    Args:
        name: what it is called: the file's name up to the first dot.
        steps: the runs, in order; the first one has no edit.
    """

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0].edit:
            raise WorkflowError(
                f"session {self.name}: its first step must run the file as it is, without an edit."
            )

    def versions(self, source: str) -> Iterator[tuple[Step, str]]:
        """Yield every step with the workflow's text after its edit.

        Args:
            source: the workflow's text before the first step.

        Raises:
            WorkflowError: an edit does not fit.
        """
        for step in self.steps:
            source = step.apply(source)
            yield step, source


def load(path: str | Path) -> Session:
    """Read a session from its file (``digits.session.json``).

    Args:
        path: the file.

    Raises:
        WorkflowError: it is missing or is not a session; the message says where.
    """
    path = Path(path)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkflowError(
            f"{path} cannot be read as a session: {error}. Give a JSON list of steps."
        ) from error
    if not isinstance(records, list):
        raise WorkflowError(f"{path} holds a {type(records).__name__}: a session is a JSON list of steps.")
    steps = tuple(_step(path, number, record) for number, record in enumerate(records, start=1))
    return Session(name=path.name.split(".")[0], steps=steps)


def _step(path: Path, number: int, record: Any) -> Step:
    where = f"{path}, step {number}"
    if not isinstance(record, dict) or not isinstance(record.get("say"), str):
        raise WorkflowError(f'{where}: a step is an object with at least "say", a sentence.')
    if unknown := sorted(set(record) - _KEYS):
        raise WorkflowError(
            f"{where}: unknown {', '.join(unknown)}; a step may have {', '.join(sorted(_KEYS))}."
        )
    arguments = record.get("arguments", {})
    if not isinstance(arguments, dict):
        raise WorkflowError(f'{where}: "arguments" must be an object, name to value.')
    try:
        edit = tuple(Replacement(**replacement) for replacement in record.get("edit", ()))
    except TypeError as error:
        raise WorkflowError(
            f'{where}: "edit" must be a list of {{"old": text, "new": text}}; {error}.'
        ) from error
    return Step(number=number, say=record["say"], edit=edit, arguments=arguments)
