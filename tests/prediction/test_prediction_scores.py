"""Intervals of the scores."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from experiments.prediction.scores import calibration, calibration_interval, ratio

RNG = 5


def test_the_interval_of_a_calibrated_forecast_lies_near_zero_and_that_of_a_boaster_does_not():
    rng = np.random.default_rng(RNG)
    groups = np.repeat([f"g{i}" for i in range(40)], 100)
    claimed = rng.uniform(0.1, 0.9, len(groups))
    came = (rng.random(len(groups)) < claimed).astype(float)
    weight = np.ones(len(groups))
    honest = calibration_interval(claimed, came, weight, groups, rng)
    assert honest["ece"] == pytest.approx(calibration(claimed, came, weight)[0])
    assert honest["low"] <= honest["high"] < 0.06
    boast = calibration_interval(np.minimum(claimed + 0.2, 1.0), came, weight, groups, rng)
    assert boast["low"] > 0.1


def test_groups_that_disagree_widen_the_interval():
    rng = np.random.default_rng(RNG)
    claimed, weight = np.full(2_000, 0.5), np.ones(2_000)
    came = np.repeat([0.0, 1.0] * 10, 100)
    by_group = calibration_interval(claimed, came, weight, np.repeat([f"g{i}" for i in range(20)], 100), rng)
    mixed = calibration_interval(claimed, came, weight, np.tile([f"g{i}" for i in range(20)], 100), rng)
    assert by_group["high"] > 3 * mixed["high"] + 0.05


def test_twice_as_many_hits_is_a_ratio_of_two():
    rng = np.random.default_rng(RNG)
    groups = np.repeat([f"g{i}" for i in range(10)], 10)
    ours, theirs = np.tile([1.0, 1.0, 0.0, 0.0, 0.0], 20), np.tile([1.0, 0.0, 0.0, 0.0, 0.0], 20)
    times = ratio(ours, theirs, groups, np.ones(100), rng)
    assert times["times"] == pytest.approx(2.0)
    assert times["low"] <= 2.0 <= times["high"]
