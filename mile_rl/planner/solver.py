"""The reuse plan: a minimum cut, found by one of two exact solvers and proved by its certificate."""

from __future__ import annotations

import sys
from typing import Final

from mile_rl.planner.plan import Certificate, Plan, cost_ns
from mile_rl.planner.problem import Bools, Problem

SMALL: Final[int] = 10_000
"""Up to so many nodes, outputs and takes in all, plain Python is tried: importing OR-tools takes 40 ms."""

TINY: Final[int] = 100
"""The same where OR-tools is imported already: only this small is plain Python the faster one."""

STEPS: Final[int] = 30_000
"""How many arcs the plain solver may look at (about 10 ms) before it leaves the problem to OR-tools."""


def solve(problem: Problem, *, known: Bools | None = None) -> Plan:
    """Return the cheapest plan, with its certificate checked.

    Nodes that no requested output needs are left out. Of several cheapest plans it is the one with the
    smallest source side of the cut: the nodes that it computes are computed by every other cheapest plan too.
    That plan is unique, hence the same whichever solver finds it: where loading and computing cost the same,
    it loads.

    Args:
        problem: the DAG with its costs.
        known: bool[m], outputs that are in memory already and cost nothing; used to replan the rest of an
            iteration when an artifact vanished in the middle of it.

    Raises:
        PlannerBug: the certificate does not hold; nothing is returned unproved.
        ValueError: ``known`` is not a bool[m].
    """
    asked = problem.with_known(known)
    certificate, compute = _cut(asked)
    load = certificate.needed & ~compute[asked.output_node]
    plan = Plan(compute=compute, load=load, total_ns=cost_ns(asked, compute, load), certificate=certificate)
    plan.check(asked)
    return plan


def _cut(problem: Problem) -> tuple[Certificate, Bools]:
    size = problem.nodes + problem.outputs + problem.takes_child.size
    loaded = "ortools.graph.python.max_flow" in sys.modules
    if size <= (TINY if loaded else SMALL):
        from mile_rl.planner import plain

        found = plain.cut(problem, steps=STEPS)
        if found is not None:
            return found
    from mile_rl.planner import ortools_cut

    return ortools_cut.cut(problem)
