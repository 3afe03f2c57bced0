"""What an outlook accepts, how edits spread, and which scenarios are looked at."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlooks import outlook_of, random_outlook, version_outputs

from mile_rl.policies.outlook import EDIT, NOTHING, RETURN, Outlook, scenario_limit
from mile_rl.policies.scenarios import MOST_RETURNS, likely_scenarios

CHANCES = st.floats(0, 1, allow_nan=False)


@pytest.mark.parametrize("seed", range(20))
def test_alive_is_what_the_version_has_and_the_edit_leaves(seed):
    outlook, _ = random_outlook(np.random.default_rng(seed), nodes=9)
    for j in range(outlook.scenarios):
        expected = {o for o in version_outputs(outlook, j) if not outlook.invalid[j, outlook.output_node[o]]}
        assert set(np.flatnonzero(outlook.alive[j]).tolist()) == expected


def test_an_edit_spreads_to_all_that_depends_on_it():
    outlook = outlook_of(
        [[], [0], [0], [1, 2], []],
        compute_ns=[1] * 5,
        scenarios=((EDIT, (1,), 0.5), (EDIT, (2, 4), 0.5)),
    )
    assert outlook.invalid.astype(int).tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 1, 1]]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"p": np.array([0.4])}, "p is none"),
        ({"p": np.array([1.0, 0.0])}, "kind is"),
        ({"stop": 1.5}, "stop"),
        ({"iterations": 0}, "iterations"),
        ({"compute_ns": np.array([1.0, np.nan])}, "compute_ns"),
        ({"compute_ns": np.array([1, 2])}, "compute_ns is int64"),
        ({"output_node": np.array([1, 0], dtype=np.int32)}, "topological"),
        ({"take_output": np.array([2], dtype=np.int32)}, "take_output"),
        ({"take_ptr": np.array([0, 0, 2], dtype=np.int32)}, "take_ptr"),
        ({"position": {"a": 2}}, "position"),
        ({"kind": np.array([7], dtype=np.int8)}, "kind"),
        ({"edited": np.array([[True, False]])}, "edited"),
    ],
)
def test_what_makes_no_sense_is_refused(arrays, complaint):
    outlook = outlook_of([[], [0]], compute_ns=[1, 2])
    given_arrays = {each.name: getattr(outlook, each.name) for each in fields(outlook) if each.init}
    with pytest.raises(ValueError, match=complaint):
        Outlook(**(given_arrays | arrays))


class TestScenarios:
    @given(
        touched=st.lists(CHANCES, min_size=1, max_size=30),
        nothing=CHANCES,
        returning=CHANCES,
        limit=st.integers(1, 20),
        offers=st.integers(0, 6),
    )
    def test_they_are_the_likeliest_and_certain_together(self, touched, nothing, returning, limit, offers):
        returning *= 1 - nothing
        returns = [returning / max(offers, 1)] * offers
        found = likely_scenarios(touched, nothing, returning, returns, limit)
        assert len(found) <= limit
        assert sum(each.kind == RETURN for each in found) <= MOST_RETURNS
        if found:
            assert sum(each.p for each in found) == pytest.approx(1)
            assert [each.p for each in found] == sorted((each.p for each in found), reverse=True)

    def test_edits_share_what_is_left_as_they_are_touched(self):
        found = likely_scenarios([0.2, 0.6], 0.1, 0.1, [0.08, 0.02], 10)
        assert [(each.kind, each.roots, each.back) for each in found] == [
            (EDIT, (1,), -1),
            (EDIT, (0,), -1),
            (NOTHING, (), -1),
            (RETURN, (), 0),
            (RETURN, (), 1),
        ]
        assert [each.p for each in found] == pytest.approx([0.6, 0.2, 0.1, 0.08, 0.02])

    def test_nobody_expected_anywhere_means_everywhere_alike(self):
        found = likely_scenarios([0.0, 0.0], 0.0, 0.0, [], 10)
        assert [(each.roots, each.p) for each in found] == [((0,), 0.5), ((1,), 0.5)]

    def test_large_graphs_are_looked_at_in_fewer_scenarios_and_huge_ones_in_none(self):
        limits = [scenario_limit(nodes) for nodes in range(1, 1_000)]
        assert limits == sorted(limits, reverse=True)
        assert (limits[99], limits[199], limits[200]) == (16, 8, 0)
        assert limits[-1] == 0
