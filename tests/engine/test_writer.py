"""What waiting for the writer costs is told, so that it is charged like writing."""

from __future__ import annotations

import threading

import pytest

from mile_rl.engine import keeper
from mile_rl.engine.writer import ROOM_BYTES, THREAD, Writer


def test_waiting_for_room_in_the_queue_is_told() -> None:
    writer, begun, done = Writer(), threading.Event(), []

    def first() -> None:
        begun.set()
        release.wait()
        done.append("first")

    release = threading.Event()
    assert writer.submit(first, ROOM_BYTES) == 0
    writer.wake()
    begun.wait()
    threading.Timer(0.05, release.set).start()
    waited_ns = writer.submit(lambda: done.append("second"), 1)
    assert done == ["first"]
    assert 30_000_000 < waited_ns < 30_000_000_000
    writer.drain()
    writer.close()
    assert done == ["first", "second"]


@pytest.mark.parametrize("sizes", [(100, 0), (100, 20_000, 3_000), (2 * ROOM_BYTES, 0)])
def test_what_fits_beside_what_is_queued_waits_for_nothing_and_needs_no_thread(
    sizes: tuple[int, ...],
) -> None:
    writer, threads = Writer(), []
    assert {writer.submit(lambda: threads.append(threading.current_thread()), size) for size in sizes} == {0}
    assert writer.drain() == 0
    assert threads == [threading.current_thread()] * len(sizes)


def test_a_value_larger_than_all_before_waits_for_those_queued() -> None:
    writer, done = Writer(), []
    writer.submit(lambda: done.append("small"), 100)
    writer.submit(lambda: done.append("large"), 2 * ROOM_BYTES)
    assert done == ["small"]
    writer.drain()
    writer.close()
    assert done == ["small", "large"]


CHAIN = """
    import threading
    import time

    from mile_rl import op, workflow

    @op
    def made():
        time.sleep(0.05)
        return "a text that nobody can change"

    @op
    def beside(made, change=0):
        time.sleep(0.02)
        return sorted(thread.name for thread in threading.enumerate())

    @workflow
    def flow(change=0):
        return beside(made(), change)
"""


@pytest.mark.parametrize("beside", [True, False])
def test_nothing_is_written_beside_an_operator_that_is_done_at_once(
    person, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    monkeypatch.setattr(keeper, "BESIDE_NS", 0 if beside else 10**18)
    person.writes(CHAIN)
    done = person.runs()
    assert (THREAD in done.outputs) == beside
    assert all(output.kept for node in done.report.nodes for output in node.outputs if node.name == "made")
    again = person.runs(change=1)
    assert {node.name: node.state for node in again.report.nodes}["made"] == "load"
