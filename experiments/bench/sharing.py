"""Eight processes edit and run on one store, while an observer adds up what lies in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.bench.measure import HERE, TIMEOUT_S, environment
from experiments.bench.systems import System
from experiments.bench.systems.mile import Mile
from experiments.bench.systems.plain import Plain
from experiments.bench.verdicts import Row
from experiments.bench.workloads import Workload, session

PROCESSES = 8
BUDGET_BYTES = 3_000_000
"""Room for about seven of the session's results, of which the processes make about thirty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of a number of processes on one store.

    Args:
        runs: runs that ended, well or not.
        errors: those that raised.
        wrong: those with another outcome than plain functions have.
        crashed: processes that died by themselves.
        first_error: one of the errors, as text.
    """

    runs: int = 0
    errors: int = 0
    wrong: int = 0
    crashed: int = 0
    first_error: str = ""


def version_files(
    system: System, versions: Sequence[Workload], folder: Path, store: Path
) -> list[dict[str, str]]:
    """Return the files of each version as the system writes them, name -> text."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for version in versions:
        system.write(version, folder, store)
        found.append({path.name: path.read_text() for path in folder.glob("*.py")})
    return found


def start(folder: Path, files: Sequence[dict[str, str]]) -> subprocess.Popen[str]:
    """Start a process that plays the versions in ``folder`` and writes ``folder/results``."""
    project = folder / "project"
    project.mkdir(parents=True, exist_ok=True)
    (folder / "versions.json").write_text(json.dumps(list(files)))
    command = [sys.executable, str(HERE / "worker.py"), str(project), str(folder / "versions.json")]
    return subprocess.Popen(
        [*command, str(folder / "results")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=project,
    )


def lines_of(results: Path) -> list[dict[str, object]]:
    """Read the lines that a worker wrote; a line torn by a kill was no answer and is left out."""
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text().splitlines(keepends=True) if line.endswith("\n")]


def truth(versions: Sequence[Workload], folder: Path) -> list[object]:
    """Return the outcome of each version by plain functions."""
    files = version_files(Plain(), versions, folder / "files", folder / "unused")
    process = start(folder, files)
    _, stderr = process.communicate(timeout=TIMEOUT_S)
    found = [line.get("result") for line in lines_of(folder / "results")]
    if process.returncode or len(found) != len(versions) or None in found:
        raise AssertionError(f"plain functions failed: {stderr[-2000:]}")
    return found


def held_bytes(folder: Path) -> dict[str, int]:
    """Return every file under a folder with its size, except the catalog's."""
    found = {}
    stack = [str(folder)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif ".db" not in entry.name:
                        found[entry.path] = entry.stat(follow_symlinks=False).st_size
        except OSError:  # gone between listing and asking
            continue
    return found


def observed_bytes(folder: Path) -> int:
    """Return how much a folder surely held at one instant.

    A walk takes time, and a file may go while another comes; what two walks in a row both saw existed between
    them, so nothing is ever counted that did not lie there at the same time.
    """
    first, second = held_bytes(folder), held_bytes(folder)
    return sum(min(size, second[path]) for path, size in first.items() if path in second)


def share(system: System, folder: Path, *, processes: int = PROCESSES) -> tuple[Tally, int, float]:
    """Let processes play the session on one store, each from another place of it.

    Returns:
        The tally, the most bytes that the observer saw, and the seconds it took.
    """
    versions = session()
    right = truth(versions, folder / "plain")
    files = version_files(system, versions, folder / "files", folder / "store")
    orders = [[(n + at) % len(files) for at in range(len(files))] for n in range(processes)]
    start_s = time.perf_counter()
    running = [start(folder / f"process{n}", [files[at] for at in order]) for n, order in enumerate(orders)]
    most = 0
    while any(process.poll() is None for process in running):
        most = max(most, observed_bytes(folder / "store"))
        time.sleep(0.001)
    seconds = time.perf_counter() - start_s
    runs = errors = wrong = 0
    messages = [process.communicate()[1][-300:] for process in running if process.returncode]
    for n, order in enumerate(orders):
        for line, at in zip(lines_of(folder / f"process{n}" / "results"), order):
            runs += 1
            errors += "error" in line
            wrong += "error" not in line and line["result"] != right[at]
            messages += [str(line["error"])] if "error" in line else []
    tally = Tally(
        runs=runs,
        errors=errors,
        wrong=wrong,
        crashed=sum(process.returncode != 0 for process in running),
        first_error=messages[0] if messages else "",
    )
    return tally, most, seconds


def bench(systems: Sequence[System], folder: Path) -> list[Row]:
    """Measure each system that keeps results; only mile has a budget to keep."""
    rows = []
    for system in systems:
        if system.name in ("plain", "sklearn memory="):  # the latter is joblib.Memory underneath
            continue
        mile = isinstance(system, Mile)
        shared = Mile(budget_bytes=BUDGET_BYTES) if mile else system
        tally, most, seconds = share(shared, folder / system.name.replace(" ", "_"))
        figures = {
            "runs": (tally.runs, None),
            "runs that are missing": (PROCESSES * len(session()) - tally.runs, 0),
            "errors": (tally.errors + tally.crashed, 0),
            "wrong values": (tally.wrong, 0),
            "most in the store, kB": (most / 1e3, BUDGET_BYTES / 1e3),
            "seconds": (seconds, None),
        }
        rows += [
            Row(
                section=f"{PROCESSES} processes on one store, 12 edits each",
                system=system.name,
                what=what,
                value=value,
                bar=bar if mile else None,
                note=tally.first_error if what == "errors" else "",
            )
            for what, (value, bar) in figures.items()
        ]
    return rows
