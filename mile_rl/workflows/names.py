"""Names of nodes: for people, unique in a DAG, and steady while the workflow is edited.

An operator used once lends its own name. Where it is used several times, each use is told by what a person
would tell it by: the variable it is assigned to, its constants, its inputs. None of these counts positions,
so inserting or renaming one use leaves the names of the others alone.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mile_rl.workflows.capture import Draft

_LONGEST_CONSTANT = 24
_LONGEST_LABEL = 60


def assign(drafts: Sequence[Draft]) -> None:
    """Set the ``name`` of every draft; they come in topological order."""
    groups: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.operator.name].append(draft)
    if len(groups) == len(drafts):
        for draft in drafts:
            draft.name = draft.operator.name
        return
    taken: set[str] = set()
    targets = {name: _counts(draft.target for draft in group) for name, group in groups.items()}
    constants = {name: _counts(_constants(draft) for draft in group) for name, group in groups.items()}
    for draft in drafts:
        operator = draft.operator.name
        if len(groups[operator]) == 1:
            name = operator
        elif draft.target and targets[operator][draft.target] == 1:
            name = f"{operator}[{draft.target}]"
        elif (label := _constants(draft)) and constants[operator][label] == 1:
            name = f"{operator}[{label}]"
        else:
            name = f"{operator}[{_short(_inputs(draft))}]"
        draft.name = _unique(name, taken)
        taken.add(draft.name)


def _inputs(draft: Draft) -> str:
    parts = []
    for handle in draft.parents:
        many = len(handle.draft.operator.outputs) > 1
        parts.append(f"{handle.draft.name}.{handle.output}" if many else handle.draft.name)
    constants = _constants(draft)
    return ",".join([*parts, constants] if constants else parts)


def _short(label: str) -> str:
    """Cut a label that names nested in names have made too long to read; still the same for the same use."""
    if len(label) <= _LONGEST_LABEL:
        return label
    return "~" + hashlib.blake2b(label.encode(), digest_size=4).hexdigest()


def _constants(draft: Draft) -> str:
    parts = []
    for parameter, value in draft.arguments.items():
        if isinstance(value, bool | int | float | str) and len(repr(value)) <= _LONGEST_CONSTANT:
            parts.append(f"{parameter}={value}")
    return ",".join(parts)


def _counts(labels: Any) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for label in labels:
        counts[label] += 1
    return counts


def _unique(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"
