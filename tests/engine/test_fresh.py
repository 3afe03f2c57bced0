"""The person's modules run as they are written now, whatever compiled copies lie around."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mile_rl.engine.fresh import FreshFinder
from mile_rl.engine.loading import load_workflow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path


def _import(folder: Path, number: int, where: str) -> int:
    """Write a workflow and its helper so that size and time stay the same, and import them anew."""
    (folder / "small_helper.py").write_text(f"NUMBER = {number if where == 'helper' else 0}\n")
    (folder / "small_flow.py").write_text(
        "from small_helper import NUMBER\nfrom mile_rl import op, workflow\n"
        f"@op\ndef f():\n    return NUMBER + {number if where == 'flow' else 0}\n"
        "@workflow\ndef flow():\n    return f()\n"
    )
    for name in ("small_helper", "small_flow"):
        os.utime(folder / f"{name}.py", (1_000_000_000, 1_000_000_000))
        sys.modules.pop(name, None)
    return load_workflow(str(folder / "small_flow.py"))()


@pytest.mark.parametrize("where", ["flow", "helper"])
def test_an_edit_of_the_same_size_within_the_same_second_is_run(folder, where):
    assert _import(folder, 1, where) == 1
    assert _import(folder, 2, where) == 2


def test_installed_packages_are_left_to_python(folder):
    assert FreshFinder.find_spec("pandas") is None
    assert FreshFinder.find_spec("json") is None
    assert FreshFinder.find_spec("mile_rl") is None
