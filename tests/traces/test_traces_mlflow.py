"""MLflow stores (folder and database), and the published table of runs."""

import gzip
import json
import os
import warnings

import pytest
from trace_source_contract import TraceSourceContract

from mile_rl.workflows.edits import ChangeClass
from traces.errors import NotWhatItClaims, TraceError
from traces.logged import logged_components
from traces.objectives import choose_objective, direction
from traces.people import Pseudonyms
from traces.sources.base import Tally
from traces.sources.mlflow_runs import MlflowRuns
from traces.sources.tables import MlflowTable

PSEUDONYMS = Pseudonyms(b"s" * 32)
START = 1_600_000_000_000
MINUTE = 60_000
STEPS = "[('scaler', StandardScaler()), ('clf', SVC(C={C}))]"


def pipeline(C, mean="True"):
    return {
        "steps": STEPS.format(C=C),
        "scaler": "StandardScaler()",
        "clf": f"SVC(C={C})",
        "scaler__with_mean": mean,
        "clf__C": str(C),
        "memory": "None",
    }


RUNS = (
    # name, user, minutes after the start, params, metrics, tags, parent
    (
        "a",
        "ada",
        0,
        pipeline(1.0),
        {"val_accuracy": 0.7, "train_loss": 1.0},
        {"estimator_name": "Pipeline"},
        None,
    ),
    ("b", "ada", 10, pipeline(10.0), {"val_accuracy": 0.8}, {"estimator_name": "Pipeline"}, None),
    (
        "c",
        "ada",
        20,
        pipeline(10.0, "False"),
        {"val_accuracy": float("nan")},
        {"estimator_name": "Pipeline"},
        None,
    ),
    (
        "d",
        "ada",
        30,
        {"estimator": "SVC(C=1.0)", "estimator__C": "1.0", "param_grid": "{'C': [1, 2]}", "cv": "3"},
        {},
        {"estimator_name": "GridSearchCV"},
        None,
    ),
    ("e", "ada", 31, {"C": "1"}, {"val_accuracy": 0.81}, {}, "d"),
    ("f", "ada", 32, {"C": "2"}, {"val_accuracy": 0.85}, {}, "d"),
    ("g", "ada", 40, pipeline(1.0), {"val_accuracy": 0.7}, {"estimator_name": "Pipeline"}, None),
    ("h", "bob", 5, {"model_type": "cnn", "lr": "0.1", "image_size": "32"}, {"loss": 2.0}, {}, None),
    ("i", "bob", 6, {"model_type": "cnn", "lr": "0.01", "image_size": "32"}, {"loss": 1.0}, {}, None),
    ("j", "bob", 6.03, {"model_type": "rnn", "lr": "0.01", "image_size": "32"}, {"loss": 3.0}, {}, None),
)
LASTS_MS = MINUTE


def make_store(uri):
    """Write RUNS into the store at this URI, through MLflow's own client."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("digits")
        ids = {}
        for name, user, minutes, params, metrics, tags, parent in RUNS:
            start = int(START + minutes * MINUTE)
            tags = {"mlflow.user": user, "mlflow.source.name": f"/home/{user}/train.py", **tags}
            if parent:
                tags["mlflow.parentRunId"] = ids[parent]
            run = client.create_run(experiment, start_time=start, tags=tags, run_name=name)
            ids[name] = run.info.run_id
            client.log_batch(
                ids[name],
                metrics=[Metric(key, value, start, 0) for key, value in metrics.items()],
                params=[Param(key, value) for key, value in params.items()],
            )
            end = start + (LASTS_MS if name != "i" else 1_000)
            client.set_terminated(ids[name], end_time=end)


def table_rows():
    return [
        {
            "repo_id": "r1",
            "run_id": name,
            "user_id": user,
            "experiment_id": "x1",
            "start": int(START + minutes * MINUTE),
            "end": int(START + minutes * MINUTE) + (LASTS_MS if name != "i" else 1_000),
            "parent_run_id": parent,
            "source": "train.py",
            "estimator_name": tags.get("estimator_name"),
            "params": params,
            "metrics": metrics,
        }
        for name, user, minutes, params, metrics, tags, parent in RUNS
    ]


def write_table(path, rows):
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "mlruns"
    make_store(folder.as_uri())
    return folder


class TestMlflowFolder(TraceSourceContract):
    @pytest.fixture
    def source(self, folder):
        return MlflowRuns(str(folder), PSEUDONYMS)

    @pytest.fixture
    def names(self):
        return ("'ada'", "'bob'", "/home/")

    @pytest.fixture
    def broken(self, tmp_path):
        return lambda: MlflowRuns(str(tmp_path), PSEUDONYMS)


class TestMlflowTable(TraceSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return MlflowTable(write_table(tmp_path / "mlflow_runs.jsonl.gz", table_rows()))

    @pytest.fixture
    def broken(self, tmp_path):
        path = write_table(tmp_path / "mlflow_runs.jsonl.gz", [{"colour": "blue"}])
        return lambda: MlflowTable(path)


def told(histories):
    """What must not depend on where a history was read, by person in order of length."""
    return sorted(
        (
            len(history),
            history.objective,
            [
                (
                    each.change,
                    each.edits,
                    each.components,
                    each.start_ms,
                    each.duration_ms,
                    each.think_ms,
                    each.score,
                )
                for each in history.iterations
            ],
            [(each.trials, each.scripted, each.returns_to) for each in history.iterations],
        )
        for history in histories
    )


def test_the_store_and_the_table_tell_the_same(folder, tmp_path):
    table = MlflowTable(write_table(tmp_path / "mlflow_runs.jsonl.gz", table_rows()))
    assert told(table.histories(Tally())) == told(MlflowRuns(str(folder), PSEUDONYMS).histories(Tally()))


@pytest.mark.slow
def test_a_database_tells_the_same_as_a_folder(folder, tmp_path):
    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    make_store(uri)
    assert told(MlflowRuns(uri, PSEUDONYMS).histories(Tally())) == told(
        MlflowRuns(str(folder), PSEUDONYMS).histories(Tally())
    )


def test_what_ada_did_is_told_as_she_did_it(folder):
    tally = Tally()
    ada = max(MlflowRuns(str(folder), PSEUDONYMS).histories(tally), key=len)
    assert tally.left_out["runs nested in another (counted as its trials)"] == 2
    assert [each.change for each in ada.iterations] == [
        ChangeClass.START,
        ChangeClass.MODEL_PARAMETER,
        ChangeClass.PREPROCESS_PARAMETER,
        ChangeClass.COMBINATION,
        ChangeClass.RETURN,
    ]
    (edit,) = ada.iterations[1].edits
    assert (edit.node, edit.parameter, edit.old, edit.new, edit.magnitude) == ("clf", "C", 1.0, 10.0, 1.0)
    assert ada.iterations[0].components[1].parents == ("scaler",)
    assert ada.iterations[1].think_ms == 9 * MINUTE
    assert ada.iterations[2].score is None
    assert "val_accuracy" not in ada.iterations[2].metrics
    search = ada.iterations[3]
    assert (search.trials, search.score) == (2, 0.85)
    assert [each.operator for each in search.components] == ["SVC", "GridSearchCV"]
    assert ada.iterations[4].returns_to == 0


def test_runs_that_follow_at_once_were_started_by_a_loop(folder):
    bob = min(MlflowRuns(str(folder), PSEUDONYMS).histories(Tally()), key=len)
    assert [each.scripted for each in bob.iterations] == [False, True, True]
    assert [each.score for each in bob.iterations] == [-2.0, -1.0, -3.0]
    assert bob.iterations[2].change is ChangeClass.MODEL
    assert bob.iterations[0].components[0].parameters == {"image_size": 32}


def test_the_environment_is_left_as_it_was(folder, monkeypatch):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    list(MlflowRuns(str(folder), PSEUDONYMS).histories(Tally()))
    assert "MLFLOW_ALLOW_FILE_STORE" not in os.environ


def test_a_store_that_does_not_answer_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with pytest.raises(TraceError, match="cannot be read"):
        list(MlflowRuns("http://user:secret@127.0.0.1:9", PSEUDONYMS).histories(Tally()))


def test_the_place_of_a_store_holds_no_password():
    assert (
        MlflowRuns("postgresql://ada:secret@db.example/runs", PSEUDONYMS).place
        == "postgresql://db.example/runs"
    )


def test_a_database_file_is_answered_with_its_uri(tmp_path):
    path = tmp_path / "runs.db"
    path.touch()
    with pytest.raises(NotWhatItClaims, match="sqlite:///"):
        MlflowRuns(str(path), PSEUDONYMS)


def test_a_cut_list_of_steps_is_completed_from_the_steps_own_parameters():
    cut = {**pipeline(1.0), "steps": "[('scaler', StandardScaler()), ('cl"}
    names = [each.name for each in logged_components(cut, estimator="Pipeline", program="")]
    assert names == ["scaler", "clf"]


@pytest.mark.parametrize(
    ("metric", "sign"),
    [
        ("val_accuracy", 1),
        ("ROC-AUC", 1),
        ("f1_score", 1),
        ("test_rmse", -1),
        ("mean_absolute_error", -1),
        ("loss", -1),
        ("MSE", -1),
        ("mape", -1),
        ("R2", 1),
        ("area_under_roc_curve", 1),
        ("epoch", 0),
        ("training_iteration", 0),
    ],
)
def test_directions_of_metrics(metric, sign):
    assert direction(metric) == sign


def test_a_held_out_level_is_chosen_before_training_and_spread():
    runs = [{"train_accuracy": 1.0, "val_accuracy_std": 0.1, "val_accuracy": 0.8, "epoch": 3.0}] * 3
    assert choose_objective(runs) == ("val_accuracy", 1)
    assert choose_objective([{"epoch": 1.0}]) == ("", 0)
