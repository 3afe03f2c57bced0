"""Starts projects in processes of their own, system by system in turn, and holds the stopwatches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from experiments.bench.systems import System
from experiments.bench.workloads import Workload

HERE = Path(__file__).parent
TIMEOUT_S = 300

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


class RunFailed(Exception):
    """A benchmarked process ended badly; the message ends with what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of one project.

    Args:
        in_process_ns: from calling the workflow to its outcome, all writing finished.
        whole_process_ns: from starting the process to its exit.
        peak_bytes: the most memory that the process held.
        result: the outcome, as JSON gives it back.
    """

    in_process_ns: int
    whole_process_ns: int
    peak_bytes: int
    result: Any


def environment() -> dict[str, str]:
    """Return the environment of every benchmarked process.

    One BLAS thread, so that two systems do not differ by luck; no bytecode files of the project, since Python
    trusts one as long as size and second of the source are the same, and edits come faster here than that.
    Hamilton is kept from reporting home, and from importing every library that it could adapt to (3 s where
    mlflow is installed), so that its figures do not depend on what else lies in the environment.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILE_")}
    return {
        **kept,
        **_ONE_THREAD,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HAMILTON_TELEMETRY_ENABLED": "false",
        "HAMILTON_AUTOLOAD_EXTENSIONS": "0",
    }


def run_once(project: Path, warm: Path | None = None) -> Sample:
    """Run a project in a fresh process.

    Args:
        project: its folder.
        warm: a project to run before it in the same process, outside the inner stopwatch.

    Raises:
        RunFailed: the process did not end well.
    """
    command = [sys.executable, str(HERE / "child.py"), str(project), *([str(warm)] if warm else [])]
    start_ns = time.perf_counter_ns()
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=TIMEOUT_S, cwd=project
    )
    whole_ns = time.perf_counter_ns() - start_ns
    if done.returncode:
        raise RunFailed(f"{project} ended with {done.returncode}: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Sample(
        in_process_ns=said["in_process_ns"],
        whole_process_ns=whole_ns,
        peak_bytes=said["peak_bytes"],
        result=said["result"],
    )


def alternate(
    systems: Sequence[System],
    versions: Sequence[Workload],
    folder: Path,
    *,
    repeats: int,
    warm: Workload | None,
) -> Iterator[tuple[str, int, Sample]]:
    """Run the versions in order on a store that is empty at first, for each system in turn, again and again.

    The systems take turns within every repeat, in rotating order, so that whatever else the machine does hits
    all of them alike.

    Args:
        systems: who takes turns.
        versions: the versions, run one after the other on one store.
        folder: where to work; emptied of each run's files afterwards.
        repeats: how many turns each system gets, with a new store each.
        warm: a small workload to run first in the same process, or None for a bare process.

    Yields:
        The system's name, the index of the version, and the sample.
    """
    for turn in range(repeats):
        shift = turn % len(systems)
        for system in (*systems[shift:], *systems[:shift]):
            root = folder / f"turn{turn}"
            project, before = root / "project", root / "warm"
            project.mkdir(parents=True)
            if warm is not None:
                before.mkdir()
            for index, version in enumerate(versions):
                if warm is not None:
                    # A store of its own each time: one that loads its warm-up has not warmed up its functions.
                    system.write(warm, before, root / f"warm store {index}")
                system.write(version, project, root / "store")
                yield system.name, index, run_once(project, before if warm is not None else None)
            shutil.rmtree(root)


def median_ms(nanoseconds: Sequence[int]) -> float:
    """Return the median in milliseconds."""
    return median(nanoseconds) / 1e6


def quartiles_ms(nanoseconds: Sequence[int]) -> tuple[float, float] | None:
    """Return the first and the third quartile in milliseconds, if there are enough runs."""
    if len(nanoseconds) < 3:
        return None
    first, _, third = quantiles(nanoseconds, n=4, method="inclusive")
    return first / 1e6, third / 1e6
