"""The recorded sessions apply cleanly, and every version of them runs."""

import ast
import importlib.util
from pathlib import Path

import pytest

from mile_rl.cli.session import load

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("digits", "census", "text")
SIZES = {"digits": 200, "census": 800, "text": 60}


def session(name):
    return load(EXAMPLES / f"{name}.session.json")


def versions(name):
    return list(session(name).versions((EXAMPLES / f"{name}.py").read_text()))


def as_module(name, source, folder):
    """Write a version over the one before and import it afresh, without Python's byte code files."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, path, "exec"), module.__dict__)
    return module


@pytest.fixture
def place(name, tmp_path, monkeypatch):
    """A folder with the example's data, small."""
    spec = importlib.util.spec_from_file_location("made_for_sessions", EXAMPLES / "make_data.py")
    make_data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_data)
    make_data.MAKERS[name](tmp_path, size=SIZES[name])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stages(source):
    """Operator -> its stage, as the source declares it."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call):
                    found[node.name] = {word.arg: word.value for word in call.keywords}["stage"].value
    return found


@pytest.mark.parametrize("name", NAMES)
class TestSession:
    def test_it_has_at_least_twelve_edits_each_with_a_thought(self, name):
        steps = session(name).steps
        assert len(steps) >= 13
        assert all(step.say.endswith((".", "?")) and "\n" not in step.say for step in steps)

    def test_it_returns_to_an_earlier_version_and_runs_one_again(self, name):
        played = [(source, dict(step.arguments)) for step, source in versions(name)]
        again = [played[n] == played[n - 1] for n in range(1, len(played))]
        back = [played[n] in played[: n - 1] and played[n] != played[n - 1] for n in range(2, len(played))]
        assert sum(back) >= 2
        assert sum(again) == 1

    def test_it_adds_operators(self, name):
        sources = [source for _, source in versions(name)]
        assert set().union(*map(stages, sources)) > set(stages(sources[0]))

    def test_every_version_is_a_workflow(self, name, tmp_path):
        sizes = set()
        for step, source in versions(name):
            dag = getattr(as_module(name, source, tmp_path), name).capture(**step.arguments)
            assert dag.needed == set(dag.nodes)
            assert {node.stage for node in dag.nodes.values()} == {"preprocess", "learn", "evaluate"}
            sizes.add(len(dag.nodes))
        assert len(sizes) >= 3

    @pytest.mark.slow
    def test_every_version_runs_as_plain_functions(self, name, place):
        results = []
        for step, source in versions(name):
            result = getattr(as_module(name, source, place), name)(**step.arguments)
            assert result.keys()
            results.append(((source, dict(step.arguments)), repr(result)))
        for version, result in results:
            assert {other for same, other in results if same == version} == {result}
        assert len({result for _, result in results}) >= len(results) // 2

    @pytest.mark.slow
    def test_every_version_gives_the_same_through_the_engine(self, name, place, monkeypatch):
        monkeypatch.setenv("MILE_HOME", str(place / ".mile"))
        edits, returns = [], 0
        for number, (step, source) in enumerate(versions(name)):
            flow = as_module(name, source, place).__dict__[name]
            done = flow.using(quiet=True, write_allowance_ms=10_000).run(**step.arguments)
            plain = flow(**step.arguments)
            assert repr(done.outputs) == repr(plain), step
            assert done.report.previous == (number or None)
            edits += done.report.edits
            returns += done.report.returned_to is not None
        assert {edit.stage for edit in edits} == {"preprocess", "learn", "evaluate"}
        assert {edit.kind for edit in edits} >= {"add", "remove", "parameter", "code"}
        assert returns >= 2
