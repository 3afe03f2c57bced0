"""The tutorial: its commands run in its order, and what it shows has the shape of what they print."""

import os
import sys
import warnings
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits
from tutorial import missing, play

TEXT = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / ".mile").mkdir()
    yield tmp_path
    for name in ("digits", "eights"):
        sys.modules.pop(name, None)


def test_every_command_runs_and_prints_what_is_shown(folder):
    steps = 0
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a learner that is tried may not converge
        for step, output in play(TEXT, folder):
            steps += 1
            assert step.shown, f"what does {step.command} print?"
            assert not missing(step, output), f"{step.command} printed:\n{output}"
    assert steps >= 15


def test_the_first_steps_scores_are_scikit_learns(folder):
    played = play(TEXT, folder)
    plain, ours = next(played)[1], next(played)[1]
    assert plain == ours
    assert plain.startswith("accuracy 0.")
    played.close()


def test_it_is_where_the_readme_begins():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert "docs/tutorial.md" in readme
