"""The files of a store: where they lie, how they are made, mapped and checked.

``objects/ab/<content><suffix>`` holds each distinct content once; its name is the xxh3-128 of its bytes, so
every load can check it. ``objects/tmp/`` holds files that are being written; a writer keeps a lock on its
file, so that one left behind by a dead writer is told from one that grows.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

CHUNK_BYTES = 16 << 20
PROGRESS_NS = 10**9
"""Progress is told of work that takes longer than this."""

Progress = Callable[[int, int, str], None]
"""``on_progress(done, total, note)``, here in bytes or files."""


class Damaged(Exception):
    """A file is not what the catalog says; ``cause`` is one word for the counters."""

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(words)
        self.cause = cause


class Stored(NamedTuple):
    """A file found under ``objects/``."""

    content: str
    path: Path
    size_bytes: int


class Objects:
    """The folder ``objects`` of a store; directories 0700, files 0600.

    Args:
        root: the store's folder; made where it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "objects"
        self.temporary = self.root / "tmp"
        if not os.path.isdir(self.temporary):
            root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (root, self.root, self.temporary):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, 0o700)

    def path(self, content: str, suffix: str) -> Path:
        """Return where a content lies."""
        return self.root / content[:2] / (content + suffix)

    def create(self) -> tuple[int, Path]:
        """Make an empty file to write to and lock it; return its descriptor and path."""
        path = self.temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor, path

    def place(self, temporary: Path, content: str, suffix: str) -> Path:
        """Move a finished file to its place in one step."""
        target = self.path(content, suffix)
        try:
            os.replace(temporary, target)
        except FileNotFoundError:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            os.replace(temporary, target)
        return target

    def abandoned(self, path: Path) -> bool:
        """Return whether nobody writes to a temporary file any more (or it is gone)."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def temporaries(self) -> list[Path]:
        """Return the files that are being written, or were when their writer died."""
        with os.scandir(self.temporary) as entries:
            return [Path(entry.path) for entry in entries]

    def stored(self) -> Iterator[Stored]:
        """Yield every finished file."""
        for folder in sorted(self.root.iterdir()):
            if folder != self.temporary and folder.is_dir():
                for path in sorted(folder.iterdir()):
                    with contextlib.suppress(FileNotFoundError):
                        yield Stored(path.name.partition(".")[0], path, path.stat().st_size)

    def open_checked(
        self,
        content: str,
        suffix: str,
        size_bytes: int,
        *,
        on_progress: Progress | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> mmap.mmap:
        """Map a content privately (copy on write) and check every byte of it.

        Raises:
            Damaged: it is not there, shorter or longer than recorded, or has other bytes.
        """
        path = self.path(content, suffix)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Damaged("vanished", f"{path.name} is gone") from None
        try:
            actual_bytes = os.fstat(descriptor).st_size
            if actual_bytes != size_bytes or not size_bytes:
                raise Damaged("truncated", f"{path.name} has {actual_bytes} bytes, not {size_bytes}")
            mapped = mmap.mmap(descriptor, size_bytes, access=mmap.ACCESS_COPY)
        finally:
            os.close(descriptor)
        if checksum(mapped, on_progress=on_progress, note=path.name, clock_ns=clock_ns) != content:
            raise Damaged("corrupt", f"{path.name} has other bytes than were written")
        return mapped


def checksum(
    data: Any,
    *,
    on_progress: Progress | None = None,
    note: str = "",
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> str:
    """Return the xxh3-128 of a buffer as 32 hexadecimal digits.

    Args:
        data: any buffer.
        on_progress: hears of bytes once a second has passed.
        note: what it hears.
        clock_ns: the time.
    """
    import xxhash

    view = memoryview(data)
    hasher = xxhash.xxh3_128()
    begun_ns = clock_ns()
    for start in range(0, view.nbytes, CHUNK_BYTES):
        hasher.update(view[start : start + CHUNK_BYTES])
        if on_progress is not None and clock_ns() - begun_ns > PROGRESS_NS:
            on_progress(min(start + CHUNK_BYTES, view.nbytes), view.nbytes, note)
    return str(hasher.hexdigest())


def remove(path: Path) -> None:
    """Delete a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
