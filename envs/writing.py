"""Writing a script down, iteration by iteration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from envs.errors import ScriptError
from envs.script import AXES, Script
from mile_rl.workflows.edits import STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node signature, for :class:`Writer`.

    Args:
        name: of the node.
        operator: its operator.
        stage: what the operator is for.
        code: equal iff own code and parameters are equal.
        takes: (row of the parent, which of its outputs) of everything that it takes.
        compute_ns: what it truly takes.
        outputs: (bytes, codec) of each output.
    """

    name: str
    operator: str
    stage: str
    code: int
    takes: tuple[tuple[int, int], ...]
    compute_ns: int
    outputs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One scenario, for :class:`Writer`.

    Args:
        kind: EDIT, NOTHING or RETURN.
        p: its probability.
        turn: the iteration whose version would be run.
        roots: rows of the nodes that it edits.
    """

    kind: int
    p: float
    turn: int
    roots: tuple[int, ...] = ()


class Writer:
    """Writes a script, iteration by iteration."""

    def __init__(self) -> None:
        self._rows: list[NodeRow] = []
        self._first_output: list[int] = [0]
        self._texts: dict[str, int] = {}
        self._turns: list[tuple[list[int], list[int], float]] = []
        self._looks: list[tuple[list[int], list[Expected], float]] = []

    def fork(self) -> Writer:
        """Return a writer of a script that begins as this one and goes on by itself."""
        other = Writer()
        for name, own in vars(self).items():
            setattr(other, name, copy(own))
        return other

    def add_node(self, row: NodeRow) -> int:
        """Add a node signature whose parents are there already, and return its row."""
        if any(parent >= len(self._rows) for parent, _ in row.takes):
            raise ScriptError(f"node {row.name!r} takes from a row that is not there yet: add parents first")
        self._rows.append(row)
        self._first_output.append(self._first_output[-1] + len(row.outputs))
        return len(self._rows) - 1

    def output(self, row: int, which: int = 0) -> int:
        """Return the number of a row's output."""
        return self._first_output[row] + which

    def add_turn(
        self,
        rows: Iterable[int],
        requested: Iterable[int],
        expected: Sequence[Expected],
        *,
        stop: float,
        think_s: float = 0.0,
    ) -> None:
        """Add an iteration.

        Args:
            rows: its version's nodes.
            requested: outputs.
            expected: what may come next; turns at most the present one.
            stop: predicted probability that nothing does.
            think_s: how long the person thought before it.
        """
        self._turns.append((sorted(set(rows)), sorted(set(requested)), think_s))
        self._looks.append(([], [], stop))
        self.foresee(len(self._turns) - 1, expected, stop=stop)

    def foresee(self, turn: int, expected: Sequence[Expected], *, stop: float) -> None:
        """Say (anew) what may come after an iteration.

        Args:
            turn: the iteration.
            expected: as for :meth:`add_turn`.
            stop: likewise.
        """
        look = set(self._turns[turn][0])
        for each in expected:
            look.update(self._turns[each.turn][0])
        self._looks[turn] = (sorted(look), list(expected), stop)

    def script(self, *, name: str, source: str, group: str) -> Script:
        """Return the script.

        Raises:
            ScriptError: it does not fit together.
        """
        rows, scenarios = self._rows, [each for _, found, _ in self._looks for each in found]
        node_name = [self._text(row.name) for row in rows]
        node_operator = [self._text(row.operator) for row in rows]
        columns: dict[str, Sequence[float]] = {
            "node_ns": [row.compute_ns for row in rows],
            "node_name": node_name,
            "node_operator": node_operator,
            "node_stage": [STAGES.index(row.stage) for row in rows],  # type: ignore[arg-type]
            "node_code": [row.code for row in rows],
            "take_ptr": _ptr(row.takes for row in rows),
            "take_output": [self.output(*take) for row in rows for take in row.takes],
            "output_node": [i for i, row in enumerate(rows) for _ in row.outputs],
            "output_bytes": [size for row in rows for size, _ in row.outputs],
            "output_codec": [codec for row in rows for _, codec in row.outputs],
            "think_s": [think for _, _, think in self._turns],
            "stop": [stop for _, _, stop in self._looks],
            "version_ptr": _ptr(version for version, _, _ in self._turns),
            "version_node": [i for version, _, _ in self._turns for i in version],
            "request_ptr": _ptr(requested for _, requested, _ in self._turns),
            "request_output": [o for _, requested, _ in self._turns for o in requested],
            "look_ptr": _ptr(look for look, _, _ in self._looks),
            "look_node": [i for look, _, _ in self._looks for i in look],
            "scenario_ptr": _ptr(found for _, found, _ in self._looks),
            "scenario_p": [each.p for each in scenarios],
            "scenario_kind": [each.kind for each in scenarios],
            "scenario_turn": [each.turn for each in scenarios],
            "root_ptr": _ptr(each.roots for each in scenarios),
            "root_node": [i for each in scenarios for i in each.roots],
        }
        arrays = {key: np.array(column, dtype=AXES[key][1]) for key, column in columns.items()}
        return Script(name=name, source=source, group=group, names=tuple(self._texts), **arrays)

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))


def _ptr(groups: Iterable[Sequence[object]]) -> list[int]:
    ends = [0]
    for group in groups:
        ends.append(ends[-1] + len(group))
    return ends
