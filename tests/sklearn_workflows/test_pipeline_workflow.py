"""A pipeline as a workflow of the engine's: its nodes, its results, and what is computed after a change."""

from pathlib import Path

import numpy as np
import pytest
from search_support import X, Y
from sklearn import model_selection
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from mile_rl.engine.iteration import run
from mile_rl.engine.project import find
from mile_rl.engine.text import edits_in_words
from mile_rl.sklearn import pipeline_workflow


def flow(*steps, **options):
    return pipeline_workflow(Pipeline(list(steps)), X, Y, **{"cv": 3, **options})


def states(done):
    return {node.name: node.state for node in done.report.nodes}


@pytest.fixture
def runs(project):
    """Runs a workflow that keeps all that it can."""
    return lambda workflow: run(
        workflow,
        (),
        {},
        project=find(project, policy="all", write_fraction=100.0, write_allowance_ms=10000.0),
    )


UNION = FeatureUnion([("p", PCA(2, random_state=0)), ("k", make_pipeline(MinMaxScaler(), SelectKBest(k=2)))])
COLUMNS = ColumnTransformer(
    [("a", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1, 2]), ("b", MinMaxScaler(), slice(3, 6))],
    remainder="passthrough",
)
PIPELINES = {
    "chain": Pipeline([("s", StandardScaler()), ("d", PCA(3, random_state=0)), ("c", SVC())]),
    "union": Pipeline([("s", StandardScaler()), ("u", UNION), ("c", LogisticRegression())]),
    "columns": Pipeline([("t", COLUMNS), ("c", LogisticRegression())]),
    "nested": Pipeline(
        [("a", make_pipeline(StandardScaler(), "passthrough", PCA(3))), ("c", make_pipeline(SVC()))]
    ),
    "predictor": SVC(),
}


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("scoring", [None, "f1_macro"])
def test_the_scores_are_scikit_learns(name, scoring, runs):
    workflow = pipeline_workflow(PIPELINES[name], X, Y, scoring=scoring)
    expected = model_selection.cross_validate(PIPELINES[name], X, Y, scoring=scoring)["test_score"]
    np.testing.assert_array_equal(workflow()["test_score"], expected)
    np.testing.assert_array_equal(runs(workflow).outputs["test_score"], expected)
    predicted = np.concatenate(runs(workflow).outputs["prediction"])
    assert sorted(predicted) == sorted(model_selection.cross_val_predict(PIPELINES[name], X, Y))


def test_there_is_a_node_for_each_transformer_estimator_prediction_and_score_of_each_fold():
    workflow = pipeline_workflow(PIPELINES["union"], X, Y, cv=2)
    nodes = workflow.capture().nodes
    for fold in ("[fold1]", "[fold2]"):
        assert {f"s{fold}", f"u.p{fold}", f"u.k.selectkbest{fold}", f"u{fold}", f"c{fold}"} <= nodes.keys()
        assert {f"s.test{fold}", f"u.test{fold}", f"predict{fold}", f"score{fold}"} <= nodes.keys()
    assert {node.stage for node in nodes.values()} == {"preprocess", "learn", "evaluate"}


def test_a_change_of_one_step_recomputes_from_that_step_on(runs):
    steps = [("s", StandardScaler()), ("a", MinMaxScaler()), ("d", PCA(3, random_state=0)), ("c", SVC())]
    runs(flow(*steps))
    assert runs(flow(*steps)).report.edits == ()
    changed = runs(flow(*steps[:2], ("d", PCA(2, random_state=0)), steps[3]))
    edited = {edit.node for edit in changed.report.edits if edit.kind in ("parameter", "data", "replace")}
    assert edited == {"d[fold1]", "d[fold2]", "d[fold3]"}
    before = {node.name: node.signature for node in runs(flow(*steps)).report.nodes}
    after = {node.name: node.signature for node in changed.report.nodes}
    same = {name for name in before if before[name] == after[name]}
    assert {
        name for name in before if name.startswith(("s[", "a[", "s.", "a.", "data", "train", "test"))
    } == same


def test_a_member_of_a_union_changes_alone(runs):
    one = pipeline_workflow(PIPELINES["union"], X, Y, cv=2)
    other = Pipeline([("s", StandardScaler()), ("u", UNION), ("c", LogisticRegression())])
    changed = pipeline_workflow(
        model_selection.GridSearchCV(other, {}).estimator.set_params(u__k__selectkbest__k=1), X, Y, cv=2
    )
    before = {node.name: node.signature for node in runs(one).report.nodes}
    other.set_params(u__k__selectkbest__k=2)
    after = {node.name: node.signature for node in runs(changed).report.nodes}
    assert before["u.p[fold1]"] == after["u.p[fold1]"]
    assert before["u.k.minmaxscaler[fold1]"] == after["u.k.minmaxscaler[fold1]"]
    assert before["u.k.selectkbest[fold1]"] != after["u.k.selectkbest[fold1]"]
    assert before["u[fold1]"] != after["u[fold1]"]


def test_what_draws_without_a_seed_draws_the_same_in_every_run(runs):
    steps = [
        ("s", StandardScaler()),
        ("c", RandomForestClassifier(100)),
    ]  # 0.1 s: worth a load on any machine
    first, again = runs(flow(*steps)), runs(flow(*steps))
    assert states(again)["c[fold1]"] != "compute"
    runs(flow(("s", MinMaxScaler()), steps[1]))
    elsewhere = run(flow(*steps), (), {}, project=find(steps_folder(), policy="none"))
    for other in (again, elsewhere):
        np.testing.assert_array_equal(other.outputs["prediction"], first.outputs["prediction"])


def steps_folder():
    """Return the folder of another project, where nothing was ever run."""
    folder = Path("elsewhere")
    (folder / ".mile").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("predictor", [GradientBoostingClassifier(n_estimators=2), KNeighborsClassifier()])
def test_predictors_that_hold_the_global_generator_or_count_queries_change_nothing_in_place(predictor, runs):
    workflow = flow(("s", StandardScaler()), ("c", predictor))
    first, again = runs(workflow), runs(flow(("s", MinMaxScaler()), ("c", predictor)))
    assert not first.report.notes
    assert not again.report.notes
    np.testing.assert_array_equal(runs(workflow).outputs["prediction"], first.outputs["prediction"])


def test_a_step_is_told_by_its_class_and_parameters(runs):
    runs(flow(("s", StandardScaler()), ("c", LogisticRegression())))
    moved = runs(flow(("s", StandardScaler()), ("c", LogisticRegression(C=0.5))))
    assert {(edit.parameter, edit.old, edit.new) for edit in moved.report.edits} == {("C", 1.0, 0.5)}
    assert edits_in_words(moved.report.edits) == ["c: C 1.0 -> 0.5 (in 3 nodes)"]
    replaced = runs(flow(("s", StandardScaler()), ("c", SVC())))
    assert {(edit.kind, edit.before, edit.operator) for edit in replaced.report.edits} == {
        ("replace", "LogisticRegression", "SVC")
    }


def test_a_step_that_is_more_than_its_parameters_is_told_whole():
    framed = StandardScaler().set_output(transform="pandas")
    nodes = flow(("s", framed), ("c", SVC())).capture().nodes
    assert nodes["s[fold1]"].arguments["step"] is not None
    assert nodes["c[fold1]"].arguments["C"] == 1.0


def test_the_mean_score_is_the_metric_that_matters(runs):
    done = runs(flow(("s", StandardScaler()), ("c", SVC())))
    assert next(iter(done.report.metrics)) == "mean_test_score"
    assert done.outputs["mean_test_score"] == np.mean(done.outputs["test_score"])
    several = runs(flow(("s", StandardScaler()), ("c", SVC()), scoring=["accuracy", "f1_macro"]))
    assert set(several.outputs["mean_test_score"]) == {"accuracy", "f1_macro"}


def test_a_split_is_a_cross_validation_of_one_fold():
    train, test = np.arange(80), np.arange(80, 120)
    workflow = flow(("s", StandardScaler()), ("c", SVC()), cv=[(train, test)])
    plain = make_pipeline(StandardScaler(), SVC()).fit(X[train], Y[train])
    assert workflow()["test_score"] == [plain.score(X[test], Y[test])]


def test_kernels_are_cut_on_both_sides():
    kernel = rbf_kernel(X)
    expected = model_selection.cross_validate(SVC(kernel="precomputed"), kernel, Y)["test_score"]
    workflow = pipeline_workflow(SVC(kernel="precomputed"), kernel, Y)
    np.testing.assert_array_equal(workflow()["test_score"], expected)
