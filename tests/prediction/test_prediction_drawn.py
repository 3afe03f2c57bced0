"""The tests that drawn histories are put to, and what they are held against."""

import numpy as np
import pytest
from made_histories import first, tuned

pytest.importorskip("sklearn")

from scipy.stats import ks_2samp

from experiments.prediction.generated import by_hand
from experiments.prediction.two_sample import by_groups, kolmogorov_smirnov, total_variation
from mile_rl.workflows.edits import ChangeClass


def test_without_loops_who_starts_the_same_loop_again_changes_nothing_and_returns_only_by_hand():
    launched = [
        first(1.0),
        tuned(1.0, 2.0, looped=True),
        tuned(2.0, 3.0, looped=True),
        tuned(3.0, 1.0, returns_to=2),
        tuned(1.0, 2.0, returns_to=3),
        tuned(2.0, 1.0, returns_to=1),
    ]
    kept = by_hand(launched)
    assert [record.change for record in kept[1:]] == [
        ChangeClass.NOTHING,
        ChangeClass.MODEL_PARAMETER,
        ChangeClass.RETURN,
    ]
    assert [record.returns_to for record in kept] == [None, None, None, 1]
    assert kept[1].edits == ()
    assert [edit.new for edit in kept[2].edits] == [2.0]


def test_weighted_distances_are_those_known(rng):
    left, right = rng.integers(0, 9, 40) / 2, rng.integers(2, 12, 60) / 2
    rows = np.concatenate([left, right])[:, None]
    sides = np.array([[1.0] * 40 + [0.0] * 60])
    assert kolmogorov_smirnov(rows, sides, 1 - sides)[0] == pytest.approx(ks_2samp(left, right).statistic)
    twice = np.concatenate([left, left])[:, None], np.array([[1.0] * 80]), np.array([[3.0] * 40 + [0.0] * 40])
    assert kolmogorov_smirnov(*twice)[0] == pytest.approx(0)
    counts = np.array([[3.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    assert total_variation(counts, np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 1.0]]))[0] == pytest.approx(
        0.5
    )


def test_what_one_large_group_does_is_no_difference_to_all_people_but_what_all_do_is(rng):
    groups = np.repeat([f"g{number}" for number in range(25)], [100] + [4] * 24)
    drawn = rng.normal(size=(len(groups), 1))
    odd = rng.normal(size=drawn.shape) + 1.0 * (groups == "g0")[:, None]
    alike = by_groups(kolmogorov_smirnov, odd, drawn, groups.tolist(), rng)
    assert ks_2samp(odd[:, 0], drawn[:, 0]).pvalue < 0.01
    assert alike["p_by_groups"] > 0.05
    shifted = by_groups(kolmogorov_smirnov, drawn + 1.0, drawn, groups.tolist(), rng)
    assert shifted["p_by_groups"] < 0.01
    assert 0 < shifted["between_people"]["median"] < shifted["between_people"]["high"] < shifted["distance"]
