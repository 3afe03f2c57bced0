"""Plain functions: everything is computed, nothing is kept."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.systems.base import write_files, write_functions
from experiments.bench.workloads import Workload


class Plain:
    """The functions called one inside the other."""

    name = "plain"

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the project; ``store`` is not used."""
        names = ", ".join(step.name for step in workload.steps)
        main = f"from nodes import {names}\n\n\ndef run():\n    return {workload.call()}\n"
        write_functions(workload, project)
        write_files(project, {"main": main})
