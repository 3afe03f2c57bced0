"""``mile run --mlflow``: where it goes, and which word is its value."""

import json

import pytest

from mile_rl.report import mlflow_log


@pytest.fixture
def logged(monkeypatch):
    """Where runs would have been logged to."""
    places = []

    def log_run(project, report):
        places.append(project.settings.mlflow)
        return (
            "the run was not logged to MLflow at x: Oops: no"
            if project.settings.mlflow == "sqlite:bad"
            else ""
        )

    monkeypatch.setattr(mlflow_log, "log_run", log_run)
    pytest.importorskip("mlflow")
    return places


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["--mlflow", "small.py", "C=2"], "auto"),
        (["small.py", "--mlflow", "C=2"], "auto"),
        (["small.py", "C=2", "--mlflow"], "auto"),
        (["small.py", "--mlflow", "http://localhost:5000", "C=2"], "http://localhost:5000"),
        (["small.py", "--mlflow=folder", "C=2"], "folder"),
        (["small.py", "--mlflow", "--json", "C=2"], "auto"),
    ],
    ids=" ".join,
)
def test_a_uri_is_its_value_and_nothing_else_is(mile, logged, words, place):
    done = mile("run", *words)
    assert done.exit_code == 0, done.output
    assert logged == [place]
    assert "accuracy" in done.output
    assert json.loads(mile("log", "--json").output)[0]["parameters"]["C"] == "2.0"


def test_the_setting_logs_every_run_and_off_switches_it_off(mile, logged):
    (mile.folder / "pyproject.toml").write_text('[tool.mile]\nmlflow = "http://localhost:5000"\n')
    mile("run", "small.py")
    mile("run", "small.py", "--mlflow=off")
    assert logged == ["http://localhost:5000"]


def test_what_went_wrong_is_a_note_after_the_result(mile, logged):
    out = mile("run", "small.py", "--mlflow", "sqlite:bad").output
    assert out.index("accuracy =") < out.index("note: the run was not logged")
    told = json.loads(mile("run", "small.py", "--mlflow", "sqlite:bad", "--json").output)
    assert told["notes"] == ["the run was not logged to MLflow at x: Oops: no"]
    assert told["outputs"]
