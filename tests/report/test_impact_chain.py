"""The shortest chain of versions that explains a gap."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_versions import Made, node, parameter

from mile_rl.errors import StoreError
from mile_rl.report.impact.effects import impact
from mile_rl.report.impact.text import chain_text


def score(nodes):
    return sum(
        weight * parameter(nodes, "fit", name) for name, weight in (("a", 0.1), ("b", 0.01), ("c", 0.001))
    )


def history(*states):
    made = Made(score)
    for a, b, c in states:
        made.run([node("fit", a=a, b=b, c=c)])
    return made


def chain(made, start, end):
    between = (made.iterations[start - 1], made.iterations[end - 1])
    return impact(made.iterations, made.nodes_of, "accuracy", between=between).chain


def test_detours_are_cut():
    made = history((0, 0, 0), (1, 0, 0), (1, 5, 0), (1, 0, 0), (1, 0, 2))
    found = chain(made, 1, 5)
    assert [link.changes for link in found.links] == [("fit.a 0 -> 1",), ("fit.c 0 -> 2",)]
    assert [link.gain for link in found.links] == pytest.approx([0.1, 0.002])


def test_a_version_that_ran_elsewhere_tells_two_changes_apart():
    # 3 -> 4 changed both at once, but b alone was tried before.
    made = history((0, 0, 0), (0, 1, 0), (0, 0, 0), (1, 1, 0))
    assert [link.changes for link in chain(made, 3, 4).links] == [("fit.b 0 -> 1",), ("fit.a 0 -> 1",)]


def test_changes_that_were_made_at_once_stay_together():
    found = chain(history((0, 0, 0), (1, 1, 1)), 1, 2)
    assert len(found.links) == 1
    assert len(found.links[0].changes) == 3


def test_the_same_version_needs_no_chain():
    made = history((0, 0, 0), (1, 0, 0), (0, 0, 0))
    found = chain(made, 1, 3)
    assert found.links == ()
    assert "the same version" in chain_text(found, "accuracy")


def test_a_version_without_the_metric_is_refused():
    made = history((0, 0, 0), (1, 0, 0), (2, 0, 0))
    made.iterations[0].record.metrics.clear()
    with pytest.raises(StoreError, match="recorded no 'accuracy'"):
        chain(made, 1, 2)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=2, max_size=9, unique=True), st.data())
@settings(max_examples=40, deadline=None)
def test_gains_add_up_to_the_gap_and_every_link_joins_the_next(states, data):
    made = history(*states)
    start, end = (data.draw(st.integers(1, len(states))) for _ in range(2))
    found = chain(made, start, end)
    assert sum(link.gain for link in found.links) == pytest.approx(found.end - found.start, abs=1e-12)
    assert found.start == pytest.approx(score(made.nodes[start]))
    assert all(one.after == other.before for one, other in pairwise(found.links))
    ids = {one.record.version: one.id for one in made.iterations}
    if start != end:
        assert ids[found.links[0].before] == start
        assert ids[found.links[-1].after] == end
    # Never costlier than going straight.
    straight = sum(x != y for x, y in zip(states[start - 1], states[end - 1])) ** 2
    assert sum(len(link.changes) ** 2 for link in found.links) <= straight
