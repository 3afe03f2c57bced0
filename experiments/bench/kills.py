"""SIGKILL at random instants of a session: is anything wrong afterwards?"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.bench.measure import TIMEOUT_S, environment
from experiments.bench.sharing import lines_of, start, truth, version_files
from experiments.bench.systems import System
from experiments.bench.systems.mile import Mile
from experiments.bench.verdicts import Row
from experiments.bench.workloads import session

BUDGET_BYTES = 1_000_000
"""Room for two of the session's large results, so that something is always being written and let go."""

_VERIFY = "from mile_rl.cli.main import main; main()"


def killed_sessions(system: System, folder: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """Start the session again and again on one store and kill each time; then play it to the end.

    Instants are drawn evenly over what the last undisturbed session took, each begins at a random place,
    and every answer given before a kill or after all of them is compared with plain's.

    Returns:
        Counts: ``runs``, ``wrong``, ``errors``, ``late`` (kills that came after the session's end) and
        ``finished`` (whether the last session played to its end).
    """
    rng = random.Random(seed)
    versions = session()
    right = truth(versions, folder / "plain")
    files = version_files(system, versions, folder / "files", folder / "store")
    whole_s = _undisturbed_s(folder / "whole", files)
    counts: dict[str, Any] = {"runs": 0, "wrong": 0, "errors": 0, "late": 0, "finished": False}
    for number in range(kills + 1):
        last = number == kills
        first = 0 if last else rng.randrange(len(files))
        order = [(first + at) % len(files) for at in range(len(files))]
        here = folder / f"kill{number}"
        process = start(here, [files[at] for at in order])
        start_s = time.perf_counter()
        _end(process, None if last else rng.uniform(0, whole_s), counts)
        if process.returncode == 0 and not last:  # it was faster than thought: the store has more by now
            whole_s = time.perf_counter() - start_s
        lines = lines_of(here / "results")
        for line, at in zip(lines, order):
            counts["runs"] += 1
            counts["errors"] += "error" in line
            counts["wrong"] += "error" not in line and line["result"] != right[at]
        counts["finished"] = last and process.returncode == 0 and len(lines) == len(files)
    return counts


def _undisturbed_s(folder: Path, files: Sequence[dict[str, str]]) -> float:
    start_s = time.perf_counter()
    process = start(folder, files)
    process.wait(TIMEOUT_S)
    if process.stderr:
        process.stderr.close()
    return time.perf_counter() - start_s


def _end(process: subprocess.Popen[str], after_s: float | None, counts: dict[str, Any]) -> None:
    try:
        process.wait(TIMEOUT_S if after_s is None else after_s)
        counts["late"] += after_s is not None
        counts["errors"] += process.returncode != 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stderr:
        process.stderr.close()


def verify(project: Path, store: Path) -> tuple[bool, str]:
    """Run ``mile store verify`` and return whether it found all in order, and what it said."""
    environ = {**environment(), "MILE_HOME": str(store)}
    command = [sys.executable, "-c", _VERIFY, "store", "verify", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environ, cwd=project, timeout=TIMEOUT_S
    )
    return done.returncode == 0, (done.stdout + done.stderr)[-300:]


def bench(systems: Sequence[System], folder: Path, *, kills: int, seed: int = 0) -> list[Row]:
    """Kill mile's sessions, and a fifth as often those of the peers that keep results across processes."""
    rows = []
    for system in systems:
        if system.name in ("plain", "sklearn memory="):
            continue
        mile = isinstance(system, Mile)
        here = folder / system.name.replace(" ", "_")
        count = kills if mile else max(kills // 5, 1)
        shared = Mile(budget_bytes=BUDGET_BYTES) if mile else system
        counts = killed_sessions(shared, here, kills=count, seed=seed)
        figures: list[tuple[str, float, float | None, str]] = [
            ("kills", count, None, f"{counts['late']} of them came after the session's end"),
            ("runs compared", counts["runs"], None, ""),
            ("wrong values", counts["wrong"], 0, ""),
            ("errors", counts["errors"], 0, ""),
            ("sessions that did not go on", not counts["finished"], 0, ""),
        ]
        if mile:
            clean, said = verify(here / "whole" / "project", here / "store")
            figures.append(("mile store verify not clean", not clean, 0, "" if clean else said))
        rows += [
            Row(
                section="SIGKILL at random instants",
                system=system.name,
                what=what,
                value=float(value),
                bar=bar if mile else None,
                note=note,
            )
            for what, value, bar, note in figures
        ]
    return rows
