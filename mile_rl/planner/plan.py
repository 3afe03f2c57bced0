"""What the planner answers: the plan, and the certificate that proves it feasible and cheapest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mile_rl.planner.problem import Bools, Ints, Problem


class PlannerBug(AssertionError):
    """A plan is not what it claims: a bug of the planner (or a plan checked against another problem)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """A cut and a flow of the same value in the network of the problem.

    Any flow is a lower bound on the cost of any plan, any cut is a plan; where they meet, it is optimal.
    The network: source -> each requested output (infinite); output -> its node (``load_ns``, infinite where
    unavailable); node -> sink (``compute_ns``); node -> each output that it takes (infinite). Source: Xin et
    al. 2018, Helix, section 5.2 (reduction to project selection), here with costs at outputs.

    Args:
        needed: bool[m], the outputs on the source side of the cut; the nodes there are ``Plan.compute``.
        value_ns: the value of the flow.
        request_flow: int64[r], along source -> requested output.
        take_flow: int64[k], along node -> output that it takes.
        load_flow: int64[m], along output -> its node.
        compute_flow: int64[n], along node -> sink.
    """

    needed: Bools
    value_ns: int
    request_flow: Ints
    take_flow: Ints
    load_flow: Ints
    compute_flow: Ints

    def check_flow(self, problem: Problem) -> None:
        """Check that the flow is one: within the capacities, and conserved at every output and node.

        Raises:
            PlannerBug: it is not. O(n + m + k), vectorised.
        """
        shapes = (
            (self.request_flow, problem.requested),
            (self.take_flow, problem.takes_output),
            (self.load_flow, problem.load_ns),
            (self.compute_flow, problem.compute_ns),
        )
        for flow, like in shapes:
            _demand(flow.shape == like.shape and flow.dtype == np.int64, "a flow has the wrong shape or type")
            _demand(not np.any(flow < 0), "a flow is negative")
        available = problem.available
        _demand(
            not np.any(available & (self.load_flow > problem.load_ns)),
            "more flows than loading an output costs",
        )
        _demand(not np.any(self.compute_flow > problem.compute_ns), "more flows than computing a node costs")
        into_output = _add_at(problem.outputs, problem.requested, self.request_flow)
        np.add.at(into_output, problem.takes_output, self.take_flow)
        _demand(np.array_equal(into_output, self.load_flow), "flow is not conserved at an output")
        into_node = _add_at(problem.nodes, problem.output_node, self.load_flow)
        out_of_node = self.compute_flow.copy()
        np.add.at(out_of_node, problem.takes_child, self.take_flow)
        _demand(np.array_equal(into_node, out_of_node), "flow is not conserved at a node")
        _demand(int(self.request_flow.sum()) == self.value_ns, "the flow has another value than it claims")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The cheapest way to the requested outputs.

    Args:
        compute: bool[n], the nodes to compute.
        load: bool[m], the outputs to load (or to take from memory, where they were given as known).
        total_ns: what that costs in all; no plan costs less.
        certificate: the proof.
    """

    compute: Bools
    load: Bools
    total_ns: int
    certificate: Certificate

    @property
    def needed(self) -> Bools:
        """bool[m]: the outputs that are loaded, or yielded by a computed node and used."""
        return self.certificate.needed

    def check(self, problem: Problem, *, known: Bools | None = None) -> None:
        """Check that the plan is feasible, costs what it says, and that nothing cheaper exists.

        Args:
            problem: what :func:`solve` was asked.
            known: what :func:`solve` was told.

        Raises:
            PlannerBug: it is not so. O(n + m + k), vectorised.
        """
        problem = problem.with_known(known)
        needed = self.certificate.needed
        _demand(
            self.compute.shape == problem.compute_ns.shape and self.compute.dtype == np.bool_,
            "compute has the wrong shape or type",
        )
        for mask in (self.load, needed):
            _demand(
                mask.shape == problem.load_ns.shape and mask.dtype == np.bool_,
                "load or needed has the wrong shape or type",
            )
        by_node = self.compute[problem.output_node]
        _demand(bool(needed[problem.requested].all()), "a requested output is not needed")
        taken = problem.takes_output[self.compute[problem.takes_child]]
        _demand(bool(needed[taken].all()), "a computed node takes an output that is not needed")
        _demand(
            np.array_equal(self.load, needed & ~by_node), "a needed output is neither loaded nor computed"
        )
        _demand(not np.any(self.load & ~problem.available), "an unavailable output is loaded")
        used = np.zeros(problem.nodes, dtype=np.bool_)
        used[problem.output_node[needed]] = True
        _demand(not np.any(self.compute & ~used), "a node is computed though no output of it is needed")
        cut_ns = cost_ns(problem, self.compute, self.load)
        _demand(cut_ns == self.total_ns, f"the plan costs {cut_ns} ns, not {self.total_ns}")
        _demand(
            cut_ns == self.certificate.value_ns,
            f"the plan costs {cut_ns} ns, the flow proves only {self.certificate.value_ns}",
        )
        self.certificate.check_flow(problem)


def cost_ns(problem: Problem, compute: Bools, load: Bools) -> int:
    """Return what it costs to compute the nodes in ``compute`` and to load the outputs in ``load``."""
    return int(problem.compute_ns[compute].sum()) + int(problem.load_ns[load].sum())


def _add_at(size: int, index: Ints, values: Ints) -> Ints:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, index, values)
    return total


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise PlannerBug(otherwise)
