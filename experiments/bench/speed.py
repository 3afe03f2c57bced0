"""How long a person waits: first run, the same again, and after a change of the last node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.bench.measure import Sample, alternate, median_ms, quartiles_ms
from experiments.bench.systems import System
from experiments.bench.verdicts import Row
from experiments.bench.workloads import Workload, cheap, costly

PHASES = ("first run", "last node changed", "the same again")

Bar = Callable[[str, str, dict[str, float]], float | None]
"""(phase, stopwatch, the figures of all systems) -> the bar of mile in milliseconds, if there is one."""

NODES = 4
SMALL_BAR_MS = 5 + 0.5 * NODES
WHOLE_BAR_MS = 150


def bench(
    systems: Sequence[System], workload: Workload, warm: Workload, folder: Path, *, repeats: int, bar: Bar
) -> list[Row]:
    """Measure one workload with both stopwatches.

    Two kinds of processes, so that neither stopwatch disturbs the other: in warm ones the system has run a
    tiny workload before (the figure "in process"); bare ones are timed from start to exit ("whole process"),
    and their inner stopwatch is shown as well ("in process, bare").

    Raises:
        RunFailed: a system could not run the workload at all.
    """
    versions = [workload, workload.changed("last node"), workload.changed("last node")]
    figures: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    results: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, before in (("warm", warm), ("bare", None)):
        for system, index, sample in alternate(systems, versions, folder, repeats=repeats, warm=before):
            for stopwatch, nanoseconds in _stopwatches(kind, sample):
                figures[PHASES[index], stopwatch, system].append(nanoseconds)
            results[PHASES[index], system].append(repr(sample.result))
    rows = []
    for phase in PHASES:
        for stopwatch in ("in process", "whole process", "in process, bare"):
            medians = {system.name: median_ms(figures[phase, stopwatch, system.name]) for system in systems}
            for system in systems:
                row = Row(
                    section=workload.name,
                    system=system.name,
                    what=f"{phase}, {stopwatch}, ms",
                    value=medians[system.name],
                    plain=medians["plain"],
                    quartiles=quartiles_ms(figures[phase, stopwatch, system.name]),
                    note=_wrong(results[phase, system.name], results[phase, "plain"]),
                )
                rows.append(
                    replace(row, bar=bar(phase, stopwatch, medians)) if system.name == "mile" else row
                )
    return rows


def _stopwatches(kind: str, sample: Sample) -> list[tuple[str, int]]:
    if kind == "warm":
        return [("in process", sample.in_process_ns)]
    return [("whole process", sample.whole_process_ns), ("in process, bare", sample.in_process_ns)]


def _wrong(results: Sequence[str], plain: Sequence[str]) -> str:
    wrong = sum(result not in plain for result in results)
    return f"{wrong} wrong results" if wrong else ""


def cheap_bar(phase: str, stopwatch: str, medians: dict[str, float]) -> float | None:
    """Cheap work on a large frame: caching never costs."""
    if stopwatch == "whole process":
        return medians["plain"] + WHOLE_BAR_MS
    if stopwatch == "in process" and phase != "the same again":
        peers = [value for system, value in medians.items() if system not in ("plain", "mile")]
        return min([(1.15 if phase == "first run" else 1.1) * medians["plain"], *peers])
    return None


def small_bar(phase: str, stopwatch: str, medians: dict[str, float]) -> float | None:
    """Cheap work on a small frame: a fixed price a run and a node."""
    if stopwatch == "whole process":
        return medians["plain"] + WHOLE_BAR_MS
    return medians["plain"] + SMALL_BAR_MS if stopwatch == "in process" else None


def costly_bar(phase: str, stopwatch: str, medians: dict[str, float]) -> float | None:
    """Costly features: caching pays."""
    share = {"first run": 1.05, "last node changed": 0.15}.get(phase)
    return share * medians["plain"] if share is not None and stopwatch == "in process" else None


def all_of(systems: Sequence[System], folder: Path, *, repeats: int) -> list[Row]:
    """Measure the three workloads of the issue."""
    tiny = cheap(100)
    return [
        *bench(systems, cheap(100_000), tiny, folder / "large", repeats=repeats, bar=cheap_bar),
        *bench(systems, cheap(100), tiny, folder / "small", repeats=repeats, bar=small_bar),
        *bench(systems, costly(), costly(rounds=1), folder / "costly", repeats=repeats, bar=costly_bar),
    ]
