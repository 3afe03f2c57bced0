"""What is in the store as a running iteration sees it, and what is on its way there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from mile_rl.engine import versions
from mile_rl.engine.writer import Writer, cost_ns
from mile_rl.policies.base import Budget, Candidate, Kept
from mile_rl.store.records import ArtifactMeta
from mile_rl.store.results import PutResult
from mile_rl.workflows.dag import Output
from mile_rl.workflows.sign import NodeSignature

if TYPE_CHECKING:
    from mile_rl.engine.held import Held
    from mile_rl.engine.prepared import Prepared


class Fate:
    """What became of one output in this iteration."""

    __slots__ = ("kept", "load_ns", "promised", "reason", "size_bytes", "write_ns")

    def __init__(self) -> None:
        self.kept = False
        self.promised = ""
        """The signature under which it was decided to keep it; empty where it is not."""
        self.reason = ""
        self.size_bytes: int | None = None
        self.load_ns: int | None = None
        self.write_ns: int | None = None


class Stock:
    """The artifacts, those that are decided but not yet written included. Belongs to the thread that executes.

    Args:
        prepared: the iteration.
        signatures: node -> signature, as they are now.

    Attributes:
        kept: signature -> artifact, as the policy sees it.
        fates: node -> output name -> what became of it, where it was loaded or decided about.
    """

    def __init__(self, prepared: Prepared, signatures: Mapping[str, NodeSignature]) -> None:
        self.kept: dict[str, Kept] = dict(prepared.kept)
        self.fates: dict[str, dict[str, Fate]] = {}
        self._prepared = prepared
        self._signatures = signatures
        self._writer = Writer()
        self._used_bytes: int | None = None
        self._reserved: dict[str, int] = {}
        self._written: deque[tuple[Output, str, int, PutResult]] = deque()
        self._given_up = False

    def signature(self, output: Output) -> str:
        """Return an output's signature, as it is now."""
        return self._signatures[output.node].outputs[output.name]

    def fate(self, output: Output) -> Fate:
        """Return what became of an output so far."""
        return self.fates.setdefault(output.node, {}).setdefault(output.name, Fate())

    def is_promised(self, signature: str) -> bool:
        """Tell whether this iteration has decided to keep an output and not yet come to :meth:`keep` it."""
        return signature in self._reserved

    def forget(self, output: Output) -> None:
        """Hear that an output has no artifact (any more)."""
        self._prepared.layout.forget((output,))
        self.kept.pop(self.signature(output), None)

    def admit(self, candidate: Candidate, fate: Fate, *, rescue: Callable[[Collection[str]], None]) -> bool:
        """Ask the guard and the policy about an output, and let go what they give for it.

        Args:
            candidate: the output.
            fate: what became of it; the answer is noted there.
            rescue: hears the signatures of artifacts before they are let go.
        """
        prepared = self._prepared
        self._take_back(fate)
        if self._used_bytes is None:
            # What others have added since the plan was made the store knows, and refuses what does not fit.
            contents = {a.content: a.size_bytes for key, a in prepared.artifacts.items() if key in self.kept}
            self._used_bytes = sum(contents.values())
        total_bytes = prepared.store.budget_bytes
        budget = Budget(total_bytes=total_bytes, used_bytes=min(self._used_bytes, total_bytes))
        decision = prepared.guard.admit(candidate, tuple(self.kept.values()), budget)
        fate.kept, fate.reason = decision.keep, decision.reason
        if not decision.keep:
            return False
        if decision.evict:
            rescue(decision.evict)
            self._evict(decision.evict)
        self._used_bytes += candidate.size_bytes
        self._reserved[candidate.signature] = candidate.size_bytes
        self.kept[candidate.signature] = prepared.kept_record(candidate)
        fate.promised = candidate.signature
        return True

    def _take_back(self, fate: Fate) -> None:
        """Free what is reserved for an output: it was made again since, from other files, under another signature."""
        size_bytes = self._reserved.pop(fate.promised, None)
        if size_bytes is not None:
            self.kept.pop(fate.promised, None)
            self._used_bytes = max(0, (self._used_bytes or 0) - size_bytes)
            self._prepared.guard.written(fate.promised, 0)
        fate.kept, fate.promised = False, ""

    def _evict(self, signatures: Collection[str]) -> None:
        prepared = self._prepared
        freed_bytes = prepared.store.evict(signatures)
        gone = set(signatures)
        for signature in gone:
            self.kept.pop(signature, None)
            if signature in self._reserved:  # decided in this iteration, and never to be written now
                freed_bytes += self._reserved.pop(signature)
                prepared.guard.written(signature, 0)
        self._used_bytes = max(0, (self._used_bytes or 0) - freed_bytes)
        for output in prepared.layout.outputs:
            if self.signature(output) in gone:
                prepared.layout.forget((output,))
                if (fate := self.fates.get(output.node, {}).get(output.name)) is not None:
                    fate.kept, fate.reason = False, "displaced"

    def keep(self, output: Output, held: Held) -> None:
        """Queue the write. From now on the plan may count on the artifact."""
        fate = self.fate(output)
        if not fate.kept:
            return
        prepared = self._prepared
        signature = self.signature(output)
        if signature not in self.kept:
            self._take_back(fate)
            fate.reason = "made from other files than it was when that was decided"
            return
        self._reserved.pop(signature, None)
        size_bytes = fate.size_bytes or 0
        position = prepared.layout.output_at[output]
        prepared.layout.load_ns[position] = self.kept[signature].load_ns
        meta, value, watch = self._meta(output), held.value, held.watch

        def unchanged() -> bool:
            # Nobody takes the value any more, but an operator may be changing another that shares its memory.
            return watch.private or not watch.spoiled()

        def write() -> None:
            if self._given_up or not fate.kept:
                reason = fate.reason if not fate.kept else "interrupted before it was written"
                prepared.guard.written(signature, 0)
                self._written.append((output, signature, size_bytes, _not_kept(reason)))
                return
            deadline_ns = cost_ns() + prepared.guard.allowance_ns()
            begun_ns = cost_ns()
            put = _not_kept("its writing was interrupted")
            try:
                put = prepared.store.put(
                    signature, value, meta=meta, deadline_ns=deadline_ns, unchanged=unchanged
                )
            except KeyboardInterrupt:
                self._given_up = True
                raise
            finally:
                prepared.guard.written(signature, put.elapsed_ns or cost_ns() - begun_ns)
                self._written.append((output, signature, size_bytes, put))

        waited_ns = self._writer.submit(write, size_bytes)
        if waited_ns:
            prepared.guard.written("", waited_ns)

    def _meta(self, output: Output) -> ArtifactMeta:
        node = self._prepared.dag.nodes[output.node]
        return ArtifactMeta(
            workflow=self._prepared.workflow,
            node=node.name,
            output=str(output),
            operator=node.operator.name,
            stage=node.stage,
            code=versions.own_digest(self._signatures[node.name].parts),
            recreation_ns=self.kept[self.signature(output)].recreation_ns,
        )

    def wake(self) -> None:
        """Have what is queued written from now on, beside whatever comes."""
        self._writer.wake()

    def settle(self) -> None:
        """Wait until everything that is to be kept is written.

        Raises:
            KeyboardInterrupt: the person would not wait. The write that was going on has ended; no other began.
        """
        waited_ns = 0
        try:
            waited_ns = self._writer.drain()
        except KeyboardInterrupt:
            self._given_up = True
            self._writer.drain()
            raise
        finally:
            self._writer.close()
            if waited_ns:
                self._prepared.guard.written("", waited_ns)
            self.hear_of_writes()

    def hear_of_writes(self) -> None:
        """Take note of the writes that have ended. Only the thread that executes changes anything here."""
        prepared = self._prepared
        while self._written:
            output, signature, size_bytes, put = self._written.popleft()
            fate = self.fate(output)
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
                self.kept.pop(signature, None)
                prepared.layout.forget((output,))
            self._used_bytes = (self._used_bytes or 0) + (put.size_bytes if put.kept else 0) - size_bytes


def _not_kept(reason: str) -> PutResult:
    return PutResult(kept=False, size_bytes=0, elapsed_ns=0, codec="", reason=reason)
