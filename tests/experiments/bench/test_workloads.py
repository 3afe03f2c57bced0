"""The shared workloads: every system runs the same functions, and every change tells something."""

import pytest

from experiments.bench.measure import run_once
from experiments.bench.systems import SYSTEMS
from experiments.bench.workloads import Change, Step, cheap, costly, helpers, session


def test_a_chain_is_called_nested_so_that_plain_python_can_drop_intermediates():
    assert cheap(10).call() == "model(features(clean(load())))"


def test_parameters_must_be_called_after_the_parents():
    with pytest.raises(ValueError, match="called after its parents"):
        Step(name="f", stage="learn", parents=("a",), source="def f(b):\n    return b\n")


def test_a_change_must_hit_exactly_once():
    workload = cheap(10)
    twice = Change(file="nodes", old="return", new="yield")
    with pytest.raises(ValueError, match="times, not once"):
        workload._after(twice)


def test_every_named_change_changes_the_text():
    for workload in (cheap(10), costly(), helpers()):
        for name in workload.changes:
            assert workload.changed(name) != workload


def test_the_session_has_twelve_edits_with_returns_and_a_rerun():
    versions = session()
    assert len(versions) == 13
    assert sum(a == b for a, b in zip(versions, versions[1:])) == 1  # noqa: RUF007
    assert sum(version in versions[:at] for at, version in enumerate(versions)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "plain"])
def test_every_system_gives_plain_results_with_one_wiring(name, tmp_path):
    module = {"hamilton cache": "hamilton", "joblib.Memory": "joblib", "mile": "mile_rl"}.get(name, "sklearn")
    pytest.importorskip(module)
    workload = session()[2]
    results = []
    for system in (SYSTEMS["plain"], SYSTEMS[name]):
        project = tmp_path / system.name
        project.mkdir()
        system.write(workload, project, tmp_path / "store")
        results.append(run_once(project).result)
    assert results[0] == results[1]
