"""People's own lines: what an answer teaches about the one who gave it."""

from dataclasses import replace

import numpy as np
from made_histories import first, tuned
from made_people import made_history

from experiments.prediction.dataset import build
from experiments.prediction.personal import class_chances
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.model import TreePredictor
from mile_rl.prediction.own import OwnLine
from mile_rl.prediction.own_features import NO_CLASSES, class_features
from mile_rl.prediction.trees import sigmoid, softmax


def test_who_does_what_the_model_denies_is_soon_believed(rng):
    line, features, scores = OwnLine.unknown(np.array([0.1])), np.ones((3, 1)), np.full(3, -2.0)
    chances = []
    for _ in range(30):
        chances.append(float(sigmoid(scores + line.shift(features))[0]))
        line = line.answered(features, scores, np.array([True, True, True]))
    assert np.all(np.diff(chances) > 0)
    assert chances[0] < 0.12
    assert chances[5] > 0.2
    assert chances[-1] > 0.6


def test_one_step_is_that_of_newton_from_the_prior(rng):
    first_variances = np.array([0.5, 0.2, 0.1])
    features, scores, hit = rng.normal(size=(4, 3)), rng.normal(size=4), np.array([True, False, True, True])
    line = OwnLine.unknown(first_variances).answered(features, scores, hit)
    chances, weight = sigmoid(scores), 0.5  # four answers at once count as two
    precision = (
        np.diag(1 / (1.02 * first_variances))
        + weight * (features * (chances * (1 - chances))[:, None]).T @ features
    )
    np.testing.assert_allclose(line.covariance, np.linalg.inv(precision), atol=1e-12)
    np.testing.assert_allclose(
        line.mean, np.linalg.inv(precision) @ features.T @ (weight * (hit - chances)), atol=1e-12
    )


def test_more_answers_than_features_teach_the_same_as_their_sum(rng):
    features, scores, hit = rng.normal(size=(50, 3)), rng.normal(size=50), rng.random(50) < 0.5
    line = OwnLine.unknown(np.full(3, 0.1)).answered(features, scores, hit)
    chances = sigmoid(scores)
    information = 50**-0.5 * (features * (chances * (1 - chances))[:, None]).T @ features
    np.testing.assert_allclose(line.covariance, np.linalg.inv(np.eye(3) / 0.102 + information), atol=1e-8)


def test_a_class_that_occurs_becomes_likelier(rng):
    row, scores = np.zeros(200), rng.normal(size=8)
    features = class_features(row, scores)
    after = softmax(scores + NO_CLASSES.chosen(features, scores, 3).shift(features))
    assert after[3] > softmax(scores)[3]
    assert abs(after.sum() - 1) < 1e-12


def test_a_graph_without_nodes_teaches_nothing():
    line = OwnLine.unknown(np.ones(2))
    assert line.answered(np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype=bool)) is line


def test_what_a_loop_launched_teaches_nothing_of_the_person():
    memory = PersonMemory()
    predictor = TreePredictor(memory=memory)
    predictor.observe(first(1.0))
    predictor.observe(replace(tuned(1.0, 2.0), looped=True))
    assert not memory.own
    predictor.observe(tuned(2.0, 3.0))
    assert set(memory.own) == {"classes", "touched"}


def test_who_is_drawn_has_no_line_of_their_own():
    memory = PersonMemory()
    predictor = TreePredictor(memory=memory, learns=False).fork()
    predictor.observe(first(1.0))
    predictor.observe(tuned(1.0, 2.0))
    assert not predictor.state.memory.own


def test_a_forked_memory_learns_on_its_own():
    memory = PersonMemory()
    predictor = TreePredictor(memory=memory)
    predictor.observe(first(1.0))
    predictor.observe(tuned(1.0, 2.0))
    known, fork = dict(memory.own), predictor.fork()
    fork.observe(tuned(2.0, 3.0))
    assert memory.own == known
    assert fork.state.memory.own["classes"] is not known["classes"]


def test_what_one_commit_did_elsewhere_is_not_known_before_it():
    together = [replace(made_history(0), id=name, person="p", group="p") for name in ("a", "b")]
    dataset = build(together)
    scores = np.zeros((len(dataset.y), 8))
    chances = class_chances(dataset, scores)
    start = dataset.at == dataset.at.min()
    assert start.sum() == 2
    np.testing.assert_allclose(chances[start], 1 / 8)
    assert not np.allclose(chances[~start & (dataset.y >= 0)], 1 / 8)
