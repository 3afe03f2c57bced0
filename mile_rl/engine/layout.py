"""A DAG as the planner sees it: positions instead of names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mile_rl.planner import UNAVAILABLE, Problem, solve
from mile_rl.workflows.dag import Dag, Output

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to do for the requested outputs.

    Args:
        compute: the nodes to compute.
        load: the outputs to load, or to take from memory.
        total_ns: what that is expected to take; nothing takes less.
    """

    compute: frozenset[str]
    load: frozenset[Output]
    total_ns: int


class Layout:
    """The needed nodes of a DAG and their outputs, numbered, with what they cost now.

    Args:
        dag: the workflow.
    """

    def __init__(self, dag: Dag) -> None:
        needed = dag.needed
        self.nodes = [name for name in dag.nodes if name in needed]
        self.node_at = {name: i for i, name in enumerate(self.nodes)}
        self.outputs: list[Output] = []
        self._parents = {name: dag.nodes[name].parents for name in self.nodes}
        output_node: list[int] = []
        children: list[int] = []
        parents: list[Output] = []
        for i, name in enumerate(self.nodes):
            node = dag.nodes[name]
            for output in node.outputs:
                self.outputs.append(Output(name, output))
                output_node.append(i)
            for parent in node.parents:
                children.append(i)
                parents.append(parent)
        self.output_at = {output: i for i, output in enumerate(self.outputs)}
        self.compute_ns: Ints = np.zeros(len(self.nodes), dtype=np.int64)
        self.load_ns: Ints = np.full(len(self.outputs), UNAVAILABLE, dtype=np.int64)
        self._output_node: Ints = np.array(output_node, dtype=np.int64)
        self._takes_child: Ints = np.array(children, dtype=np.int64)
        self._takes_output: Ints = np.array([self.output_at[parent] for parent in parents], dtype=np.int64)
        self._requested: Ints = np.array([self.output_at[output] for output in dag.requested], dtype=np.int64)

    def choose(self, *, known: Collection[Output] = ()) -> Choice:
        """Return the cheapest way to the requested outputs.

        Args:
            known: outputs that are in memory.
        """
        if not known and not self.anything_kept:
            # With nothing to load there is one plan, and no need to prove that it is the best.
            total_ns = int(self.compute_ns.sum())
            return Choice(compute=frozenset(self.nodes), load=frozenset(), total_ns=total_ns)
        mask = None
        if known:
            mask = np.zeros(len(self.outputs), dtype=np.bool_)
            mask[[self.output_at[output] for output in known]] = True
        plan = solve(self._problem(self._requested), known=mask)
        return Choice(
            compute=frozenset(self.nodes[i] for i in np.flatnonzero(plan.compute)),
            load=frozenset(self.outputs[i] for i in np.flatnonzero(plan.load)),
            total_ns=plan.total_ns,
        )

    @property
    def anything_kept(self) -> bool:
        """Whether some output has an artifact."""
        return bool((self.load_ns != UNAVAILABLE).any())

    def recreation_ns(self, output: Output) -> int:
        """Return the least time to get an output back if it has no artifact, from what is kept now."""
        position = self.output_at[output]
        if (total_ns := self._without_artifacts_ns(output)) is not None:
            return total_ns
        kept, self.load_ns[position] = self.load_ns[position], UNAVAILABLE
        try:
            return solve(self._problem(np.array([position], dtype=np.int64))).total_ns
        finally:
            self.load_ns[position] = kept

    def _without_artifacts_ns(self, output: Output) -> int | None:
        """Return what computing an output with all that it needs takes; None where some of that has an artifact."""
        seen = {output.node}
        stack = [output.node]
        total_ns = 0
        while stack:
            node = stack.pop()
            total_ns += int(self.compute_ns[self.node_at[node]])
            for parent in self._parents[node]:
                if self.load_ns[self.output_at[parent]] != UNAVAILABLE:
                    return None
                if parent.node not in seen:
                    seen.add(parent.node)
                    stack.append(parent.node)
        return total_ns

    def set_costs(self, compute_ns: Mapping[str, int], load_ns: Mapping[Output, int]) -> None:
        """Set what each node takes to compute and each kept output to load."""
        self.compute_ns[:] = [compute_ns[name] for name in self.nodes]
        self.load_ns[:] = UNAVAILABLE
        for output, cost in load_ns.items():
            self.load_ns[self.output_at[output]] = cost

    def forget(self, outputs: Iterable[Output]) -> None:
        """Note that outputs have no artifact any more."""
        for output in outputs:
            self.load_ns[self.output_at[output]] = UNAVAILABLE

    def _problem(self, requested: Ints) -> Problem:
        return Problem(
            compute_ns=self.compute_ns,
            output_node=self._output_node,
            load_ns=self.load_ns,
            takes_child=self._takes_child,
            takes_output=self._takes_output,
            requested=requested,
        )
