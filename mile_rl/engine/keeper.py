"""What the executor asks and tells: plans, loads, decisions, and everything that has to be remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mile_rl.engine.foresight_run import Lookout
from mile_rl.engine.made import Made
from mile_rl.engine.observed import Observed
from mile_rl.engine.running import MISSING
from mile_rl.engine.stock import Fate, Stock
from mile_rl.policies.base import Candidate
from mile_rl.policies.words import duration
from mile_rl.workflows.dag import Output

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


class IterationKeeper:
    """The executor's counterpart for one iteration; implements ``mile_rl.engine.running.Keeper``.

    Args:
        prepared: the iteration, planned.
        clock_ns: a clock.
    """

    def __init__(self, prepared: Prepared, *, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._prepared = prepared
        self._clock_ns = clock_ns
        self._observed = Observed(prepared)
        self._made = Made(prepared.layout)
        self._lookout = Lookout(prepared)
        self.elapsed_ns: dict[str, int] = {}
        self.signatures = self._observed.signatures
        self.notes = self._observed.notes
        self._stock = Stock(prepared, self.signatures)
        self._first_plan = True
        self._to_load: set[Output] = set()
        self._loaded_early: dict[Output, Any] = {}
        self._deciding_ns = 0
        self._decisions = 0

    def refresh_caches(self) -> None:
        """See to it that no function of the person's returns from its cache what a file held before."""
        self._observed.refresh_caches()

    def plan(self, known: Collection[Output]) -> tuple[frozenset[str], frozenset[Output]]:
        """Return the prepared plan at first; later the best way on from what is in memory."""
        self._stock.hear_of_writes()
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
        signature = self._stock.signature(output)
        loaded = prepared.store.get(signature, artifact=prepared.artifacts.get(signature))
        if not loaded.found:
            self._stock.forget(output)
            self.notes.append(f"the artifact of {output} cannot be used ({loaded.reason}): made again")
            return MISSING
        fate = self._stock.fate(output)
        fate.kept, fate.reason = True, "loaded"
        fate.size_bytes, fate.load_ns = loaded.size_bytes, loaded.elapsed_ns
        self._made.ran(output.node, self.load_times_of(output.node) or 0)
        prepared.costs.loaded(loaded.codec, loaded.size_bytes, loaded.elapsed_ns)
        prepared.guard.on_load(signature)
        return loaded.value

    def begins(self, node: str) -> None:
        """Have what is queued written while the node runs, and perhaps the next iteration foreseen."""
        if self.expected_ns(node) >= BESIDE_NS:
            self._stock.wake()
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
        self._made.ran(node, called.elapsed_ns, prepared.dag.nodes[node].parents)
        position = prepared.layout.node_at[node]
        prepared.layout.compute_ns[position] = called.elapsed_ns
        self._lookout.computed(position, called.elapsed_ns)
        prepared.guard.computed(called.elapsed_ns)
        if self._observed.computed(node, called):
            self._lookout.resigned()

    def mutated(self, node: str, outputs: tuple[Output, ...]) -> None:
        """Remember the operator, and keep nothing that it touched in this iteration."""
        reason = self._observed.mutated(node, outputs)
        for output in outputs:
            fate = self.output_fates(output.node).get(output.name)
            if fate is not None and self._stock.signature(output) not in self._prepared.kept:
                fate.kept, fate.reason = False, reason

    def spoiled_unseen(self, output: Output) -> None:
        """Note a change in place that only showed later."""
        self._observed.spoiled_unseen(output)

    def drew(self, node: str) -> None:
        """Remember the operator, so that it runs alone from the start next time."""
        self._prepared.set_flags(node, uses_global_random=True)

    def decide(self, output: Output, held: Held) -> bool:
        """Ask the guard and the policy, unless it is plain that nothing can be gained."""
        stock, prepared = self._stock, self._prepared
        stock.hear_of_writes()
        fate = stock.fate(output)
        signature = stock.signature(output)
        if output.node in self._observed.not_to_keep:
            fate.kept, fate.reason = False, self._observed.not_to_keep[output.node]
            return False
        if fate.kept and stock.is_promised(signature):
            # Its value was spoilt before it could be written, and is made again.
            return True
        if signature in stock.kept:
            fate.kept, fate.reason = True, "kept before"
            return False
        made_ns = self._made.within_ns(output.node)
        if made_ns < QUICK_NS:
            fate.reason = f"made in {duration(made_ns)}"
            return False
        if not self._is_read(signature, held, fate):
            return False
        watch = held.watch
        size_bytes, codec = watch.size_bytes, watch.codec
        if size_bytes is None:
            fate.reason = f"cannot be serialised ({watch.unwatchable})"
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
        return self._ask(output, fate, size_bytes, made_ns, load_ns, write_ns)

    def _is_read(self, signature: str, held: Held, fate: Fate) -> bool:
        """Tell whether a value's bytes have been read; one that takes long is read now, if there is time for it.

        Reading it is the first half of writing it, so it is paid from what may be spent on that.
        """
        watch = held.watch
        if not watch.costly:
            return True
        guard = self._prepared.guard
        left_ns = guard.allowance_ns()
        if left_ns > 2 * watch.effort_ns:
            watch.insist(left_ns // 2)
            guard.written(signature, watch.effort_ns)
        if watch.costly:
            fate.reason = (
                f"writing takes over {duration(watch.effort_ns)}, {duration(left_ns)} may be spent on it now"
            )
            return False
        return True

    def _ask(
        self, output: Output, fate: Fate, size_bytes: int, made_ns: int, load_ns: int, write_ns: int
    ) -> bool:
        """Ask the guard and the policy, with the best outlook that there is time for."""
        begun_ns = self._clock_ns()
        self._decisions += 1
        try:
            if self._lookout.wanted and made_ns >= self._prepared.guard.settled_ns:
                self._lookout.ready(self._spare_ns(), self.signatures)
            candidate = self._candidate(output, size_bytes, made_ns, load_ns, write_ns)
            return self._stock.admit(candidate, fate, rescue=self._load_early)
        finally:
            self._deciding_ns += self._clock_ns() - begun_ns

    def _candidate(
        self, output: Output, size_bytes: int, made_ns: int, load_ns: int, write_ns: int
    ) -> Candidate:
        prepared = self._prepared
        node = prepared.dag.nodes[output.node]
        return Candidate(
            output=str(output),
            signature=self._stock.signature(output),
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

    def _load_early(self, signatures: Collection[str]) -> None:
        """Load what the plan counts on before it is let go. Making it again would cost more than the candidate is
        worth."""
        for output in [each for each in self._to_load if self._stock.signature(each) in signatures]:
            value = self.load(output)
            if value is not MISSING:
                self._loaded_early[output] = value

    def keep(self, output: Output, held: Held) -> None:
        """Queue the write. From now on the plan may count on the artifact."""
        self._stock.keep(output, held)

    def settle(self) -> None:
        """Wait until everything that is to be kept is written."""
        self._lookout.close()
        self._stock.settle()

    def load_times_of(self, node: str) -> int | None:
        """Return how long a node's loads took, None where nothing of it was loaded."""
        times = [fate.load_ns for fate in self.output_fates(node).values() if fate.load_ns is not None]
        return sum(times) if times else None

    def output_fates(self, node: str) -> Mapping[str, Fate]:
        """Return what became of a node's outputs, by output name."""
        return self._stock.fates.get(node, {})
