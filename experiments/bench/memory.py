"""Peak memory on a large frame, first run and after a change of the last node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from experiments.bench.measure import alternate
from experiments.bench.systems import System
from experiments.bench.verdicts import Row
from experiments.bench.workloads import cheap

ROWS = 1_000_000
LARGEST_BYTES = ROWS * 20 * 8
PHASES = ("first run", "last node changed")


def bench(systems: Sequence[System], folder: Path, *, repeats: int) -> list[Row]:
    """Measure the peak of the whole process, imports included, with 160 MB a node."""
    workload = cheap(ROWS)
    peaks: dict[tuple[str, str], list[int]] = {}
    versions = [workload, workload.changed("last node")]
    for system, index, sample in alternate(systems, versions, folder, repeats=repeats, warm=None):
        peaks.setdefault((PHASES[index], system), []).append(sample.peak_bytes)
    rows = []
    for phase in PHASES:
        plain = median(peaks[phase, "plain"]) / 1e6
        for system in systems:
            rows.append(
                Row(
                    section="peak memory, 160 MB a node",
                    system=system.name,
                    what=f"{phase}, MB",
                    value=median(peaks[phase, system.name]) / 1e6,
                    plain=plain,
                    bar=plain + 1.2 * LARGEST_BYTES / 1e6 if system.name == "mile" else None,
                )
            )
    return rows
