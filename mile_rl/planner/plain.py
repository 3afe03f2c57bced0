"""Minimum cut in plain Python, for the small problems that people have: no library to import first.

Importing OR-tools takes longer than most plans; a process that plans once should not pay for it. Two steps:

1. What has to be computed in any case (whatever a requested output needs and no artifact offers) is told by
   walking up from the requested outputs. On a first run that is everything, and the plan is done.
2. For the outputs at the edge of that, for which there is a choice, Dinic's algorithm on the part of the
   graph above them.

The two are put together to one flow, so the certificate is of the same kind as OR-tools'.
Source: Dinitz 1970, "Algorithm for solution of a problem of maximum flow in networks with power estimation".
"""

from __future__ import annotations

import numpy as np

from mile_rl.planner.dinic import Network
from mile_rl.planner.plan import Certificate
from mile_rl.planner.problem import UNAVAILABLE, Bools, Problem


def cut(problem: Problem, *, steps: int | None = None) -> tuple[Certificate, Bools] | None:
    """Return the certificate of the minimum cut with the smallest source side, and its nodes, bool[n].

    Args:
        problem: what is asked.
        steps: at most so many arcs are looked at in step 2; None for no limit.

    Returns:
        None where ``steps`` did not suffice.
    """
    task = _Task(problem)
    task.walk_up()
    if not task.choose(steps):
        return None
    task.carry_back()
    return task.certificate(), task.compute_mask()


class _Task:
    """The state of one cut, as Python lists (several times faster than indexing arrays one by one)."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.compute_ns: list[int] = problem.compute_ns.tolist()
        self.load_ns: list[int] = problem.load_ns.tolist()
        self.node_of: list[int] = problem.output_node.tolist()
        self.taken: list[int] = problem.takes_output.tolist()
        self.requested: list[int] = problem.requested.tolist()
        self.takes_of: list[list[int]] = [[] for _ in range(problem.nodes)]
        for take, child in enumerate(problem.takes_child.tolist()):
            self.takes_of[child].append(take)
        # An arc into an output is a take (its position) or a request (~position).
        self.request_flow = [0] * len(self.requested)
        self.take_flow = [0] * len(self.taken)
        self.load_flow = [0] * len(self.load_ns)
        self.compute_flow = [0] * len(self.compute_ns)
        self.forced: dict[int, tuple[int, int]] = {}  # node -> (output, arc) by which it was reached
        self.wanted: dict[int, int] = {}  # output -> the first arc that wants it
        self.chosen: set[int] = set()  # nodes that step 2 computes
        self.chosen_outputs: set[int] = set()

    def walk_up(self) -> None:
        """Step 1: find the nodes that every plan computes, and the outputs that they take."""
        stack = [(output, ~place) for place, output in enumerate(self.requested)]
        while stack:
            output, arc = stack.pop()
            if output in self.wanted:
                continue
            self.wanted[output] = arc
            node = self.node_of[output]
            if self.load_ns[output] == UNAVAILABLE and node not in self.forced:
                self.forced[node] = (output, arc)
                stack.extend((self.taken[take], take) for take in self.takes_of[node])

    def choose(self, steps: int | None) -> bool:
        """Step 2: load or compute what is at the edge? Return False where ``steps`` did not suffice."""
        edge = [output for output in self.wanted if self.node_of[output] not in self.forced]
        if not edge:
            return True
        vertex: dict[int, int] = {}  # output o -> its vertex under o, node v under ~v
        keys: list[int] = [0, 0]  # the reverse, source and sink left out
        arcs: list[tuple[list[int], int, int]] = []  # (flows, place in them, arc of the network)

        def reach(key: int) -> int:
            if key not in vertex:
                vertex[key] = network.add_vertex()
                keys.append(key)
            return vertex[key]

        def grow(at: int) -> None:
            key = keys[at]
            if key < 0:
                node = ~key
                arcs.append(
                    (self.compute_flow, node, network.add_arc(at, network.SINK, self.compute_ns[node]))
                )
                for take in self.takes_of[node]:
                    arcs.append((self.take_flow, take, network.add_arc(at, reach(self.taken[take]))))
            elif self.node_of[key] not in self.forced:  # else it comes for nothing
                load_ns = None if self.load_ns[key] == UNAVAILABLE else self.load_ns[key]
                up = reach(~self.node_of[key])
                arcs.append((self.load_flow, key, network.add_arc(at, up, load_ns)))

        network = Network(infinite=sum(self.compute_ns) + 1, grow=grow)
        source_arcs = [(output, network.add_arc(network.SOURCE, reach(output))) for output in edge]
        if not network.maximise(steps):
            return False
        for flows, place, arc in arcs:
            flows[place] += network.flow(arc)
        for output, arc in source_arcs:
            self._add_flow(self.wanted[output], network.flow(arc))
        side = network.source_side()
        self.chosen = {~key for key, at in vertex.items() if key < 0 and at in side}
        self.chosen_outputs = {key for key, at in vertex.items() if key >= 0 and at in side}
        return True

    def carry_back(self) -> None:
        """Lead what step 2 and the forced nodes cost back to the source, along the way of step 1."""
        for node, (output, arc) in reversed(self.forced.items()):
            self.compute_flow[node] = self.compute_ns[node]
            through = self.compute_ns[node] + sum(self.take_flow[take] for take in self.takes_of[node])
            self.load_flow[output] += through
            self._add_flow(arc, through)

    def _add_flow(self, arc: int, flow: int) -> None:
        if arc < 0:
            self.request_flow[~arc] += flow
        else:
            self.take_flow[arc] += flow

    def certificate(self) -> Certificate:
        """Return flow and cut as arrays."""
        needed = np.zeros(self.problem.outputs, dtype=np.bool_)
        needed[[*self.wanted, *self.chosen_outputs]] = True
        return Certificate(
            needed=needed,
            value_ns=sum(self.request_flow),
            request_flow=np.array(self.request_flow, dtype=np.int64),
            take_flow=np.array(self.take_flow, dtype=np.int64),
            load_flow=np.array(self.load_flow, dtype=np.int64),
            compute_flow=np.array(self.compute_flow, dtype=np.int64),
        )

    def compute_mask(self) -> Bools:
        """Return the nodes to compute."""
        mask = np.zeros(self.problem.nodes, dtype=np.bool_)
        mask[[*self.forced, *self.chosen]] = True
        return mask
