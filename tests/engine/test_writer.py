"""What waiting for the writer costs is told, so that it is charged like writing."""

from __future__ import annotations

import threading

from mile_rl.engine.writer import Writer


def test_waiting_for_room_in_the_queue_is_told() -> None:
    writer, begun, done = Writer(), threading.Event(), []

    def first() -> None:
        begun.set()
        release.wait()
        done.append("first")

    release = threading.Event()
    assert writer.submit(first, 100) == 0
    writer.wake()
    begun.wait()
    threading.Timer(0.05, release.set).start()
    waited_ns = writer.submit(lambda: done.append("second"), 100)
    assert done == ["first"]
    assert 30_000_000 < waited_ns < 30_000_000_000
    writer.drain()
    writer.close()
    assert done == ["first", "second"]


def test_what_fits_beside_what_is_queued_does_not_wait() -> None:
    writer = Writer()
    assert [writer.submit(lambda: None, size) for size in (100, 0)] == [0, 0]
    assert writer.drain() == 0
