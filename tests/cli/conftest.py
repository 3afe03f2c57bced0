"""A small project, and two ways to run ``mile`` in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = '''
"""Made rows to a number; slow enough that keeping what it makes pays."""
import time

from mile_rl import File, op, workflow

FACTOR = 2


def scaled(x):
    return x * FACTOR


@op(stage="preprocess")
def read(path):
    return [float(line) for line in path.read_text().splitlines()]


@op(stage="preprocess")
def features(rows):
    time.sleep(0.15)
    return [scaled(x) for x in rows] * 1000


@op(stage="learn")
def fit(rows, C=1.0):
    return sum(rows) * C


@op(stage="evaluate")
def accuracy(model):
    return model / 10


@workflow
def small(path=File("rows.txt"), C=1.0):
    return {"accuracy": accuracy(fit(features(read(path)), C=C))}
'''


# What is kept must not depend on how busy the machine is that runs the tests.
SETTINGS = """
[tool.mile]
write_fraction = 100.0
write_allowance_ms = 10000.0
"""


class Mile:
    """Runs ``mile`` in a project's folder."""

    def __init__(self, folder):
        self.folder = folder

    @property
    def file(self):
        return self.folder / "small.py"

    def edit(self, old, new):
        source = self.file.read_text()
        assert source.count(old) == 1
        self.file.write_text(source.replace(old, new))

    def environment(self):
        variables = {key: value for key, value in os.environ.items() if not key.startswith("MILE_")}
        root = str(Path(__file__).parents[2])
        return variables | {"PYTHONPATH": root, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, *arguments, **options):
        """Start a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "mile_rl.cli", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def process(self, *arguments):
        """Run in a process of its own and return (exit code, standard output, standard error)."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def __call__(self, *arguments, input=None):
        """Run in this process, by typer's own runner."""
        from typer.testing import CliRunner

        from mile_rl.cli.main import app

        # What a fresh process would do: import the file as it is now.
        sys.modules.pop("small", None)
        return CliRunner().invoke(app, list(arguments), input=input)


@pytest.fixture
def mile(tmp_path, monkeypatch):
    """A project with a workflow that may write as much as it likes, as the working directory."""
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / ".mile").mkdir()
    (tmp_path / "pyproject.toml").write_text(SETTINGS.lstrip())
    (tmp_path / "rows.txt").write_text("1\n2\n3\n")
    (tmp_path / "small.py").write_text(WORKFLOW.lstrip())
    yield Mile(tmp_path)
    sys.modules.pop("small", None)
