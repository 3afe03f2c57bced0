"""What is recommended for a workflow and its past."""

import json

import pytest

from mile_rl.errors import OperatorFailed
from mile_rl.recommend import Recommendation
from mile_rl.recommend.advise import advise, load, save
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.metrics import metrics_of
from mile_rl.recommend.scan import Scan


def learners_in(project, recommendations):
    """The classes that recommendations put in the place of the learner."""
    text = project.file.read_text()
    found = []
    for one in recommendations:
        changed = text
        for part in sorted(one.change.replacements, key=lambda part: -part.start):
            changed = changed[: part.start] + part.new + changed[part.start + len(part.old) :]
        found.append(Scan(changed).learners("fit")[0].class_name)
    return found


def test_a_workflow_that_has_not_run_is_told_to_run_first(moon):
    with pytest.raises(RecommendError, match="mile run"):
        moon.recommend()


def test_each_recommendation_says_what_to_change_what_to_expect_why_and_how_long_it_takes(moon):
    moon.run()
    said = moon.recommend()
    assert len(said) == 5
    assert {one.origin for one in said} >= {"outcome model", "traces"}
    for one in said:
        assert one.low <= one.expected <= one.high
        assert 0 < one.improves < 1
        # The chance and the interval say one thing: 10 % lie below its low end, 10 % above its high end.
        assert (one.improves >= 0.5) == (one.expected >= 0) or abs(one.expected) < 1e-6
        assert (one.improves >= 0.9) == (one.low >= 0) or abs(one.improves - 0.9) < 0.02
        assert one.metric == "accuracy"
        assert -one.now <= one.expected <= 1
        assert one.waiting_ns > 0
        assert one.change.words
        assert one.change.edits[0].node
        assert one.change.nodes
        assert one.evidence
    model = [one for one in said if one.origin == "outcome model"]
    assert all("OpenML runs on" in one.evidence for one in model)
    assert all(one.terms == () for one in said)


def test_answers_are_steady_until_something_runs(moon):
    moon.run()
    first, again = moon.recommend(), moon.recommend()
    assert [one.to_json() for one in first] == [one.to_json() for one in again]


def test_at_least_one_of_five_explores_a_family_not_tried(moon):
    moon.run()
    moon.run(C=10.0)
    moon.run(C=10.0, power=2)
    assert any(one.explores for one in moon.recommend())


def test_a_stage_and_minutes_restrict(moon):
    moon.run()
    assert {one.stage for one in moon.recommend(stage="preprocess")} == {"preprocess"}
    assert {one.stage for one in moon.recommend(stage="learn", n=3)} == {"learn"}
    slowest = max(one.waiting_ns for one in moon.recommend())
    quick = moon.recommend(minutes=slowest / 60e9 / 2)
    assert quick
    assert all(one.waiting_ns <= slowest / 2 for one in quick)
    with pytest.raises(RecommendError, match="stage 'train' is none of"):
        moon.recommend(stage="train")


def test_novices_get_each_term_explained(moon):
    moon.run()
    one = moon.recommend(novice=True, n=1)[0]
    assert any("four of five" in term for term in one.terms)
    assert any(term.startswith("Learning fits") for term in one.terms)
    assert any("public datasets" in term for term in one.terms)


def test_a_value_that_was_tried_is_not_recommended_again(moon):
    for C in (1.0, 10.0, 0.1, 2.0, 4.0):
        moon.run(C=C)
    moon.run(C=1.0)
    told = [one.change.arguments for one in moon.recommend(n=12)]
    assert all(one.get("C") not in (1.0, 10.0, 0.1, 2.0, 4.0) for one in told)


def test_a_learner_that_did_badly_is_not_recommended_again(moon):
    """The code is gone once it is edited; what it was made of is still known."""
    moon.run()
    moon.edit("LogisticRegression(C=C)", "GaussianNB()")
    moon.edit(
        "from sklearn.linear_model import LogisticRegression", "from sklearn.naive_bayes import GaussianNB"
    )
    moon.run()
    moon.edit("GaussianNB()", "LogisticRegression(C=C)")
    moon.edit(
        "from sklearn.naive_bayes import GaussianNB", "from sklearn.linear_model import LogisticRegression"
    )
    moon.run()
    model = [one for one in moon.recommend(n=12) if one.change.replacements]
    assert model
    assert "GaussianNB" not in learners_in(moon, model)


def test_a_learner_that_raised_is_not_recommended_again(moon):
    moon.run()
    before = learners_in(moon, [one for one in moon.recommend(n=12) if one.change.replacements])
    assert "RandomForestClassifier" in before or "ExtraTreesClassifier" in before
    broken = next(name for name in before if "Forest" in name or "Trees" in name)
    moon.edit("LogisticRegression(C=C)", f"{broken}(criterion='nonsense')")
    moon.edit("from sklearn.linear_model import LogisticRegression", f"from sklearn.ensemble import {broken}")
    with pytest.raises(OperatorFailed):
        moon.run()
    moon.edit(f"{broken}(criterion='nonsense')", "LogisticRegression(C=C)")
    moon.edit(f"from sklearn.ensemble import {broken}", "from sklearn.linear_model import LogisticRegression")
    after = learners_in(moon, [one for one in moon.recommend(n=12) if one.change.replacements])
    assert broken not in after


def test_what_code_asks_of_the_model_rules_learners_out(moon):
    moon.edit("model.predict(table)", "(model.predict_proba(table)[:, 1] > 0.5)")
    moon.run()
    found = learners_in(moon, [one for one in moon.recommend(n=12) if one.change.replacements])
    assert found
    assert not {"SVC", "LinearSVC", "Perceptron"} & set(found)


def test_workflows_of_the_persons_own_code_get_steps_and_the_node_to_work_on(own):
    own.run()
    said = own.recommend()
    steps = {one.change.arguments["strength"] for one in said if "strength" in one.change.arguments}
    assert steps
    assert 1.0 not in steps
    assert any(not one.change.applicable and "work on" in one.change.words for one in said)
    assert all("seed" not in one.change.words for one in said)
    assert {one.origin for one in said} == {"traces"}


def test_the_persons_own_edits_are_learned_from_and_told_as_evidence(own):
    for strength in (0.5, 1.0, 2.0):
        own.run(strength=strength)
    flow = own.flow()
    said = advise(flow, arguments={"strength": 2.0}, n=8).recommendations
    steps = {one.change.arguments["strength"]: one for one in said if "strength" in one.change.arguments}
    up = next(one for value, one in steps.items() if value > 2)
    assert up.origin == "own history"
    assert up.evidence.startswith("your last 2 edits of strength: 0.5 -> 1.0 +0.05, 1.0 -> 2.0 +0.1")
    assert all(value not in (0.5, 1.0, 2.0) for value in steps)


def test_nothing_is_run_recorded_or_written_by_asking(moon):
    moon.run()
    text = moon.file.read_text()
    before = sorted(path.name for path in (moon.folder / ".mile").iterdir() if "catalog" not in path.name)
    moon.recommend()
    assert moon.file.read_text() == text
    after = sorted(path.name for path in (moon.folder / ".mile").iterdir() if "catalog" not in path.name)
    assert after == before


def test_a_workflow_without_a_number_is_told_what_to_return(own):
    own.edit("return 1 - abs(model - 4) / 10", 'return "fine"')
    own.run()
    with pytest.raises(RecommendError, match="returns no number"):
        own.recommend()


def test_recommendations_go_to_json_and_back(moon):
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow, novice=True)
    save(advice, project)
    assert load(project) == advice
    record = json.loads(json.dumps(advice.to_json()))
    assert [Recommendation.from_json(one) for one in record["recommendations"]] == list(
        advice.recommendations
    )


@pytest.mark.parametrize("policy", ["all", "none"])
def test_the_waiting_time_is_what_the_engine_would_plan_for_the_changed_workflow(own, monkeypatch, policy):
    monkeypatch.setenv("MILE_POLICY", policy)
    monkeypatch.setenv("MILE_WRITE_ALLOWANCE_MS", "1000")
    own.edit("    return list(range(rows))", "    import time; time.sleep(0.05); return list(range(rows))")
    own.run()
    said = [one for one in own.recommend(n=8) if "strength" in one.change.arguments]
    assert said
    for one in said:
        planned = own.flow().plan(**one.change.arguments)
        measured = {node.name: node.state for node in planned.nodes}
        assert (measured["read"] == "load") == (policy == "all")
        # A node that was never computed with this value is planned with what it took with another.
        assert one.waiting_ns == pytest.approx(planned.waited_ns, rel=0.05, abs=200_000)


@pytest.mark.parametrize(
    ("name", "values", "higher", "share"),
    [
        ("accuracy", [0.9], True, True),
        ("val_rmse", [3.2], False, False),
        ("check.error", [0.2], False, True),
        ("accuracy", [91.0, 93.0], True, True),
        ("r2", [-0.3], True, False),
        ("something", [0.4], True, True),
        ("something", [40.0], True, False),
    ],
)
def test_the_name_of_a_metric_says_which_way_is_better(own, name, values, higher, share):
    dag = own.flow().capture()
    metric = metrics_of(dag, {name: values})[0]
    assert (metric.higher, metric.share) == (higher, share)


def test_a_metric_in_percent_changes_in_percent(own):
    metric = metrics_of(own.flow().capture(), {"accuracy": [91.0]})[0]
    assert metric.error(91.0) == pytest.approx(0.09)
    assert metric.change(0.09, 0.05) == pytest.approx(4.0)


def test_of_several_tables_a_matrix_is_looked_at_and_a_sparse_one_rules_out_what_needs_dense(
    moon, monkeypatch
):
    monkeypatch.setenv("MILE_POLICY", "all")
    monkeypatch.setenv("MILE_WRITE_ALLOWANCE_MS", "1000")
    moon.edit("    return table**power", "    time.sleep(0.1)\n    return csr_matrix(table**power)")
    moon.edit(
        "from mile_rl import op",
        "import time\n\nfrom scipy.sparse import csr_matrix\n\nfrom mile_rl import op",
    )
    moon.run()
    said = [one for one in moon.recommend(n=12) if one.origin == "outcome model" and one.change.replacements]
    assert "GaussianNB" not in learners_in(moon, said)
    assert said
    assert all("with at most 400 rows" in one.evidence for one in said)


def test_many_classes_and_many_rows_make_some_learners_slower():
    from mile_rl.recommend.families import fitting_ratio

    assert fitting_ratio("Logit", "GBT", 1000, 10) == 10
    assert fitting_ratio("GBT", "Logit", 1000, 10) == 0.1
    assert fitting_ratio("GBT", "lSVM", 1000, 10) == 1
    assert fitting_ratio("Logit", "kSVM", 40_000, 2) == 4
    assert fitting_ratio("Logit", "RF", None, None) == 1
