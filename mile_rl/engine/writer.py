"""Writing behind the computation: one thread puts values into the store while operators run."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

THREAD = "mile-writer"

ROOM_BYTES = 16 * 2**20
"""So much may always be queued: it is little beside what Python itself takes, and a small run whose values had
to make room for each other would wait for a thread to start and to take turns, longer than for the writes."""


def cost_ns() -> int:
    """Return a clock of what work costs the person: all time passes on a thread that they wait for.

    Beside an operator only the processor's time counts. The writer may be kept waiting for the interpreter for
    as long as an operator likes (0.1 s in a matrix decomposition), and that costs nobody anything.
    """
    if threading.current_thread().name == THREAD:
        return time.thread_time_ns()
    return time.perf_counter_ns()


class Writer:
    """Runs jobs one after the other on a thread of its own.

    The thread starts when there is something to run beside it (:meth:`wake`); jobs that come after the last
    operator are run by whoever waits for them. Jobs hold values; so that memory stays bounded, :meth:`submit`
    waits while the jobs ahead hold more than the largest value seen, and more than 16 MiB.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], int] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._pending = 0
        self._pending_bytes = 0
        self._largest_bytes = 0
        self._error: BaseException | None = None

    def submit(self, job: Callable[[], None], size_bytes: int) -> int:
        """Queue a job; wait first while too much is queued.

        Args:
            job: what to do; it must not raise for whatever the store can expect.
            size_bytes: how much memory it keeps alive.

        Returns:
            How long that wait took, in ns.
        """
        begun_ns = time.perf_counter_ns()
        with self._changed:
            self._largest_bytes = max(self._largest_bytes, size_bytes)
            room_bytes = max(self._largest_bytes, ROOM_BYTES)
            full = self._pending and self._pending_bytes + size_bytes > room_bytes
        if full:
            self.wake()
            with self._changed:
                while self._pending and self._pending_bytes + size_bytes > room_bytes:
                    self._changed.wait()
        waited_ns = time.perf_counter_ns() - begun_ns if full else 0
        with self._changed:
            self._pending += 1
            self._pending_bytes += size_bytes
        self._jobs.put((job, size_bytes))
        return waited_ns

    def wake(self) -> None:
        """Have the jobs run from now on, beside whatever comes."""
        if self._thread is None and self._pending:
            self._thread = threading.Thread(target=self._work, name=THREAD, daemon=True)
            self._thread.start()

    def drain(self) -> int:
        """Wait until every job is done.

        Returns:
            How long the wait for the thread took, in ns; jobs that are run here count their own time.

        Raises:
            BaseException: what a job raised: a bug, or a store that cannot be used at all.
        """
        if self._thread is None:
            while self._pending:
                self._run(self._jobs.get())
        begun_ns = time.perf_counter_ns()
        with self._changed:
            waited = bool(self._pending)
            while self._pending:
                self._changed.wait()
            error, self._error = self._error, None
        if error is not None:
            raise error
        return time.perf_counter_ns() - begun_ns if waited else 0

    def close(self) -> None:
        """Let the thread end when its jobs are done."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            self._run(entry)
            del entry

    def _run(self, entry: tuple[Callable[[], None], int] | None) -> None:
        assert entry is not None
        job, size_bytes = entry
        error: BaseException | None = None
        try:
            job()
        except BaseException as raised:
            error = raised
        del job, entry
        with self._changed:
            self._pending -= 1
            self._pending_bytes -= size_bytes
            self._error = self._error or error
            self._changed.notify_all()
