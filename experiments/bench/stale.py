"""Stale results: a helper in another module is changed in ten ways; who gives back the old result?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.bench.measure import alternate
from experiments.bench.systems import System
from experiments.bench.verdicts import Row
from experiments.bench.workloads import helpers


def bench(systems: Sequence[System], folder: Path) -> list[Row]:
    """Make the changes one after the other on one store and count results that differ from plain's.

    The workload runs twice before the first change, so that whoever keeps results has them.
    """
    workload = helpers()
    names = list(workload.changes)
    versions = [workload, workload, *(workload.changed(*names[: n + 1]) for n in range(len(names)))]
    results: dict[str, list[object]] = {system.name: [] for system in systems}
    for system, _, sample in alternate(systems, versions, folder, repeats=1, warm=None):
        results[system].append(sample.result)
    truth = results["plain"]
    if len({repr(result) for result in truth}) != len(names) + 1:
        raise AssertionError("every change must change the outcome, or it tells nothing")
    rows = []
    for system in systems:
        pairs = list(zip(results[system.name], truth))[2:]
        missed = [name for name, (result, right) in zip(names, pairs) if result != right]
        rows.append(
            Row(
                section=workload.name,
                system=system.name,
                what=f"stale results of {len(names)} changes",
                value=len(missed),
                bar=0 if system.name == "mile" else None,
                note=", ".join(missed) if 0 < len(missed) < len(names) else "",
            )
        )
    return rows
