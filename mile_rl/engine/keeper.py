"""What the executor asks and tells: plans, loads, decisions, and everything that has to be remembered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mile_rl.engine import versions
from mile_rl.engine.caches import CACHES
from mile_rl.engine.foresight_run import Lookout
from mile_rl.engine.opened import own_sources
from mile_rl.engine.running import MISSING
from mile_rl.engine.writer import Writer, cost_ns
from mile_rl.policies.base import Budget, Candidate, Kept
from mile_rl.policies.words import duration
from mile_rl.store.records import ArtifactMeta
from mile_rl.store.results import PutResult
from mile_rl.workflows.dag import Output
from mile_rl.workflows.sign import NodeSignature

if TYPE_CHECKING:
    from mile_rl.engine.call import Called
    from mile_rl.engine.held import Held
    from mile_rl.engine.prepared import Prepared

QUICK_NS = 5_000_000
"""What took less than this to make is not worth a decision: 5 ms, no more than deciding, writing and loading cost."""

BESIDE_NS = 5_000_000
"""Beside an operator that is expected to be done sooner nothing is written: Python's threads take turns of 5 ms, so
the writer would rather keep the operator waiting than work beside it."""

DECIDING_NS = 5_000_000
DECIDING_SHARE = 0.01
"""Deciding may take 5 ms and 1 % of the time that operators took; beyond that, cheaper estimates are used."""


FEW = 16
"""So many ancestors are summed up one by one, sooner than by an array."""


class Fate:
    """What became of one output in this iteration."""

    __slots__ = ("kept", "load_ns", "reason", "size_bytes", "write_ns")

    def __init__(self) -> None:
        self.kept = False
        self.reason = ""
        self.size_bytes: int | None = None
        self.load_ns: int | None = None
        self.write_ns: int | None = None


class IterationKeeper:
    """The executor's counterpart for one iteration; implements ``mile_rl.engine.running.Keeper``.

    Args:
        prepared: the iteration, planned.
        clock_ns: a clock.
    """

    def __init__(self, prepared: Prepared, *, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._prepared = prepared
        self._clock_ns = clock_ns
        self._writer = Writer()
        self._first_plan = True
        self.signatures: dict[str, NodeSignature] = dict(prepared.signatures)
        self.elapsed_ns: dict[str, int] = {}
        self.fates: dict[Output, Fate] = {}
        self.notes: list[str] = list(prepared.notes)
        self._made_by: dict[str, int] = {}
        self._made_ns = np.zeros(len(prepared.layout.nodes), dtype=np.int64)
        self._deciding_ns = 0
        self._decisions = 0
        self._lookout = Lookout(prepared)
        self._not_to_keep: dict[str, str] = dict(prepared.volatile)
        self._used_bytes: int | None = None
        self._written: deque[tuple[Output, str, int, PutResult]] = deque()
        self._kept: dict[str, Kept] = dict(prepared.kept)
        self._to_load: set[Output] = set()
        self._loaded_early: dict[Output, Any] = {}
        self._reserved: dict[str, int] = {}

    def refresh_caches(self) -> None:
        """See to it that no function of the person's returns from its cache what a file held before."""
        prepared = self._prepared
        for name in prepared.layout.nodes if prepared.plan.compute else ():
            CACHES.refresh(prepared.signer.caches(prepared.dag.nodes[name].operator))

    def plan(self, known: Collection[Output]) -> tuple[frozenset[str], frozenset[Output]]:
        """Return the prepared plan at first; later the best way on from what is in memory."""
        self._hear_of_writes()
        early = self._loaded_early
        plan = (
            self._prepared.plan if self._first_plan else self._prepared.layout.choose(known={*known, *early})
        )
        self._first_plan = False
        self._to_load = set(plan.load) - set(known) - early.keys()
        return plan.compute, plan.load

    def load(self, output: Output) -> Any:
        """Load an artifact; one that is damaged or gone is dropped by the store, and forgotten here."""
        if output in self._loaded_early:
            return self._loaded_early.pop(output)
        self._to_load.discard(output)
        prepared = self._prepared
        signature = self._signature(output)
        loaded = prepared.store.get(signature, artifact=prepared.artifacts.get(signature))
        if not loaded.found:
            prepared.layout.forget((output,))
            self._kept.pop(signature, None)
            self.notes.append(f"the artifact of {output} cannot be used ({loaded.reason}): made again")
            return MISSING
        fate = self.fates.setdefault(output, Fate())
        fate.kept, fate.reason = True, "loaded"
        fate.size_bytes, fate.load_ns = loaded.size_bytes, loaded.elapsed_ns
        self._ran(output.node, sum(f.load_ns or 0 for f in self.output_fates(output.node).values()))
        prepared.costs.loaded(loaded.codec, loaded.size_bytes, loaded.elapsed_ns)
        prepared.guard.on_load(signature)
        return loaded.value

    def begins(self, node: str) -> None:
        """Have what is queued written while the node runs, and perhaps the next iteration foreseen."""
        if self.expected_ns(node) >= BESIDE_NS:
            self._writer.wake()
        if self._lookout.wanted and node in self._prepared.known_ns:
            self._lookout.begins(self._prepared.known_ns[node])

    def seed_of(self, node: str) -> str:
        """Return the digest without hidden files, which are not known before the node first runs."""
        return self.signatures[node].base

    def is_exclusive(self, node: str) -> bool:
        """Look the operator's code up in the catalog's notes."""
        return self._prepared.flags(node).uses_global_random

    def is_mutator(self, node: str) -> bool:
        """Look the operator's code up in the catalog's notes."""
        return self._prepared.flags(node).mutates_inputs

    def expected_ns(self, node: str) -> int:
        """Return the planner's estimate."""
        layout = self._prepared.layout
        return int(layout.compute_ns[layout.node_at[node]])

    def named_files(self, node: str) -> Sequence[str]:
        """Return what the signer found in the node's code and arguments."""
        return self._prepared.signer.named_files(self._prepared.dag.nodes[node])

    def computed(self, node: str, called: Called) -> None:
        """Note the time, and what the operator did besides returning something."""
        prepared = self._prepared
        self.elapsed_ns[node] = called.elapsed_ns
        self._ran(node, called.elapsed_ns, prepared.dag.nodes[node].parents)
        position = prepared.layout.node_at[node]
        prepared.layout.compute_ns[position] = called.elapsed_ns
        self._lookout.computed(position, called.elapsed_ns)
        prepared.guard.computed(called.elapsed_ns)
        stale = prepared.signer.changed_files(prepared.dag.nodes[node], self.signatures[node])
        if changed_files := dict.fromkeys((*called.files_changed, *stale)):
            names = ", ".join(path.name for path in changed_files)
            self._keep_nothing_of(node, f"{names} changed while {node} ran or waited")
        operator = prepared.dag.nodes[node].operator
        opened = called.opened
        if caches := prepared.signer.caches(operator):
            opened = tuple(dict.fromkeys((*opened, *self._filled_from(node, caches, opened))))
        if loaded := prepared.signer.loaded_since(operator):
            sources = (Path(file) for name in loaded for file in own_sources(name))
            opened = tuple(dict.fromkeys((*opened, *sources)))
        if opened:
            self._note_hidden(node, opened)
        if changed := prepared.signer.changed_globals(operator):
            self._keep_nothing_of(node, f"{', '.join(changed)} changed while {node} ran")
        if prepared.flags(node).mutates_inputs:
            self.notes.append(
                f"{node} changes its inputs in place, so it is given copies; copy inside it instead"
            )

    def _filled_from(self, node: str, caches: Sequence[Any], opened: tuple[Path, ...]) -> list[Path]:
        """Return the undeclared files that a node may know from a cache that was filled before."""
        declared = tuple(self._prepared.dag.nodes[node].files())
        CACHES.filled(caches, (*opened, *declared))
        return [path for path in CACHES.files(caches) if path not in declared]

    def _note_hidden(self, node: str, opened: tuple[Path, ...]) -> None:
        prepared = self._prepared
        there = {path: path.exists() for path in opened}
        if names := ", ".join(path.name or str(path) for path in there if there[path]):
            self.notes.append(
                f"{node} read {names} without declaring it; its content counts from now on. "
                "Pass it as an argument made with File(...)"
            )
        if names := ", ".join(str(path) for path in there if not there[path]):
            self.notes.append(f"{node} looked for {names}, which is not there; it counts as soon as it is")
        known = set(prepared.hidden.get(self.signatures[node].base, ()))
        if not set(opened) <= known:
            files = tuple(dict.fromkeys((*known, *opened)))
            base = self.signatures[node].base
            prepared.catalog.learn(hidden_files=[(base, str(path)) for path in opened])
            self.signatures.update(prepared.signer.resign(prepared.dag, self.signatures, node, files))
            self._lookout.resigned()

    def _keep_nothing_of(self, node: str, reason: str) -> None:
        """Keep no output of a node, nor of what depends on it: their signatures do not say what they are of."""
        self.notes.append(f"{reason}: nothing that depends on it is kept")
        self._not_to_keep[node] = reason
        dag = self._prepared.dag
        for name in self._prepared.layout.nodes:
            if any(parent.node in self._not_to_keep for parent in dag.nodes[name].parents):
                self._not_to_keep.setdefault(name, reason)

    def mutated(self, node: str, outputs: tuple[Output, ...]) -> None:
        """Remember the operator, and keep nothing that it touched in this iteration."""
        touched = ", ".join(map(str, outputs))
        self.notes.append(f"{node} changed its input {touched} in place; nothing that it touched is kept")
        self._prepared.set_flags(node, mutates_inputs=True)
        self._not_to_keep[node] = f"{node} changed its input in place"
        for output in outputs:
            self._not_to_keep.setdefault(output.node, f"{node} changed it in place")
            fate = self.fates.get(output)
            if fate is not None and self._signature(output) not in self._prepared.kept:
                fate.kept, fate.reason = False, f"{node} changed it in place"

    def spoiled_unseen(self, output: Output) -> None:
        """Note a change in place whose author nobody saw, because watching everything took too long."""
        self.notes.append(
            f"{output} was changed in place, by an operator that was given something it is part of; made again"
        )

    def drew(self, node: str) -> None:
        """Remember the operator, so that it runs alone from the start next time."""
        self._prepared.set_flags(node, uses_global_random=True)

    def decide(self, output: Output, held: Held) -> bool:
        """Ask the guard and the policy, unless it is plain that nothing can be gained."""
        self._hear_of_writes()
        fate = self.fates.setdefault(output, Fate())
        prepared = self._prepared
        signature = self._signature(output)
        if output.node in self._not_to_keep:
            fate.kept, fate.reason = False, self._not_to_keep[output.node]
            return False
        if signature in self._kept:
            fate.kept, fate.reason = True, "kept before"
            return False
        made_ns = self._made_within(output.node)
        if made_ns < QUICK_NS:
            fate.reason = f"made in {duration(made_ns)}"
            return False
        watch = held.watch
        if watch.costly:
            # Reading it is the first half of writing it, so it is paid from what may be spent on that.
            left_ns = prepared.guard.allowance_ns()
            if left_ns > 2 * watch.effort_ns:
                watch.insist(left_ns // 2)
                prepared.guard.written(signature, watch.effort_ns)
            if watch.costly:
                fate.reason = (
                    f"writing takes over {duration(watch.effort_ns)}, "
                    f"{duration(left_ns)} may be spent on it now"
                )
                return False
        size_bytes, codec = watch.size_bytes, watch.codec
        if size_bytes is None:
            fate.reason = f"cannot be serialised ({held.watch.unwatchable})"
            self.notes.append(f"{output} {fate.reason}, so it is computed every time")
            return False
        fate.size_bytes = size_bytes
        load_ns = prepared.costs.load_ns(codec, size_bytes)
        if made_ns <= load_ns:
            fate.reason = f"made in {duration(made_ns)}, loading takes {duration(load_ns)}"
            return False
        write_ns = max(prepared.costs.write_ns(codec, size_bytes), watch.effort_ns)
        left_ns = prepared.guard.allowance_ns()
        if write_ns > left_ns:
            # The guard would say so too, but only after the recreation time has been planned.
            fate.reason = f"writing takes {duration(write_ns)}, {duration(left_ns)} may be spent on it now"
            return False
        begun_ns = self._clock_ns()
        self._decisions += 1
        try:
            if self._lookout.wanted and made_ns >= prepared.guard.settled_ns:
                self._lookout.ready(self._spare_ns(), self.signatures)
            candidate = self._candidate(output, signature, size_bytes, made_ns, load_ns, write_ns)
            return self._ask(output, candidate, fate)
        finally:
            self._deciding_ns += self._clock_ns() - begun_ns

    def _ask(self, output: Output, candidate: Candidate, fate: Fate) -> bool:
        prepared = self._prepared
        if self._used_bytes is None:
            # What others have added since the plan was made the store knows, and refuses what does not fit.
            contents = {a.content: a.size_bytes for key, a in prepared.artifacts.items() if key in self._kept}
            self._used_bytes = sum(contents.values())
        total_bytes = prepared.store.budget_bytes
        budget = Budget(total_bytes=total_bytes, used_bytes=min(self._used_bytes, total_bytes))
        decision = prepared.guard.admit(candidate, tuple(self._kept.values()), budget)
        fate.kept, fate.reason = decision.keep, decision.reason
        if not decision.keep:
            return False
        self._evict(decision.evict)
        self._used_bytes += candidate.size_bytes
        self._reserved[candidate.signature] = candidate.size_bytes
        self._kept[candidate.signature] = prepared.kept_record(candidate)
        return True

    def _candidate(
        self, output: Output, signature: str, size_bytes: int, made_ns: int, load_ns: int, write_ns: int
    ) -> Candidate:
        prepared = self._prepared
        node = prepared.dag.nodes[output.node]
        return Candidate(
            output=str(output),
            signature=signature,
            node=node.name,
            operator=node.operator.name,
            stage=node.stage,
            size_bytes=size_bytes,
            compute_ns=self.elapsed_ns[node.name],
            recreation_ns=self._recreation_ns(output, made_ns),
            run_ancestors_ns=made_ns,
            load_ns=load_ns,
            write_ns=write_ns,
            allowance_ns=prepared.guard.allowance_ns() if self._lookout.wanted else 0,
            ahead_ns=self._ahead_ns() if self._lookout.wanted else 0,
        )

    def _ahead_ns(self) -> int:
        """Return what the nodes that are still to be computed will take."""
        layout = self._prepared.layout
        ahead = self._prepared.plan.compute - self.elapsed_ns.keys()
        return int(sum(layout.compute_ns[layout.node_at[name]] for name in ahead))

    def _spare_ns(self) -> int:
        """Return what is left of the time for deciding: 5 ms a decision and 1 % of what operators took."""
        granted_ns = DECIDING_NS * self._decisions + sum(self.elapsed_ns.values()) * DECIDING_SHARE
        return int(granted_ns) - self._deciding_ns

    def _recreation_ns(self, output: Output, made_ns: int) -> int:
        """Return the exact recreation time, or while deciding takes too long the way it was made this time."""
        prepared = self._prepared
        quick = self._lookout.wanted and made_ns < prepared.guard.settled_ns
        if quick or not prepared.layout.anything_kept:
            return made_ns
        if self._deciding_ns > DECIDING_NS + sum(self.elapsed_ns.values()) * DECIDING_SHARE:
            return made_ns
        return min(made_ns, prepared.layout.recreation_ns(output))

    def _evict(self, signatures: Collection[str]) -> None:
        if not signatures:
            return
        prepared = self._prepared
        for output in [each for each in self._to_load if self._signature(each) in signatures]:
            # The plan counts on it. Making it again would cost more than the candidate is worth.
            value = self.load(output)
            if value is not MISSING:
                self._loaded_early[output] = value
        freed_bytes = prepared.store.evict(signatures)
        gone = set(signatures)
        for signature in gone:
            self._kept.pop(signature, None)
            if signature in self._reserved:  # decided in this iteration, and never to be written now
                freed_bytes += self._reserved.pop(signature)
                prepared.guard.written(signature, 0)
        self._used_bytes = max(0, (self._used_bytes or 0) - freed_bytes)
        for output in prepared.layout.outputs:
            if self._signature(output) in gone:
                prepared.layout.forget((output,))
                if output in self.fates:
                    self.fates[output].kept, self.fates[output].reason = False, "displaced"

    def keep(self, output: Output, held: Held) -> None:
        """Queue the write. From now on the plan may count on the artifact."""
        fate = self.fates[output]
        if not fate.kept:
            return
        prepared = self._prepared
        signature = self._signature(output)
        self._reserved.pop(signature, None)
        node = prepared.dag.nodes[output.node]
        meta = ArtifactMeta(
            workflow=prepared.workflow,
            node=node.name,
            output=str(output),
            operator=node.operator.name,
            stage=node.stage,
            code=versions.own_digest(self.signatures[node.name].parts),
            recreation_ns=self._kept[signature].recreation_ns,
        )
        size_bytes = fate.size_bytes or 0
        position = prepared.layout.output_at[output]
        prepared.layout.load_ns[position] = self._kept[signature].load_ns
        value, watch = held.value, held.watch

        def unchanged() -> bool:
            # Nobody takes the value any more, but an operator may be changing another that shares its memory.
            return watch.private or not watch.spoiled()

        def write() -> None:
            if not fate.kept:
                gone = PutResult(kept=False, size_bytes=0, elapsed_ns=0, codec="", reason=fate.reason)
                prepared.guard.written(signature, 0)
                self._written.append((output, signature, size_bytes, gone))
                return
            deadline_ns = cost_ns() + prepared.guard.allowance_ns()
            put = prepared.store.put(
                signature, value, meta=meta, deadline_ns=deadline_ns, unchanged=unchanged
            )
            prepared.guard.written(signature, put.elapsed_ns)
            self._written.append((output, signature, size_bytes, put))

        waited_ns = self._writer.submit(write, size_bytes)
        if waited_ns:
            prepared.guard.written("", waited_ns)

    def settle(self) -> None:
        """Wait until everything that is to be kept is written."""
        self._lookout.close()
        waited_ns = self._writer.drain()
        self._writer.close()
        if waited_ns:
            self._prepared.guard.written("", waited_ns)
        self._hear_of_writes()

    def _hear_of_writes(self) -> None:
        """Take note of the writes that have ended. Only the thread that executes changes anything here."""
        prepared = self._prepared
        while self._written:
            output, signature, size_bytes, put = self._written.popleft()
            fate = self.fates[output]
            fate.write_ns = put.elapsed_ns
            if put.size_bytes and put.codec and put.elapsed_ns:
                # Of a write given up half-way too, or the same would be tried every time.
                prepared.costs.written(put.codec, put.size_bytes, put.elapsed_ns)
            if put.kept and not fate.kept:
                # It was displaced while it was being written.
                if prepared.store.evict((signature,)):
                    self._used_bytes = max(0, (self._used_bytes or 0) - size_bytes)
                continue
            if put.kept:
                fate.size_bytes = put.size_bytes
            else:
                fate.kept, fate.reason = False, put.reason
                self._kept.pop(signature, None)
                prepared.layout.forget((output,))
            self._used_bytes = (self._used_bytes or 0) + (put.size_bytes if put.kept else 0) - size_bytes

    def saved_ns(self) -> int:
        """Return the measured time of what was not computed, less the time of the loads."""
        prepared = self._prepared
        loads = sum(fate.load_ns or 0 for fate in self.fates.values())
        spared = sum(ns for name, ns in prepared.measured_ns.items() if name not in self.elapsed_ns)
        return spared - loads

    def everything_ns(self) -> int:
        """Return what computing every needed node would have taken: measured now, before, or estimated."""
        return sum(
            self.elapsed_ns.get(name, int(ns))
            for name, ns in zip(self._prepared.layout.nodes, self._prepared.layout.compute_ns)
        )

    def load_times_of(self, node: str) -> int | None:
        """Return how long a node's loads took, None where nothing of it was loaded."""
        times = [
            fate.load_ns
            for output, fate in self.fates.items()
            if output.node == node and fate.load_ns is not None
        ]
        return sum(times) if times else None

    def output_fates(self, node: str) -> Mapping[str, Fate]:
        """Return what became of a node's outputs, by output name."""
        return {output.name: fate for output, fate in self.fates.items() if output.node == node}

    def _signature(self, output: Output) -> str:
        return self.signatures[output.node].outputs[output.name]

    def _ran(self, node: str, ns: int, parents: Collection[Output] = ()) -> None:
        """Note what it took to make a node's outputs here, and of whose making they owe their own."""
        at = self._prepared.layout.node_at
        made_by = 1 << at[node]
        for parent in parents:
            made_by |= self._made_by.get(parent.node, 0)
        self._made_by[node] = made_by
        self._made_ns[at[node]] = ns

    def _made_within(self, node: str) -> int:
        """Return the time of a node and of all its ancestors that this iteration ran or loaded."""
        made_by = self._made_by[node]
        if made_by.bit_count() <= FEW:
            ns = 0
            while made_by:
                at = made_by.bit_length() - 1
                ns += int(self._made_ns[at])
                made_by ^= 1 << at
            return ns
        count = len(self._made_ns)
        bits = np.frombuffer(self._made_by[node].to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
        return int(self._made_ns[np.unpackbits(bits, bitorder="little", count=count).view(np.bool_)].sum())
