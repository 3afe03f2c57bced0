"""One script played with the production objects: the guard, a policy, the channels, the exact plan.

What is simulated is what ``mile_rl.engine.keeper`` does, in the same order: an iteration is planned from estimates
(what was measured under this very signature, else by the node's name, else by its operator, else a second), run in
topological order, and every output just computed goes through the engine's own questions, the guard and the policy.
A write is waited for in full, though the engine writes behind the computation: never better than real.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.conditions import Conditions
from envs.mincut import computed, replan
from envs.noise import COMPUTE, LOAD, WRITE, taken
from envs.script import Ints, Script
from mile_rl.engine.keeper import QUICK_NS
from mile_rl.planner.channel import Channel
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS
from mile_rl.policies.base import Budget, Candidate, Decision, Kept
from mile_rl.policies.guard import Guard
from mile_rl.policies.outlook import Outlook, spread
from mile_rl.workflows.edits import STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision of a policy.

    Args:
        turn: the iteration.
        output: the output.
        decision: what was decided.
        observation: what a learned policy saw of it, None for other policies.
    """

    turn: int
    output: int
    decision: Decision
    observation: npt.NDArray[np.float32] | None = None


@dataclass(slots=True, kw_only=True)
class Played:
    """What became of a session.

    Args:
        compute_ns, load_ns, write_ns: what each iteration spent.
        used_bytes: what the store held behind each iteration.
        decided: the decisions that the guard left to the policy, in order.
    """

    compute_ns: list[int] = field(default_factory=list)
    load_ns: list[int] = field(default_factory=list)
    write_ns: list[int] = field(default_factory=list)
    used_bytes: list[int] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)

    @property
    def waiting_ns(self) -> int:
        """How long the person waited in all."""
        return sum(self.compute_ns) + sum(self.load_ns) + sum(self.write_ns)

    def waiting_of(self, turn: int) -> int:
        """Return how long the person waited for one iteration."""
        return self.compute_ns[turn] + self.load_ns[turn] + self.write_ns[turn]


@dataclass(slots=True)
class _Artifact:
    record: Kept
    loads: int
    last_used: int


def play(script: Script, conditions: Conditions, guard: Guard) -> Played:
    """Play a session to its end.

    Args:
        script: the session.
        conditions: the store, the disk and the luck.
        guard: a fresh guard before a fresh policy.

    Returns:
        What it took, and what was decided.
    """
    return Session(script, conditions, guard).run()


class Session:
    """One session under way; see :func:`play`."""

    def __init__(self, script: Script, conditions: Conditions, guard: Guard) -> None:
        self.script, self.conditions, self.guard = script, conditions, guard
        self.played = Played()
        self.first_output = np.searchsorted(script.output_node, np.arange(script.nodes + 1)).tolist()
        self.kept: dict[int, _Artifact] = {}
        self.used_bytes = 0
        self.read: dict[int, Channel] = {}
        self.write: dict[int, Channel] = {}
        self.by_row: dict[int, int] = {}
        self.by_name: dict[int, int] = {}
        self.by_operator: dict[int, int] = {}

    def run(self) -> Played:
        """Play it to its end."""
        for turn in range(self.script.turns):
            _Turn(self, turn).run()
        return self.played

    def read_ns(self, output: int) -> int:
        """Return what the engine believes that loading an output takes."""
        channel = self.read.get(self._codec(output), self.conditions.believed_read)
        return channel.load_ns(int(self.script.output_bytes[output]))

    def write_ns(self, output: int) -> int:
        """Return what the engine believes that writing an output takes."""
        channel = self.write.get(self._codec(output), self.conditions.believed_write)
        return channel.load_ns(int(self.script.output_bytes[output]))

    def has_read(self, output: int, elapsed_ns: int) -> None:
        """Learn from a load."""
        codec, size_bytes = self._codec(output), int(self.script.output_bytes[output])
        self.read[codec] = self.read.get(codec, self.conditions.believed_read).updated(size_bytes, elapsed_ns)

    def has_written(self, output: int, size_bytes: int, elapsed_ns: int) -> None:
        """Learn from a write, or from the part of it that was done."""
        codec = self._codec(output)
        before = self.write.get(codec, self.conditions.believed_write)
        self.write[codec] = before.updated(size_bytes, elapsed_ns)

    def _codec(self, output: int) -> int:
        return int(self.script.output_codec[output])

    def expected_ns(self, node: int) -> int:
        """Return what the engine believes that computing a node takes."""
        script = self.script
        found = self.by_row.get(node)
        if found is None:
            found = self.by_name.get(int(script.node_name[node]))
        if found is None:
            found = self.by_operator.get(int(script.node_operator[node]))
        return DEFAULT_COMPUTE_NS if found is None else found

    def learn(self, node: int, elapsed_ns: int) -> None:
        """Remember what computing a node took."""
        script = self.script
        self.by_row[node] = elapsed_ns
        self.by_name[int(script.node_name[node])] = elapsed_ns
        self.by_operator[int(script.node_operator[node])] = elapsed_ns


class Graph:
    """Some of a script's nodes as arrays, numbered anew.

    Args:
        script: the session.
        rows: the nodes, ascending; with every node all that it takes from.
        first_output: int[n + 1], where each node's outputs begin.
    """

    def __init__(self, script: Script, rows: Ints, first_output: list[int]) -> None:
        self.rows = rows.tolist()
        self.node_at = {row: i for i, row in enumerate(self.rows)}
        self.outputs = [o for row in self.rows for o in range(first_output[row], first_output[row + 1])]
        self.output_at = {output: i for i, output in enumerate(self.outputs)}
        nodes = [self.node_at[int(script.output_node[output])] for output in self.outputs]
        self.output_node = np.array(nodes, dtype=np.int32)
        takes = [[self.output_at[int(output)] for output in script.takes(row)] for row in self.rows]
        self.take_ptr = np.cumsum([0, *map(len, takes)]).astype(np.int32)
        self.take_output = np.array([output for each in takes for output in each], dtype=np.int32)

    @property
    def wiring(self) -> tuple[Ints, Ints, Ints]:
        """What the minimum cut wants to know of it."""
        return self.output_node, self.take_ptr, self.take_output

    def mark(self, outputs: Any) -> npt.NDArray[np.bool_]:
        """Return bool[m], true for some outputs of the script."""
        mask = np.zeros(len(self.outputs), dtype=np.bool_)
        mask[[self.output_at[int(output)] for output in outputs]] = True
        return mask


class _Turn:
    """One iteration of a session."""

    def __init__(self, session: Session, turn: int) -> None:
        self.session, self.turn = session, turn
        self.number = turn + 1
        self.script = session.script
        self.graph = Graph(self.script, self.script.version(turn), session.first_output)
        self.measured = {row: session.by_row[row] for row in self.graph.rows if row in session.by_row}
        self.elapsed: dict[int, int] = {}
        self.loads_ns = self.writes_ns = 0
        self.first_write_ns = session.conditions.first_write_ns
        self.to_load: set[int] = set()
        self.loaded_ns: dict[int, int] = {}
        self.made_by: dict[int, set[int]] = {}
        self.made_ns: dict[int, int] = {}
        self.outlook: Outlook | None = None
        self.heard = False

    def run(self) -> None:
        """Play the iteration."""
        session, graph, played = self.session, self.graph, self.session.played
        session.guard.begin_run()
        for output, artifact in session.kept.items():
            # As the engine reads them from its catalog; what is loaded in an iteration shows in the next.
            artifact.record = replace(
                artifact.record,
                load_ns=session.read_ns(output),
                loads=artifact.loads,
                last_used=artifact.last_used,
                kept_at=artifact.last_used,
            )
        codes = {self._name(row): str(self.script.node_code[row]) for row in graph.rows}
        gone = session.guard.on_iteration(self.number, codes, self._records())
        self.load_ns = np.full(len(graph.outputs), -1.0)
        self._evict(gone)
        self.compute_ns = np.array([session.expected_ns(row) for row in graph.rows], dtype=np.float64)
        for output, position in graph.output_at.items():
            if output in session.kept:
                self.load_ns[position] = session.kept[output].record.load_ns
        requested = graph.mark(self.script.requested(self.turn))
        loaded = np.zeros(len(graph.outputs), dtype=np.bool_)
        self.compute = np.zeros(len(graph.rows), dtype=np.bool_)
        replan(self.compute_ns, self.load_ns, *graph.wiring, requested, loaded)
        computed(*graph.wiring, requested, loaded, self.compute)
        self._execute(loaded)
        spared = sum(ns for row, ns in self.measured.items() if row not in self.elapsed)
        session.guard.saved(spared - self.loads_ns)
        for row, elapsed_ns in self.elapsed.items():
            session.learn(row, elapsed_ns)
        played.compute_ns.append(sum(self.elapsed.values()))
        played.load_ns.append(self.loads_ns)
        played.write_ns.append(self.writes_ns)
        played.used_bytes.append(session.used_bytes)

    def _execute(self, loaded: npt.NDArray[np.bool_]) -> None:
        graph = self.graph
        self.to_load = {output for output, at in graph.output_at.items() if loaded[at]}
        for i, row in enumerate(graph.rows):
            outputs = range(self.session.first_output[row], self.session.first_output[row + 1])
            if self.compute[i]:
                self._compute(i, row)
                for output in outputs:
                    self._decide(output, i, row)
            else:
                times = [
                    self.loaded_ns[output] if output in self.loaded_ns else self._load(output)
                    for output in outputs
                    if loaded[graph.output_at[output]]
                ]
                if times:
                    self.made_by[row], self.made_ns[row] = {row}, sum(times)

    def _load(self, output: int) -> int:
        session, conditions = self.session, self.session.conditions
        base_ns = (
            conditions.read_latency_ns + self.script.output_bytes[output] / conditions.read_bytes_per_s * 1e9
        )
        elapsed_ns = taken(base_ns, conditions.seed, LOAD, output, self.turn, conditions.transfer_sigma)
        self.loads_ns += elapsed_ns
        session.has_read(output, elapsed_ns)
        session.guard.on_load(_signature(output))
        self.to_load.discard(output)
        self.loaded_ns[output] = elapsed_ns
        artifact = session.kept[output]
        artifact.loads += 1
        artifact.last_used = self.number
        return int(elapsed_ns)

    def _compute(self, i: int, row: int) -> None:
        conditions = self.session.conditions
        node_ns = float(self.script.node_ns[row])
        elapsed_ns = int(taken(node_ns, conditions.seed, COMPUTE, row, self.turn, conditions.compute_sigma))
        self.elapsed[row] = self.made_ns[row] = elapsed_ns
        parents = {int(self.script.output_node[output]) for output in self.script.takes(row)}
        self.made_by[row] = {row}.union(*(self.made_by[parent] for parent in parents))
        self.compute_ns[i] = elapsed_ns
        if self.outlook is not None:
            self.outlook.compute_ns[self.look.node_at[row]] = elapsed_ns
        self.session.guard.computed(elapsed_ns)

    def _decide(self, output: int, i: int, row: int) -> None:
        session = self.session
        made_ns = sum(self.made_ns[each] for each in self.made_by[row])
        if self.script.output_codec[output] < 0 or output in session.kept or made_ns < QUICK_NS:
            return
        load_ns, write_ns = session.read_ns(output), session.write_ns(output)
        if made_ns <= load_ns or write_ns > session.guard.allowance_ns():
            return
        candidate = self._candidate(output, i, row, made_ns, load_ns, write_ns)
        self._foresee(made_ns)
        budget_bytes = session.conditions.budget_bytes
        budget = Budget(total_bytes=budget_bytes, used_bytes=min(session.used_bytes, budget_bytes))
        decision = session.guard.admit(candidate, self._records(), budget)
        if not decision.reason.startswith(("guard:", "quick:")):
            observation = getattr(session.guard.policy, "observation", None)
            session.played.decided.append(
                Decided(turn=self.turn, output=output, decision=decision, observation=observation)
            )
        if decision.keep:
            self._evict(decision.evict)
            self._keep(output, candidate)

    def _candidate(
        self, output: int, i: int, row: int, made_ns: int, load_ns: int, write_ns: int
    ) -> Candidate:
        session, graph = self.session, self.graph
        recreation_ns, wanted = made_ns, session.guard.needs_outlook
        if (self.load_ns >= 0).any() and not (wanted and made_ns < session.guard.settled_ns):
            # Without its artifact; it has none, or nobody would ask.
            requested, loaded = graph.mark((output,)), np.zeros(len(graph.outputs), dtype=np.bool_)
            cost = replan(self.compute_ns, self.load_ns, *graph.wiring, requested, loaded)
            recreation_ns = min(made_ns, int(cost))
        ahead = self.compute.copy()
        ahead[: i + 1] = False
        return Candidate(
            output=self._name(row),
            signature=_signature(output),
            node=self._name(row),
            operator=self.script.names[self.script.node_operator[row]],
            stage=STAGES[self.script.node_stage[row]],
            size_bytes=int(self.script.output_bytes[output]),
            compute_ns=self.elapsed[row],
            recreation_ns=recreation_ns,
            run_ancestors_ns=made_ns,
            load_ns=load_ns,
            write_ns=write_ns,
            allowance_ns=session.guard.allowance_ns() if wanted else 0,
            ahead_ns=int(self.compute_ns[ahead].sum()) if wanted else 0,
        )

    def _keep(self, output: int, candidate: Candidate) -> None:
        session, conditions = self.session, self.session.conditions
        session.used_bytes += candidate.size_bytes
        base_ns = conditions.write_latency_ns + candidate.size_bytes / conditions.write_bytes_per_s * 1e9
        base_ns, self.first_write_ns = base_ns + self.first_write_ns, 0.0
        write_ns = taken(base_ns, conditions.seed, WRITE, output, self.turn, conditions.transfer_sigma)
        left_ns = session.guard.allowance_ns()
        spent_ns = min(write_ns, left_ns)
        self.writes_ns += spent_ns
        session.guard.written(candidate.signature, spent_ns)
        if write_ns > left_ns:  # given up half-way
            part = math.floor(candidate.size_bytes * (left_ns / write_ns))
            session.has_written(output, part, max(left_ns, 1))
            session.used_bytes -= candidate.size_bytes
            return
        session.has_written(output, candidate.size_bytes, write_ns)
        record = Kept(
            signature=candidate.signature,
            output=candidate.output,
            node=candidate.node,
            size_bytes=candidate.size_bytes,
            load_ns=candidate.load_ns,
            recreation_ns=candidate.recreation_ns,
            loads=0,
            last_used=self.number,
            kept_at=self.number,
            code=str(self.script.node_code[self.script.output_node[output]]),
        )
        session.kept[output] = _Artifact(record=record, loads=0, last_used=self.number)
        self.load_ns[self.graph.output_at[output]] = candidate.load_ns

    def _evict(self, signatures: tuple[str, ...]) -> None:
        for signature in signatures:
            output = int(signature[1:])
            if output in self.to_load:
                # The plan counts on it: it is taken into memory before it goes.
                self._load(output)
            self.session.used_bytes -= self.session.kept.pop(output).record.size_bytes
            if output in self.graph.output_at:
                self.load_ns[self.graph.output_at[output]] = -1.0

    def _records(self) -> tuple[Kept, ...]:
        return tuple(artifact.record for artifact in self.session.kept.values())

    def _foresee(self, made_ns: int) -> None:
        """Tell the policy what may come next, once an iteration and only where something takes long enough."""
        guard = self.session.guard
        if self.heard or made_ns < guard.settled_ns or not guard.needs_outlook:
            return
        self.heard = True
        self.look = Graph(self.script, self.script.look(self.turn), self.session.first_output)
        self.outlook = outlook_of(self.session, self.turn, self.look, self._known_ns)
        if self.outlook is not None:
            self.session.guard.on_outlook(self.outlook)

    def _known_ns(self, row: int) -> int:
        return self.elapsed[row] if row in self.elapsed else self.session.expected_ns(row)

    def _name(self, row: int) -> str:
        return self.script.names[self.script.node_name[row]]


def outlook_of(
    session: Session, turn: int, graph: Graph, expected_ns: Callable[[int], int]
) -> Outlook | None:
    """Return what the script says may come after an iteration, None where it says nothing.

    Args:
        session: what it is part of.
        turn: the iteration.
        graph: of the outlook's nodes.
        expected_ns: what computing a node is believed to take.
    """
    script = session.script
    scenarios = range(int(script.scenario_ptr[turn]), int(script.scenario_ptr[turn + 1]))
    if not scenarios:
        return None
    edited = np.zeros((len(scenarios), len(graph.rows)), dtype=np.bool_)
    requested = np.zeros((len(scenarios), len(graph.outputs)), dtype=np.bool_)
    for at, scenario in enumerate(scenarios):
        roots = script.root_node[script.root_ptr[scenario] : script.root_ptr[scenario + 1]]
        edited[at, [graph.node_at[int(root)] for root in roots]] = True
        requested[at] = graph.mark(script.requested(int(script.scenario_turn[scenario])))
    part = slice(scenarios.start, scenarios.stop)
    return Outlook(
        iterations=turn + 1,
        position={_signature(output): at for output, at in graph.output_at.items()},
        compute_ns=np.array([expected_ns(row) for row in graph.rows], dtype=np.float64),
        take_ptr=graph.take_ptr,
        take_output=graph.take_output,
        output_node=graph.output_node,
        stage=script.node_stage[graph.rows],
        seen=np.array([row in session.by_row for row in graph.rows], dtype=np.bool_),
        p=script.scenario_p[part].copy(),
        kind=script.scenario_kind[part],
        edited=edited,
        invalid=spread(edited, *graph.wiring),
        requested=requested,
        stop=float(script.stop[turn]),
    )


def _signature(output: int) -> str:
    return f"o{output:08d}"
