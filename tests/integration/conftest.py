"""A person at work: workflows written in tests or to files, run in this process or in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mile_rl.engine.iteration import Done, run
from mile_rl.engine.project import Project, find

ROOT = str(Path(__file__).parents[2])


class Desk:
    """A project's folder, and the ways to run what lies in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def project(self, **settings: Any) -> Project:
        """The project; it may write as much as it likes, and keeps everything."""
        lavish = {"policy": "all", "write_fraction": 1e6, "write_allowance_ms": 1e5}
        return find(self.folder, environ={}, **(lavish | settings))

    def run(
        self, flow: Any, *args: Any, jobs: int = 1, project: Project | None = None, **kwargs: Any
    ) -> Done:
        """Run a workflow in this process."""
        return run(flow, args, kwargs, project=project or self.project(jobs=jobs))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
        return path

    def environ(self, **more: str) -> dict[str, str]:
        """What processes get: no settings of whoever runs the tests."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MILE_")}
        lavish = {"MILE_POLICY": "all", "MILE_WRITE_FRACTION": "1e6", "MILE_WRITE_ALLOWANCE_MS": "1e5"}
        return kept | lavish | {"PYTHONPATH": ROOT, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"} | more

    def start(self, *words: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[str]:
        """Start Python with these words in the project's folder."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=cwd or self.folder,
            env=self.environ(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def python(self, *words: str, cwd: Path | None = None, code: int = 0, **more: str) -> tuple[str, str]:
        """Run Python to its end; return what it wrote on standard output and error."""
        with self.start(*words, cwd=cwd, **more) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return out, err

    def mile(self, *words: str, cwd: Path | None = None, code: int = 0, **more: str) -> tuple[str, str]:
        """Run ``mile`` to its end."""
        return self.python("-m", "mile_rl.cli", *words, cwd=cwd, code=code, **more)

    def mile_json(self, *words: str, cwd: Path | None = None, **more: str) -> Any:
        """Run ``mile … --json`` and return what it says."""
        return json.loads(self.mile(*words, "--json", cwd=cwd, **more)[0])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A fresh project; the working directory, import path and modules are put back afterwards."""
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".mile").mkdir()
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    cwd, modules = os.getcwd(), set(sys.modules)
    yield Desk(tmp_path)
    os.chdir(cwd)
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file and str(file).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def states() -> Callable[[Done], dict[str, str]]:
    """What became of each node of an iteration."""
    return lambda done: {node.name: node.state for node in done.report.nodes}


@pytest.fixture
def always_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide about results that took no time too, so that tests need not sleep; nothing else changes."""
    monkeypatch.setattr("mile_rl.engine.keeper.QUICK_NS", 0)
    monkeypatch.setattr("mile_rl.planner.costs.Costs.load_ns", lambda self, codec, size_bytes: 0)
