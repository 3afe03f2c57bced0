"""How long it takes until a run knows what to do: the planner alone, and from the call to the plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from experiments.bench import bench_planner
from experiments.bench.measure import RunFailed, environment
from experiments.bench.verdicts import Row

NODES = 1_000
BARS_MS = {50: 60.0, 1_000: 250.0}
"""Operators -> the most that capture, signing, diff and plan of an unchanged workflow may take."""

_PROJECT_PATH = "import sys, pathlib; sys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
_TIMED = """
import json, time
import many
from mile_rl.engine import prepare
configured = many.many.using(quiet=True)
configured.run()
project = configured.project()

def timed():
    begun_ns = time.perf_counter_ns()
    prepared = prepare.prepare(many.many, (), {}, project=project)
    elapsed_ns = time.perf_counter_ns() - begun_ns
    assert not prepared.edits
    prepared.close()
    return elapsed_ns

print(json.dumps([timed() for _ in range(9)]))
"""


def bench(folder: Path, *, repeats: int) -> list[Row]:
    """Measure the planner beside networkx, and whole planning with many nodes."""
    return [*_planner(repeats), *_workflows(folder)]


def _planner(repeats: int) -> list[Row]:
    rows = []
    for nodes in (bench_planner.NETWORKX_SIZE, *bench_planner.BARS_MS):
        for family in bench_planner.FAMILIES:
            found = bench_planner.measure(family, nodes, "edited", repeats)
            what = f"{nodes:,} nodes, {family}, ms"
            rows.append(
                Row(
                    section="planner with its certificate",
                    system="mile",
                    what=what,
                    value=float(found["plan_ms"]),  # type: ignore[arg-type]
                    bar=bench_planner.BARS_MS.get(nodes),
                    note="" if found.get("exact", True) else "not exact",
                )
            )
            if "networkx_ms" in found:
                rows.append(
                    Row(
                        section="planner with its certificate",
                        system="networkx",
                        what=what,
                        value=float(found["networkx_ms"]),  # type: ignore[arg-type]
                    )
                )
    return rows


def _workflows(folder: Path) -> list[Row]:
    rows = []
    for operators, bar in BARS_MS.items():
        times_ns = _time(folder / str(operators), operators)
        rows.append(
            Row(
                section=f"capture, sign, diff and plan {NODES:,} nodes",
                system="mile",
                what=f"{operators:,} operators, unchanged, ms",
                value=median(times_ns) / 1e6,
                bar=bar,
            )
        )
    return rows


def _time(folder: Path, operators: int) -> list[int]:
    """Return the times of planning an unchanged workflow in a process that has just run it once."""
    folder.mkdir(parents=True)
    (folder / ".mile").mkdir()
    (folder / "many.py").write_text(_source(operators))
    (folder / "main.py").write_text(_PROJECT_PATH + _TIMED)
    # The project's own folder goes on the path, so that this checkout is what is measured.
    checkout = str(Path(__file__).resolve().parents[2])
    ended = subprocess.run(
        [sys.executable, str(folder / "main.py")],
        env={**environment(), "PYTHONPATH": os.pathsep.join((checkout, os.environ.get("PYTHONPATH", "")))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if ended.returncode:
        raise RunFailed(f"{folder} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return [int(nanoseconds) for nanoseconds in json.loads(ended.stdout)]


def _source(operators: int) -> str:
    """Return a workflow of many nodes: each takes the one before it and one from the middle."""
    functions = "".join(
        f'@op\ndef op{i}(*values, k=0):\n    """Add up, in way {i}."""\n    total = k\n'
        f"    for value in values:\n        total += value % {i + 7}\n    return total\n\n\n"
        for i in range(operators)
    )
    listed = ", ".join(f"op{i}" for i in range(operators))
    return (
        f"from mile_rl import op, workflow\n\n\n{functions}OPERATORS = ({listed},)\n\n\n"
        f"@workflow\ndef many(nodes={NODES}):\n    made = [op0()]\n"
        f"    for i in range(1, nodes):\n"
        f"        made.append(OPERATORS[i % {operators}](made[-1], made[i // 2], k=i))\n    return made[-1]\n"
    )
