"""Versions as states: what counts as one thing that a person changed."""

from dataclasses import replace

from made_versions import Made, node, replaced

from mile_rl.report.impact.states import ABSENT, NOT_THERE, Version, differing, factors_of
from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import Edit


def versions(*nodes, edits=()):
    told = dict(edits)
    return [
        Version(
            digest=str(index),
            nodes=tuple(each),
            parent=index - 1 if index else None,
            edits=told.get(index, ()),
        )
        for index, each in enumerate(nodes)
    ]


def labels(*nodes, **named):
    return {factor.label: factor for factor in factors_of(versions(*nodes, **named))}


def test_what_never_changes_is_no_factor():
    assert factors_of(versions([node("fit", C=1)], [node("fit", C=1)])) == ()


def test_a_parameter_is_a_factor_with_its_values_as_levels():
    found = labels(
        [node("fit", C=1, loss="log")], [node("fit", C=10, loss="log")], [node("fit", C=1, loss="hinge")]
    )
    assert set(found) == {"fit.C", "fit.loss"}
    assert found["fit.C"].levels == (1.0, 10.0)
    assert found["fit.C"].at == (0, 1, 0)
    assert found["fit.C"].numeric
    assert not found["fit.loss"].numeric


def test_a_number_and_a_word_are_levels_of_a_choice():
    (factor,) = factors_of(versions([node("fit", depth=3)], [node("fit", depth="auto")]))
    assert factor.levels == ("3", "auto")


def test_booleans_are_no_numbers():
    (factor,) = factors_of(versions([node("fit", warm=True)], [node("fit", warm=False)]))
    assert factor.levels == ("True", "False")


def test_operators_that_replaced_one_another_share_a_slot():
    found = labels(
        [node("read"), node("fit_line", "fit_line", C=1)],
        [node("read"), node("fit_tree", "fit_tree", depth=3)],
        [node("read"), node("fit_tree", "fit_tree", depth=5)],
        edits={1: (replaced("fit_tree", "fit_line"),)}.items(),
    )
    assert set(found) == {"fit_tree", "fit_tree.depth"}
    assert found["fit_tree"].kind == "replace"
    assert found["fit_tree"].levels == ("fit_line", "fit_tree")
    assert found["fit_tree.depth"].at == (ABSENT, 0, 1)


def test_uses_that_were_replaced_alike_are_one_change_each_in_its_own_place():
    def folds(operator):
        return [replace(node(f"{operator}[{fold}]", operator), target=fold) for fold in ("f1", "f2")]

    edits = [
        Edit(kind="replace", node=f"svc[{fold}]", stage="learn", operator="svc", before="tree")
        for fold in ("f1", "f2")
    ]
    (one,) = labels(folds("tree"), folds("svc"), edits={1: tuple(edits)}.items()).values()
    assert one.words(0, 1) == "replaced tree by svc"


def test_operators_that_stand_side_by_side_keep_slots_of_their_own():
    found = labels([node("a")], [node("b")], [node("a"), node("b")], edits={1: (replaced("b", "a"),)}.items())
    assert set(found) == {"a", "b"}
    assert found["a"].kind == "add"
    assert found["b"].levels == (NOT_THERE, "b")


def test_nodes_that_come_and_go_together_are_one_change():
    found = labels([node("a")], [node("a"), node("b"), node("c")])
    assert set(found) == {"b, c"}
    assert found["b, c"].words(0, 1) == "added b, c"
    assert found["b, c"].words(1, 0) == "removed b, c"


def test_one_argument_given_to_several_nodes_is_one_factor():
    both = (
        [node("x", "cut", bins=5), node("y", "cut", bins=5)],
        [node("x", "cut", bins=9), node("y", "cut", bins=9)],
    )
    assert set(labels(*both)) == {"cut.bins"}
    apart = (*both, [node("x", "cut", bins=5), node("y", "cut", bins=9)])
    assert set(labels(*apart)) == {"x.bins", "y.bins"}


def test_a_helper_that_several_nodes_reach_is_one_factor():
    helper = "function lib.clean"
    nodes = [[node("a", parts={helper: digest}), node("b", parts={helper: digest})] for digest in ("1", "2")]
    (factor,) = factors_of(versions(*nodes))
    assert (factor.label, factor.kind) == (helper, "code")
    assert factor.words(0, 1) == f"changed {helper}"


def test_another_file_is_a_change_of_the_data_of_its_node():
    (factor,) = factors_of(
        versions([node("read", parts={"file old.csv": "1"})], [node("read", parts={"file new.csv": "2"})])
    )
    assert (factor.label, factor.kind) == ("the data of read", "data")


def test_a_library_tells_its_versions():
    nodes = [[node("a", parts={"package numpy": version})] for version in ("1.0", "2.0")]
    (factor,) = factors_of(versions(*nodes))
    assert factor.words(0, 1) == "package numpy 1.0 -> 2.0"


def test_wiring_counts_only_where_nothing_else_explains_it():
    def wired(parent):
        return [
            node("p"), node("q"), node("fit", parents=[Output(parent)], rows=parent, parts={"argument rows": parent})
        ]  # fmt: skip

    edit = Edit(
        kind="parameter", node="fit", stage="learn", operator="fit", parameter="rows", old="p", new="q"
    )
    assert factors_of(versions(wired("p"), wired("q"))) == ()
    assert set(labels(wired("p"), wired("q"), edits={1: (edit,)}.items())) == {"fit.rows"}


def test_what_a_missing_node_would_have_does_not_differ():
    factors = factors_of(versions([node("a", C=1)], [node("a", C=2)], [node("z")]))
    changed = [factors[index].label for index in differing(factors, 0, 2)]
    assert sorted(changed) == ["a", "z"]


def test_a_history_needs_no_parents():
    made = Made(lambda nodes: 1.0)
    made.run([node("fit", C=1)])
    assert factors_of([Version(digest="a", nodes=made.nodes[1])]) == ()
