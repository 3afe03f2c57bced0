"""Files that compiled code opens by itself: no event tells, but the code or the arguments name them."""

from __future__ import annotations

import os
import time

import pandas as pd
import pytest

from mile_rl import op, workflow

pytestmark = pytest.mark.usefixtures("always_decide")

SETTINGS = {"table": "by_global.parquet"}


def write(name: str, number: int) -> None:
    pd.DataFrame({"a": [number]}).to_parquet(name)
    time.sleep(0.02)  # what is written in the same moment as a node begins counts as written while it runs


@pytest.fixture
def here(desk, monkeypatch):
    monkeypatch.chdir(desk.folder)


@op
def by_constant():
    return _read("by_constant.parquet")


def _read(name: str) -> int:
    time.sleep(0.01)  # longer than loading its result takes
    return int(pd.read_parquet(name)["a"][0])


def _load():
    return _read(SETTINGS["table"])


@op
def by_global():
    return _load()


@op
def by_argument(path):
    return _read(path)


@op
def by_default(path="by_default.parquet"):
    return _read(path)


@pytest.mark.parametrize("operator", [by_constant, by_global, by_argument, by_default])
@pytest.mark.parametrize("jobs", [1, 2])
def test_another_content_is_noticed_and_the_same_is_not_computed_again(desk, here, operator, jobs):
    name = f"{operator.name}.parquet"

    @workflow
    def flow():
        other = by_default("other.parquet") if jobs > 1 else 0
        return operator(name) if operator is by_argument else operator(), other

    write("other.parquet", 0)
    for number in (1, 1, 2, 1):
        write(name, number)
        done = desk.run(flow, jobs=jobs)
        assert done.outputs[0] == number
    computed = [node for node in done.report.nodes if node.state == "compute"]
    assert not computed, f"back at the first content, but {computed}, {done.report.notes}"


def test_a_link_that_leads_elsewhere_is_noticed(desk, here):
    @workflow
    def flow():
        return by_constant()

    for number in (1, 2, 1):
        write(f"version{number}.parquet", number)
        if os.path.lexists("by_constant.parquet"):
            os.unlink("by_constant.parquet")
        os.symlink(f"version{number}.parquet", "by_constant.parquet")
        assert desk.run(flow).outputs == number


ITSELF: list = ["data.parquet"]
ITSELF.append(ITSELF)


@op
def reaches_itself():
    return len(ITSELF)


def test_a_container_that_holds_itself_is_looked_through_once(desk, here):
    @workflow
    def flow():
        return reaches_itself()

    assert desk.run(flow).outputs == 2


@op
def writes(number):
    time.sleep(0.01)
    pd.DataFrame({"a": [number]}).to_parquet("result.parquet")
    return number


def test_what_an_operator_writes_itself_is_none_of_its_inputs(desk, here):
    @workflow
    def flow(number=1):
        return writes(number)

    for number in (1, 2, 1):
        done = desk.run(flow, number=number)
        assert done.outputs == number
        assert not any("result.parquet" in note for note in done.report.notes), done.report.notes
    assert all(node.state != "compute" for node in done.report.nodes)
    os.unlink("result.parquet")
    assert all(node.state != "compute" for node in desk.run(flow, number=2).report.nodes)
