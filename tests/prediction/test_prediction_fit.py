"""The workshop's fit, on made-up people whose habits are known."""

import importlib.util

import numpy as np
import pytest
from made_people import made_history

from experiments.prediction.baselines import CLASS_BASELINES, NODE_BASELINES, SLOW_BASELINES, marginal
from experiments.prediction.choose import across, one_by_one
from experiments.prediction.dataset import build, fold_of, quarter, weights
from experiments.prediction.evaluate import MODEL, forecast, report
from experiments.prediction.fit import FitSettings, common_values, fit
from experiments.prediction.records import records_of
from experiments.prediction.scores import bootstrap, calibration, class_scores
from mile_rl.prediction.model import TreePredictor
from traces.schema import History


@pytest.fixture(scope="module")
def dataset():
    return build([made_history(number) for number in range(60)])


@pytest.fixture(scope="module")
def judged(dataset):
    held_out = quarter(dataset.group) == 0
    fitted = fit(dataset, ~held_out, FitSettings(), {})
    said = forecast(dataset, ~held_out, fitted, 0.5)
    return held_out, fitted, said, report(dataset, held_out, said)["mlflow-table"]


def test_a_decision_is_a_launch_or_an_end(dataset):
    assert len(dataset.y) == 60 * 14
    assert (dataset.y < 0).sum() == 60
    assert len(dataset.node_y) == 60 * 13 * 3


def test_no_row_sees_what_it_predicts():
    whole = made_history(4, 10)
    cut = History(id="cut", source=whole.source, person="q", group="q", iterations=whole.iterations[:6])
    left, right = build([whole]), build([cut])
    np.testing.assert_array_equal(left.rows[:6], right.rows)
    np.testing.assert_array_equal(left.nodes[: 5 * 3], right.nodes)


def test_answers_of_the_fit_are_those_of_a_predictor_that_follows_the_history(dataset, judged):
    _, fitted, said, _ = judged
    history = made_history(0)
    predictor = TreePredictor(fitted.model)
    for position, record in enumerate(records_of(history)):
        if position:
            answer = predictor.predict(n_parameters=0)
            classes = said.classes[MODEL][position - 1]
            np.testing.assert_allclose(list(answer.classes.values()), classes, atol=1e-5)
            rows = dataset.node_decision == position - 1
            np.testing.assert_allclose(list(answer.touched.values()), said.nodes[MODEL][rows], atol=1e-5)
        predictor.observe(record)
    assert position == 13


def test_kinds_of_people_are_told_apart_within_a_few_edits(judged):
    _, _, _, figures = judged
    scores = figures["classes"]["iteration"]
    assert scores["gains"]["marginal"]["low"] > 0.3
    assert figures["nodes"]["iteration"]["gains"]["stage base rate"]["low"] > 0.25
    assert figures["classes"]["adapting"]["iteration"]["low"] > 0.3
    assert scores["scores"][MODEL]["ece"] < 0.1


def test_every_baseline_gives_probabilities(dataset):
    train = (quarter(dataset.group) != 0) & (dataset.y >= 0)
    weight = np.ones(len(dataset.y))
    for name, baseline in CLASS_BASELINES.items():
        if name in SLOW_BASELINES and importlib.util.find_spec("torch") is None:
            # The tests' environment has no torch, that of `make fit` has.
            continue
        chances = baseline(dataset, train, weight)
        np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-5, err_msg=name)
    rows = train[dataset.node_decision]
    for baseline in NODE_BASELINES.values():
        chances = baseline(dataset, rows, np.ones(len(rows)))
        assert ((chances > 0) & (chances < 1)).all()


def test_the_mixture_of_markov_people_learns_who_it_watches(dataset):
    train = (quarter(dataset.group) != 0) & (dataset.y >= 0)
    said = CLASS_BASELINES["mixture of Markov people"](dataset, train, np.ones(len(dataset.y)))
    late = (dataset.seen >= 5) & ~train & (dataset.y >= 0)
    early = (dataset.seen == 0) & ~train & (dataset.y >= 0)
    chance = said[np.arange(len(dataset.y)), dataset.y]
    assert chance[late].mean() > chance[early].mean() + 0.2


def test_held_out_people_give_no_values(dataset):
    train = quarter(dataset.group) == 1
    common = common_values(dataset, train)
    groups = set(dataset.group[train].tolist())
    without = common_values(dataset, train, without=next(iter(groups)))
    assert all(len(str(value)) <= 40 for pairs in common.values() for value, _ in pairs)
    assert set(common) <= {"depth"}
    assert set(without) <= {"depth"}


def test_a_group_lies_in_one_quarter_and_one_fold(dataset):
    for group in set(dataset.group.tolist()):
        own = dataset.group == group
        assert len(set(quarter(dataset.group[own]).tolist())) == 1
        assert len(set(fold_of(dataset.group[own], 3).tolist())) == 1


def test_kinds_of_models_are_compared_on_groups_that_they_did_not_see(dataset):
    seen = (quarter(dataset.group) != 0) & (dataset.y >= 0)

    def fitted_on_the_group(dataset, train, weight):
        return {"seen": np.isin(dataset.group, dataset.group[train]).astype(float)}

    said = across(dataset, [fitted_on_the_group, one_by_one({"marginal": marginal})], seen, nodes=False)
    assert list(said) == ["seen", "marginal"]
    assert not said["seen"].any()
    np.testing.assert_allclose(said["marginal"].sum(axis=1), 1)


def test_weights_make_groups_equal_or_iterations_equal():
    groups = np.array(["a"] * 9 + ["b"])
    even = weights(groups, 1.0)
    assert even[:9].sum() == pytest.approx(even[9:].sum())
    assert weights(groups, 0.0).tolist() == [1.0] * 10
    assert weights(groups, 0.5).mean() == pytest.approx(1)


def test_a_forecast_that_is_right_as_often_as_it_claims_has_no_calibration_error(rng):
    claimed = rng.random(20_000)
    error, bins = calibration(claimed, (rng.random(20_000) < claimed).astype(float), np.ones(20_000))
    assert error < 0.015
    assert len(bins) == 10
    off, _ = calibration(claimed, (rng.random(20_000) < claimed**3).astype(float), np.ones(20_000))
    assert off > 0.15


def test_equal_claims_share_a_bin():
    hit = np.array([1.0] * 50 + [0.0] * 50)
    error, bins = calibration(np.full(100, 0.5), hit, np.ones(100))
    assert error == pytest.approx(0)
    assert len(bins) == 1


def test_scores_of_a_known_forecast():
    chances = np.array([[0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4]])
    scores = class_scores(chances, np.array([0, 0]), np.ones(2))
    assert scores["log_loss"] == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    assert scores["top_1"] == 0.5
    assert scores["top_3"] == 0.5
    assert scores["brier"] == pytest.approx((0.09 + 0.04 + 0.01 + 0.81 + 0.04 + 0.09 + 0.16) / 2)


def test_an_interval_covers_no_gain_where_there_is_none(rng):
    groups = np.repeat([f"g{i}" for i in range(40)], 25)
    loss = rng.gamma(2.0, size=1000)
    same = bootstrap(loss, rng.permutation(loss), groups, np.ones(1000), rng)
    better = bootstrap(0.8 * loss, loss, groups, np.ones(1000), rng)
    assert same["low"] < 0 < same["high"]
    assert better["low"] == pytest.approx(0.2)
