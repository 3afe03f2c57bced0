"""Values that take too long to watch: a change in place may go unnamed, but it never reaches a result."""

from __future__ import annotations

import threading
import time

import pytest

from mile_rl.engine import memory
from mile_rl.engine import watch as watching
from mile_rl.engine.watch import SAMPLE, watch
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
    monkeypatch.setattr(memory, "WATCH_NS", 0)
    monkeypatch.setattr(memory, "WATCH_SHARE", 0.0)


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


@pytest.fixture
def read_items(monkeypatch):
    """How many items each reading of a list began with."""
    lengths = []
    real = watching.pickle_digest

    def reading(value, *limit):
        lengths.append(len(value))
        return real(value, *limit)

    monkeypatch.setattr(watching, "pickle_digest", reading)
    return lengths


def test_what_would_take_far_too_long_is_not_even_begun_to_be_read(read_items):
    value = [{"word": f"w{number}", "at": number} for number in range(50_000)]
    watched = watch(value, limit_ns=1_000_000)
    assert watched.costly
    assert watched.effort_ns > 3_000_000
    assert max(read_items) < 2 * SAMPLE


def test_the_few_items_that_are_tried_are_not_read_for_long_either(read_items):
    value = [b"x" * 1_000_000] * 5 + [str(number) * 100_000 for number in range(995)]
    begun_ns = time.thread_time_ns()
    watched = watch(value, limit_ns=1)
    assert watched.costly
    assert max(read_items) < 2 * SAMPLE
    assert time.thread_time_ns() - begun_ns < 100_000_000


def test_a_long_list_that_is_read_soon_enough_is_watched():
    value = [str(number) for number in range(10_000)]
    watched = watch(value, limit_ns=1_000_000_000)
    assert not watched.costly
    value[5_000] = "other"
    assert watched.changed(value)


def test_insisting_reads_what_was_left_out():
    value = [[number] for number in range(50_000)]
    watched = watch(value, limit_ns=1)
    assert watched.costly
    watched.insist()
    assert not watched.costly
    value[40_000].append(1)
    assert watched.spoiled()


def test_a_long_list_that_cannot_be_read_says_why():
    watched = watch([lambda: None] * 1_000, limit_ns=1_000_000_000)
    assert "pickle" in watched.unwatchable.lower()
    assert not watched.costly
