"""Runs in MLflow: what is logged, and that nothing that goes wrong there costs a result."""

import json
import os
import sys
import warnings

import pytest

from mile_rl import OperatorFailed, op, workflow
from mile_rl.errors import SettingsError
from mile_rl.report import mlflow_log, tracked

pytest.importorskip("mlflow")


@op(stage="preprocess")
def made(n=3):
    return list(range(1000 * n))


@op(stage="evaluate")
def total(rows, k=1):
    if k < 0:
        raise ValueError("k is negative")
    return float(sum(rows) * k)


@workflow
def summed(k=1):
    return {"total": total(made(), k)}


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One database for all tests: making one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@pytest.fixture(autouse=True)
def project_here(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MILE_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILE_HOME", str(tmp_path / ".mile"))
    monkeypatch.chdir(tmp_path)


def runs(uri):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        found = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return client, sorted(found, key=lambda run: run.info.start_time)


@pytest.mark.slow
class TestLogging:
    def test_an_iteration_becomes_a_run_with_all_that_it_told(self, uri, tmp_path):
        configured = summed.using(quiet=True, mlflow=uri)
        first, second = configured.run(k=1), configured.run(k=2)
        assert first.report.notes == second.report.notes == ()
        client, found = runs(uri)
        one = found[-1]
        assert one.info.run_name == "summed 2" or one.info.run_name.endswith(" 2")
        assert one.info.status == "FINISHED"
        assert one.data.params == {"k": "2", "total.k": "2", "made.n": "3"}
        assert one.data.metrics["total"] == second["total"]
        assert one.data.metrics["mile.waited_s"] == second.report.waited_ns / 1e9
        saved_ns = max(0, second.report.everything_ns - second.report.waited_ns)
        assert one.data.metrics["mile.saved_s"] == saved_ns / 1e9
        assert one.data.tags["mile.edits"] == "total: k 1 -> 2"
        assert one.data.tags["mile.version"] == second.report.version
        plan = json.loads(self.text(client, one, "plan.json", tmp_path))
        assert [node["name"] for node in plan["nodes"]] == ["made", "total"]
        assert plan["edits"][0]["words"] == "total: k 1 -> 2"
        assert self.text(client, one, "dag.svg", tmp_path).startswith("<svg")

    def text(self, client, run, name, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = client.download_artifacts(run.info.run_id, f"mile/{name}", str(folder))
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_a_failed_iteration_is_a_failed_run(self, uri):
        with pytest.raises(OperatorFailed):
            summed.using(quiet=True, mlflow=uri).run(k=-1)
        _, found = runs(uri)
        assert found[-1].info.status == "FAILED"
        assert found[-1].data.tags["mile.status"] == "failed"

    def test_auto_means_the_place_that_mlflow_was_told(self, uri, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        before = len(runs(uri)[1])
        summed.using(quiet=True, mlflow="auto").run(k=5)
        assert len(runs(uri)[1]) == before + 1

    def test_without_a_place_it_is_a_database_beside_the_catalog_for_its_owner_only(self, tmp_path):
        assert summed.using(quiet=True, mlflow="auto").run(k=5).report.notes == ()
        database, files = tmp_path / ".mile" / "mlflow.db", tmp_path / ".mile" / "mlflow-artifacts"
        assert database.stat().st_mode & 0o077 == 0
        assert files.stat().st_mode & 0o077 == 0
        assert len(list(files.rglob("dag.svg"))) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [".mile"]

    def test_the_surroundings_are_as_before(self, uri):
        before = dict(os.environ)
        summed.using(quiet=True, mlflow=uri).run(k=6)
        assert dict(os.environ) == before

    def test_names_that_mlflow_refuses_are_cleaned(self, uri):
        odd = workflow(name="odd")(lambda: {"a[b]=c": total(made()), "a(b)=c": total(made(), 2)})
        assert odd.using(quiet=True, mlflow=uri).run().report.notes == ()
        assert {"a_b__c", "a_b__c_2"} <= runs(uri)[1][-1].data.metrics.keys()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["http://127.0.0.1:9", "sqlite:///a_file/runs.db", "nonsense://x"])
def test_a_tracking_store_that_fails_costs_a_note_and_no_result(place, tmp_path, capsys):
    (tmp_path / "a_file").touch()
    iteration = summed.using(mlflow=place).run(k=7)
    assert iteration["total"] == 7 * sum(range(3000))
    (note,) = iteration.report.notes
    assert note.startswith("the run was not logged to MLflow at ")
    assert f"note: {note}" in capsys.readouterr().out


def test_a_password_is_never_told(monkeypatch):
    def fail(uri, project, report):
        raise RuntimeError(f"cannot reach {uri}")

    monkeypatch.setattr(mlflow_log, "_log", fail)
    iteration = summed.using(quiet=True, mlflow="https://me:secret@tracking.example/path?token=abc").run(k=8)
    (note,) = iteration.report.notes
    assert "https://tracking.example" in note
    assert "secret" not in note
    assert "abc" not in note


def test_interrupting_the_logging_keeps_the_result(monkeypatch):
    def interrupt(uri, project, report):
        raise KeyboardInterrupt

    monkeypatch.setattr(mlflow_log, "_log", interrupt)
    assert summed.using(quiet=True, mlflow="auto").run(k=9)["total"] == 9 * sum(range(3000))


def test_without_mlflow_nothing_runs_and_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "mlflow")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = []
    monkeypatch.setattr(tracked.iteration, "run", lambda *args, **kwargs: ran.append(1))
    with pytest.raises(SettingsError, match=r"pip install 'mile-rl\[mlflow\]'"):
        summed.using(quiet=True, mlflow="auto").run()
    assert ran == []


@pytest.mark.parametrize("setting", ["", "off"])
def test_nothing_is_logged_unless_asked_for(setting, monkeypatch):
    monkeypatch.setattr(mlflow_log, "log_run", lambda *args: pytest.fail("logged"))
    assert summed.using(quiet=True, mlflow=setting).run().report.notes == ()
