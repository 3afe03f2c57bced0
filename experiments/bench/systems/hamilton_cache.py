"""apache-hamilton with its cache: nodes by the names of functions and parameters."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.systems.base import write_files, write_functions
from experiments.bench.workloads import Workload

_MAIN = """\
from hamilton import driver

import nodes

cached = driver.Builder().with_modules(nodes).with_cache(path={store!r}).build()


def run():
    return cached.execute([{result!r}])[{result!r}]
"""


class HamiltonCache:
    """A driver built ``with_cache``."""

    name = "hamilton cache"

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the project."""
        write_functions(workload, project)
        write_files(project, {"main": _MAIN.format(store=str(store), result=workload.result)})
