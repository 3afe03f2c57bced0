"""How long an answer takes: `mile recommend` on a workflow with a past."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORKFLOW = """
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mile_rl import op, workflow


@op(stage="preprocess", outputs=("train", "train_labels", "test", "test_labels"))
def data(rows=2000, columns=20, seed=0):
    table, labels = make_classification(rows, columns, flip_y=0.1, random_state=seed)
    return table[: rows // 2], labels[: rows // 2], table[rows // 2 :], labels[rows // 2 :]


@op(stage="preprocess")
def scale(table, share=1.0):
    return StandardScaler().fit_transform(table) * share


@op(stage="learn")
def fit(table, labels, C=1.0, tol=1e-4):
    return LogisticRegression(C=C, tol=tol).fit(table, labels)


@op(stage="evaluate")
def accuracy(model, table, labels):
    return float((model.predict(table) == labels).mean())


@workflow
def timed(C=1.0, share=1.0, stages=8):
    train, train_labels, test, test_labels = data()
    for _ in range(stages):
        train, test = scale(train, share), scale(test, share)
    return {"accuracy": accuracy(fit(train, train_labels, C=C), test, test_labels)}
"""


def measure(iterations: int = 30, repeats: int = 7) -> dict[str, float]:
    """Return seconds: of an answer in a process that runs already, of its processor time, of noting a run.

    Args:
        iterations: how many the workflow has behind it.
        repeats: of each measurement; the minimum and the median count, as the machine may be shared.
    """
    from mile_rl.recommend import journal
    from mile_rl.recommend.advise import advise

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".mile").mkdir()
        file = folder / "timed.py"
        file.write_text(WORKFLOW)
        flow = _load(file)
        for number in range(iterations):
            flow.using(quiet=True).run(C=10 ** (number / 10 - 2), share=1.0 + (number % 3))
        project = flow.using(quiet=True).project()
        begun = time.perf_counter()
        advise(flow, project=project)
        first = time.perf_counter() - begun
        answer = [_timed(lambda: advise(flow, project=project)) for _ in range(repeats)]
        noted = [_timed(lambda: journal.note(flow, 1, project)) for _ in range(repeats)]
    return {
        "iterations": float(iterations),
        "first_s": first,
        "answer_s_min": min(wall for wall, _ in answer),
        "answer_s_median": statistics.median(wall for wall, _ in answer),
        "answer_processor_s_median": statistics.median(own for _, own in answer),
        "note_s_min": min(wall for wall, _ in noted),
    }


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own


def _load(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location("timed", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["timed"] = module
    spec.loader.exec_module(module)
    return module.timed
