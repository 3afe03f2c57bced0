"""Cached functions: an operator that finds a file's content in a cache depends on the file all the same."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from mile_rl import File, op, workflow
from mile_rl.engine.caches import CACHES

pytestmark = pytest.mark.usefixtures("always_decide")


@functools.lru_cache
def text_of(path):
    return Path(path).read_text()


@op
def first(path):
    return f"first {text_of(path)}"


@op
def second(path, after=None):
    return f"second {text_of(path)}"


def test_a_file_that_is_known_from_a_cache_counts_for_each_who_asks(desk):
    data = desk.folder / "data.txt"
    data.write_text("old")

    @workflow
    def flow(path=str(data)):
        return first(path), second(path)

    assert desk.run(flow).outputs == ("first old", "second old")
    assert {node.state for node in desk.run(flow).report.nodes} == {"load"}
    data.write_text("new")
    assert desk.run(flow).outputs == ("first new", "second new")


def test_a_declared_file_is_read_again_when_it_changed(desk):
    data = desk.folder / "data.txt"
    data.write_text("old")

    @workflow
    def flow(path=File(data)):
        return first(path)

    for text in ("old", "new", "old"):
        data.write_text(text)
        assert desk.run(flow).outputs == f"first {text}"


def test_a_cache_that_was_filled_before_any_run_is_emptied_once(desk):
    data = desk.folder / "data.txt"
    data.write_text("old")
    assert text_of(str(data)) == "old"
    CACHES.__init__()
    data.write_text("new")

    @workflow
    def flow(path=str(data)):
        return first(path)

    assert desk.run(flow).outputs == "first new"
    text_of("/dev/null")
    filled = text_of.cache_info().currsize

    @workflow
    def other(path=str(data)):
        return second(path)

    desk.run(other)
    assert text_of.cache_info().currsize == filled
