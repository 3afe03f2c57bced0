"""The account of bytes: which contents exist, who refers to them, what is reserved for writing.

Invariant, at every instant and however processes die: bytes on disk <= contents + reservations <= budget.
Every change of the account happens in a write transaction, which excludes all other writers:

- before bytes are written they are reserved; the reserving transaction also makes and locks the file;
- a finished file is moved to its place, entered and its reservation deleted in one transaction. A kill in
  the middle leaves the reservation, whose file is gone: whoever sweeps looks for files that nobody entered;
- what is evicted first becomes a reservation of kind "leaving"; a second transaction deletes the file,
  unless the same content was put again meanwhile.
"""

from __future__ import annotations

import logging
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mile_rl.errors import StoreError
from mile_rl.store.codecs.base import Refused
from mile_rl.store.connect import Connector, Transaction
from mile_rl.store.objects import Objects, remove
from mile_rl.store.records import Artifact
from mile_rl.store.rows import artifact_row

log = logging.getLogger(__name__)

GROW_BYTES = 1 << 20
"""Where the size is unknown, at least this much is reserved at a time, if there is room."""


class AlreadyKept(Refused):
    """Another process has stored an artifact of this signature."""


class Claim:
    """Bytes reserved for one file that is being written.

    Args:
        ledger: of the store.
        signature: of the artifact that the file is for.
        expected_bytes: what to reserve at first, if there is room.
    """

    def __init__(self, ledger: Ledger, signature: str, expected_bytes: int) -> None:
        self._ledger = ledger
        self.signature = signature
        self._expected_bytes = expected_bytes
        self._descriptor = -1
        self.reserved_bytes = 0
        self.path: Path | None = None
        self.moving = False

    def cover(self, total_bytes: int) -> int:
        """Reserve so much in all and return the file's descriptor.

        Raises:
            AlreadyKept: nobody needs the file.
            Refused: the budget has no room for it.
        """
        if total_bytes > self.reserved_bytes or self.path is None:
            growth = max(GROW_BYTES, self.reserved_bytes // 2) if self.path else 0
            self._ledger.reserve(self, total_bytes, max(self._expected_bytes, total_bytes + growth))
        return self._descriptor

    def opened(self, descriptor: int, path: Path) -> str:
        """Take the file that the ledger made and return its name, the key of the reservation."""
        self._descriptor, self.path = descriptor, path
        return path.name

    def finished(self) -> None:
        """Let go of a file that has been settled."""
        self.close()
        self.path = None

    def map(self) -> mmap.mmap:
        """Map what was written so far, privately."""
        return mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_COPY)

    def close(self) -> None:
        """Unlock and close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Ledger:
    """The account of one store.

    Args:
        connector: the catalog.
        objects: the files.
        budget_bytes: what contents and reservations may reach together.
    """

    def __init__(self, connector: Connector, objects: Objects, budget_bytes: int) -> None:
        self._connector = connector
        self._objects = objects
        self.budget_bytes = budget_bytes

    def used_bytes(self) -> int:
        """Return the size of all distinct contents."""
        return int(self._connector.read("SELECT COALESCE(SUM(size_bytes), 0) FROM contents")[0][0])

    def reserved_bytes(self) -> int:
        """Return what is reserved for files being written or about to be deleted."""
        return int(self._connector.read("SELECT COALESCE(SUM(size_bytes), 0) FROM reservations")[0][0])

    def reserve(self, claim: Claim, least_bytes: int, wanted_bytes: int) -> None:
        """Raise a claim to ``wanted_bytes`` in all, or to ``least_bytes`` where there is no more room.

        Raises:
            AlreadyKept: there is an artifact of the claim's signature; asked when the claim is new.
            Refused: there is not even room for the least.
        """
        with self._connector.writing() as transaction:
            row: dict[str, Any] = {"signature": claim.signature}
            if claim.path is None and transaction.run(_KNOWN, row):
                raise AlreadyKept("already in the store")
            free = self.budget_bytes - _total(transaction) + claim.reserved_bytes
            if free < least_bytes:
                used = self.budget_bytes - free
                raise Refused(
                    f"over budget: {least_bytes} bytes do not fit beside {used} of {self.budget_bytes}"
                )
            total = min(max(least_bytes, wanted_bytes), free)
            if claim.path is None:
                identity = transaction.run("SELECT COALESCE(MAX(id), 0) + 1 FROM reservations")[0][0]
                row = {"id": identity, "path": claim.opened(*self._objects.create()), "size": total}
                transaction.run("INSERT INTO reservations VALUES (:id, 'writing', :path, '', :size)", row)
            else:
                row = {"path": claim.path.name, "size": total}
                transaction.run("UPDATE reservations SET size_bytes = :size WHERE path = :path", row)
        claim.reserved_bytes = total

    def settle(self, claim: Claim, artifact: Artifact) -> bool:
        """Move a finished file to its place and enter the artifact.

        Returns:
            False where another process has stored an artifact of this signature meanwhile.
        """
        path = claim.path
        if path is None:
            raise StoreError("an artifact without bytes cannot be stored")
        names = {"signature": artifact.signature, "content": artifact.content, "path": path.name}
        claim.moving = True
        with self._connector.writing() as transaction:
            known = transaction.run(_KNOWN, names)
            if known:
                remove(path)
            elif transaction.run("SELECT 1 FROM contents WHERE content = :content", names):
                # replace the file all the same: the one that is there may have been damaged
                self._objects.place(path, artifact.content, artifact.suffix)
            else:
                self._objects.place(path, artifact.content, artifact.suffix)
                row = {**names, "suffix": artifact.suffix, "size": artifact.size_bytes}
                transaction.run("INSERT INTO contents VALUES (:content, :suffix, :size)", row)
            if not known:
                transaction.run(_INSERT_ARTIFACT, artifact_row(artifact))
            transaction.run("DELETE FROM reservations WHERE path = :path", names)
        claim.finished()
        return not known

    def release(self, claim: Claim) -> None:
        """Give a claim back that came to nothing, with its file; nothing to do after :meth:`settle`.

        Never raises: where the catalog cannot be written now, the next sweep does it.
        """
        path = claim.path
        if path is None:
            return
        try:
            if claim.moving:  # the file may have its place already, but not its row: a sweep finds out
                claim.close()
                self.sweep()
            else:
                with self._connector.writing() as transaction:
                    remove(path)
                    transaction.run("DELETE FROM reservations WHERE path = :path", {"path": path.name})
        except (StoreError, OSError) as error:
            remove(path)
            log.warning("the reservation of %s stays until the next sweep: %s", path.name, error)
        finally:
            claim.close()

    def evict(self, signatures: Iterable[str]) -> int:
        """Delete artifacts, and the files that nobody refers to any more; return the bytes freed."""
        with self._connector.writing() as transaction:
            freed = sum(_leave(transaction, signature) for signature in signatures)
        if freed:
            self.sweep()
        return freed

    def drop(self, artifact: Artifact, cause: str) -> bool:
        """Delete a damaged content with all artifacts that refer to it, and count it under its cause.

        Returns:
            False where the artifact was evicted or replaced meanwhile: nothing is wrong then.
        """
        with self._connector.writing() as transaction:
            row = {"signature": artifact.signature, "content": artifact.content, "cause": cause}
            current = "SELECT 1 FROM artifacts WHERE signature = :signature AND content = :content"
            if not transaction.run(current, row):
                return False
            transaction.run(
                "INSERT INTO counters VALUES (:cause, 1) "
                "ON CONFLICT (name) DO UPDATE SET count = counters.count + 1",
                row,
            )
            sharing = transaction.run("SELECT signature FROM artifacts WHERE content = :content", row)
            for (signature,) in sharing:
                _leave(transaction, signature)
        self.sweep()
        return True

    def pending(self) -> bool:
        """Return whether there is anything that :meth:`sweep` might have to do."""
        unfinished = self._connector.read("SELECT 1 FROM reservations LIMIT 1")
        return bool(unfinished) or bool(self._objects.temporaries())

    def sweep(self) -> int:
        """Delete the files that are leaving and those of dead writers; return how many bytes were freed."""
        with self._connector.writing() as transaction:
            freed = 0
            lost = False
            rows = transaction.run("SELECT id, kind, path, content, size_bytes FROM reservations")
            live = set()
            for identity, kind, name, content, size_bytes in rows:
                if kind == "leaving":
                    row = {"content": content}
                    if not transaction.run("SELECT 1 FROM contents WHERE content = :content", row):
                        remove(self._objects.root / name)
                else:
                    path = self._objects.temporary / name
                    if not self._objects.abandoned(path):
                        live.add(name)
                        continue
                    lost = lost or not path.exists()
                    remove(path)
                freed += size_bytes
                transaction.run("DELETE FROM reservations WHERE id = :id", {"id": identity})
            for path in self._objects.temporaries():
                # made by a transaction that never ended: files and reservations are made together
                if path.name not in live and self._objects.abandoned(path):
                    remove(path)
            if lost:
                freed += sum(remove_orphans(transaction, self._objects))
        return freed


def remove_orphans(transaction: Transaction, objects: Objects) -> Sequence[int]:
    """Delete finished files that no row knows and return their sizes; inside a write transaction."""
    known = {content for (content,) in transaction.run("SELECT content FROM contents")}
    sizes = []
    for stored in objects.stored():
        if stored.content not in known:
            remove(stored.path)
            sizes.append(stored.size_bytes)
    return sizes


def _total(transaction: Transaction) -> int:
    sql = (
        "SELECT (SELECT COALESCE(SUM(size_bytes), 0) FROM contents)"
        " + (SELECT COALESCE(SUM(size_bytes), 0) FROM reservations)"
    )
    return int(transaction.run(sql)[0][0])


def _leave(transaction: Transaction, signature: str) -> int:
    """Delete an artifact's row and mark its content as leaving if it was the last; return bytes freed."""
    row = {"signature": signature}
    found = transaction.run(
        "SELECT c.content, c.suffix, c.size_bytes FROM artifacts a JOIN contents c ON c.content = a.content "
        "WHERE a.signature = :signature",
        row,
    )
    transaction.run("DELETE FROM artifacts WHERE signature = :signature", row)
    if not found:
        return 0
    content, suffix, size_bytes = found[0]
    names = {"content": content, "path": f"{content[:2]}/{content}{suffix}", "size": size_bytes}
    if transaction.run("SELECT 1 FROM artifacts WHERE content = :content LIMIT 1", names):
        return 0
    transaction.run("DELETE FROM contents WHERE content = :content", names)
    names["id"] = transaction.run("SELECT COALESCE(MAX(id), 0) + 1 FROM reservations")[0][0]
    transaction.run("INSERT INTO reservations VALUES (:id, 'leaving', :path, :content, :size)", names)
    return int(size_bytes)


_KNOWN = "SELECT 1 FROM artifacts WHERE signature = :signature"
_INSERT_ARTIFACT = """
INSERT INTO artifacts VALUES (
    :signature, :content, :codec, :codec_version, :workflow, :node, :output, :operator, :stage, :code,
    :recreation_ns, :created_ns, :last_used, :loads, :load_ns)
"""
