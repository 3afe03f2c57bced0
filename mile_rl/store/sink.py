"""Where codecs write to: bounded by the budget and the clock, hashing as it goes."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import Any

from mile_rl.store.codecs.base import Refused
from mile_rl.store.objects import PROGRESS_NS, Progress

SPILL_BYTES = 256 << 10
"""What fits stays in memory until the codec is done, so that a small artifact reserves its exact size."""
PIECE_BYTES = 4 << 20
"""Large buffers are written piece by piece, each checked against the deadline."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Sink:
    """A write-only stream into a file that is opened only when it is needed.

    Not a byte reaches the disk before ``reserve`` has answered for it.

    Args:
        reserve: called with the file's size after the next write; makes sure that as many bytes are reserved,
            and returns the file's descriptor; raises :class:`Refused`.
        deadline_ns: on ``clock_ns``; writing past it is refused; None for never.
        clock_ns: the time.
        write: ``os.write``; tests pass a full disk.
        expected_bytes: estimated size, for progress.
        on_progress: hears of bytes once a second has passed.
        note: what it hears.
    """

    def __init__(
        self,
        reserve: Callable[[int], int],
        *,
        deadline_ns: int | None = None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        write: Callable[[int, Any], int] = os.write,
        expected_bytes: int = 0,
        on_progress: Progress | None = None,
        note: str = "",
    ) -> None:
        import xxhash

        self._hasher = xxhash.xxh3_128()
        self._reserve = reserve
        self._deadline_ns = deadline_ns
        self._clock_ns = clock_ns
        self._write = write
        self._expected_bytes = expected_bytes
        self._on_progress = on_progress
        self._note = note
        self._begun_ns = clock_ns()
        self._pending = bytearray()
        self._on_disk = 0
        self._position = 0

    closed = False

    @property
    def content(self) -> str:
        """The digest of everything written."""
        return str(self._hasher.hexdigest())

    @property
    def size_bytes(self) -> int:
        """How many bytes were written."""
        return self._position

    def write(self, data: Any, /) -> int:
        """Take all of a buffer; see :class:`~mile_rl.store.codecs.base.ByteSink`."""
        view = memoryview(data).cast("B") if not isinstance(data, bytes) else memoryview(data)
        if not self._pending:
            self.check()
        if len(self._pending) + view.nbytes <= SPILL_BYTES:
            self._pending += view
        else:
            self._spill()
            for start in range(0, view.nbytes, PIECE_BYTES):
                self.check()
                self._put(view[start : start + PIECE_BYTES])
        self._position += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return how many bytes were taken."""
        return self._position

    def flush(self) -> None:
        """Do nothing; :meth:`finish` flushes."""

    def close(self) -> None:
        """Do nothing: Arrow closes what it is given, the store is not done then."""

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False: zipfile then streams."""
        return False

    def check(self) -> None:
        """Raise :class:`Refused` if the deadline has passed; tell of progress."""
        now_ns = self._clock_ns()
        if self._deadline_ns is not None and now_ns > self._deadline_ns:
            raise Refused("writing it would take longer than allowed")
        if self._on_progress is not None and now_ns - self._begun_ns > PROGRESS_NS:
            self._on_progress(self._position, max(self._expected_bytes, self._position), self._note)

    def finish(self) -> None:
        """Write what is still in memory."""
        self._spill()

    def _spill(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            self._put(memoryview(pending))

    def _put(self, view: memoryview) -> None:
        descriptor = self._reserve(self._on_disk + view.nbytes)
        self._hasher.update(view)
        try:
            while view.nbytes:
                written = self._write(descriptor, view)
                self._on_disk += written
                view = view[written:]
        except OSError as error:
            if error.errno in DISK_FULL:
                raise Refused("the disk is full") from error
            raise Refused(f"the disk cannot be written: {error}") from error
