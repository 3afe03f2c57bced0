"""joblib.Memory: every function is cached by its code and the digest of its arguments."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.systems.base import write_files, write_functions
from experiments.bench.workloads import Workload


class JoblibMemory:
    """``memory.cache`` around each function."""

    name = "joblib.Memory"

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the project."""
        cached = "".join(f"{step.name} = memory.cache(nodes.{step.name})\n" for step in workload.steps)
        main = (
            f"import joblib\n\nimport nodes\n\n"
            f"memory = joblib.Memory({str(store)!r}, verbose=0)\n{cached}\n\n"
            f"def run():\n    return {workload.call()}\n"
        )
        write_functions(workload, project)
        write_files(project, {"main": main})
