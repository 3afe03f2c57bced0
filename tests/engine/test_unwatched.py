"""Values that take too long to watch: a change in place may go unnamed, but it never reaches a result."""

from __future__ import annotations

import threading
import time

import pytest

from mile_rl.engine import execute
from mile_rl.engine.writer import THREAD, cost_ns

SHARED = """
    from mile_rl import op, workflow

    @op(outputs=("one", "other"))
    def make():
        inner = [1, 2]
        return [inner], [inner]

    @op
    def spoil(values):
        values[0].append(100)
        return len(values[0])

    @op
    def total(values, after):
        return sum(values[0])

    @workflow
    def flow():
        one, other = make()
        return total(other, spoil(one))
"""


@pytest.fixture
def nothing_may_be_watched_for_long(monkeypatch):
    monkeypatch.setattr(execute, "WATCH_NS", 0)
    monkeypatch.setattr(execute, "WATCH_SHARE", 0.0)


def test_a_change_that_nobody_watched_does_not_reach_a_value_that_shares_it(
    person, nothing_may_be_watched_for_long
):
    person.writes(SHARED)
    done = person.runs()
    assert done.outputs == 3
    assert any("other was changed in place" in note for note in done.report.notes)


def test_the_last_reader_of_a_costly_value_may_change_it_unnamed(person, nothing_may_be_watched_for_long):
    person.writes(SHARED.replace("total(other, spoil(one))", "spoil(one)"))
    done = person.runs()
    assert done.outputs == 3
    assert person.runs().outputs == 3


def test_waiting_beside_an_operator_costs_nothing_and_waiting_for_it_does():
    def waited_ns(name):
        found = []

        def wait():
            begun_ns = cost_ns()
            time.sleep(0.2)
            found.append(cost_ns() - begun_ns)

        thread = threading.Thread(target=wait, name=name)
        thread.start()
        thread.join()
        return found[0]

    assert waited_ns(THREAD) < 100_000_000 < waited_ns("any other")
