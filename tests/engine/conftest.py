"""Fixtures of the engine's tests: a project in a temporary folder, and workflows written to files."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mile_rl.engine.iteration import Done, run
from mile_rl.engine.loading import load_workflow
from mile_rl.engine.project import Project, find


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh project that may write as much as it likes."""
    (tmp_path / ".mile").mkdir()
    return find(tmp_path, environ={}, policy="all", write_fraction=100.0, write_allowance_ms=1000.0)


class Person:
    """Somebody who edits files in a project and runs its workflow, each time as if in a new process."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._names: set[str] = set()

    def writes(self, source: str, name: str = "flow_under_test.py") -> None:
        """Write a file of the project."""
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        self._names.add(path.stem)

    def runs(
        self, name: str = "flow_under_test.py", *, project: Project | None = None, **arguments: Any
    ) -> Done:
        """Run the workflow in a file."""
        self.forgets()
        flow = load_workflow(str(self.project.root / name))
        return run(flow, (), arguments, project=project or self.project)

    def forgets(self) -> None:
        """Forget imported files, as a new process would."""
        for module in self._names:
            sys.modules.pop(module, None)
        sys.dont_write_bytecode = True


@pytest.fixture
def person(project: Project) -> Iterator[Person]:
    """A person at work on the project."""
    path, flag = list(sys.path), sys.dont_write_bytecode
    someone = Person(project)
    yield someone
    someone.forgets()
    sys.path[:], sys.dont_write_bytecode = path, flag


@pytest.fixture
def states() -> Callable[[Done], dict[str, str]]:
    """What became of each node of an iteration."""
    return lambda done: {node.name: node.state for node in done.report.nodes}
