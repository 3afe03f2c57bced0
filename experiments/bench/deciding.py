"""What deciding costs: the outlook, every decision of an iteration, and the network alone, by processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from experiments.bench.verdicts import Row
from mile_rl.policies.base import Budget, Candidate, Kept, Policy
from mile_rl.policies.expected import Expected
from mile_rl.policies.learned import SHIPPED, Learned
from mile_rl.policies.outlook import Outlook, scenario_limit, spread
from mile_rl.policies.replan import replan
from mile_rl.policies.scenarios import likely_scenarios

DECISION_BAR_MS = {10: 5.0, 30: 5.0, 100: 5.0}
"""Nodes -> what nineteen of twenty decisions may take beyond 1 % of the node's own time."""

OWN_SHARE = 0.01

NETWORK_BAR_US = 50.0
SHARE_KEPT = 0.25
WORKFLOWS = 5
MOST_DECISIONS = 12
SECTION = "deciding, processor time"


class Situation:
    """A workflow as people build them: steps that take one or two of the few before, some wide and quick ones.

    Sizes are those of frames that grow and shrink on the way; a store at 1 GB/s holds a quarter of the bytes,
    filled as the guard lets it be: with what loads faster than it is made.

    Args:
        nodes: how many.
        rng: draws everything.
    """

    def __init__(self, nodes: int, rng: np.random.Generator) -> None:
        takes = [
            sorted({int(rng.integers(max(0, i - 4), i)) for _ in range(rng.integers(1, 3))}) if i else []
            for i in range(nodes)
        ]
        self.compute_ns = np.maximum(rng.lognormal(18.5, 1.5, nodes), 2e6).round()  # median 0.1 s
        self.size_bytes = rng.lognormal(16.5, 1.5, nodes).astype(np.int64)  # median 15 MB
        self.load_ns = (self.size_bytes + 3e5).round()
        self.takes, self.nodes = takes, nodes
        self.ptr = np.cumsum([0, *map(len, takes)]).astype(np.int32)
        self.taken = np.array([each for one in takes for each in one], dtype=np.int32)
        self.recreation_ns = np.array([self._recreation_ns(o) for o in range(nodes)])
        self.budget_bytes = int(SHARE_KEPT * self.size_bytes.sum())
        self.held: list[int] = []
        for o in rng.permutation(nodes).tolist():
            used = int(self.size_bytes[self.held].sum())
            if self.recreation_ns[o] > self.load_ns[o] and used + self.size_bytes[o] <= self.budget_bytes:
                self.held.append(o)

    def _recreation_ns(self, output: int) -> float:
        requested = np.zeros(self.nodes, dtype=np.bool_)
        requested[output] = True
        nothing, loaded = np.full(self.nodes, -1.0), np.zeros(self.nodes, dtype=np.bool_)
        own = np.arange(self.nodes, dtype=np.int32)
        return replan(self.compute_ns, nothing, own, self.ptr, self.taken, requested, loaded)

    def outlook(self, rng: np.random.Generator) -> Outlook:
        """Return an outlook in as many scenarios as an engine would look at."""
        found = likely_scenarios(rng.random(self.nodes).tolist(), 0.1, 0.0, [], scenario_limit(self.nodes))
        own = np.arange(self.nodes, dtype=np.int32)
        edited = np.zeros((len(found), self.nodes), dtype=np.bool_)
        for row, each in enumerate(found):
            edited[row, list(each.roots)] = True
        requested = np.zeros_like(edited)
        requested[:, np.setdiff1d(own, self.taken)] = True
        return Outlook(
            iterations=5,
            position={f"s{o}": o for o in range(self.nodes)},
            compute_ns=self.compute_ns.copy(),
            take_ptr=self.ptr,
            take_output=self.taken,
            output_node=own,
            stage=np.zeros(self.nodes, dtype=np.int8),
            seen=np.ones(self.nodes, dtype=np.bool_),
            p=np.array([each.p for each in found]),
            kind=np.array([each.kind for each in found], dtype=np.int8),
            edited=edited,
            invalid=spread(edited, own, self.ptr, self.taken),
            requested=requested,
            stop=0.05,
        )

    def kept(self) -> tuple[Kept, ...]:
        """Return what the store holds."""
        return tuple(
            Kept(
                signature=f"s{o}",
                output=f"o{o}",
                node=f"n{o}",
                size_bytes=int(self.size_bytes[o]),
                load_ns=int(self.load_ns[o]),
                recreation_ns=int(self.recreation_ns[o]),
                loads=0,
                last_used=1,
                kept_at=1,
                code="",
            )
            for o in self.held
        )

    def candidates(self) -> list[Candidate]:
        """Return every other output that the guard would let through."""
        return [
            Candidate(
                output=f"o{o}",
                signature=f"s{o}",
                node=f"n{o}",
                operator="op",
                stage="preprocess",
                size_bytes=int(self.size_bytes[o]),
                compute_ns=int(self.compute_ns[o]),
                recreation_ns=int(self.recreation_ns[o]),
                run_ancestors_ns=int(self.recreation_ns[o]),
                load_ns=int(self.load_ns[o]),
                write_ns=int(self.load_ns[o] * 2),
            )
            for o in range(self.nodes)
            if o not in self.held and self.recreation_ns[o] > self.load_ns[o]
        ]


def bench(folder: Path, *, repeats: int) -> list[Row]:
    """Measure the decisions of the policies that look ahead, at 10, 30 and 100 nodes."""
    makers: dict[str, Callable[[], Policy]] = {"expected": Expected}
    if SHIPPED.exists():
        makers["learned"] = Learned
    rows = []
    for name, make in makers.items():
        for nodes, bar in DECISION_BAR_MS.items():
            decisions_ms, told_ms = _decisions(make, nodes, repeats)
            for what, value, limit in (
                ("median, beyond 1 % of the node", median(decisions_ms), None),
                ("19 of 20, beyond 1 % of the node", float(np.quantile(decisions_ms, 0.95)), bar),
                ("slowest, beyond 1 % of the node", max(decisions_ms), None),
                ("hearing the outlook", median(told_ms), None),
            ):
                rows.append(
                    Row(
                        section=SECTION,
                        system=name,
                        what=f"{nodes} nodes, {what}, ms",
                        value=value,
                        bar=limit,
                    )
                )
    if SHIPPED.exists():
        rows.append(
            Row(
                section=SECTION,
                system="learned",
                what="network alone, µs",
                value=_network_us(SHIPPED),
                bar=NETWORK_BAR_US,
            )
        )
    return rows


def _decisions(make: Callable[[], Policy], nodes: int, repeats: int) -> tuple[list[float], list[float]]:
    """Return what each decision takes beyond 1 % of its node's time (the least of some repeats), and each outlook."""
    decisions_ms, told_ms = [], []
    for seed in range(WORKFLOWS):
        rng = np.random.default_rng(seed)
        situation = Situation(nodes, rng)
        outlook, kept = situation.outlook(rng), situation.kept()
        used = sum(each.size_bytes for each in kept)
        budget = Budget(total_bytes=situation.budget_bytes, used_bytes=used)
        policy = make()
        policy.on_iteration(5, {}, kept)
        told_ms.append(_least_ms(lambda: policy.on_outlook(outlook), repeats))  # noqa: B023
        decisions_ms += [
            _least_ms(lambda: policy.admit(candidate, kept, budget), repeats)  # noqa: B023
            - OWN_SHARE * candidate.compute_ns / 1e6
            for candidate in situation.candidates()[:MOST_DECISIONS]
        ]
    return decisions_ms, told_ms


def _network_us(path: Path) -> float:
    from mile_rl.policies.network import Network
    from mile_rl.policies.observation import SIZE

    network, features = Network(path), np.zeros(SIZE, dtype=np.float32)
    return 1_000 * _least_ms(lambda: network.multiplier(features), 200)


def _least_ms(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begun_ns = time.thread_time_ns()
        call()
        times.append(time.thread_time_ns() - begun_ns)
    return min(times) / 1e6
