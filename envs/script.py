"""A script: one session written down, with everything that does not depend on the policy.

What the person did, what everything truly costs, and what the prediction model said at each point. Scripts are
made once, kept in a bank (``envs.bank``) and played under any policy, budget and bandwidth (``envs.session`` one
at a time with the production objects, ``envs.kernel`` many at once).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from envs.errors import ScriptError
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN
from mile_rl.workflows.edits import STAGES

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]

CODECS: Final = ("array", "frame", "sparse", "estimator", "pickle")
"""The store's codecs by the number that ``output_codec`` holds; -1 is a value that cannot be kept."""

SOURCES: Final = ("simulated", "openml", "mlflow", "dvc", "own")

AXES: Final[Mapping[str, tuple[str, type]]] = {
    "node_ns": ("node", np.int64),
    "node_name": ("node", np.int32),
    "node_operator": ("node", np.int32),
    "node_stage": ("node", np.int8),
    "node_code": ("node", np.int32),
    "take_ptr": ("node+1", np.int32),
    "take_output": ("take", np.int32),
    "output_node": ("output", np.int32),
    "output_bytes": ("output", np.int64),
    "output_codec": ("output", np.int8),
    "think_s": ("turn", np.float64),
    "stop": ("turn", np.float64),
    "version_ptr": ("turn+1", np.int32),
    "version_node": ("version", np.int32),
    "request_ptr": ("turn+1", np.int32),
    "request_output": ("request", np.int32),
    "look_ptr": ("turn+1", np.int32),
    "look_node": ("look", np.int32),
    "scenario_ptr": ("turn+1", np.int32),
    "scenario_p": ("scenario", np.float64),
    "scenario_kind": ("scenario", np.int8),
    "scenario_turn": ("scenario", np.int32),
    "root_ptr": ("scenario+1", np.int32),
    "root_node": ("root", np.int32),
}
"""Every array of a script: the axis that it runs along, and its type."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Script:
    """One session.

    A row of the node tables is one distinct node signature of the session, so a return to an earlier version
    names the same rows again. Rows are in topological order, outputs in the order of their nodes. CSR tables
    have ``*_ptr`` one longer than what they belong to.

    Args:
        name: of the session, unique in a bank.
        source: one of SOURCES.
        group: the person or repository; keep a group on one side of every split.
        names: the texts that ``node_name`` and ``node_operator`` point into.
        node_ns: int64[n], what computing each truly takes.
        node_name, node_operator: int32[n].
        node_stage: int8[n], as ``mile_rl.workflows.edits.STAGES``.
        node_code: int32[n], equal iff own code and parameters are equal.
        take_ptr, take_output: the outputs that each node takes.
        output_node: int32[m], not decreasing.
        output_bytes: int64[m], as an artifact.
        output_codec: int8[m], as CODECS, -1 for what cannot be kept.
        think_s: float64[t], how long the person thought before each iteration.
        stop: float64[t], the predicted probability that each iteration is the last.
        version_ptr, version_node: the nodes of each iteration's version, ascending.
        request_ptr, request_output: what each iteration wants in the end.
        look_ptr, look_node: the nodes of each iteration's outlook, ascending.
        scenario_ptr, scenario_p, scenario_kind, scenario_turn: what may come next, with its probability (they
            add up to 1), kind (``mile_rl.policies.outlook``), and the iteration whose version would be run.
        root_ptr, root_node: the nodes that each scenario edits.

    Raises:
        ScriptError: the arrays do not fit together.
    """

    name: str
    source: str
    group: str
    names: tuple[str, ...]
    node_ns: Longs
    node_name: Ints
    node_operator: Ints
    node_stage: Bytes
    node_code: Ints
    take_ptr: Ints
    take_output: Ints
    output_node: Ints
    output_bytes: Longs
    output_codec: Bytes
    think_s: Floats
    stop: Floats
    version_ptr: Ints
    version_node: Ints
    request_ptr: Ints
    request_output: Ints
    look_ptr: Ints
    look_node: Ints
    scenario_ptr: Ints
    scenario_p: Floats
    scenario_kind: Bytes
    scenario_turn: Ints
    root_ptr: Ints
    root_node: Ints
    _intermediate_bytes: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        _Check(self).everything()

    @property
    def nodes(self) -> int:
        """How many distinct node signatures there are."""
        return int(self.node_ns.size)

    @property
    def outputs(self) -> int:
        """How many distinct outputs there are."""
        return int(self.output_node.size)

    @property
    def turns(self) -> int:
        """How many iterations there are."""
        return int(self.think_s.size)

    @property
    def intermediate_bytes(self) -> int:
        """The size of all intermediates of one version that can be kept, the median over the iterations.

        What a budget is a share of: 1 is what keeping everything of one run takes. A person knows that; what a
        whole session will have made nobody knows beforehand.
        """
        if self._intermediate_bytes < 0:
            held = np.where(self.output_codec >= 0, self.output_bytes, 0)
            by_node = np.bincount(self.output_node, weights=held, minlength=self.nodes)
            median = np.median([by_node[self.version(turn)].sum() for turn in range(self.turns)])
            object.__setattr__(self, "_intermediate_bytes", int(median))
        return self._intermediate_bytes

    def version(self, turn: int) -> Ints:
        """Return the nodes of an iteration."""
        return self.version_node[self.version_ptr[turn] : self.version_ptr[turn + 1]]

    def requested(self, turn: int) -> Ints:
        """Return the outputs that an iteration wants."""
        return self.request_output[self.request_ptr[turn] : self.request_ptr[turn + 1]]

    def look(self, turn: int) -> Ints:
        """Return the nodes of an iteration's outlook."""
        return self.look_node[self.look_ptr[turn] : self.look_ptr[turn + 1]]

    def takes(self, node: int) -> Ints:
        """Return the outputs that a node takes."""
        return self.take_output[self.take_ptr[node] : self.take_ptr[node + 1]]

    def plain_ns(self, turn: int) -> int:
        """Return what an iteration takes where everything is computed."""
        return int(self.node_ns[self.version(turn)].sum())

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in AXES}

    def equals(self, other: Script) -> bool:
        """Return whether two scripts are the same in everything."""
        texts = ("name", "source", "group", "names")
        return all(getattr(self, name) == getattr(other, name) for name in texts) and all(
            np.array_equal(array, getattr(other, name)) for name, array in self.arrays().items()
        )


class _Check:
    """Whether a script's arrays fit together."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def everything(self) -> None:
        script = self.script
        self._types()
        self._demand(script.source in SOURCES, f"source {script.source!r} is none of {', '.join(SOURCES)}")
        self._demand(script.turns >= 1, "it has no iteration")
        for ptr, values in (
            ("take_ptr", "take_output"),
            ("version_ptr", "version_node"),
            ("request_ptr", "request_output"),
            ("look_ptr", "look_node"),
            ("scenario_ptr", "scenario_p"),
            ("root_ptr", "root_node"),
        ):
            starts = getattr(script, ptr)
            spans = starts[0] == 0 and starts[-1] == getattr(script, values).size
            self._demand(bool(spans and (np.diff(starts) >= 0).all()), f"{ptr} does not span {values}")
        for name, size in (
            ("node_name", len(script.names)),
            ("node_operator", len(script.names)),
            ("node_stage", len(STAGES)),
            ("take_output", script.outputs),
            ("output_node", script.nodes),
            ("version_node", script.nodes),
            ("request_output", script.outputs),
            ("look_node", script.nodes),
            ("scenario_turn", script.turns),
            ("root_node", script.nodes),
        ):
            values = getattr(script, name)
            fits = not values.size or (values.min() >= 0 and values.max() < size)
            self._demand(bool(fits), f"{name} points at something that is not there")
        self._graph()
        self._turns()
        self._scenarios()

    def _types(self) -> None:
        sizes: dict[str, int] = {}
        for name, (axis, dtype) in AXES.items():
            array = getattr(self.script, name)
            self._demand(array.dtype == dtype and array.ndim == 1, f"{name} is {array.dtype}[{array.ndim}d]")
            base, _, more = axis.partition("+")
            size = array.size - (1 if more else 0)
            self._demand(sizes.setdefault(base, size) == size, f"{name} has {array.size} entries")

    def _graph(self) -> None:
        script = self.script
        self._demand(bool((np.diff(script.output_node) >= 0).all()), "outputs are not in the order of nodes")
        takers = np.repeat(np.arange(script.nodes), np.diff(script.take_ptr))
        early = script.output_node[script.take_output] < takers
        self._demand(bool(early.all()), "the nodes are not in topological order")
        self._demand(bool((script.node_ns >= 0).all()), "node_ns is negative")
        self._demand(bool((script.output_bytes >= 0).all()), "output_bytes is negative")
        codecs = (script.output_codec >= -1) & (script.output_codec < len(CODECS))
        self._demand(bool(codecs.all()), "output_codec is no codec")

    def _turns(self) -> None:
        script = self.script
        for turn in range(script.turns):
            version, look = script.version(turn), script.look(turn)
            for name, rows in (("version_node", version), ("look_node", look)):
                self._demand(bool((np.diff(rows) > 0).all()), f"{name} does not ascend in iteration {turn}")
            here = np.zeros(script.nodes, dtype=np.bool_)
            here[version] = True
            self._demand(bool(here[script.output_node[script.requested(turn)]].all()), "strange request")
            parents = [script.output_node[script.takes(int(node))] for node in version]
            inside = all(here[each].all() for each in parents)
            self._demand(inside, f"iteration {turn} lacks a parent of one of its nodes")
            seen = np.zeros(script.nodes, dtype=np.bool_)
            seen[look] = True
            self._demand(bool(seen[version].all()), f"the outlook of iteration {turn} lacks its own version")
            for scenario in range(script.scenario_ptr[turn], script.scenario_ptr[turn + 1]):
                other = int(script.scenario_turn[scenario])
                self._demand(other <= turn, f"a scenario of iteration {turn} runs a later version")
                self._demand(bool(seen[script.version(other)].all()), "an outlook lacks a version")

    def _scenarios(self) -> None:
        script = self.script
        self._demand(bool(np.isin(script.scenario_kind, (EDIT, NOTHING, RETURN)).all()), "strange kind")
        self._demand(bool((script.scenario_p >= 0).all()), "scenario_p is negative")
        self._demand(bool(((script.stop >= 0) & (script.stop <= 1)).all()), "stop is no probability")
        for turn in range(script.turns):
            p = script.scenario_p[script.scenario_ptr[turn] : script.scenario_ptr[turn + 1]]
            whole = not p.size or abs(float(p.sum()) - 1) < 1e-6
            self._demand(whole, f"the scenarios of iteration {turn} do not add up to 1")

    def _demand(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise ScriptError(
                f"script {self.script.name!r} does not fit together ({otherwise}); make it with envs.writing.Writer"
            )
