"""`make fit` from the command line, on made-up people, as a process of its own."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from made_people import made_history

from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.prediction.live import predict
from mile_rl.prediction.model import Model
from traces.writer import TraceWriter

ROOT = Path(__file__).resolve().parents[2]


def refit(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "experiments.fit_prediction", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.slow
def test_a_refit_writes_a_model_that_answers_a_report_and_a_tracked_run(tmp_path):
    with TraceWriter(tmp_path / "traces") as writer:
        for number in range(28):
            writer.add(made_history(number, 8))
    done = refit(tmp_path / "traces", "--out", tmp_path / "model.json", "--report", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    model = Model.from_json(json.loads((tmp_path / "model.json").read_text()))
    nodes = (PastNode(name="fit", stage="learn", operator="Tree", parameters={"depth": 3}),)
    assert 0 < predict([PastIteration(nodes=nodes)], model=model).touched["fit"] < 1
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    figures = report["held_out"]["mlflow-table"]
    assert figures["histories"] == 28
    assert figures["classes"]["iteration"]["gains"]["marginal"]["gain"] > 0
    assert report["generated"]["mlflow-table"]["histories"] == 28
    assert (tmp_path / "report" / "prediction_mlflow-table.png").stat().st_size > 1000
    with sqlite3.connect(tmp_path / "report" / "mlflow.db") as database:
        (name,) = database.execute("select name from runs").fetchone()
        metrics = dict(database.execute("select key, value from latest_metrics").fetchall())
    assert model.facts["traces"] in name
    assert metrics["held_out/mlflow-table/histories"] == 28


def test_traces_to_learn_nothing_from_are_one_clear_error(tmp_path):
    with TraceWriter(tmp_path / "traces") as writer:
        writer.add(made_history(1, 5))
    done = refit(tmp_path / "traces", "--out", tmp_path / "model.json", "--report", tmp_path / "report")
    assert done.returncode == 1
    assert "mine more" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model.json").exists()
