"""What became of each node between two iterations."""

from mile_rl.engine.history import compare

SOURCE = """
    from mile_rl import op, workflow

    @op(stage="preprocess")
    def read(n=3):
        return list(range(n))

    @op(stage="preprocess")
    def scale(rows, by=2):
        return [row * by for row in rows]

    @op(stage="learn")
    def fit(rows):
        return sum(rows)

    @op(stage="learn")
    def fit_mean(rows):
        return sum(rows) / len(rows)

    @op(stage="evaluate")
    def score(model):
        return float(model)

    @op(stage="evaluate")
    def count(rows):
        return len(rows)

    @workflow
    def flow(by=2):
        rows = read()
        return {"score": score(fit(scale(rows, by))), "count": count(rows)}
"""


def changes(comparison):
    return {node.name: node.change for node in comparison.nodes}


def test_a_parameter_changes_its_node_and_affects_what_follows(person):
    person.writes(SOURCE)
    person.runs()
    person.runs(by=3)
    found = compare(person.project, "1", "2")
    assert changes(found) == {
        "read": "unchanged", "scale": "changed", "fit": "affected", "score": "affected", "count": "unchanged"
    }  # fmt: skip
    assert found.differing == ("scale", "fit", "score")
    (scale,) = (node for node in found.nodes if node.name == "scale")
    assert scale.edits == ("scale: by 2 -> 3",)
    assert "everything takes" in found.text()
    assert "results that are the same: read, count" in found.text()


def test_a_replaced_operator_is_added_and_the_other_removed_in_its_place(person):
    person.writes(SOURCE)
    person.runs()
    person.writes(SOURCE.replace("score(fit(", "score(fit_mean("))
    person.runs()
    found = compare(person.project, "1", "2")
    assert changes(found) == {
        "read": "unchanged", "scale": "unchanged", "fit": "removed", "fit_mean": "added", "score": "affected",
        "count": "unchanged",
    }  # fmt: skip
    names = [node.name for node in found.nodes]
    gone = found.nodes[names.index("fit")]
    assert [str(parent) for parent in gone.parents] == ["scale"]
    assert gone.takers == ("score",)
    assert names.index("scale") < names.index("fit") < names.index("score")
    assert gone.after_ns is None
    assert gone.before_state == "compute"


def test_a_removed_node_of_a_name_that_is_taken_again_keeps_apart(person):
    person.writes(SOURCE)
    person.runs()
    # The name goes to another operator: not the same node.
    renamed = SOURCE.replace("def fit(rows)", "def fit_old(rows)").replace("def fit_mean", "def fit")
    person.writes(renamed)
    person.runs()
    found = compare(person.project, "1", "2")
    assert len({node.name for node in found.nodes}) == len(found.nodes)
    assert {node.change for node in found.nodes if node.name.startswith("fit")} <= {
        "changed",
        "added",
        "removed",
    }


def test_a_rerun_changes_nothing(person):
    person.writes(SOURCE)
    person.runs()
    person.runs()
    found = compare(person.project, "1", "2")
    assert set(changes(found).values()) == {"unchanged"}
    assert found.differing == ()
