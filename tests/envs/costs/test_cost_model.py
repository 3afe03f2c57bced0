"""The shipped cost model answers as its table says, and refuses what it cannot know."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.costs import CostError, CostModel, Shape, UnknownOperator
from envs.costs.model import SHIPPED, TABLE
from envs.costs.outputs import RULES
from experiments.costs.model_file import judge
from experiments.costs.table import parameters_of, read_table

MODEL = CostModel.load()
ROWS = read_table(TABLE)
ENTRIES = json.loads(SHIPPED.read_text())["operators"]
BAR = 0.25
"""Median relative error on held-out shapes: what the issue asks for."""


def shape_of(row):
    return Shape(rows=row.rows, columns=row.columns, density=row.density)


class TestFigures:
    @pytest.mark.parametrize("target", ["fit_ns", "apply_ns", "output_bytes", "model_bytes", "codec_ns"])
    def test_median_error_on_held_out_shapes_is_within_the_bar(self, target):
        assert judge(MODEL, ROWS)["pooled"][target]["median"] <= BAR

    def test_nearly_every_operator_is_within_the_bar_by_itself(self):
        own = judge(MODEL, ROWS)["operators"]
        medians = [figure for errors in own.values() for name, figure in errors.items() if "_" in name]
        assert sum(figure <= BAR for figure in medians) >= 0.9 * len(medians)
        assert max(medians) <= 1.0

    def test_the_file_tells_the_errors_that_it_has(self):
        said = MODEL.facts["held_out"]
        found = judge(MODEL, ROWS)["pooled"]
        for target, figures in found.items():
            assert said[target] == pytest.approx(figures, rel=1e-2, abs=1e-3)

    def test_a_model_that_is_off_by_two_would_not_pass(self):
        data = json.loads(SHIPPED.read_text())
        for entry in data["operators"].values():
            for fitted in entry["targets"].values():
                fitted["overhead"] += 0.7
                for term in fitted["terms"]:
                    term[0] += 0.7
        wrong = judge(CostModel(data), ROWS)["pooled"]
        assert min(wrong[target]["median"] for target in ("fit_ns", "apply_ns", "output_bytes")) > BAR

    def test_held_out_shapes_were_not_fitted_on(self):
        parts = defaultdict(set)
        for row in ROWS:
            parts[row.operator, row.held_out].add(shape_of(row))
        for (operator, held_out), shapes in parts.items():
            assert not (held_out and shapes & parts[operator, 0])


class TestTable:
    def test_it_has_every_family_that_workflows_are_made_of(self):
        families = Counter(info.family for info in MODEL.operators.values())
        assert len(MODEL.operators) >= 60
        wanted = (
            "imputer scaler encoder selection decomposition text features clustering linear bayes tree forest"
        )
        wanted += " boosting neighbours svm mlp read join group filter split metric"
        assert families.keys() == set(wanted.split())

    def test_every_operator_was_measured_on_enough_shapes(self):
        shapes = defaultdict(set)
        for row in ROWS:
            shapes[row.operator, row.held_out].add(shape_of(row))
        assert {name for name, _ in shapes} == MODEL.operators.keys()
        for name in MODEL.operators:
            assert len(shapes[name, 0]) >= 4, name
            assert len(shapes[name, 1]) >= 4, name

    def test_every_parameter_value_was_measured(self):
        seen = defaultdict(set)
        for row in ROWS:
            for name, value in parameters_of(row, MODEL.operators[row.operator]).items():
                seen[row.operator, name].add(value)
        for info in MODEL.operators.values():
            for name, values in info.parameters.items():
                assert seen[info.name, name] == set(values), (info.name, name)

    def test_it_spans_rows_columns_and_sparsity(self):
        assert {min(row.rows for row in ROWS), max(row.rows for row in ROWS)} == {100, 100_000}
        assert max(row.columns for row in ROWS if row.density == 1) == 100
        assert min(row.density for row in ROWS) < 0.01

    def test_times_and_bytes_are_those_of_real_work(self):
        for row in ROWS:
            info = MODEL.operators[row.operator]
            assert (row.fit_ns > 0) == (row.model_bytes > 0) == info.fits
            assert row.apply_ns > 0
            assert row.output_bytes > 0
            assert row.output_write_ns > 0
            assert row.output_load_ns > 0

    def test_output_rules_agree_with_what_came_out(self):
        for row in ROWS:
            info = MODEL.operators[row.operator]
            rule = ENTRIES[row.operator]["output"]
            if rule == "measured" or row.operator == "confusion_matrix":
                continue
            said = RULES[rule](shape_of(row), parameters_of(row, info))
            assert said.rows == pytest.approx(row.output_rows, rel=0.1), row
            assert said.columns == pytest.approx(row.output_columns, rel=0.1), row
            assert said.density == pytest.approx(row.output_density, rel=0.25), row


class TestCost:
    @given(st.data())
    def test_more_rows_never_cost_less(self, data):
        name = data.draw(st.sampled_from(sorted(MODEL.operators)))
        info = MODEL.operators[name]
        chosen = {key: data.draw(st.sampled_from(values)) for key, values in info.parameters.items()}
        columns = 1 if info.input in ("documents", "predictions") else data.draw(st.integers(1, 200))
        density = data.draw(st.sampled_from([1.0, 0.1, 0.01]))
        fewer = data.draw(st.integers(1, 200_000))
        more = fewer + data.draw(st.integers(1, 200_000))
        low, high = (
            MODEL.cost(name, Shape(rows=n, columns=columns, density=density), chosen) for n in (fewer, more)
        )
        assert low.fit_ns <= high.fit_ns
        assert low.apply_ns <= high.apply_ns
        assert low.output_bytes <= high.output_bytes
        assert low.model_bytes <= high.model_bytes

    def test_defaults_are_the_first_plausible_values(self):
        shape = Shape(rows=3000, columns=20)
        for info in MODEL.operators.values():
            first = {name: values[0] for name, values in info.parameters.items()}
            assert MODEL.cost(info.name, shape, first) == MODEL.cost(info.name, shape)

    def test_more_trees_cost_more_time_and_bytes(self):
        shape = Shape(rows=3000, columns=20)
        few, many = (MODEL.cost("random_forest_classifier", shape, {"n_estimators": n}) for n in (50, 200))
        assert 2.5 < many.fit_ns / few.fit_ns < 6
        assert 2.5 < many.model_bytes / few.model_bytes < 6

    def test_operators_can_be_chained_by_their_output_shapes(self):
        shape = Shape(rows=5000, columns=10)
        wide = MODEL.cost("one_hot_encoder", shape, {"cardinality": 10}).output
        assert (wide.rows, wide.columns) == (5000, 100)
        assert wide.density == pytest.approx(0.1)
        small = MODEL.cost("truncated_svd", wide, {"n_components": 20}).output
        assert small == Shape(rows=5000, columns=20)
        assert MODEL.cost("logistic_regression", small).output == Shape(rows=5000, columns=1)

    def test_an_operator_without_sparse_input_pays_for_every_cell(self):
        dense = Shape(rows=1000, columns=50)
        thin = Shape(rows=1000, columns=50, density=0.1)
        assert MODEL.cost("pca", thin) == MODEL.cost("pca", dense)
        assert MODEL.cost("truncated_svd", thin) != MODEL.cost("truncated_svd", dense)

    def test_a_choice_of_numbers_goes_to_the_nearest_that_was_measured(self):
        shape = Shape(rows=3000, columns=20)
        assert MODEL.cost("decision_tree_classifier", shape, {"max_depth": 7}) == MODEL.cost(
            "decision_tree_classifier", shape, {"max_depth": 8}
        )

    def test_larger_artifacts_take_longer(self):
        small, large = MODEL.codec_ns("array", 10_000), MODEL.codec_ns("array", 100_000_000)
        assert 0 < small[0] < large[0]
        assert 0 < small[1] < large[1]

    def test_every_kind_of_output_has_its_codec_times(self):
        for kind in {info.output_kind for info in MODEL.operators.values()} | {"estimator"}:
            assert min(MODEL.codec_ns(kind, 1000)) > 0


class TestRefusals:
    SHAPE = Shape(rows=100, columns=5)

    def test_an_unknown_operator_is_told_with_the_nearest_name_and_the_remedy(self):
        with pytest.raises(UnknownOperator, match=r"'standard_scaler'.*calibrate_costs measure"):
            MODEL.cost("standard_scalar", self.SHAPE)

    def test_an_unknown_parameter_is_told_with_the_known_ones(self):
        with pytest.raises(CostError, match=r"'penalty'.*C, max_iter"):
            MODEL.cost("logistic_regression", self.SHAPE, {"penalty": "l1"})

    def test_an_unmeasured_choice_is_told_with_the_measured_ones(self):
        with pytest.raises(CostError, match=r"'sigmoid'.*rbf"):
            MODEL.cost("svc", self.SHAPE, {"kernel": "sigmoid"})

    @pytest.mark.parametrize("value", [0, -1, None, "many"])
    def test_a_number_has_to_be_above_zero(self, value):
        with pytest.raises(CostError, match="above zero"):
            MODEL.cost("logistic_regression", self.SHAPE, {"C": value})

    def test_a_shape_has_rows_and_columns(self):
        for wrong in (
            {"rows": 0, "columns": 1},
            {"rows": 1, "columns": 0},
            {"rows": 1, "columns": 1, "density": 0},
        ):
            with pytest.raises(CostError, match="no shape"):
                Shape(**wrong)

    def test_an_unknown_codec_is_told_with_the_known_ones(self):
        with pytest.raises(CostError, match=r"array.*estimator"):
            MODEL.codec_ns("tape", 1)

    def test_another_version_is_refused(self):
        with pytest.raises(CostError, match="version 0"):
            CostModel({**json.loads(SHIPPED.read_text()), "version": 0})

    def test_a_file_that_is_no_model_is_refused(self, tmp_path):
        path = tmp_path / "model.json"
        with pytest.raises(CostError, match="calibrate_costs fit"):
            CostModel.load(path)
        path.write_text("{")
        with pytest.raises(CostError, match="no cost model"):
            CostModel.load(path)
        path.write_text('{"version": 1}')
        with pytest.raises(CostError, match="no cost model"):
            CostModel.load(path)


def test_loading_is_light():
    script = (
        "import sys; from envs.costs import CostModel, Shape; m = CostModel.load();"
        "m.cost('pca', Shape(rows=9, columns=9));"
        "print(sorted({'sklearn', 'pandas', 'scipy', 'networkx', 'sqlalchemy'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=SHIPPED.parents[2]
    )
    assert done.stdout.strip() == "[]", done.stderr
