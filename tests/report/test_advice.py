"""The page's section on what to try next."""

import os
import sys
import textwrap

import pytest

from mile_rl.engine.history import log
from mile_rl.engine.loading import load_workflow, parse_arguments
from mile_rl.engine.project import find
from mile_rl.report import tracked
from mile_rl.report.advice import advised

SOURCE = """
    from mile_rl import File, op, workflow

    @op(stage="preprocess")
    def read(path):
        return [float(line) for line in path.read_text().split()]

    @op(stage="learn")
    def fit(rows, depth=3, kind="a"):
        return sum(rows) * depth

    @op(stage="evaluate")
    def accuracy(model):
        return 1 - 1 / (2 + model)

    @workflow
    def advised_flow(path=File("rows.txt"), depth=3, kind="a"):
        return {"accuracy": accuracy(fit(read(path), depth, kind))}
"""


@pytest.fixture
def lived(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / ".mile").mkdir()
    (tmp_path / "rows.txt").write_text("1\n2\n")
    (tmp_path / "advised_flow.py").write_text(textwrap.dedent(SOURCE))
    project = find(tmp_path)
    for depth in (3, 4, 6):
        flow = load_workflow("advised_flow.py")
        given = parse_arguments(flow, [f"depth={depth}", "kind=b c"])
        tracked.run(flow, (), given, project=project)
    yield project
    sys.modules.pop("advised_flow", None)


def test_what_to_try_starts_from_the_latest_arguments(lived):
    pytest.importorskip("mile_rl.recommend.advise")
    suggestions, note = advised(lived, log(lived)[0])
    assert note == ""
    assert suggestions
    assert all(one.title and "80 %" in one.facts["expected"] for one in suggestions)
    assert any("depth 6" in one.title or "depth" in one.code for one in suggestions), [
        one.title for one in suggestions
    ]
    assert (lived.home / "recommendations.json").is_file()


def test_a_file_that_is_gone_or_broken_leaves_the_section_out_and_says_why(lived):
    pytest.importorskip("mile_rl.recommend.advise")
    (lived.root / "advised_flow.py").write_text("raise RuntimeError('under construction')")
    sys.modules.pop("advised_flow", None)
    suggestions, note = advised(lived, log(lived)[0])
    assert suggestions == ()
    assert "under construction" in note
    (lived.root / "advised_flow.py").unlink()
    assert advised(lived, log(lived)[0]) == ((), "its file is not known or not there any more")
