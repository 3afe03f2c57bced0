"""What is fitted to a person is judged later than it was fitted, and changes nothing where it does not help."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from experiments import personalise, personalise_many
from experiments.agent.person_policy import PolicyFile
from experiments.agent.person_prediction import (
    Correction,
    Moment,
    PersonalPredictor,
    class_losses,
    fit,
    gain,
    node_losses,
)
from experiments.agent.person_report import report
from experiments.personalise import PersonalArguments, cut_times, personal_prediction
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.learned import Learned
from mile_rl.policies.observation import SIZE
from mile_rl.prediction.base import CLASSES, PastIteration, PastNode
from mile_rl.prediction.model import TreePredictor
from mile_rl.workflows.edits import ChangeClass, Edit
from traces.errors import TraceError
from traces.schema import Component, History, Iteration


def decisions(count, *, sure, right, seed=0):
    """Decisions that a model says with probability ``sure`` and is right about with probability ``right``."""
    rng = np.random.default_rng(seed)
    counts, found = np.zeros(len(CLASSES)), []
    for _ in range(count):
        said = int(rng.integers(len(CLASSES)))
        truth = said if rng.random() < right else int((said + rng.integers(1, 8)) % 8)
        classes = np.full(len(CLASSES), (1 - sure) / 7)
        classes[said] = sure
        touched = np.full(6, 0.5)
        hit = rng.random(6) < 0.1
        found.append(Moment(classes=classes, truth=truth, counts=counts.copy(), touched=touched, hit=hit))
        counts[truth] += 1
    return found


def history(turns=30, gap_ms=60_000):
    def version(C):
        return (
            Component(name="read", operator="read", stage="preprocess", compute_ns=10**9, size_bytes=10**6),
            Component(
                name="fit", operator="fit", stage="learn", parents=("read",), parameters={"C": C},
                compute_ns=2 * 10**9, size_bytes=10**4,
            ),
        )  # fmt: skip

    iterations = []
    for i in range(turns):
        edit = Edit(
            kind="parameter", node="fit", stage="learn", operator="fit", parameter="C", old=i - 1, new=i
        )
        iterations.append(
            Iteration(
                index=i,
                components=version(i),
                version=f"v{i}",
                change=ChangeClass.MODEL_PARAMETER if i else ChangeClass.START,
                edits=(edit,) if i else (),
                parent=i - 1 if i else None,
                start_ms=1_000_000 + i * (gap_ms + 3_000),
                duration_ms=3_000,
                think_ms=gap_ms if i else None,
            )
        )
    return History(id="h", source="catalog", person="p", group="p", iterations=tuple(iterations))


def test_the_default_correction_changes_nothing():
    found = decisions(40, sure=0.8, right=0.8)
    said = np.array([each.classes for each in found])
    assert np.allclose([Correction().classes(each.classes, each.counts) for each in found], said)
    assert np.allclose(Correction().touched(np.array([0.01, 0.5, 0.99])), [0.01, 0.5, 0.99])


def test_a_model_that_is_too_sure_of_a_person_is_corrected_and_the_loss_falls_later():
    found = decisions(400, sure=0.97, right=0.4)
    correction = fit(found[:300])
    assert correction.temperature > 1
    assert correction.offset < 0
    later = found[300:]
    for losses in (class_losses, node_losses):
        told = gain(losses(later, Correction()), losses(later, correction))
        assert told["low"] > 0


def test_nothing_is_corrected_where_the_model_is_right_about_itself():
    found = decisions(300, sure=0.8, right=0.8, seed=3)
    correction = fit(found)
    assert (correction.temperature, correction.blend) == (1.0, 0.0)


def test_too_few_decisions_give_no_correction():
    assert fit(decisions(4, sure=0.97, right=0.1)) == Correction()


def test_equal_losses_have_no_gain():
    losses = np.linspace(0.1, 2.0, 30)
    told = gain(losses, losses)
    assert (told["gain"], told["low"], told["high"]) == (0.0, 0.0, 0.0)


def test_an_uncorrected_personal_predictor_is_the_shipped_one():
    nodes = (
        PastNode(name="fit", stage="learn", parameters={"C": 1.0}),
        PastNode(name="score", stage="evaluate"),
    )
    ours, theirs = PersonalPredictor(Correction()), TreePredictor()
    for each in (ours, theirs):
        each.observe(PastIteration(nodes=nodes))
    one, other = ours.predict(), theirs.predict()
    assert one.classes == pytest.approx(other.classes)
    assert one.touched == pytest.approx(other.touched)
    assert [each.probability for each in one.returns] == pytest.approx(
        [each.probability for each in other.returns]
    )


def test_corrected_chances_are_those_of_a_distribution():
    nodes = (PastNode(name="fit", stage="learn", parameters={"C": 1.0}),)
    ours = PersonalPredictor(Correction(temperature=2.0, blend=0.3, slope=0.8, offset=-0.4))
    ours.observe(PastIteration(nodes=nodes))
    said = ours.predict()
    assert sum(said.classes.values()) == pytest.approx(1.0)
    assert sum(each.probability for each in said.returns) <= said.classes[ChangeClass.RETURN] + 1e-9


def test_a_policy_file_holds_what_was_written(tmp_path):
    path = tmp_path / "own.onnx"
    settings = ExpectedSettings(discount=0.8, write_weight=2.0)
    PolicyFile.plain(settings).write(path, "a person")
    engine = Learned(path)
    assert engine.settings == settings
    assert engine.network.multiplier(np.ones(SIZE, dtype=np.float32)) == 1.0
    again = PolicyFile.read(path)
    assert again.settings == settings
    assert [layer.weight.shape for layer in again.layers] == [(SIZE, 1)]


def test_the_parts_follow_one_another_in_time():
    fitted, chosen = cut_times([history(31)])
    starts = [each.start_ms for each in history(31).iterations]
    assert fitted == starts[18]
    assert chosen == starts[24]


def test_what_is_judged_on_is_not_fitted_on(monkeypatch):
    seen = []
    monkeypatch.setattr(personalise, "fit", lambda found: seen.append(len(found)) or Correction())
    _, told = personal_prediction([history(41)])
    assert seen == [32]
    assert told["decisions"] == 40
    assert told["judged"] == 8


def test_runs_launched_by_a_loop_are_no_decisions():
    with pytest.raises(TraceError, match="0 decisions are too few"):
        personal_prediction([history(41, gap_ms=100)])


def test_the_latest_iterations_name_no_return_to_what_is_left_out():
    long = history(100)
    back = [
        replace(each, returns_to=each.index - 50) if each.index >= 70 else each for each in long.iterations
    ]
    kept = personalise._latest(replace(long, iterations=tuple(back))).iterations
    assert len(kept) == 60
    assert [each.returns_to for each in kept if each.index < 90 and each.returns_to is not None] == []
    assert kept[-1].returns_to == 49


def test_the_report_says_so_where_nothing_helped(tmp_path):
    same = {"before": 1.0, "after": 1.0, "gain": 0.0, "low": 0.0, "high": 0.0}
    prediction = {
        "decisions": 30, "judged": 6, "correction": Correction().to_json(), "classes": same,
        "nodes": {**same, "low": -0.2, "high": 0.1},
    }  # fmt: skip
    judged = {"own policy, own prediction": {"seconds": 9.0, "ratio": 1.1, "low": 1.05, "high": 1.2}}
    policy = {"sessions": 2, "chosen": "as shipped", "judged_s": judged}
    text = report({"prediction": prediction, "policy": policy}, tmp_path / "policy.onnx")
    assert "No correction of the shipped model was better" in text
    assert "nothing changed" in text
    assert "cannot be told" in text
    assert "no, it hurt" in text


def persons(count):
    return [
        replace(history(turns), id=f"h{n}", person=f"p{n}", source="mlflow-table")
        for n, turns in zip(range(count), (40, 10, 35, 50))
    ]


def test_only_people_with_enough_iterations_to_split_are_pooled():
    assert set(personalise_many.people(persons(4), "mlflow")) == {"p0", "p2", "p3"}
    assert personalise_many.people(persons(4), "dvc") == {}


def test_each_person_counts_once_however_long_they_wait():
    def figures(ratio, seconds):
        judged = {
            personalise_many.SHIPPED: {"ratio": 1.0, "seconds": seconds},
            "own policy, shipped prediction": {"ratio": ratio, "seconds": ratio * seconds},
        }
        losses = {"classes": {"gain": 0.1}, "nodes": {"gain": -0.1}, "decisions": 30}
        return {
            "person": "p",
            "prediction": losses,
            "policy": {"sessions": 1, "chosen": "x", "judged_s": judged},
        }

    found = [figures(0.9, 1.0), figures(1.0, 1e6)]
    pooled = personalise_many.pool(found)
    row = pooled["waiting / shipped, own policy, shipped prediction"]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.95, 0.9, 1.0))
    assert pooled["gain in log-loss, classes"]["mean"] == pytest.approx(0.1)
    assert "0.9000" in personalise_many.report(found, pooled)
    assert personalise_many.pool([]) == {}


def test_everybody_is_fitted_on_their_own_histories_alone(tmp_path, monkeypatch):
    seen = []

    def spy(histories, arguments):
        seen.append({each.person for each in histories})
        raise TraceError("too few")

    monkeypatch.setattr(personalise_many, "Traces", lambda folder: persons(4))
    monkeypatch.setattr(personalise_many, "fitted", spy)
    told = PersonalArguments(location="", folder=tmp_path)
    assert personalise_many.run(tmp_path, told, source="mlflow", most=9) == {}
    assert sorted(map(sorted, seen)) == [["p0"], ["p2"], ["p3"]]
    assert "0 people" in (tmp_path / "report.md").read_text()
