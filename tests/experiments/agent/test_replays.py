import json

import numpy as np
import pytest

pytest.importorskip("numba")

from experiments import replays
from experiments.prediction import held_out
from experiments.prediction.dataset import quarter
from experiments.replays import ReplayArguments, chosen, run
from mile_rl.prediction.model import shipped
from mile_rl.workflows.edits import ChangeClass
from traces.schema import Component, History, Iteration


def history(number, *, group="", source="dvc-table", turns=6):
    """A stage that is edited again and again, behind one that stays."""

    def version(depth):
        return (
            Component(name="prepare", operator="prepare.py", stage="preprocess", size_bytes=1_000_000),
            Component(
                name="train", operator="train.py", stage="learn", parents=("prepare",), size_bytes=5_000,
                parameters={"depth": depth},
            ),
        )  # fmt: skip

    iterations = tuple(
        Iteration(
            index=index,
            components=version(index),
            version=f"v{index}",
            change=ChangeClass.MODEL_PARAMETER if index else ChangeClass.START,
            parent=index - 1 if index else None,
            think_ms=60_000 if index else None,
        )
        for index in range(turns)
    )
    return History(
        id=f"h{number}",
        source=source,
        person=f"p{number}",
        group=group or f"g{number}",
        iterations=iterations,
    )


def test_a_group_gives_no_more_sessions_than_were_asked_for_and_lies_in_its_own_quarter():
    histories = [history(n, group=f"g{n % 12}") for n in range(60)]
    found = chosen(histories, "dvc", range(4), 3)
    assert sum(map(len, found.values())) == 36
    for number, own in found.items():
        assert set(quarter([each.group for each in own])) == {number}
    assert set(chosen(histories, "dvc", (1,), 3)) == {1}


def test_another_source_and_what_is_no_session_are_left_out():
    others = [history(1, source="mlflow-table"), history(2, turns=2)]
    assert chosen(others, "dvc", range(4), 3) == {}


def test_a_fit_never_sees_the_quarter_that_it_foresees(tmp_path, monkeypatch):
    from experiments.prediction.fit import Fitted

    histories = [history(n) for n in range(12)]
    seen = {}

    def spy(dataset, train, settings, facts):
        (own,) = set(range(4)) - set(facts["quarters"])
        seen[own] = set(dataset.group[train].tolist())
        return Fitted(model=shipped(), parts={})

    monkeypatch.setattr(replays, "Traces", lambda folder: histories)

    def corrected(model, histories, seed):
        assert {each.group for each in histories} in seen.values()
        return model

    monkeypatch.setattr(held_out, "fit", spy)
    monkeypatch.setattr(held_out, "corrected", corrected)
    banks = run(ReplayArguments(traces=(tmp_path,), folder=tmp_path, sources=("dvc",)))
    assert {script.group for script in banks["dvc"]} <= {each.group for each in histories}
    for number, groups in seen.items():
        own = {each.group for each in histories if quarter([each.group])[0] == number}
        assert own
        assert not own & groups
        assert groups == {each.group for each in histories} - own
    assert set(seen) == set(np.unique(quarter([each.group for each in histories])))


def test_what_was_fitted_before_foresees_and_is_not_fitted_again(tmp_path, monkeypatch):
    monkeypatch.setattr(replays, "Traces", lambda folder: [history(0)])
    monkeypatch.setattr(held_out, "fit", None)
    own = int(quarter(["g0"])[0])
    record = shipped().to_json()
    (tmp_path / f"without_{own}.json").write_text(json.dumps(record))
    told = run(ReplayArguments(traces=(tmp_path,), folder=tmp_path, sources=("dvc",)))["dvc"][0]
    # A model that thinks every history ends tells it so.
    record["forests"]["stop"]["baseline"] = [9.0]
    (tmp_path / f"without_{own}.json").write_text(json.dumps(record))
    other = run(ReplayArguments(traces=(tmp_path,), folder=tmp_path, sources=("dvc",)))["dvc"][0]
    assert other.stop.min() > 0.9 > told.stop.min()
