"""Measuring is resumable, bounded and honest; fitting and comparing run on what it wrote."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from envs.costs import CostError, CostModel, Shape
from envs.costs.outputs import RULES
from experiments.calibrate_costs import main
from experiments.costs.campaign import Campaign, Guess, read, run
from experiments.costs.datasets import Dataset
from experiments.costs.grid import Point, points
from experiments.costs.measure import Shelf, as_text, least_ns, measure
from experiments.costs.oboe import compare, table
from experiments.costs.registry import SPECS
from experiments.costs.table import merged, read_table, write_table

TWO = ["standard_scaler", "filter_rows"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The measurements of a quick run over two operators."""
    path = tmp_path_factory.mktemp("costs") / "measured.jsonl"
    assert main(["measure", "--quick", "--operators", *TWO, "--out", str(path)]) == 0
    return path


class TestMeasure:
    def test_a_quick_run_measures_every_point_of_its_operators(self, quick):
        wanted = {(name, p.shape, p.held_out) for name in TWO for p in points(SPECS[name], quick=True)}
        rows = read(quick)
        found = {
            (r.operator, Shape(rows=r.rows, columns=r.columns, density=r.density), bool(r.held_out))
            for r in rows
        }
        assert found == wanted

    def test_a_second_run_measures_nothing_again(self, quick):
        before = quick.read_bytes()
        assert main(["measure", "--quick", "--operators", *TWO, "--out", str(quick)]) == 0
        assert quick.read_bytes() == before

    def test_a_run_goes_on_where_one_was_stopped(self, quick, tmp_path):
        path = tmp_path / "part.jsonl"
        lines = quick.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:5]))
        specs = [SPECS[name] for name in TWO]
        rows = run(specs, Campaign(out=path, quick=True), lambda done, total, note: None)
        assert len(rows) == len(lines)
        assert path.read_text().startswith("".join(lines[:5]))

    def test_what_would_take_too_long_is_left_out(self, tmp_path):
        campaign = Campaign(out=tmp_path / "m.jsonl", quick=True, cap_ns=1)
        rows = run([SPECS["standard_scaler"]], campaign, lambda done, total, note: None)
        assert len(rows) == 1

    def test_nothing_begins_once_the_time_is_spent(self, tmp_path):
        campaign = Campaign(out=tmp_path / "m.jsonl", quick=True, budget_ns=-1)
        assert run([SPECS["standard_scaler"]], campaign, lambda done, total, note: None) == []

    def test_an_unknown_operator_ends_with_advice(self, tmp_path, capsys):
        assert main(["measure", "--operators", "standart_scaler", "--out", str(tmp_path / "m")]) == 1
        assert "'standard_scaler'" in capsys.readouterr().err

    def test_bytes_are_those_of_the_store(self, tmp_path):
        shape = Shape(rows=300, columns=4)
        shelf = Shelf(tmp_path)
        spec = SPECS["standard_scaler"]
        row = measure(spec, shape, {}, Dataset(shape, {}, tmp_path), shelf, held_out=False)
        shelf.close()
        assert row.output_kind == "array"
        assert row.output_bytes == 300 * 4 * 8 + 128
        assert row.model_kind == "estimator"
        assert 100 < row.model_bytes < 5000

    def test_the_least_of_the_repeats_counts_on_the_clock_given(self):
        ticks = iter(
            [0, 50, 100, 107, *(time for start in range(200, 2200, 100) for time in (start, start + 30))]
        )
        assert least_ns(lambda: "done", lambda: next(ticks)) == (7, "done")

    def test_long_work_is_not_repeated(self):
        ticks = iter([0, 10**9])
        assert least_ns(lambda: 1, lambda: next(ticks)) == (10**9, 1)


class TestGuess:
    def test_it_foresees_the_growth_of_a_quadratic_operator(self, quick):
        spec = SPECS["svc"]
        defaults = {name: values[0] for name, values in spec.info.parameters.items()}
        guess = Guess([])
        row = read(quick)[0]
        for rows in (100, 300, 1000, 3000):
            point = Point(spec=spec, shape=Shape(rows=rows, columns=10), parameters=defaults, held_out=False)
            took = 10 * rows**2
            guess.learn(
                point, replace(row, operator="svc", rows=rows, fit_ns=took, apply_ns=1, output_rows=rows)
            )
        far = Point(spec=spec, shape=Shape(rows=30_000, columns=10), parameters=defaults, held_out=False)
        assert 10 * 30_000**2 / 3 < guess.ns(far) < 10 * 30_000**2 * 3


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_operator_runs_and_its_output_has_the_shape_of_its_rule(name, tmp_path):
    spec = SPECS[name]
    point = points(spec, quick=True)[0]
    data = Dataset(point.shape, {key: point.parameters[key] for key in spec.info.of_data}, tmp_path)
    shelf = Shelf(tmp_path)
    row = measure(spec, point.shape, point.parameters, data, shelf, held_out=False)
    shelf.close()
    assert (row.fit_ns > 0) == spec.info.fits
    if spec.output in RULES and name != "confusion_matrix":
        said = RULES[spec.output](point.shape, point.parameters)
        assert (row.output_rows, row.output_columns) == pytest.approx((said.rows, said.columns), rel=0.1)


class TestDataset:
    def test_it_is_the_same_each_time(self, tmp_path):
        shape = Shape(rows=50, columns=7)
        first, second = (Dataset(shape, {"words": 5}, tmp_path) for _ in range(2))
        assert np.array_equal(first.x, second.x)
        assert (
            Dataset(shape, {"words": 5}, tmp_path).documents
            == Dataset(shape, {"words": 5}, tmp_path).documents
        )

    def test_classes_are_as_many_as_asked_and_about_even(self, tmp_path):
        data = Dataset(Shape(rows=2000, columns=5), {"n_classes": 4}, tmp_path)
        assert np.bincount(data.y).tolist() == pytest.approx([500] * 4, rel=0.15)

    def test_sparse_matrices_have_the_density_asked_for(self, tmp_path):
        x = Dataset(Shape(rows=500, columns=200, density=0.05), {}, tmp_path).x
        assert x.nnz / (500 * 200) == pytest.approx(0.05, rel=0.1)
        assert x.has_sorted_indices


class TestFitCommand:
    def test_it_writes_a_table_and_a_model_that_agree(self, quick, tmp_path):
        assert main(["fit", "--measured", str(quick), "--out", str(tmp_path)]) == 0
        model = CostModel.load(tmp_path / "model.json")
        assert model.operators.keys() == set(TWO)
        rows = read_table(tmp_path / "table.csv")
        assert sorted(map(repr, rows)) == sorted(map(repr, read(quick)))
        trained = [row for row in rows if row.operator == "standard_scaler" and not row.held_out]
        errors = [
            abs(
                model.cost("standard_scaler", Shape(rows=r.rows, columns=r.columns)).output_bytes
                / r.output_bytes
                - 1
            )
            for r in trained
        ]
        assert np.median(errors) < 0.05

    def test_it_fits_the_table_again_to_the_same_model(self, quick, tmp_path):
        main(["fit", "--measured", str(quick), "--out", str(tmp_path)])
        first = json.loads((tmp_path / "model.json").read_text())
        assert main(["fit", "--out", str(tmp_path)]) == 0
        again = json.loads((tmp_path / "model.json").read_text())
        assert (
            again["operators"]["standard_scaler"]["features"]
            == first["operators"]["standard_scaler"]["features"]
        )
        for target in ("fit_ns", "apply_ns", "output_bytes"):
            assert again["facts"]["held_out"][target] == pytest.approx(
                first["facts"]["held_out"][target], abs=0.02
            )

    def test_nothing_to_fit_is_told(self, tmp_path, capsys):
        assert main(["fit", "--measured", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
        assert "calibrate_costs measure" in capsys.readouterr().err

    def test_a_table_of_other_columns_is_refused(self, tmp_path):
        (tmp_path / "table.csv").write_text("a,b\n1,2\n")
        with pytest.raises(CostError, match="other columns"):
            read_table(tmp_path / "table.csv")

    def test_a_table_comes_back(self, quick, tmp_path):
        rows = read(quick)
        write_table(rows, tmp_path / "t.csv")
        assert {as_text({"r": repr(row)}) for row in read_table(tmp_path / "t.csv")} == {
            as_text({"r": repr(row)}) for row in rows
        }

    def test_of_several_campaigns_the_least_times_count(self, quick):
        rows = read(quick)
        slower = [replace(row, fit_ns=2 * row.fit_ns, apply_ns=row.apply_ns // 2) for row in rows[:-1]]
        both = merged([slower, rows])
        assert len(both) == len(rows)
        assert [row.fit_ns for row in both] == [row.fit_ns for row in rows]
        assert [row.apply_ns for row in both[:-1]] == [row.apply_ns // 2 for row in rows[:-1]]


class TestCompare:
    CONFIGURATIONS = (
        {"algorithm": "KNN", "hyperparameters": {"n_neighbors": 5, "p": 2}},
        {"algorithm": "DT", "hyperparameters": {"min_samples_split": 0.01}},
    )

    def write(self, folder, seconds):
        """Write public runtimes: seconds as a function of rows, for datasets 1 to 9."""
        sizes = {number: (100 * number, 10) for number in range(1, 10)}
        with (folder / "oboe_dataset_sizes.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["", 0, 1], *([n, *size] for n, size in sizes.items())])
        with gzip.open(folder / "oboe_runtime_matrix.csv.gz", "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["", *map(str, self.CONFIGURATIONS)])
            for number, (rows, _) in sizes.items():
                writer.writerow([f"{number:05d}", seconds(rows), seconds(rows) if number > 1 else ""])

    def test_the_same_order_is_full_agreement(self, tmp_path):
        self.write(tmp_path, lambda rows: rows / 1000)
        knn, tree, pooled = compare(tmp_path, CostModel.load())
        assert (knn.rank_correlation, tree.rank_correlation) == pytest.approx((1, 1))
        assert (knn.pairs, tree.pairs, pooled.pairs) == (9, 8, 17)
        assert "| KNN | k_neighbors_classifier | 9 | 1.00 |" in table([knn, tree, pooled])

    def test_the_opposite_order_is_full_disagreement(self, tmp_path):
        self.write(tmp_path, lambda rows: 1000 / rows)
        assert compare(tmp_path, CostModel.load())[0].rank_correlation == pytest.approx(-1)

    def test_a_folder_without_runtimes_is_told(self, tmp_path, capsys):
        assert main(["compare", "--oboe", str(tmp_path)]) == 1
        assert "--oboe" in capsys.readouterr().err
