"""Which node is which, and what a person changed, between two versions of a workflow."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mile_rl.engine.versions import describe
from mile_rl.workflows.diff import diff
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.match import match
from mile_rl.workflows.operator import op
from mile_rl.workflows.sign import Signer


@op
def read(path="a"):
    return path


@op
def clean(rows):
    return rows


@op
def scale(rows, by=1):
    return rows


@op
def bucket(rows, by=1):
    return rows


@op(stage="learn")
def fit(rows, C=1.0, depth=None):
    return rows


@op(stage="learn")
def forest(rows, C=1.0):
    return rows


@op(stage="evaluate")
def score(model, rows=None):
    return model


def nodes(function):
    dag = Flow(function).capture()
    return describe(dag, Signer().sign(dag), tuple(name for name in dag.nodes if name in dag.needed))


def edits(before, after):
    """Return the edits in words."""
    return [edit.words() for edit in diff(nodes(before), nodes(after))]


def base():
    rows = scale(clean(read()))
    return score(fit(rows), rows)


def test_the_same_again_is_no_edit():
    assert edits(base, base) == []


def test_a_renamed_variable_is_no_edit():
    def renamed():
        scaled = scale(clean(read()))
        return score(fit(scaled), scaled)

    assert edits(base, renamed) == []


def test_a_parameter_edit_names_the_parameter_and_both_values():
    def after():
        rows = scale(clean(read()))
        return score(fit(rows, C=10.0), rows)

    assert edits(base, after) == ["fit: C 1.0 -> 10.0"]
    assert edits(after, base) == ["fit: C 10.0 -> 1.0"]


def test_an_inserted_node_is_one_edit_and_its_takers_none():
    def after():
        rows = scale(bucket(clean(read())))
        return score(fit(rows), rows)

    assert edits(base, after) == ["added bucket"]
    assert edits(after, base) == ["removed bucket"]


def test_another_operator_in_the_same_place_is_one_edit():
    def after():
        rows = scale(clean(read()))
        return score(forest(rows), rows)

    assert edits(base, after) == ["replaced fit by forest"]


def test_a_second_use_of_an_operator_is_an_addition_and_the_first_keeps_its_name():
    def after():
        rows = scale(clean(read()))
        other = scale(rows, by=2)
        return score(fit(rows), other)

    found = edits(base, after)
    assert [text for text in found if text.startswith("added")] == ["added scale[other]"]
    assert not [text for text in found if text.startswith(("removed", "replaced"))]
    assert match(nodes(base), nodes(after))["scale[rows]"] == "scale"


def test_one_of_several_uses_removed_leaves_the_others():
    def three():
        rows = read()
        return [fit(rows, C=C) for C in (1.0, 2.0, 3.0)]

    def two():
        rows = read()
        return [fit(rows, C=C) for C in (1.0, 3.0)]

    assert edits(three, two) == ["removed fit[C=2.0]"]
    assert edits(two, three) == ["added fit[C=2.0]"]


def test_a_constant_that_is_part_of_a_name_may_be_edited():
    def before():
        rows = read()
        return [fit(rows, C=C) for C in (1.0, 2.0)]

    def after():
        rows = read()
        return [fit(rows, C=C) for C in (1.0, 5.0)]

    assert edits(before, after) == ["fit[C=5.0]: C 2.0 -> 5.0"]


def test_another_input_is_an_edit_of_the_wiring():
    def after():
        rows = scale(clean(read()))
        return score(fit(rows), rows)

    def before():
        cleaned = clean(read())
        rows = scale(cleaned)
        return score(fit(rows), cleaned)

    assert edits(before, after) == ["score: rows 'clean' -> 'scale'"]


def test_a_constant_among_inputs_is_a_parameter_edit_and_another_input_is_none():
    def flow(*more, last=0):
        rows = read()
        return score([scale(rows), *(bucket(rows, by) for by in more), last])

    assert [edit.words() for edit in diff(nodes(flow), nodes(lambda: flow(last=1)))] == [
        "score: model '[scale, 0]' -> '[scale, 1]'"
    ]
    assert [edit.words() for edit in diff(nodes(flow), nodes(lambda: flow(3)))] == ["added bucket"]


OPERATORS = st.sampled_from([read, clean, scale, bucket, fit, forest, score])
SPECS = st.lists(st.tuples(OPERATORS, st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=8)


def _flow(spec):
    def flow():
        made = []
        for operator, constant, parent in spec:
            source = made[parent % len(made)] if made else "start"
            made.append(operator(source) if operator in (read, clean) else operator(source, constant))
        return made

    return flow


@settings(deadline=None, max_examples=30)
@given(SPECS, SPECS)
def test_pairs_are_one_to_one_and_of_one_operator_and_edits_vanish_only_where_nothing_changed(one, other):
    old = nodes(_flow(one))
    new = nodes(_flow(other))
    pairs = match(old, new)
    assert len(set(pairs.values())) == len(pairs)
    by_name = {node.name: node for node in old}
    assert all(by_name[pairs[node.name]].operator == node.operator for node in new if node.name in pairs)
    found = diff(old, new)
    count = {"add": 0, "remove": 0, "replace": 0}
    for edit in found:
        count[edit.kind] = count.get(edit.kind, 0) + 1
    assert len(new) - len(old) == count["add"] - count["remove"]
    assert {edit.node for edit in found if edit.kind != "remove"} <= {node.name for node in new}
    assert not diff(old, nodes(_flow(one)))
    signatures = [{tuple(sorted(node.parts.items())) for node in version} for version in (old, new)]
    if not found:
        assert signatures[0] == signatures[1]
