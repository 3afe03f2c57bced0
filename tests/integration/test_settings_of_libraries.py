"""Libraries' settings, context and environment variables: what one line sets changes what many operators return."""

from __future__ import annotations

import contextvars
import os
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from mile_rl import op, workflow
from mile_rl.engine.loading import load_workflow
from mile_rl.workflows import settings

pytestmark = pytest.mark.usefixtures("always_decide")

TEXT = """
import decimal
import numpy as np
import pandas as pd
import sklearn
from sklearn.preprocessing import StandardScaler
from mile_rl import op, workflow
{line}
@op
def work(k):
    scaled = StandardScaler().fit_transform(pd.DataFrame(dict(a=[1.0, 2.0])))
    return type(scaled).__name__, str(pd.Series([1 / 3])), str(np.array([1 / 3])), str(decimal.Decimal(1) / 3)
@op
def after(k, *before):
    {inside}
    return k
@workflow
def flow(j=1):
    return work(1), work(2), work(after(j)), work(after(j + 1))
"""
LINES = (
    "pass",
    'sklearn.set_config(transform_output="pandas")',
    'pd.set_option("display.precision", 3)',
    "np.set_printoptions(precision=3)",
    "decimal.getcontext().prec = 5",
)


@pytest.fixture(autouse=True)
def as_they_come():
    yield
    settings.put({})


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("inside", [False, True], ids=["in the module", "in an operator"])
def test_a_setting_counts_and_stays_where_it_was_made(desk, jobs, inside):
    for line in LINES:
        results = []
        for project in (
            desk.project(jobs=jobs),
            replace(desk.project(), home=desk.folder / f"new{LINES.index(line)}"),
        ):
            text = TEXT.format(line="pass" if inside else line, inside=line if inside else "pass")
            path = desk.write("flow.py", text)
            sys.modules.pop("flow", None)
            results.append(
                [desk.run(load_workflow(str(path)), project=project, j=j).outputs for j in (1, 2, 1)]
            )
            settings.put({})
        assert results[0] == results[1], line


@op
def set_variable(value):
    os.environ["MILE_TEST_LEFT"] = value
    return value


@op
def variable(after, k=0):
    return os.environ.get("MILE_TEST_LEFT", "unset"), k


def test_an_environment_variable_that_an_operator_sets_stays_with_it(desk, monkeypatch):
    monkeypatch.delenv("MILE_TEST_LEFT", raising=False)

    @workflow
    def flow(k=0):
        return variable(set_variable("here"), k)

    for k in (0, 1):
        assert desk.run(flow, k=k).outputs == ("unset", k)
    assert "MILE_TEST_LEFT" not in os.environ


CHOSEN = contextvars.ContextVar("CHOSEN", default="none")


@op(version=1)
def chosen(k):
    CHOSEN.set(f"{CHOSEN.get()}+")
    return CHOSEN.get()


@pytest.mark.parametrize("jobs", [1, 3])
def test_context_variables_are_those_of_the_run_for_every_operator(desk, jobs):
    @workflow
    def flow():
        return chosen(1), chosen(2), chosen(3)

    token = CHOSEN.set("set")
    try:
        assert desk.run(flow, jobs=jobs).outputs == ("set+",) * 3
    finally:
        CHOSEN.reset(token)
    assert str(Decimal(1) / 3) == "0.3333333333333333333333333333"
