"""What an adapter is, and the files that all of them write."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from experiments.bench.workloads import Workload


class System(Protocol):
    """A way to run a workload.

    An adapter only writes a project: ``nodes.py`` with the workload's functions, its helper modules, and
    ``main.py`` with a function ``run()`` that returns the outcome once all writing is finished. The files are
    what a person would write by the system's documentation, with nothing tuned. It never runs anything
    itself: the project runs in a process of its own, alone or with others on the same store.
    """

    name: str

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the workload's files, over those of the version before.

        Args:
            workload: the version to write.
            project: the folder of the project; it exists.
            store: the folder where results are to be kept; the system makes it.
        """


def write_functions(workload: Workload, project: Path) -> None:
    """Write ``nodes.py`` with the plain functions, and the helper modules."""
    functions = "\n\n".join(step.source for step in workload.steps)
    write_files(project, {"nodes": f"{workload.preamble}\n\n{functions}", **workload.modules})


def write_files(project: Path, texts: dict[str, str]) -> None:
    """Write modules, name without ``.py`` -> text; those that have not changed are left alone."""
    for name, text in texts.items():
        path = project / f"{name}.py"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
