"""One run at a time in a process, and a word from the one that waits."""

import logging
import threading

from mile_rl.engine import turns


def test_a_run_that_waits_long_for_another_says_what_it_waits_for_and_goes_on_when_it_ends(
    monkeypatch, caplog
):
    monkeypatch.setattr(turns, "PATIENCE_S", 0.01)
    said, done = threading.Event(), threading.Event()
    monkeypatch.setattr(turns.log, "warning", lambda text: (logging.getLogger("x").warning(text), said.set()))

    def other():
        with turns.turn():
            assert turns.is_inside()
            done.set()

    with turns.turn():
        thread = threading.Thread(target=other)
        thread.start()
        assert said.wait(10)
        assert not done.is_set()
    assert done.wait(10)
    thread.join()
    assert "call it on the operator's own thread" in caplog.text


def test_a_turn_is_given_back_when_a_run_fails():
    for _ in range(2):
        try:
            with turns.turn():
                raise ValueError
        except ValueError:
            assert not turns.is_inside()


def test_a_run_waits_for_an_operator_that_an_interrupted_run_left_behind(monkeypatch):
    go_on, before = threading.Event(), len(turns._LEFT)
    # It is let go as soon as somebody says that they wait for it.
    monkeypatch.setattr(turns, "PATIENCE_S", 0.01)
    monkeypatch.setattr(turns.log, "warning", lambda text: go_on.set())
    thread = threading.Thread(target=go_on.wait, args=(10,))
    thread.start()
    turns.leave([thread])
    with turns.turn():
        assert go_on.is_set()
        assert not thread.is_alive()
        assert len(turns._LEFT) == before
