import json

import numpy as np
import pytest

from experiments.prediction.grow import TreeSettings, grow, to_forest
from mile_rl.prediction.trees import Forest, sigmoid, softmax

SETTINGS = TreeSettings(rounds=12, rate=0.2, leaves=6, min_rows=5, l2=1.0, feature_share=1.0)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_arrays_answer_as_scikit_learn_does(n_classes, rng):
    rows = rng.normal(size=(400, 5))
    y = (rows[:, 0] * 2 + rows[:, 1] > rng.normal(size=400)).astype(int) + (n_classes == 4) * (
        rows[:, 2] > 0
    ) * 2
    fitted = grow(rows, y, np.ones(400), SETTINGS, seed=0)
    forest = to_forest(fitted, n_classes)
    fresh = rng.normal(size=(100, 5))
    expected = fitted.predict_proba(fresh)
    if n_classes == 2:
        np.testing.assert_allclose(sigmoid(forest.raw(fresh))[:, 0], expected[:, 1], atol=1e-7)
    else:
        np.testing.assert_allclose(softmax(forest.raw(fresh)), expected, atol=1e-7)


def test_a_class_that_never_occurred_is_all_but_impossible_and_shifts_no_other(rng):
    rows = rng.normal(size=(300, 3))
    y = np.where(rows[:, 0] > 0, 4, np.where(rows[:, 1] > 0, 1, 2))
    fitted = grow(rows, y, np.ones(300), SETTINGS, seed=0)
    chances = softmax(to_forest(fitted, 6).raw(rows[:20]))
    assert chances[:, [0, 3, 5]].max() < 1e-3
    np.testing.assert_allclose(chances[:, [1, 2, 4]], fitted.predict_proba(rows[:20]), atol=2e-3)


def test_two_of_many_classes_are_scored_against_each_other(rng):
    rows = rng.normal(size=(300, 3))
    fitted = grow(rows, np.where(rows[:, 0] > 0, 4, 1), np.ones(300), SETTINGS, seed=0)
    chances = softmax(to_forest(fitted, 6).raw(rows[:20]))
    np.testing.assert_allclose(chances[:, [1, 4]], fitted.predict_proba(rows[:20]), atol=1e-4)


def test_json_keeps_the_answer(rng):
    rows = rng.normal(size=(300, 4))
    fitted = grow(rows, (rows[:, 3] > 0).astype(int), np.ones(300), SETTINGS, seed=0)
    forest = to_forest(fitted, 2)
    again = Forest.from_json(json.loads(json.dumps(forest.to_json())))
    np.testing.assert_allclose(again.raw(rows), forest.raw(rows), atol=1e-4)


def test_a_value_on_a_threshold_goes_left():
    forest = Forest(
        feature=np.array([0, 0, 0]),
        threshold=np.array([1.5, np.inf, np.inf]),
        children=np.array([[1, 2], [1, 1], [2, 2]]),
        value=np.array([0.0, -3.0, 4.0]),
        roots=np.array([[0]]),
        baseline=np.array([10.0]),
    )
    assert forest.raw(np.array([[1.5], [1.6], [-9.0]])).ravel().tolist() == [7.0, 14.0, 7.0]
