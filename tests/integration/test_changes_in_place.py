"""Operators that change what they are given, directly or through something that shares its memory.

Whatever they do, every output must be what it would be if each operator had values of its own, in the first
run, in a reused one and with several jobs; and nothing wrong may be kept.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from mile_rl import op, workflow

pytestmark = pytest.mark.usefixtures("always_decide")
JOBS = pytest.mark.parametrize("jobs", [1, 4])


@op
def zeros(size=1000):
    return np.zeros(size)


@op
def whole_view(array):
    return array[:]


@op
def fill_sevens(array):
    array[:] = 7
    return float(array[0])


@op
def total(array, k=0):
    return float(array.sum()) + k


@JOBS
def test_a_change_through_a_view_of_another_node(desk, jobs):
    @workflow
    def flow(k=0):
        made = zeros()
        return fill_sevens(whole_view(made)), total(made, k), made

    for k in (0, 1, 0):
        done = desk.run(flow, k=k, jobs=jobs)
        assert done.outputs[:2] == (7.0, float(k))
        assert not done.outputs[2].any()


def test_what_is_spoilt_before_it_is_written_is_kept_when_it_is_made_again(desk, states):
    """The array still waits for its last reader when its view is changed, so it is not written yet."""

    @workflow
    def flow(k=0):
        made = zeros()
        return fill_sevens(whole_view(made)), total(made, k)

    (kept,) = [node.outputs[0].kept for node in desk.run(flow).report.nodes if node.operator == "zeros"]
    assert kept
    assert states(desk.run(flow, k=1))["zeros"] == "load"


@op
def zeros_beside_a_file():
    name = "".join(("la", "te"))
    if Path(name).exists():
        Path(name).read_text()
    return np.zeros(200_000)


@op
def fill_sevens_and_leave_a_file(values):
    Path("".join(("la", "te"))).write_text("here")
    values[:] = 7.0
    return float(values.sum())


def test_what_opens_another_file_when_it_is_made_again_is_decided_anew(desk, tmp_path, monkeypatch):
    """Its signature is another one than that under which it was decided to keep it."""
    monkeypatch.chdir(tmp_path)

    @workflow
    def flow(k=0):
        made = zeros_beside_a_file()
        return fill_sevens_and_leave_a_file(whole_view(made)), total(made, k)

    assert desk.run(flow).outputs == (7.0 * 200_000, 0.0)
    assert desk.run(flow, k=1).outputs == (7.0 * 200_000, 1.0)


@op(outputs=("array", "view"))
def array_and_view():
    made = np.zeros(1000)
    return made, made[:]


@JOBS
def test_a_change_through_another_output_of_the_same_node(desk, jobs):
    @workflow
    def flow(k=0):
        array, view = array_and_view()
        return fill_sevens(view), total(array, k), array

    for k in (0, 1, 0):
        done = desk.run(flow, k=k, jobs=jobs)
        assert done.outputs[:2] == (7.0, float(k))
        assert not done.outputs[2].any()


@JOBS
def test_a_change_while_the_shared_memory_is_being_written(desk, jobs, monkeypatch):
    """The array has no taker left when its view is changed, so it lies with the writer."""
    from mile_rl.store.store import Store

    begun, changed = threading.Event(), threading.Event()
    put = Store.put

    def slow_put(self: Store, signature: str, value: Any, **options: Any) -> Any:
        if isinstance(value, np.ndarray):
            begun.set()
            assert changed.wait(10)
        return put(self, signature, value, **options)

    @op
    def change_meanwhile(array):
        assert begun.wait(10)
        array[:] = 7
        changed.set()
        return float(array[0])

    monkeypatch.setattr(Store, "put", slow_put)
    # What only a test needs does not belong to the operator's code.
    change_meanwhile.version = "1"

    @workflow
    def flow():
        return change_meanwhile(whole_view(zeros()))

    @workflow
    def alone():
        return zeros()

    assert desk.run(flow, jobs=jobs).outputs == 7.0
    monkeypatch.setattr(Store, "put", put)
    assert not desk.run(alone).outputs.any()


@op
def nested_list():
    return [[0], [1]]


@op
def append_inside(rows):
    rows[0].append(5)
    return len(rows[0])


@op
def count_inside(rows, k=0):
    return sum(map(len, rows)) + k


@JOBS
def test_a_change_deep_inside_a_list(desk, jobs):
    @workflow
    def flow(k=0):
        rows = nested_list()
        return append_inside(rows), count_inside(rows, k), rows

    for k in (0, 10, 0):
        assert desk.run(flow, k=k, jobs=jobs).outputs == (2, 2 + k, [[0], [1]])


class Unpicklable:
    """Cannot be pickled, but changed."""

    def __init__(self) -> None:
        self.call = lambda: 1
        self.lock = threading.Lock()
        self.items = [0]


@op
def unpicklable():
    return Unpicklable()


@op
def append_item(box):
    box.items.append(1)
    return len(box.items)


@op
def count_items(box, k=0):
    return len(box.items) + k


def test_a_change_of_a_value_that_cannot_be_pickled(desk):
    @workflow
    def flow(k=0):
        box = unpicklable()
        return append_item(box), count_items(box, k)

    first = desk.run(flow)
    assert first.outputs == (2, 1)
    assert any("append_item changed its input" in note for note in first.report.notes)
    assert desk.run(flow, k=10).outputs == (2, 11)


@op
def frame():
    return pd.DataFrame({"a": [1.0, 2.0], "lists": [[1], [2]]})


@op
def rework(rows):
    rows["b"] = rows["a"] * 2
    del rows["a"]
    return list(rows.columns)


@op
def append_to_cell(rows):
    rows["lists"].iloc[0].append(9)
    return len(rows["lists"].iloc[0])


@op
def describe(rows, k=0):
    return list(rows.columns), [list(cell) for cell in rows["lists"]], k


@JOBS
def test_changes_of_a_frame_and_of_the_lists_in_its_cells(desk, jobs):
    @workflow
    def flow(k=0):
        rows = frame()
        return rework(rows), append_to_cell(rows), describe(rows, k)

    for k in (0, 1, 0):
        outputs = desk.run(flow, k=k, jobs=jobs).outputs
        assert outputs == (["lists", "b"], 2, (["a", "lists"], [[1], [2]], k))


@op
def fitted():
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(random_state=0).fit([[0.0], [1.0]], [0, 1])


@op
def fit_more(model):
    for _ in range(20):
        model.partial_fit([[5.0], [-5.0]], [0, 1])
    return model.coef_.tolist()


@op
def coefficients(model, k=0):
    return model.coef_.tolist(), k


@JOBS
def test_a_model_that_is_fitted_further_in_place(desk, jobs):
    @workflow
    def flow(k=0):
        model = fitted()
        return fit_more(model), coefficients(model, k)

    before = fitted().coef_.tolist()
    more = fit_more(fitted())
    assert more != before
    for k in (0, 1, 0):
        assert desk.run(flow, k=k, jobs=jobs).outputs == (more, (before, k))


def test_a_loaded_array_that_is_changed_in_place_stays_as_it_is_in_the_store(desk, states):
    @workflow
    def first():
        return zeros()

    @workflow
    def second():
        made = zeros()
        return fill_sevens(made), total(made)

    desk.run(first)
    done = desk.run(second)
    assert states(done)["zeros"] in ("load", "compute")
    assert done.outputs == (7.0, 0.0)
    again = desk.run(first)
    assert states(again) == {"zeros": "load"}
    assert not again.outputs.any()


@op
def returns_what_it_was_given(array):
    array[0] = 1
    return array


@JOBS
def test_an_operator_that_changes_its_input_and_returns_it(desk, jobs):
    @workflow
    def flow(k=0):
        made = zeros()
        marked = returns_what_it_was_given(made)
        return total(made, k), total(marked, k), marked

    for k in (0, 1, 0):
        outputs = desk.run(flow, k=k, jobs=jobs).outputs
        assert outputs[:2] == (k, k + 1)
        assert outputs[2].sum() == 1


@op
def fail_after_changing(array):
    array[:] = 7
    raise ValueError("after the change")


def test_what_a_failing_operator_changed_is_not_kept(desk):
    from mile_rl import OperatorFailed

    @workflow
    def flow():
        made = zeros()
        return fail_after_changing(whole_view(made)), total(made)

    @workflow
    def alone():
        return zeros()

    with pytest.raises(OperatorFailed, match="after the change"):
        desk.run(flow)
    assert not desk.run(alone).outputs.any()


@op
def constant_argument(rows, seen):
    seen.append(len(seen))
    return len(seen) + rows


def test_arguments_and_defaults_are_given_out_unchanged_each_time(desk):
    @op
    def default_argument(rows, seen=[]):  # noqa: B006 - that is the point
        seen.append(rows)
        return len(seen)

    @workflow
    def flow():
        given = [0]
        first = constant_argument(1, given)
        return first, constant_argument(2, given), given

    outputs = desk.run(flow).outputs
    assert outputs == (3, 4, [0])
    assert desk.run(flow).outputs == outputs

    @workflow
    def defaults():
        return default_argument(1)

    assert desk.run(defaults).outputs == 1


@op
def laid_over(array):
    return pd.DataFrame(array.reshape(-1, 2), columns=["x", "y"], copy=False)


@op(outputs=("array", "frame"))
def array_and_frame():
    array = np.zeros((500, 2))
    return array, pd.DataFrame(array, copy=False)


@op
def frame_total(rows, k=0):
    return float(rows.to_numpy().sum()) + k


@JOBS
def test_a_change_beneath_a_frame_that_was_laid_over_an_array(desk, jobs):
    @workflow
    def flow(k=0):
        array = zeros()
        rows = laid_over(array)
        other, beside = array_and_frame()
        return fill_sevens(array), fill_sevens_of(other), frame_total(rows, k), frame_total(beside, k), rows

    for k in (0, 1, 0, 2):
        outputs = desk.run(flow, k=k, jobs=jobs).outputs
        assert outputs[:4] == (7.0, 7.0, k, k)
        assert not outputs[4].to_numpy().any()


@op
def fill_sevens_of(array):
    array[:] = 7
    return float(array[0, 0])


@op(outputs=("whole", "part"))
def whole_and_part():
    made = np.zeros(1000)
    return made, made[:10]


@op(outputs=("rows", "table"))
def rows_and_table():
    rows = [1, 2]
    return rows, {"rows": rows}


@op
def change_one_read_other(one, other, k=0):
    if isinstance(one, list):
        one.append(k)
        return len(other["rows"])
    one[:] = 7
    return float(other.sum()) + k


@JOBS
@pytest.mark.parametrize(("make", "alone"), [(whole_and_part, 0.0), (rows_and_table, 2)])
def test_one_input_changed_through_another_reads_as_if_each_were_loaded(desk, jobs, make, alone):
    @workflow
    def flow(k=0):
        one, other = make()
        return change_one_read_other(one, other, k)

    for k in (0, 1, 0):
        expected = alone + k if make is whole_and_part else alone
        assert desk.run(flow, k=k, jobs=jobs).outputs == expected


class Own(BaseEstimator):
    def __init__(self):
        self._bias = 1


@op
def own_estimator():
    return Own()


@op
def shift(model):
    model._bias += 5
    return 1


@op
def bias(model, after=None):
    return model._bias


@JOBS
def test_a_private_attribute_of_an_own_estimator(desk, jobs):
    @workflow
    def both():
        model = own_estimator()
        return bias(model, shift(model))

    @workflow
    def alone():
        return bias(own_estimator())

    assert desk.run(both, jobs=jobs).outputs == 1
    assert desk.run(alone, jobs=jobs).outputs == 1


@op
def unmasked():
    return np.ma.MaskedArray([1.0, 2.0])


@op
def mask_one(array):
    array[0] = np.ma.masked
    return 1


@op
def count_of(array, after=None, k=0):
    return int(array.count()) + k


@JOBS
def test_a_mask_set_on_an_array(desk, jobs):
    @workflow
    def flow(k=0):
        made = unmasked()
        return count_of(made, mask_one(made), k)

    for k in (0, 1, 0):
        assert desk.run(flow, k=k, jobs=jobs).outputs == 2 + k


@op
def masked():
    return np.ma.MaskedArray([1.0, 2.0], mask=[True, False])


def test_a_masked_array_is_kept(desk):
    @workflow
    def flow():
        return masked()

    desk.run(flow)
    done = desk.run(flow)
    assert done.report.nodes[0].state == "load"
    assert done.outputs.tolist() == [None, 2.0]
