"""Operators that leave something behind for others: a run that reuses is as one that computes everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mile_rl.engine.loading import load_workflow

pytestmark = pytest.mark.usefixtures("always_decide")


def fresh_process(desk, text, *, scratch=False, **arguments):
    """What a run of a workflow's file returns that is imported afresh, with or without a past."""
    import sys

    path = desk.write("flow.py", text)
    sys.modules.pop("flow", None)
    project = desk.project()
    if scratch:
        project = replace(project, home=desk.folder / f"home{len(list(desk.folder.iterdir()))}")
    return desk.run(load_workflow(str(path)), project=project, **arguments).outputs


HEAD = "from mile_rl import op, workflow\n"
COUNTED = """
@workflow
def flow(k=1):
    return count(1), count(2), count(1), count(k)
"""
COUNTERS = {
    "a variable of a function around": """
def make():
    n = 0
    @op
    def count(x):
        nonlocal n
        n += 1
        return x + n
    return count
count = make()
""",
    "setattr": """
class State:
    n = 0
@op
def count(x):
    setattr(State, "n", State.n + 1)
    return x + State.n
""",
    "a list as a default": """
@op
def count(x, seen=[]):
    seen.append(x)
    return list(seen)
""",
    "a generator as a default": """
import numpy as np
@op
def count(x, rng=np.random.default_rng(0)):
    return x + rng.random()
""",
    "globals()": """
N = 0
@op
def count(x):
    globals()["N"] += 1
    return x + globals()["N"]
""",
    "an operator's attribute": """
@op
def count(x):
    count.n += 1
    return x + count.n
count.n = 0
""",
}


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
def test_nothing_is_kept_of_an_operator_that_counts_its_calls(desk, counter):
    text = HEAD + counter + COUNTED
    for k in (1, 1, 9):
        assert fresh_process(desk, text, k=k) == fresh_process(desk, text, k=k, scratch=True)


def test_a_default_that_is_known_by_itself_stays_itself(desk):
    text = """
class Missing:
    def __init__(self): self.name = "missing"
MISSING = Missing()
NONE = object()
@op
def count(x, y=MISSING, z=NONE):
    return y is MISSING and z is NONE
"""
    assert fresh_process(desk, HEAD + text + COUNTED) == (True,) * 4


LEFT = """
LIMIT = 0
@op
def configure(x):
    global LIMIT
    LIMIT = 7
    return x
@op
def limited(x):
    return x + LIMIT
@workflow
def flow():
    return limited(configure(3))
"""


def test_a_global_that_one_operator_sets_and_another_reads(desk):
    for change in ("x + LIMIT", "LIMIT + x"):
        text = HEAD + LEFT.replace("x + LIMIT", change)
        assert fresh_process(desk, text) == fresh_process(desk, text, scratch=True) == 10
