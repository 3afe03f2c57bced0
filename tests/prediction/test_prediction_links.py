"""Links between nodes as lists: equal to what dense matrices said, and small for large workflows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.prediction.links import DEEPEST, Links, Twins, depths
from mile_rl.prediction.node_features import node_rows
from mile_rl.prediction.state import HistoryState


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 8))
    pair = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    edges = draw(st.sets(pair.filter(lambda edge: edge[0] != edge[1]), max_size=20))
    values = draw(st.lists(st.floats(-1, 1), min_size=size, max_size=size))
    return size, np.array(sorted(edges), dtype=np.int64).reshape(-1, 2), np.array(values)


@given(graphs())
def test_a_mean_over_links_is_that_of_the_row_normalised_matrix(graph):
    size, edges, values = graph
    matrix = np.zeros((size, size))
    matrix[edges[:, 0], edges[:, 1]] = 1
    expected = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1) @ values
    links = Links(edges[:, 0], edges[:, 1], size)
    assert links.mean(values) == pytest.approx(expected)
    assert [links.mean_of(index, values) for index in range(size)] == pytest.approx(expected)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
def test_twins_are_the_other_nodes_of_the_same_operator(operators):
    values = np.arange(1.0, len(operators) + 1)
    twins = Twins(operators)
    for index, own in enumerate(operators):
        others = [values[i] for i, other in enumerate(operators) if other == own and i != index]
        expected = float(np.mean(others)) if others else 0.0
        assert twins.mean(values)[index] == pytest.approx(expected)
        assert twins.mean_of(index, values) == pytest.approx(expected)


def test_depth_is_the_longest_path_from_a_source():
    edges = np.array([[1, 0], [2, 1], [3, 0], [3, 2]])
    assert depths(Links(edges[:, 0], edges[:, 1], 4)).tolist() == [0, 1, 2, 3]


def test_a_cycle_and_a_long_chain_stop_counting():
    cycle = Links(np.array([0, 1]), np.array([1, 0]), 2)
    assert depths(cycle).max() <= DEEPEST
    chain = Links(np.arange(1, 60), np.arange(59), 60)
    assert depths(chain).max() == DEEPEST


def test_a_workflow_of_ten_thousand_nodes_takes_memory_by_its_edges():
    nodes = tuple(
        PastNode(name=f"n{i}", stage="preprocess", operator=f"op{i % 7}", parents=(f"n{i - 1}",) if i else ())
        for i in range(10_000)
    )
    state = HistoryState()
    state.observe(PastIteration(nodes=nodes))
    assert node_rows(state, np.full(8, 1 / 8)).shape[0] == 10_000
    assert state.table is not None
    assert state.table.parents.others.size == 9_999
