import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from experiments.prediction.grow import TreeSettings, centred, draw_choice, draw_line, fit_part
from mile_rl.prediction.linear import LIMIT, REACH, Linear
from mile_rl.prediction.trees import sigmoid, softmax

SETTINGS = TreeSettings(rounds=8, rate=0.2, leaves=4, min_rows=5, l2=1.0, feature_share=1.0)


@pytest.fixture
def rows(rng):
    return rng.normal(size=(400, 4)) * [1.0, 100.0, 0.01, 1.0] + [0.0, 5.0, 0.0, 3.0]


def test_a_line_answers_as_scikit_learn_does_on_standardised_features(rows, rng):
    y = (rows[:, 0] + rows[:, 1] / 100 > rng.normal(size=400)).astype(int)
    line = draw_line(rows, y, np.ones(400), 0.1, 2)
    scaled = np.clip((rows - rows.mean(axis=0)) / rows.std(axis=0), -REACH, REACH)
    expected = LogisticRegression(C=0.1).fit(scaled, y).predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(sigmoid(line.raw(rows))[:, 0], expected, atol=1e-3)


def test_classes_that_never_occurred_are_all_but_impossible(rows):
    for labels in ((1, 4), (0, 1, 4)):
        y = np.take(labels, np.digitize(rows[:, 0], [0.0, 0.5][: len(labels) - 1]))
        line = draw_line(rows, y, np.ones(400), 1.0, 6)
        chances = softmax(line.raw(rows))
        assert chances[:, [2, 3, 5]].max() < 0.02
        assert (chances.argmax(axis=1) == y).mean() > 0.8


def test_a_line_is_cut_off_far_from_all_that_was_seen():
    line = Linear(
        mean=np.array([10.0, 0.0]),
        spread=np.array([2.0, 1.0]),
        weights=np.array([[1.0], [3.0]]),
        bias=np.zeros(1),
    )
    far = line.raw(np.array([[1e9, 0.0], [12.0, 0.0], [-1e9, 0.0], [1e9, 1e9]]))
    assert far.ravel().tolist() == [REACH, 1.0, -REACH, LIMIT]


def test_json_keeps_the_answer(rows):
    line = draw_line(rows, (rows[:, 0] > 0).astype(int), np.ones(400), 0.1, 2)
    again = Linear.from_json(json.loads(json.dumps(line.to_json())))
    np.testing.assert_allclose(again.raw(rows), line.raw(rows), rtol=1e-4)


def test_a_blend_has_the_geometric_mean_of_both_odds(rows):
    y = (rows[:, 0] > 0).astype(int)
    both = fit_part(rows, y, np.ones(400), SETTINGS, 0, ridge=0.1)
    trees = fit_part(rows, y, np.ones(400), SETTINGS, 0)
    odds = both.chances(rows) / (1 - both.chances(rows))
    ones = trees.chances(rows) / (1 - trees.chances(rows)) * np.exp(both.line.raw(rows)[:, 0])
    np.testing.assert_allclose(odds, np.sqrt(ones), rtol=1e-6)


def test_a_choice_ranks_what_is_chosen_first_and_asks_nobody_who_chose_nothing(rng):
    owner = np.repeat(np.arange(80), 5)
    rows = rng.normal(size=(400, 3)) * [1.0, 50.0, 1.0] + owner[:, None]
    hit = np.zeros(400, dtype=int)
    best = rows[:, 1].reshape(80, 5).argmax(axis=1)
    hit[5 * np.arange(80) + best] = 1
    hit[owner >= 60] = 0
    line = draw_choice(rows, hit, np.ones(400), owner, 0.01)
    scores = line.raw(rows).reshape(80, 5)
    assert (scores.argmax(axis=1) == best).mean() > 0.9
    again = draw_choice(rows[:300], hit[:300], np.ones(300), owner[:300], 0.01)
    scores = again.raw(rows).reshape(80, 5)
    assert (scores.argmax(axis=1) == best).mean() > 0.9


def test_a_centred_line_expects_as_many_hits_as_there_are(rows, rng):
    hit = (rng.random(400) < 0.1).astype(int)
    line = draw_line(rows, (rows[:, 0] > 0).astype(int), np.ones(400), 0.1, 2)
    line = replace(line, bias=line.bias + 30)
    trees = rng.normal(size=400)
    moved = centred(line, trees, rows, hit, np.ones(400))
    assert sigmoid((trees + moved.raw(rows)[:, 0]) / 2).mean() == pytest.approx(hit.mean(), abs=1e-3)
