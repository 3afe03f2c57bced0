"""What getting an output back takes, told without a minimum cut where nothing of it is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mile_rl import op, workflow
from mile_rl.engine.layout import Layout
from mile_rl.workflows.dag import Output


@op(outputs=("one", "other"))
def step(taken: list[object]) -> tuple[object, object]:
    return taken, taken


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Layout, list[int], dict[Output, int]]:
    """A random workflow in which every node has two outputs, its costs and what is kept of it."""
    count = draw(st.integers(1, 6))
    wiring = [draw(st.lists(st.tuples(st.integers(0, i), st.booleans()), max_size=3)) for i in range(count)]

    @workflow
    def made() -> object:
        made: list[tuple[object, object]] = []
        for takes in wiring:
            made.append(step([made[at][side] for at, side in takes if at < len(made)]))
        return [output for pair in made for output in pair]

    layout = Layout(made.capture())
    costs = draw(st.lists(st.integers(0, 50), min_size=count, max_size=count))
    kept = draw(st.dictionaries(st.sampled_from(layout.outputs), st.integers(0, 50), max_size=4))
    layout.set_costs(dict(zip(layout.nodes, costs)), kept)
    return layout, costs, kept


@given(layouts(), st.data())
def test_recreation_is_the_minimum_cut_whichever_way_it_is_told(
    made: tuple[Layout, list[int], dict[Output, int]], data: st.DataObject
) -> None:
    layout, _, kept = made
    output = data.draw(st.sampled_from(layout.outputs))
    told_ns = layout.recreation_ns(output)
    layout._without_artifacts_ns = lambda output: None  # type: ignore[method-assign, assignment]
    assert told_ns == layout.recreation_ns(output)
    assert {one: int(layout.load_ns[at]) for one, at in layout.output_at.items() if one in kept} == kept


@given(layouts())
def test_one_artifact_on_the_way_is_enough_for_the_exact_answer(
    made: tuple[Layout, list[int], dict[Output, int]],
) -> None:
    layout, costs, _ = made
    layout.set_costs(dict(zip(layout.nodes, costs)), {})
    last = layout.outputs[-1]
    assert layout._without_artifacts_ns(last) is not None
    for parent in layout._parents[last.node]:
        layout.set_costs(dict(zip(layout.nodes, costs)), {parent: 0})
        assert layout._without_artifacts_ns(last) is None
