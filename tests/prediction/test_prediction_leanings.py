"""Corrections of what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from made_histories import first, tuned, version
from made_people import made_history

pytest.importorskip("sklearn")

from experiments.prediction.generated import Walk, real_walks, walk_of, walks
from experiments.prediction.leanings import corrected, rates
from mile_rl.prediction.base import CLASSES, PastIteration
from mile_rl.prediction.leanings import BINS, Leanings, bin_of
from mile_rl.prediction.model import TreePredictor, shipped
from mile_rl.workflows.edits import ChangeClass

MODEL_PARAMETER = CLASSES.index(ChangeClass.MODEL_PARAMETER)


def leaning(**leanings):
    """Return the shipped model with other corrections."""
    model = shipped()
    both = {"run": Leanings(**leanings), "commit": Leanings()}
    return replace(model, tables=replace(model.tables, leanings=both))


def test_a_correction_moves_log_odds_and_is_kept_by_json():
    ends = tuple(float(number) for number in range(len(BINS)))
    own = Leanings(ends=ends, classes=(1.0,) + (0.0,) * 7)
    assert own.end(0.5, 0) == pytest.approx(0.5)
    assert own.end(0.2, 7) == pytest.approx(1 / (1 + 4 * np.exp(-4.0)))
    assert own.end(1.0, 2) == 1.0
    assert own.of_classes(np.full(8, 1 / 8))[:2] == pytest.approx([np.e / (np.e + 7), 1 / (np.e + 7)])
    assert Leanings.from_json(own.to_json()) == own
    assert [bin_of(number) for number in (0, 3, 4, 40, 41, 999)] == [0, 3, 3, 7, 8, 8]
    with pytest.raises(ValueError, match="1 bins"):
        Leanings(ends=(0.0,))


def test_what_is_drawn_follows_the_corrections_and_what_is_foreseen_does_not():
    said, drawn = [], []
    for model in (leaning(ends=(-30.0,) * len(BINS)), leaning(ends=(30.0,) * len(BINS))):
        predictor = TreePredictor(model)
        predictor.observe(first())
        said.append(predictor.predict(n_parameters=0))
        rng = np.random.default_rng(3)
        drawn.append([predictor.sample(rng) is None for _ in range(20)])
    assert said[0] == said[1]
    assert not any(drawn[0])
    assert all(drawn[1])


def test_rates_are_means_over_histories_and_a_history_cut_short_has_no_end():
    again = PastIteration(nodes=version(1.0), change=ChangeClass.NOTHING, version="C=1.0")
    one = walk_of("a", [first(), tuned(1.0, 2.0)])
    long = walk_of("b", [first(), *[again] * 200])
    found = rates([one, long] * 1_000)
    assert found.classes[MODEL_PARAMETER] == pytest.approx(0.5, abs=0.01)
    assert found.classes[0] == pytest.approx(0.5, abs=0.01)
    assert found.ends[1] == pytest.approx(0.5, abs=0.01)
    assert found.ends[[0, 8]] == pytest.approx(0, abs=0.01)


def test_drawn_histories_are_brought_to_the_lengths_and_changes_of_those_given():
    histories = [made_history(number, 9) for number in range(0, 40, 2)]
    model, rng = leaning(ends=(2.0,) * len(BINS)), np.random.default_rng(0)
    mended = corrected(model, histories, 0)
    real = rates([walk for walk, _, _ in real_walks(histories)])
    for each, near in ((model, False), (mended, True)):
        found = rates([drawn for _, _, drawn in walks(each, histories, rng)])
        assert (np.abs(found.ends - real.ends)[: bin_of(7)].max() < 0.15) == near
        assert (abs(found.classes[0] - real.classes[0]) < 0.1) == near


def test_a_walk_without_iterations_counts_as_one_that_ended_at_once():
    found = rates([Walk(group="a", changes=(), reuse=(), touched=(), nodes=1)] * 1_000)
    assert found.ends[0] == pytest.approx(1, abs=0.01)
