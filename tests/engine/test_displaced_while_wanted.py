"""A decision in the middle of an iteration lets an artifact go that the same iteration still counts on."""

from __future__ import annotations

import pytest

from mile_rl.engine.project import find

TWO_BRANCHES = """
    import time
    import numpy as np
    from mile_rl import op, workflow

    @op
    def steady():
        time.sleep(0.05)
        return np.full(100_000, 2.0)

    @op
    def edited(by):
        time.sleep(0.05)
        return np.full(100_000, by)

    @op(stage="learn")
    def late(steady, edited):
        return float(steady.sum() + edited.sum())

    @workflow
    def two(by=1.0):
        first = edited(by)
        return late(steady(), first)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_plan_loads_is_loaded_before_it_is_let_go(person, project, states, jobs):
    def tight(jobs):
        return find(
            project.root, environ={}, policy="lru", budget="1 MB", write_fraction=100.0, write_allowance_ms=1000.0,
            jobs=jobs,
        )  # fmt: skip

    person.writes(TWO_BRANCHES)
    person.runs(
        project=tight(1)
    )  # one after the other: there is room for one of the two, and steady is the later
    second = person.runs(project=tight(jobs), by=3.0)
    assert states(second)["edited"] == "compute"
    assert states(second)["steady"] == "load"
    assert second.outputs == 500_000.0
    assert not any("made again" in note for note in second.report.notes)
    kept = {node.name: node for node in second.report.nodes}
    assert "displaced" in str(kept["steady"])
