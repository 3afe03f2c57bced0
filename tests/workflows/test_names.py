"""Names of nodes: unique, for people, and steady while a workflow is edited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mile_rl.workflows.flow import Flow
from mile_rl.workflows.operator import op


@op
def read(path="a"):
    return path


@op
def scale(rows, by=1):
    return rows


@op
def fit(rows, C=1.0):
    return rows


@op(outputs=("train", "test"))
def split(rows):
    return rows, rows


def names(function):
    return [*Flow(function).capture().nodes]


def test_an_operator_used_once_lends_its_name():
    assert names(lambda: fit(scale(read()))) == ["read", "scale", "fit"]


def test_several_uses_are_told_by_the_variable():
    def flow():
        train = scale(read())
        test = scale(train)
        return train, test

    assert names(flow) == ["read", "scale[train]", "scale[test]"]


def test_without_a_variable_constants_tell_them():
    assert names(lambda: [fit(1, C=C) for C in (1, 10)]) == ["fit[rows=1,C=1]", "fit[rows=1,C=10]"]


def test_without_either_the_inputs_tell_them():
    def flow():
        train, test = split(read())
        return [scale(train), scale(test)]

    assert names(flow) == ["read", "split", "scale[split.train]", "scale[split.test]"]


def test_inserting_a_use_leaves_the_others():
    def before():
        rows = read()
        train = scale(rows, 1)
        test = scale(rows, 2)
        return fit(train), fit(test)

    def after():
        rows = read()
        extra = scale(rows, 3)
        train = scale(rows, 1)
        test = scale(rows, 2)
        return fit(train), fit(test), fit(extra)

    old, new = names(before), names(after)
    assert set(old) < set(new)
    assert set(new) - set(old) == {"scale[extra]", "fit[scale[extra]]"}


def test_long_nested_names_are_cut_but_still_told_apart():
    def flow():
        rows = read()
        for _ in range(30):
            rows = [scale(rows), scale(rows, 2)]
            rows = fit(rows[0])
        return rows

    found = names(flow)
    assert len(set(found)) == len(found)
    assert max(map(len, found)) < 90
    assert found == names(flow)


@given(
    st.lists(
        st.tuples(st.sampled_from([read, scale, fit]), st.integers(0, 3), st.integers(-1, 5)), min_size=1
    )
)
def test_names_are_unique_and_the_same_again(uses):
    def flow():
        made = []
        for operator, constant, parent in uses:
            source = made[parent % len(made)] if made and parent >= 0 else constant
            made.append(operator(source) if operator is read else operator(source, constant))
        return made

    found = names(flow)
    assert len(set(found)) == len(found) == len(uses)
    assert found == names(flow)
