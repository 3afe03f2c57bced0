"""The bar: late, truthful about time, and gone afterwards."""

import io

from mile_rl.cli.progress import Bar, bar


class Clock:
    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        return self.now_ns


def made():
    clock, stream = Clock(), io.StringIO()
    return Bar(stream, clock_ns=clock, columns=80), clock, stream


def test_nothing_is_drawn_within_the_first_second():
    drawn, clock, stream = made()
    drawn.tell(0, 10_000_000_000, "hog")
    clock.now_ns = 999_000_000
    drawn.draw()
    drawn.clear()
    assert stream.getvalue() == ""


def test_it_shows_elapsed_and_expected_time_and_the_node():
    drawn, clock, _ = made()
    clock.now_ns = 2_000_000_000
    drawn.tell(4_000_000_000, 8_000_000_000, "hog")
    assert drawn.line() == "█" * 12 + "░" * 12 + " 2 s of about 8 s  hog"


def test_it_moves_on_while_a_node_runs_but_never_past_the_end():
    drawn, clock, _ = made()
    drawn.tell(0, 4_000_000_000, "hog")
    clock.now_ns = 2_000_000_000
    assert drawn.line().count("█") == 12
    clock.now_ns = 9_000_000_000
    assert drawn.line().startswith("█" * 24 + " 9 s of about 4 s")


def test_it_takes_its_line_away_before_others_write():
    drawn, clock, stream = made()
    clock.now_ns = 2_000_000_000
    drawn.tell(1, 2, "a")
    drawn.draw()
    drawn.write_beside(stream, "printed\n")
    assert stream.getvalue().endswith("\r\x1b[Kprinted\n")
    drawn.clear()
    assert stream.getvalue().endswith("printed\n")


def test_a_long_name_does_not_wrap():
    drawn, clock, _ = made()
    clock.now_ns = 2_000_000_000
    drawn.tell(1, 2_000_000_000, "x" * 200)
    assert len(drawn.line()) < 80


def test_there_is_no_bar_in_a_pipe():
    with bar() as on_progress:
        assert on_progress is None


def test_on_a_terminal_prints_pass_through_and_the_streams_come_back(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stdout, stderr = io.StringIO(), Terminal()
    monkeypatch.setattr("sys.stdout", stdout)
    monkeypatch.setattr("sys.stderr", stderr)
    import sys

    with bar() as on_progress:
        on_progress(0, 5, "a")
        print("printed")
    assert stdout.getvalue() == "printed\n"
    assert sys.stdout is stdout
    assert sys.stderr is stderr
