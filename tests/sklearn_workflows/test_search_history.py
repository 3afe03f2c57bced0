"""What searches and cross-validations leave in the project's history."""

import functools
import runpy
import time

import numpy as np
import pytest
from search_support import X, Y
from sklearn import model_selection
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from mile_rl.engine.history import compare, log
from mile_rl.engine.project import find
from mile_rl.report.gather import gather
from mile_rl.report.impact.recorded import project_impact
from mile_rl.sklearn import GridSearchCV, RandomizedSearchCV, cross_validate

PIPE = Pipeline([("s", StandardScaler()), ("c", SVC(random_state=0))])


@pytest.fixture
def iterations(project):
    """Return what the project remembers, the oldest first."""
    return lambda: list(reversed(log(find(project))))


def validated(**changed):
    estimator = model_selection.GridSearchCV(PIPE, {}).estimator
    return cross_validate(Pipeline(estimator.steps).set_params(**{"c__C": 1.0, **changed}), X, Y, cv=3)


def test_a_cross_validation_is_an_iteration_with_its_edits_and_mean_scores(iterations):
    first, second = validated(), validated(c__C=10.0)
    one, other = iterations()
    assert one.record.workflow.endswith("test_search_history.py:cross-validation")
    assert one.record.metrics == {"mean_test_score": first["test_score"].mean()}
    assert other.record.metrics == {"mean_test_score": second["test_score"].mean()}
    assert [(edit.node, edit.parameter, edit.old, edit.new) for edit in other.record.edits] == [
        ("c", "C", 1.0, 10.0)
    ]
    assert (one.record.parent, other.record.parent) == (None, one.id)
    assert str(other.record.change_class) == "H"


def test_a_search_is_one_iteration_of_its_best_candidate_and_what_was_searched(iterations):
    search = GridSearchCV(PIPE, {"c__C": [0.01, 10.0]}, cv=3, refit=False).fit(X, Y)
    GridSearchCV(PIPE, {"c__C": [0.01, 10.0, 20.0]}, cv=3, refit=False).fit(X, Y)
    one, other = iterations()
    assert one.record.metrics == {"mean_test_score": search.best_score_}
    assert one.record.parameters == {"c__C": "[0.01, 10.0]"}
    (widened,) = [edit for edit in other.record.edits if edit.node == "search"]
    assert (widened.parameter, widened.new) == ("c__C", "[0.01, 10.0, 20.0]")
    again = GridSearchCV(PIPE, {"c__C": [0.01, 10.0, 20.0]}, cv=3, refit=False).fit(X, Y)
    last = iterations()[-1]
    assert again.counts_.tasks_computed == 0
    assert (last.record.edits, last.computed) == ((), 0)


def test_of_several_metrics_the_first_says_which_candidate_was_best_unless_refit_names_one(iterations):
    spaces = {"c__C": [0.001, 10.0]}
    several = functools.partial(
        RandomizedSearchCV, PIPE, spaces, n_iter=2, random_state=0, cv=3, scoring=["accuracy", "f1_macro"]
    )
    plain = several(refit=False).fit(X, Y)
    named = several(refit="f1_macro").fit(X, Y)
    one, other = iterations()
    best = int(np.argmax(plain.cv_results_["mean_test_accuracy"]))
    assert one.record.metrics["mean_test_accuracy"] == plain.cv_results_["mean_test_accuracy"][best]
    assert other.record.metrics["mean_test_f1_macro"] == named.best_score_


def test_another_class_other_data_and_other_folds_are_told_as_such(iterations):
    union = FeatureUnion([("p", PCA(2, random_state=0)), ("k", MinMaxScaler())])
    cross_validate(Pipeline([("u", union), ("c", SVC())]), X, Y, cv=3)
    cross_validate(Pipeline([("u", union), ("c", LogisticRegression())]), X, Y, cv=3)
    cross_validate(Pipeline([("u", union), ("c", LogisticRegression())]), X[:100], Y[:100], cv=3)
    cross_validate(Pipeline([("u", union), ("c", LogisticRegression())]), X[:100], Y[:100], cv=4)
    told = [[(edit.kind, edit.node) for edit in one.record.edits] for one in iterations()[1:]]
    assert told == [[("replace", "c")], [("data", "data")], [("parameter", "score")]]
    cross_validate(
        Pipeline([("u", union.set_params(p__n_components=3)), ("c", LogisticRegression())]), X, Y, cv=4
    )
    assert ("parameter", "u.p") in [(edit.kind, edit.node) for edit in iterations()[-1].record.edits]


def test_what_everything_takes_counts_shared_steps_for_each_candidate(iterations):
    slow = make_pipeline(FunctionTransformer(_slowly), LogisticRegression())
    grid = {"logisticregression__C": [0.1, 1.0, 10.0, 100.0]}
    for _ in range(2):
        GridSearchCV(slow, grid, cv=3, refit=False).fit(X, Y)
    for one in iterations():
        assert one.record.everything_ns > 4 * 3 * 2 * 0.9 * SLOW_NS


SLOW_NS = 20_000_000


def _slowly(rows):
    until = time.perf_counter_ns() + SLOW_NS
    while time.perf_counter_ns() < until:
        pass
    return rows


def test_searches_within_a_search_and_without_a_store_leave_nothing(iterations, project):
    inner = GridSearchCV(PIPE, {"c__C": [0.1, 1.0]}, cv=2)
    cross_validate(inner, X, Y, cv=2)
    assert len(iterations()) == 1
    GridSearchCV(PIPE, {"c__C": [0.1]}, cv=2, store=None).fit(X, Y)
    model_selection.cross_validate(GridSearchCV(PIPE, {"c__C": [0.1]}, cv=2, store=None), X, Y, cv=2)
    assert len(iterations()) == 1


def test_a_script_s_own_file_names_the_history(project, iterations):
    (project / "train.py").write_text(
        "from search_support import X, Y\nfrom sklearn.svm import SVC\n"
        "from mile_rl.sklearn import cross_validate\ncross_validate(SVC(), X, Y, cv=2)\n"
    )
    runpy.run_path(str(project / "train.py"), run_name="__main__")
    assert iterations()[-1].record.workflow == "train.py:cross-validation"


def test_impact_diff_and_report_see_them(iterations, project):
    for strength in (0.01, 1.0, 100.0):
        validated(c__C=strength)
    here = find(project)
    found = project_impact(here)
    assert any("c.C" in one.factor for one in found.parameters)
    first, _, last = iterations()
    told = compare(here, str(first.id), str(last.id))
    assert {node.name: node.change for node in told.nodes}["c"] == "changed"
    assert {node.name: node.change for node in told.nodes}["s"] == "unchanged"
    page = gather(here)
    assert [node.name for node in page.latest.nodes] == ["data", "s", "c", "score"]
    assert page.metric == "mean_test_score"


def test_what_cannot_be_recorded_costs_a_line_in_the_log_and_not_the_search(monkeypatch, caplog):
    def broken(*_, **__):
        raise TypeError("no")

    monkeypatch.setattr("mile_rl.sklearn.shelf.record_of", broken)
    scores = validated()
    assert "was not recorded: no" in caplog.text
    np.testing.assert_array_equal(
        scores["test_score"], model_selection.cross_validate(PIPE, X, Y, cv=3)["test_score"]
    )
