"""Every benchmark of the engine beside its peers: ``python -m experiments.bench [--quick] [--json]``.

    make bench
    python -m experiments.bench --only speed stale --systems plain mile --quick

Medians of at least seven runs (three with ``--quick``), systems in turn within each repeat, everything in
one session on warm file caches. A cell is a figure and its ratio to plain functions measured beside it (``~``:
the middle half of the runs differ by more than a quarter, so the machine was busy); behind stands the bar of
the project for mile, with pass or MISS. Exits with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import compileall
import difflib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import mile_rl
from experiments.bench import (
    answering,
    deciding,
    environment,
    kills,
    memory,
    planning,
    searching,
    sharing,
    speed,
    stale,
)
from experiments.bench.measure import RunFailed
from experiments.bench.systems import SYSTEMS, System
from experiments.bench.verdicts import Row, table

PACKAGES = ("numpy", "pandas", "joblib", "scikit-learn", "apache-hamilton")


def benchmarks(systems: Sequence[System], folder: Path, *, quick: bool) -> dict[str, Callable[[], list[Row]]]:
    """Return the benchmarks, name -> what runs it."""
    repeats = 3 if quick else 7
    return {
        "speed": lambda: speed.all_of(systems, folder / "speed", repeats=repeats),
        "stale": lambda: stale.bench(systems, folder / "stale"),
        "planning": lambda: planning.bench(folder / "planning", repeats=repeats),
        "deciding": lambda: deciding.bench(folder / "deciding", repeats=repeats),
        "answering": lambda: answering.bench(repeats=repeats),
        "environment": lambda: environment.bench(repeats=repeats, steps=100 if quick else 300),
        "memory": lambda: memory.bench(systems, folder / "memory", repeats=1 if quick else 3),
        "sharing": lambda: sharing.bench(systems, folder / "sharing"),
        "search": lambda: searching.bench(folder / "search", repeats=1 if quick else 3),
        "kills": lambda: kills.bench(systems, folder / "kills", kills=30 if quick else 300),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that the command line names and print the report.

    Returns:
        1 if a bar is missed, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats, a tenth of the kills")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="speed, stale, planning, deciding, answering, environment, memory, sharing, search, kills",
    )
    parser.add_argument("--systems", nargs="+", metavar="NAME", help=", ".join(SYSTEMS))
    chosen = parser.parse_args(arguments)
    systems = [SYSTEMS[_known(parser, name, list(SYSTEMS))] for name in chosen.systems or SYSTEMS]
    if all(system.name != "plain" for system in systems):
        systems.insert(0, SYSTEMS["plain"])
    # Benchmarked processes write no bytecode, so the engine's must be there, as it is after any first use.
    compileall.compile_dir(Path(mile_rl.__file__).parent, quiet=2)
    with tempfile.TemporaryDirectory(prefix="mile-bench-") as folder:
        available = benchmarks(systems, Path(folder), quick=chosen.quick)
        names = [_known(parser, name, list(available)) for name in chosen.only or available]
        rows: list[Row] = []
        for number, name in enumerate(names, start=1):
            sys.stderr.write(f"[{number}/{len(names)}] {name} …\n")
            try:
                measured = available[name]()
            except RunFailed as error:  # one system that cannot run must not hide the other benchmarks
                sys.stderr.write(f"{error}\n")
                measured = [Row(section=name, system="any", what="failed to run", value=1, bar=0)]
            rows += measured
            if not chosen.json:  # at once: the whole takes half an hour
                sys.stdout.write(f"{table(measured)}\n\n")
                sys.stdout.flush()
    sys.stdout.write(_as_json(rows) if chosen.json else f"{_summary(rows)}\n")
    return int(any(row.passed is False for row in rows))


def _known(parser: argparse.ArgumentParser, name: str, names: list[str]) -> str:
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        parser.error(f"unknown {name!r}{f', did you mean {close[0]!r}?' if close else ''}")
    return name


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        **{name: version(name) for name in PACKAGES},
        "mile-rl": mile_rl.__version__,
    }


def _as_json(rows: Sequence[Row]) -> str:
    report = {"machine": _machine(), "rows": [row.to_json() for row in rows]}
    return json.dumps(report, indent=1) + "\n"


def _summary(rows: Sequence[Row]) -> str:
    barred = [row for row in rows if row.passed is not None]
    machine = ", ".join(f"{name} {value}" for name, value in _machine().items())
    return f"{sum(bool(row.passed) for row in barred)} of {len(barred)} bars passed. {machine}"


if __name__ == "__main__":
    sys.exit(main())
