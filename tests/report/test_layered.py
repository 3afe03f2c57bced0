"""The layout of a DAG: what must hold of any."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mile_rl.report.layered import NARROW, WIDE, Box, layered


@st.composite
def dags(draw):
    count = draw(st.integers(1, 14))
    names = [f"n{number}" for number in range(count)]
    widths = draw(st.lists(st.integers(40, 230), min_size=count, max_size=count))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    boxes = [Box(name=name, width=float(width)) for name, width in zip(names, widths)]
    return boxes, [(names[a], names[b]) for a, b in chosen]


@given(dags(), st.sampled_from([WIDE, NARROW]))
@settings(max_examples=60, deadline=None)
def test_every_edge_runs_downwards_and_no_two_boxes_overlap(dag, full):
    boxes, edges = dag
    layout = layered(boxes, edges, full=full)
    for source, target in edges:
        assert layout.layer[source] < layout.layer[target]
        passed = [layer for layer, _ in layout.bends[source, target]]
        assert passed == list(range(layout.layer[source] + 1, layout.layer[target]))
    widths = {box.name: box.width for box in boxes}
    for layer in range(layout.layers):
        row = sorted((name for name in widths if layout.layer[name] == layer), key=layout.centre.__getitem__)
        assert row, "a layer without a box"
        for left, right in pairwise(row):
            gap = layout.centre[right] - layout.centre[left] - (widths[left] + widths[right]) / 2
            assert gap >= 17.9
        if len(row) > 1:
            assert sum(widths[name] + 18 for name in row) <= full
    for name, width in widths.items():
        assert layout.centre[name] - width / 2 >= -1e-6
        assert layout.centre[name] + width / 2 <= layout.width + 1e-6


@given(dags())
@settings(max_examples=20, deadline=None)
def test_the_same_graph_is_always_drawn_alike(dag):
    assert layered(*dag) == layered(*dag)


def test_a_chain_is_a_straight_line():
    boxes = [Box(name=name, width=50 + 10 * number) for number, name in enumerate("abcd")]
    layout = layered(boxes, [("a", "b"), ("b", "c"), ("c", "d")])
    assert len({round(layout.centre[name], 6) for name in "abcd"}) == 1


def test_crossings_that_can_be_avoided_are_avoided():
    boxes = [Box(name=name, width=60) for name in ("a", "b", "x", "y")]
    layout = layered(boxes, [("a", "y"), ("b", "x")])
    order = (layout.centre["a"] < layout.centre["b"], layout.centre["y"] < layout.centre["x"])
    assert order[0] == order[1]


def test_long_edges_from_one_box_run_together():
    names = ["s", "a", "b", "c", "t", "u"]
    edges = [("s", "a"), ("a", "b"), ("b", "c"), ("c", "t"), ("c", "u"), ("s", "t"), ("s", "u")]
    layout = layered([Box(name=name, width=60) for name in names], edges)
    assert layout.bends["s", "t"] == layout.bends["s", "u"]


def test_an_edge_against_the_order_is_left_out():
    layout = layered([Box(name="a", width=50), Box(name="b", width=50)], [("b", "a")])
    assert layout.bends == {}


def test_nothing_is_a_layout_too():
    assert layered([], []).layers == 0
