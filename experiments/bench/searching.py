"""Grid searches over pipelines: 3 scalers x 4 decompositions x 20 classifier settings x 5 folds.

Each system in a process of its own, on one core: scikit-learn as it is and with ``memory=``, dask-ml's search
and ours. "prefixes" has costly decompositions before a cheap classifier, "balanced" the other way round, and in
"cheap" neither takes more than 2 ms, so that what a system itself takes for a task shows most.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from experiments.bench.measure import RunFailed, environment
from experiments.bench.verdicts import Row

SYSTEMS = ("plain", "memory", "dask", "mile")
NAMES = {"memory": "sklearn memory=", "dask": "dask-ml"}
GRIDS = ("prefixes", "balanced", "cheap")
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 1200
RERUN_SHARE = 1.0
"""A re-run after one more setting may take as long as plain scikit-learn takes for that setting alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One search: by the clock and of the processor, in milliseconds, and a digest of all scores."""

    clock_ms: float
    processor_ms: float
    found: str


def bench(folder: Path, *, repeats: int) -> list[Row]:
    """Run all searches and return the rows: the processor's time, which a busy machine disturbs least.

    Raises:
        RunFailed: a system did not finish.
    """
    rows = []
    for grid in GRIDS:
        figures: dict[tuple[str, str], list[Figure]] = defaultdict(list)
        for turn in range(repeats):
            for system in SYSTEMS:
                place = folder / f"{grid}{turn}{system}"
                (place / ".mile").mkdir(parents=True)
                figures[system, "cold"].append(_run(system, grid, place, "cold"))
                if system == "mile":
                    figures[system, "one more"].append(_run(system, grid, place, "one more"))
                if system == "plain":
                    figures[system, "one more"].append(_run(system, grid, place, "alone"))
        rows += _rows(grid, figures)
    return rows


def _rows(grid: str, figures: dict[tuple[str, str], list[Figure]]) -> list[Row]:
    section = f"grid search, {grid}"
    cold = {system: _least(figures[system, "cold"]) for system in SYSTEMS}
    truth = figures["plain", "cold"][0].found
    rows = [
        Row(
            section=section,
            system=NAMES.get(system, system),
            what="cold, processor ms",
            value=cold[system],
            plain=cold["plain"],
            bar=_cold_bar(grid, cold) if system == "mile" else None,
            note="other scores than scikit-learn's"
            if any(figure.found != truth for figure in figures[system, "cold"])
            else "",
        )
        for system in SYSTEMS
    ]
    rows += [
        Row(
            section=section,
            system=NAMES.get(system, system),
            what="cold, clock ms",
            value=median(figure.clock_ms for figure in figures[system, "cold"]),
            plain=median(figure.clock_ms for figure in figures["plain", "cold"]),
        )
        for system in SYSTEMS
    ]
    alone = _least(figures["plain", "one more"])
    again = _least(figures["mile", "one more"])
    what = "one more classifier setting, processor ms"
    rows.append(
        Row(section=section, system="plain", what=what, value=alone, plain=alone, note="that setting alone")
    )
    rows.append(
        Row(section=section, system="mile", what=what, value=again, plain=alone, bar=RERUN_SHARE * alone)
    )
    return rows


def _cold_bar(grid: str, cold: dict[str, float]) -> float:
    """At least as fast as the best of them, and a fifth of plain's time where prefixes dominate."""
    best = min(value for system, value in cold.items() if system != "mile")
    return min(best, cold["plain"] / 5) if grid == "prefixes" else best


def _least(figures: list[Figure]) -> float:
    return min(figure.processor_ms for figure in figures)


def _run(system: str, grid: str, place: Path, phase: str) -> Figure:
    command = [sys.executable, "-m", "experiments.bench.search_child", system, grid, str(place), phase]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S, cwd=ROOT
    )
    if done.returncode:
        raise RunFailed(f"{system} on {grid} ended with {done.returncode}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Figure(
        clock_ms=said["clock_ns"] / 1e6, processor_ms=said["processor_ns"] / 1e6, found=said["found"]
    )
