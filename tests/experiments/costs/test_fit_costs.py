"""The fit finds sums of power laws again, and chooses among them by shapes it did not see."""

from __future__ import annotations

import numpy as np
import pytest

from envs.costs import CostError, Shape
from envs.costs.posynomial import Posynomial, features
from experiments.costs.fit import FOLDS, Sample, fit, fit_terms, log_values

TRUE = Posynomial(overhead=np.log(1e5), terms=((3.0, 1.0, 1.0), (-2.0, 1.0, 2.0)))


def sample(truth, noise=0.0, seed=0, shapes=48):
    rng = np.random.default_rng(seed)
    x = np.log(np.column_stack([10 ** rng.uniform(2, 5, shapes), 10 ** rng.uniform(0.5, 2, shapes)]))
    log_y = log_values(truth, x) + noise * rng.standard_normal(shapes)
    return Sample(names=("rows", "columns"), x=x, log_y=log_y, shape=np.arange(shapes))


def test_overhead_and_two_power_laws_are_found_again():
    fitted = fit_terms(sample(TRUE), 2)
    unseen = sample(TRUE, seed=1)
    assert np.abs(log_values(fitted, unseen.x) - unseen.log_y).max() < 0.05


def test_a_power_law_alone_gets_its_exponents():
    fitted = fit(sample(Posynomial(overhead=-50.0, terms=((0.5, 2.0, 1.0),)), noise=0.02))
    unseen = sample(Posynomial(overhead=-50.0, terms=((0.5, 2.0, 1.0),)), seed=1)
    assert np.abs(log_values(fitted, unseen.x) - unseen.log_y).max() < 0.1


def test_a_cubic_part_is_worth_a_second_term():
    assert len(fit(sample(TRUE, noise=0.02)).terms) >= 2


def test_one_outlier_does_not_move_the_rest():
    noisy = sample(TRUE, noise=0.02)
    noisy.log_y[7] += 3.0
    fitted = fit_terms(noisy, 2)
    unseen = sample(TRUE, seed=1)
    assert np.median(np.abs(log_values(fitted, unseen.x) - unseen.log_y)) < 0.1


def test_what_falls_with_the_rows_is_fitted_by_a_constant():
    falling = sample(Posynomial(overhead=-50.0, terms=((20.0, -1.0, 0.0),)))
    fitted = fit_terms(falling, 1)
    assert all(exponent >= 0 for term in fitted.terms for exponent in term[1:])


def test_few_shapes_get_one_term_only():
    few = sample(TRUE, shapes=2 * FOLDS - 1)
    assert len(fit(few).terms) == 1


def test_many_points_and_one_point_agree():
    unseen = sample(TRUE, seed=2)
    for row, log_y in zip(unseen.x, log_values(TRUE, unseen.x)):
        assert np.log(TRUE(row)) == pytest.approx(log_y)


def test_a_sum_comes_back_from_json():
    again = Posynomial.from_json(TRUE.to_json())
    assert again([5.0, 2.0]) == pytest.approx(TRUE([5.0, 2.0]), rel=1e-3)


def test_features_are_logarithms_and_marks():
    names = (
        "rows", "columns", "density", "sparse", "output_columns", "columns>15", "kernel=rbf", "C",
        "rows*columns>15", "rows*columns>30", "output_cells>299", "output_cells>300",
    )  # fmt: skip
    shape = Shape(rows=100, columns=20, density=0.5)
    found = features(names, shape, Shape(rows=100, columns=3), {"kernel": "rbf", "C": 10.0})
    logarithms = np.log([100, 20, 0.5, 3, 10, 100])
    assert found == pytest.approx([*logarithms[:3], 1, logarithms[3], 1, 1, *logarithms[4:], 0, 1, 0])
    with pytest.raises(CostError, match="above zero"):
        features(("C",), shape, None, {"C": 0.0})


@pytest.mark.parametrize(
    ("name", "parameters", "most"),
    [
        ("leaves", {"max_depth": None, "min_samples_leaf": 1}, 1000),
        ("leaves", {"max_depth": None, "min_samples_leaf": 20}, 50),
        ("leaves", {"max_depth": 4, "min_samples_leaf": 20}, 16),
        ("leaves", {"max_depth": 4, "min_samples_leaf": 5000}, 1),
        ("bins<rows/20", {"bins": 31}, 31),
        ("bins<rows/20", {"bins": 63}, 50),
    ],
)
def test_what_the_rows_bound_stays_within_them(name, parameters, most):
    shape = Shape(rows=1000, columns=5)
    assert np.exp(features((name,), shape, None, parameters)) == pytest.approx([most])
