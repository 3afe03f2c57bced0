"""From what a source saw to edits, returns and times."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mile_rl.workflows.diff import diff
from mile_rl.workflows.edits import STAGES, ChangeClass
from traces.link import Seen, _around_the_change, link, version_key, version_nodes
from traces.schema import Component
from traces.values import scalar


@st.composite
def dags(draw):
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=8))
    return tuple(
        Component(
            name=name,
            operator=draw(st.sampled_from(["f", "g", "h"])),
            stage=draw(st.sampled_from(STAGES)),
            parameters=draw(st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2)),
            parts=draw(
                st.dictionaries(st.sampled_from(["code a", "file b"]), st.sampled_from("12"), max_size=2)
            ),
            parents=tuple(sorted(draw(st.sets(st.sampled_from(names[:place]))))) if place else (),
        )
        for place, name in enumerate(names)
    )


@st.composite
def edited(draw):
    """A DAG, and the same with a few components exchanged for those of another."""
    old = draw(dags())
    other = {component.name: component for component in draw(dags())}
    new, known = [], set()
    for component in old:
        if draw(st.integers(0, 3)) == 0:
            component = other.get(component.name)
        if component is not None and known.issuperset(component.parents):
            new.append(component)
            known.add(component.name)
    return old, tuple(new)


@settings(max_examples=300, deadline=None)
@given(edited())
def test_leaving_out_what_did_not_change_changes_no_edit(pair):
    old, new = map(version_nodes, pair)
    assert diff(*_around_the_change(old, new)) == diff(old, new)


def one(**parameters):
    return (Component(name="clf", operator="SVC", stage="learn", parameters=parameters),)


@pytest.mark.parametrize(("a", "b"), [(1, 1.0), (1, True), (1, "1"), (0.0, False), (None, "None")])
def test_values_of_different_kinds_are_different(a, b):
    _, iteration = link([Seen(components=one(C=a)), Seen(components=one(C=b))])
    assert iteration.change is ChangeClass.MODEL_PARAMETER


def test_the_order_of_independent_components_is_no_change():
    a = Component(name="a", operator="f", stage="preprocess")
    b = Component(name="b", operator="f", stage="preprocess")
    assert version_key((a, b)) == version_key((b, a)) != version_key((a,))


def test_sizes_and_times_are_no_change():
    small = Component(name="a", operator="f", stage="preprocess", size_bytes=1, compute_ns=5)
    _, again = link(
        [Seen(components=(small,)), Seen(components=(Component(name="a", operator="f", stage="preprocess"),))]
    )
    assert again.change is ChangeClass.NOTHING


def test_transitions_go_over_the_parent_and_a_return_names_the_latest():
    runs = [
        Seen(components=one(C=1)),
        Seen(components=one(C=2)),
        Seen(components=one(C=1)),
        Seen(components=one(C=3), parent=0),
        Seen(components=one(C=1)),
        Seen(components=one(C=9), parent=None),
    ]
    linked = link(runs)
    assert [each.change.name for each in linked] == [
        "START",
        "MODEL_PARAMETER",
        "RETURN",
        "MODEL_PARAMETER",
        "RETURN",
        "START",
    ]
    assert [each.returns_to for each in linked] == [None, None, 0, None, 2, None]
    assert (linked[3].edits[0].old, linked[3].edits[0].new) == (1, 3)


def test_a_parent_that_comes_later_is_our_mistake():
    with pytest.raises(ValueError, match="does not stand before"):
        link([Seen(components=one(C=1), parent=None), Seen(components=one(C=1), parent=1)])


def test_what_is_no_finite_number_is_no_score():
    (iteration,) = link([Seen(components=one(), score=float("nan"), metrics={"a": float("inf"), "b": 1.0})])
    assert iteration.score is None
    assert iteration.metrics == {"b": 1.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("None", None),
        ("10", 10),
        ("1e-10", 1e-10),
        ('"gini"', "gini"),
        ("rbf", "rbf"),
        ("nan", "nan"),
        ("1_000", "1_000"),
        ("-1", -1),
        ("-", "-"),
        ("", ""),
        ("[1, 2]", "[1, 2]"),
        ("9" * 60, "9" * 60),
    ],
)
def test_texts_are_read_as_the_scalars_they_stand_for(text, value):
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_a_long_text_is_cut_and_marked():
    assert len(str(scalar("x" * 1000))) == 501
