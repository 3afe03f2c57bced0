"""Operators that run side by side and get in each other's way; the order of events is forced."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from mile_rl import File, op, workflow
from mile_rl.engine.iteration import run
from mile_rl.engine.project import find

pytestmark = pytest.mark.usefixtures("always_decide")

_EVENTS: dict[str, threading.Event] = {}


@pytest.fixture(autouse=True)
def events():
    """Something for the operators to wait for; alone they wait in vain, for a moment."""
    _EVENTS.update({name: threading.Event() for name in ("drawn", "changed", "read")})
    yield
    _EVENTS.clear()


def _wait(name: str) -> None:
    _EVENTS[name].wait(0.3)
    time.sleep(0.02)


@op
def ones():
    return np.ones(1000)


# Vouched for, so that what they wait for does not count.
@op(version="1")
def draws(array):
    number = random.random()
    _EVENTS["drawn"].set()
    return number


@op(version="1")
def changes_after_the_draw(array):
    total = float(array.sum())
    _wait("drawn")
    array[:] = 7
    return total


def test_what_runs_again_is_not_given_what_it_has_changed_itself(desk):
    @workflow
    def flow():
        made = ones()
        return draws(made), changes_after_the_draw(made), made

    for _ in range(2):
        done = desk.run(flow, jobs=2)
        assert done.outputs[1] == 1000.0
        assert (done.outputs[2] == 1).all()
        assert done.outputs[0] == desk.run(flow, jobs=1).outputs[0]


@op(version="1")
def changes_for_a_while(array):
    array[:] = -1
    _EVENTS["changed"].set()
    _wait("read")
    return 0


@op(version="1")
def refuses_negatives(array):
    _wait("changed")
    try:
        if array.min() < 0:
            raise ValueError("a negative number")
        return float(array.sum())
    finally:
        _EVENTS["read"].set()


def test_an_operator_that_fails_because_of_what_another_did_to_its_input_runs_again(desk):
    @workflow
    def flow():
        made = ones()
        return changes_for_a_while(made), refuses_negatives(made)

    assert desk.run(flow, jobs=2).outputs == (0, 1000.0)


@op(version="1")
def goes_elsewhere_and_back(folder):
    home = os.getcwd()
    os.chdir(folder)
    _EVENTS["changed"].set()
    _wait("read")
    os.chdir(home)
    return 0


@op(version="1")
def where():
    _wait("changed")
    try:
        return os.getcwd()
    finally:
        _EVENTS["read"].set()


def test_an_operator_that_goes_elsewhere_for_a_while_takes_nobody_with_it(desk, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    @workflow
    def flow(folder):
        return goes_elsewhere_and_back(folder), where()

    assert desk.run(flow, File(elsewhere), jobs=2).outputs == (0, os.getcwd())


@op(version="1")
def draws_inside(k):
    _EVENTS["changed"].set()
    _EVENTS["read"].wait(0.3)
    return random.random()


@workflow
def inner(k):
    return draws_inside(k)


@op(version="1")
def runs_another(k, home):
    number = run(inner, (k,), {}, project=find(home, environ={})).outputs
    _EVENTS["drawn"].set()
    return number


@op(version="1")
def draws_meanwhile(k):
    _EVENTS["changed"].wait(0.3)
    number = random.random()
    _EVENTS["read"].set()
    # Until the other has put the generator back.
    _EVENTS["drawn"].wait(0.3)
    return number


def test_an_operator_that_draws_while_another_runs_a_workflow(desk):
    @workflow
    def flow():
        return runs_another(1, str(desk.folder / "inner")), draws_meanwhile(1)

    first = desk.run(flow, jobs=2).outputs
    for event in _EVENTS.values():
        event.clear()
    fresh = replace(desk.project(), home=desk.folder / "fresh")
    assert desk.run(flow, project=fresh).outputs == first


@op(version="1")
def is_interrupted():
    _EVENTS["changed"].wait(10)
    raise KeyboardInterrupt


@op(version="1")
def cannot_be_stopped():
    _EVENTS["changed"].set()
    _EVENTS["read"].wait(10)
    return 0


@op(version="1")
def threads_beside():
    return [thread.name for thread in threading.enumerate() if thread.name == "mile-cannot_be_stopped"]


def test_a_run_does_not_begin_before_what_an_interrupted_one_left_running_has_ended(desk, monkeypatch):
    from mile_rl.engine import turns

    @workflow
    def flow():
        return is_interrupted(), cannot_be_stopped()

    @workflow
    def after():
        return threads_beside()

    monkeypatch.setattr(turns, "PATIENCE_S", 0.01)
    # It ends when somebody says that they wait for it.
    monkeypatch.setattr(turns.log, "warning", lambda text: _EVENTS["read"].set())
    with pytest.raises(KeyboardInterrupt):
        desk.run(flow, jobs=2)
    assert desk.run(after).outputs == []
