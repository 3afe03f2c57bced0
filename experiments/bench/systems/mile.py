"""MILE-RL: operators and a workflow in one file."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.systems.base import write_files
from experiments.bench.workloads import Workload

_MAIN = """\
import os

from nodes import bench

os.environ["MILE_HOME"] = {store!r}


def run():
    return bench.using(quiet=True{budget}).run().outputs
"""


class Mile:
    """``@op`` above each function, and a ``@workflow`` that wires them.

    Args:
        budget_bytes: how much the store may hold; the default budget if None.
    """

    name = "mile"

    def __init__(self, budget_bytes: int | None = None) -> None:
        self.budget_bytes = budget_bytes

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the project; the state folder (catalog and artifacts) is ``store``."""
        operators = "\n\n".join(f'@op(stage="{step.stage}")\n{step.source}' for step in workload.steps)
        nodes = (
            f"from mile_rl import op, workflow\n{workload.preamble}\n\n{operators}\n\n"
            f"@workflow\ndef bench():\n    return {workload.call()}\n"
        )
        budget = "" if self.budget_bytes is None else f", budget={self.budget_bytes}"
        main = _MAIN.format(store=str(store), budget=budget)
        write_files(project, {"nodes": nodes, "main": main, **workload.modules})
