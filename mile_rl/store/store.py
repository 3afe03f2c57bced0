"""The store: intermediates by signature, in a limited number of bytes, exactly or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from mile_rl.errors import StoreError
from mile_rl.store.catalog import Catalog
from mile_rl.store.codecs import BY_NAME, Codec, NotExact, NotStorable, NotValidHere, Refused, candidates
from mile_rl.store.codecs.base import one_line
from mile_rl.store.compare import identical
from mile_rl.store.ledger import Claim, Ledger
from mile_rl.store.objects import Damaged, Objects, Progress
from mile_rl.store.records import Artifact, ArtifactMeta
from mile_rl.store.results import MISSING, LoadResult, PutResult, StoreInfo
from mile_rl.store.sink import Sink
from mile_rl.store.verify import Report, verify

__all__ = ["MISSING", "LoadResult", "PutResult", "Store", "StoreInfo", "default_same"]

log = logging.getLogger(__name__)


def default_same(value: Any) -> bytes:
    """Return the digest by which a round trip is compared; raises where a value cannot be digested."""
    from mile_rl.workflows.digest import digest

    return digest(value)


class Store:
    """Artifacts on disk. Any thread and any number of processes may use one store at once.

    Use :meth:`open`.

    Args:
        objects: the files.
        ledger: the account of bytes.
        catalog: where both are written down.
        same: digest that tells whether a round trip gave the same value; used where a class's own pickling
            leaves doubt.
        clock_ns: monotonic time.
        wall_ns: time of day.
        write: ``os.write``; tests pass a full disk.
    """

    def __init__(
        self,
        objects: Objects,
        ledger: Ledger,
        catalog: Catalog,
        *,
        same: Callable[[Any], bytes],
        clock_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        write: Callable[[int, Any], int],
    ) -> None:
        self.objects = objects
        self.catalog = catalog
        self._ledger = ledger
        self._same = same
        self._clock_ns = clock_ns
        self._wall_ns = wall_ns
        self._write = write

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        budget_bytes: int,
        catalog: Catalog,
        same: Callable[[Any], bytes] = default_same,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        write: Callable[[int, Any], int] = os.write,
    ) -> Self:
        """Open a store and clear away what dead processes left half done.

        Args:
            root: its folder, made with mode 0700 if needed.
            budget_bytes: what all files together may take, files being written included.
            catalog: its catalog; the caller closes it.
            same: see the class.
            clock_ns: see the class; deadlines are on this clock.
            wall_ns: see the class.
            write: see the class.

        Raises:
            StoreError: the folder cannot be used.
        """
        if budget_bytes < 0:
            raise StoreError(f"a budget of {budget_bytes} bytes makes no sense; give zero or more")
        try:
            objects = Objects(root)
            ledger = Ledger(catalog.connector, objects, budget_bytes)
            if ledger.pending():
                ledger.sweep()
        except OSError as error:
            raise StoreError(f"the store {root} cannot be used ({error}); check its permissions") from error
        return cls(objects, ledger, catalog, same=same, clock_ns=clock_ns, wall_ns=wall_ns, write=write)

    @property
    def budget_bytes(self) -> int:
        """What all files together may take."""
        return self._ledger.budget_bytes

    def get(
        self, signature: str, *, artifact: Artifact | None = None, on_progress: Progress | None = None
    ) -> LoadResult:
        """Load an intermediate, private and writeable; never raises because of what lies in the store.

        An artifact that is gone or damaged is dropped and counted, and the result says so.

        Args:
            signature: of the output.
            artifact: its row, if the caller has just read it.
            on_progress: hears of bytes where loading takes over a second.
        """
        begun_ns = self._clock_ns()
        try:
            row = artifact or self.catalog.artifacts_for([signature]).get(signature)
            if row is None:
                return self._missed(begun_ns, "not in the store")
            try:
                value = self._load(row, on_progress)
            except Damaged as damage:
                return self._missed(begun_ns, self._drop(row, damage.cause, str(damage)))
        except (StoreError, OSError, MemoryError) as error:
            return self._missed(begun_ns, one_line(error))
        return LoadResult(
            value=value,
            elapsed_ns=self._clock_ns() - begun_ns,
            size_bytes=row.size_bytes,
            codec=row.codec,
        )

    def _load(self, row: Artifact, on_progress: Progress | None) -> Any:
        codec = BY_NAME.get(row.codec)
        if codec is None or codec.version != row.codec_version:
            raise NotValidHere(f"written by codec {row.codec} {row.codec_version}, unknown here")
        mapped = self.objects.open_checked(
            row.content, row.suffix, row.size_bytes, on_progress=on_progress, clock_ns=self._clock_ns
        )
        try:
            return codec.read(mapped, self.objects.path(row.content, row.suffix))
        except (NotValidHere, MemoryError):
            raise
        except Exception as error:
            raise Damaged("unreadable", f"{row.codec} cannot read it: {one_line(error)}") from error

    def _drop(self, row: Artifact, cause: str, words: str) -> str:
        """Drop a damaged artifact; return the reason to give."""
        try:
            wrong = self._ledger.drop(row, cause)
        except (StoreError, OSError) as error:
            log.warning("%s, and it could not be dropped: %s", words, one_line(error))
            return words
        if not wrong:
            return "evicted a moment ago"
        log.warning("dropped the artifact of %s.%s: %s", row.meta.node, row.meta.output, words)
        return words

    def _missed(self, begun_ns: int, reason: str) -> LoadResult:
        return LoadResult(value=MISSING, elapsed_ns=self._clock_ns() - begun_ns, reason=reason)

    def put(
        self,
        signature: str,
        value: Any,
        *,
        meta: ArtifactMeta,
        deadline_ns: int | None = None,
        unchanged: Callable[[], bool] = lambda: True,
        on_progress: Progress | None = None,
    ) -> PutResult:
        """Keep an intermediate, or leave nothing behind and say why; raises for neither.

        Args:
            signature: of the output.
            value: nobody may change it until this returns.
            meta: whose output it is.
            deadline_ns: on the store's clock; writing past it is given up; None for no bound.
            unchanged: tells, once everything is written and before it is entered, whether the value still is
                what it was; for callers that cannot rule out that somebody changes it.
            on_progress: hears of bytes where writing takes over a second.
        """
        begun_ns = self._clock_ns()

        def result(kept: bool, size_bytes: int, codec: str, reason: str = "") -> PutResult:
            elapsed_ns = self._clock_ns() - begun_ns
            return PutResult(
                kept=kept, size_bytes=size_bytes, elapsed_ns=elapsed_ns, codec=codec, reason=reason
            )

        name = ""
        try:
            try:
                for codec in candidates(value):
                    name = codec.name
                    with contextlib.suppress(NotExact):
                        size_bytes = self._encode(
                            codec, signature, value, meta, deadline_ns, unchanged, on_progress
                        )
                        return result(True, size_bytes, name)
                reason = "no codec takes it"
            except Refused as refusal:
                reason = str(refusal)
            except NotStorable as error:
                name, reason = "", f"cannot be stored exactly: {error}"
            known = self.catalog.artifacts_for([signature]).get(signature)
            if known is not None:
                return result(True, known.size_bytes, known.codec, "already in the store")
            return result(False, 0, name, reason)
        except (StoreError, OSError, MemoryError) as error:
            log.warning("%s.%s was not kept: %s", meta.node, meta.output, one_line(error))
            return result(False, 0, "", one_line(error))

    def _encode(
        self,
        codec: Codec,
        signature: str,
        value: Any,
        meta: ArtifactMeta,
        deadline_ns: int | None,
        unchanged: Callable[[], bool],
        on_progress: Progress | None,
    ) -> int:
        """Write a value with one codec and enter it; return its size."""
        expected_bytes = codec.estimate_bytes(value) or 0
        claim = Claim(self._ledger, signature, expected_bytes)
        try:
            sink = Sink(
                claim.cover,
                deadline_ns=deadline_ns,
                clock_ns=self._clock_ns,
                write=self._write,
                expected_bytes=expected_bytes,
                on_progress=on_progress,
                note=f"{meta.node}.{meta.output}",
            )
            exact = codec.write(value, sink)
            sink.finish()
            artifact = Artifact(
                signature=signature,
                content=sink.content,
                suffix=codec.suffix,
                size_bytes=sink.size_bytes,
                codec=codec.name,
                codec_version=codec.version,
                meta=meta,
                created_ns=self._wall_ns(),
            )
            if not exact:
                self._compare(codec, value, claim, sink)
            if not unchanged():
                raise Refused("it was changed while it was written")
            self._ledger.settle(claim, artifact)
            return sink.size_bytes
        finally:
            self._ledger.release(claim)

    def _compare(self, codec: Codec, value: Any, claim: Claim, sink: Sink) -> None:
        """Load what was just written and compare it with the value.

        Raises:
            NotStorable: it is not the same, or nobody can tell.
        """
        try:
            loaded = codec.read(claim.map(), claim.path or Path())
            same = identical(value, loaded, self._same)
        except Exception as error:
            raise NotStorable(f"its round trip cannot be checked: {one_line(error)}") from error
        if not same:
            raise NotStorable(f"pickling a {type(value).__name__} does not give the same value back")
        sink.check()

    def contains(self, signature: str) -> bool:
        """Return whether there is an artifact of this signature."""
        return signature in self.catalog.artifacts_for([signature])

    def artifacts(self, workflow: str | None = None) -> list[Artifact]:
        """Return all artifacts, the oldest first."""
        return self.catalog.artifacts(workflow)

    def evict(self, signatures: Iterable[str]) -> int:
        """Delete artifacts; unknown signatures do not matter. Return the bytes freed."""
        return self._ledger.evict(signatures)

    def clear(self) -> int:
        """Delete all artifacts and return the bytes freed; the history of iterations stays."""
        return self.evict([artifact.signature for artifact in self.artifacts()])

    def used_bytes(self) -> int:
        """Return the size of all distinct contents."""
        return self._ledger.used_bytes()

    def info(self) -> StoreInfo:
        """Return the state of the store in numbers."""
        count = self.catalog.connector.read("SELECT COUNT(*) FROM artifacts")[0][0]
        return StoreInfo(
            root=str(self.objects.root.parent),
            budget_bytes=self.budget_bytes,
            used_bytes=self._ledger.used_bytes(),
            reserved_bytes=self._ledger.reserved_bytes(),
            artifacts=count,
            counters=self.catalog.counters(),
        )

    def verify(self, *, repair: bool = False, on_progress: Progress | None = None) -> Report:
        """Check every file and the account of bytes; see :func:`mile_rl.store.verify.verify`."""
        return verify(self.catalog, self.objects, self._ledger, repair=repair, on_progress=on_progress)
