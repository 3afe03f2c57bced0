"""The commands of docs/recommend.md do what it says, and its card shows the figures that ship."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from mile_rl.recommend.outcome import shipped

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "recommend.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / ".mile").mkdir()
    code = re.search(r"```python\n(# moons\.py\n.*?)```", TEXT, re.DOTALL)[1]
    (tmp_path / "moons.py").write_text(code)
    yield tmp_path
    sys.modules.pop("moons", None)


def test_every_command_runs_in_the_order_of_the_page(folder):
    from typer.testing import CliRunner

    from mile_rl.cli.main import app

    commands = re.findall(r"^\$ (mile .*)$", TEXT, re.MULTILINE)
    assert len(commands) >= 8
    before = (folder / "moons.py").read_text()
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
        assert result.exit_code == 0, f"{command}: {result.output}"
        assert result.stdout.strip()
    assert (folder / "moons.py").read_text() == before


def test_the_python_example_runs(folder, capsys):
    from mile_rl.engine.loading import load_workflow

    flow = load_workflow("moons.py")
    flow.using(quiet=True).run()
    code = re.findall(r"```python\n(from mile_rl\.recommend.*?)```", TEXT, re.DOTALL)[0]
    exec(code, {"moon": flow})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_card_tells_of_the_model_that_ships():
    card = (DOCS / "model_card_outcome.md").read_text(encoding="utf-8")
    model = shipped()
    assert f"{len(model.configurations)} configurations" in card
    assert f"on {model.facts['datasets']} OpenML datasets" in card
    assert "| MILE-RL |" in card
    assert "| greedy portfolio |" in card
