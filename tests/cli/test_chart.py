"""Charts of block characters."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.cli import chart

TIMES = st.lists(st.integers(0, 10**12), min_size=1, max_size=60)


@given(waited=TIMES, columns=st.integers(80, 200), rows=st.integers(2, 20))
def test_the_chart_fits_and_never_draws_more_waiting_than_everything(waited, columns, rows):
    everything = [2 * ns for ns in waited]
    lines = chart.cumulative(waited, everything, columns=columns, rows=rows).splitlines()
    assert len(lines) == rows + 2
    assert all(len(line) <= columns for line in lines)
    bodies = [line.partition("┤")[2] for line in lines[:rows]]
    width = max(map(len, bodies))
    for column in zip(*(body.ljust(width) for body in bodies)):
        # From the top: nothing, then everything, then waiting.
        kinds = [0 if cell == " " else 1 if cell == "░" else 2 for cell in column]
        assert kinds == sorted(kinds)


def test_heights_are_proportional():
    text = chart.cumulative([10**9, 0, 0], [10**9, 10**9, 2 * 10**9], columns=30, rows=4)
    bodies = [line.partition("┤")[2].ljust(18) for line in text.splitlines()[:4]]
    heights = [sum(body[6 * run] != " " for body in bodies) for run in range(3)]
    waiting = [sum(body[6 * run] == "█" for body in bodies) for run in range(3)]
    assert heights == [1, 2, 4]
    assert waiting == [1, 1, 1]


def test_all_zero_is_an_empty_chart():
    assert "█" not in chart.cumulative([0, 0], [0, 0], columns=40)


def test_many_runs_are_numbered_where_there_is_room():
    last = chart.cumulative([10**9] * 60, [10**9] * 60, columns=80).splitlines()[-1]
    numbers = [int(text) for text in last.split()]
    assert numbers[0] == 1
    assert len({b - a for a, b in pairwise(numbers)}) == 1


@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**15), st.just("1 s")), max_size=9))
def test_bars_fit_and_the_longest_value_has_the_longest_bar(rows):
    lines = chart.bars(rows, columns=60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    if any(value for _, value, _ in rows):
        longest = max(range(len(rows)), key=lambda i: rows[i][1])
        assert lines[longest].count("█") == max(line.count("█") for line in lines)


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 s"), (250e6, "250 ms"), (1.5e9, "1.5 s"), (2e9, "2 s"), (61.2e9, "61 s")]
)
def test_seconds_are_short(ns, text):
    assert chart._seconds(ns) == text
