"""The first promise: whatever is reused, and however nodes run, every output is what a run from scratch gives."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mile_rl import op
from mile_rl.engine.iteration import run
from mile_rl.engine.project import find
from mile_rl.workflows.digest import digest
from mile_rl.workflows.flow import Flow

# The operators differ in what they return, what they do to their inputs and where their randomness comes from.
# Each takes any number of values of any kind, and a parameter that edits change.


def _numbers(values: Any) -> np.ndarray:
    """Return some numbers that depend on every bit of the values."""
    seed = int.from_bytes(digest(list(values))[:4], "little")
    return np.random.default_rng(seed).normal(size=12)


@op
def array(*values, k):
    return _numbers(values) * k


@op
def view(*values, k):
    return np.asfortranarray(_numbers(values).reshape(3, 4) + k)[:, ::2]


@op
def frame(*values, k):
    table = pd.DataFrame(_numbers(values).reshape(4, 3) * k, columns=["a", "b", "c"])
    table["text"] = [f"row {k}", None, "", "ü"]
    return table.iloc[1:] if k % 2 else table


@op
def sparse(*values, k):
    return scipy.sparse.csr_array(np.where(_numbers(values).reshape(3, 4) > 0, k, 0.0))


@op
def nested(*values, k):
    return {
        "k": k,
        "set": {k, "x"},
        "numbers": _numbers(values).tolist(),
        "values": (None, float("nan"), -0.0),
    }


@op
def draws(*values, k):
    return random.random(), np.random.normal(size=3) + k, _numbers(values)[0]


@op
def spoils(*values, k):
    total = _numbers(values).sum()
    for value in values:
        if isinstance(value, np.ndarray) and value.size:
            value.flat[0] = 1e9
        elif isinstance(value, dict):
            value["numbers"].append(k)
        elif isinstance(value, pd.DataFrame):
            value["a"] = k
        elif scipy.sparse.issparse(value):
            value.data[:] = k
    return total


@op
def borrows(*values, k):
    """Change what it is given for a while, and change it back."""
    for value in values:
        if isinstance(value, np.ndarray) and value.size:
            before = value.flat[0]
            value.flat[0] = k
            time.sleep(0.0005)
            value.flat[0] = before
    return _numbers(values).sum()


@op
def passes_on(*values, k):
    return values[k % len(values)] if values else k


@op(outputs=("left", "right"))
def halves(*values, k):
    numbers = _numbers(values)
    return numbers[:k], numbers[k:]


@op
def unstorable(*values, k):
    return lambda: k


OPERATORS = (array, view, frame, sparse, nested, draws, spoils, borrows, passes_on, halves)

Spec = list[tuple[int, list[int], int]]


@st.composite
def sessions(draw: Any) -> list[Spec]:
    """Return versions of a workflow: node i is (operator, positions of earlier outputs, parameter)."""
    size = draw(st.integers(2, 8))
    spec: Spec = []
    for i in range(size):
        operator = draw(st.integers(0, len(OPERATORS) - 1))
        parents = draw(st.lists(st.integers(0, max(0, i - 1)), max_size=min(i, 3)))
        spec.append((operator, parents, draw(st.integers(1, 4))))
    versions = [spec]
    for _ in range(draw(st.integers(1, 4))):
        spec = list(draw(st.sampled_from(versions)) if draw(st.booleans()) else spec)
        at = draw(st.integers(0, size - 1))
        operator, parents, k = spec[at]
        if draw(st.booleans()):
            k = draw(st.integers(1, 4))
        else:
            operator = draw(st.integers(0, len(OPERATORS) - 1))
        spec[at] = (operator, parents, k)
        versions.append(spec)
    return versions


def _wire(spec: Spec, requested: int) -> Any:
    outputs: list[Any] = []
    for operator, parents, k in spec:
        made = OPERATORS[operator](*(outputs[parent] for parent in parents), k=k)
        outputs.append(made["left"] if OPERATORS[operator] is halves else made)
    return outputs[-requested:]


@pytest.mark.parametrize("jobs", [1, 3])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(versions=sessions(), requested=st.integers(1, 3), budget=st.sampled_from(["10GB", "4kB", "1kB"]))
def test_reused_results_are_bit_for_bit_those_from_scratch(
    jobs, versions, requested, budget, monkeypatch_quick, many_turns
):
    flow = Flow(_wire)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        project = _project(
            Path(folder), policy="gdsf" if budget != "10GB" else "all", budget=budget, jobs=jobs
        )
        for spec in versions:
            reused = run(flow, (spec, requested), {}, project=project)
            scratch = run(flow, (spec, requested), {}, project=_project(Path(other), policy="none"))
            for mine, theirs in zip(reused.outputs, scratch.outputs, strict=True):
                assert digest(mine) == digest(theirs)
        used = sum(
            path.stat().st_size for path in (project.store_root / "objects").rglob("*") if path.is_file()
        )
        assert used <= project.settings.budget_bytes


@pytest.fixture(scope="module")
def many_turns():
    """Have threads take turns as often as they can, so that they get in each other's way."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def monkeypatch_quick():
    """Have the engine decide about results however quickly they were made."""
    from mile_rl.engine import keeper
    from mile_rl.engine.made import Made

    before, keeper.QUICK_NS = keeper.QUICK_NS, -1
    within_ns = Made.within_ns
    Made.within_ns = lambda self, node: within_ns(self, node) + 10**9
    keeper_recreation = keeper.IterationKeeper._recreation_ns
    keeper.IterationKeeper._recreation_ns = lambda self, output, made_ns: made_ns
    yield
    keeper.QUICK_NS = before
    Made.within_ns = within_ns
    keeper.IterationKeeper._recreation_ns = keeper_recreation


def _project(folder: Path, **settings: Any) -> Any:
    (folder / ".mile").mkdir(exist_ok=True)
    return find(folder, environ={}, write_fraction=1e6, write_allowance_ms=1e6, **settings)
