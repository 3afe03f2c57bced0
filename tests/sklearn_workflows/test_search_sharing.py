"""What a search computes, how often, and what it leaves in the store."""

import functools
import gc
import pickle
import weakref

import numpy as np
import pytest
from search_support import Calls, Counting, Drawing, X, Y, assert_same_results
from sklearn import model_selection
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from mile_rl.sklearn import GridSearchCV, RandomizedSearchCV, cross_validate
from mile_rl.sklearn import sharing as sharing_module
from mile_rl.sklearn.session import Session
from mile_rl.sklearn.shelf import Shelf

PIPE = Pipeline([("a", Counting()), ("b", Counting()), ("c", SVC(random_state=0))])
GRID = {"a__factor": [1.0, 2.0], "b__factor": [1.0, 2.0, 3.0], "c__C": [1, 2, 3, 4]}
FOLDS = 3


def fitted(estimator=PIPE, grid=GRID, data=X, y=Y, **options):
    Calls.reset()
    options = {"cv": FOLDS, "refit": False, "store": None, **options}
    return GridSearchCV(estimator, grid, **options).fit(data, y)


@pytest.mark.parametrize("jobs", [None, 3])
def test_each_distinct_prefix_is_fitted_once_a_fold(jobs):
    search = fitted(n_jobs=jobs)
    assert Calls.fits == (2 + 2 * 3) * FOLDS
    # Once behind the fit and once for the test rows.
    assert Calls.transforms == 2 * Calls.fits
    assert search.counts_.tasks_computed == 24 * FOLDS


def test_members_of_a_union_are_shared_one_by_one():
    union = FeatureUnion([("a", Counting()), ("b", Counting(2.0))])
    fitted(Pipeline([("u", union), ("c", SVC())]), {"u__a__factor": [1.0, 3.0], "c__C": [1, 2]})
    assert Calls.fits == 3 * FOLDS


def test_columns_that_pass_through_tell_candidates_apart():
    columns = [ColumnTransformer([("p", "passthrough", [number, number + 1])]) for number in range(3)]
    pipe = Pipeline([("s", StandardScaler()), ("t", None), ("c", RidgeClassifier())])
    grid = {"t": columns, "c__alpha": [0.1, 1.0, 10.0]}
    found = fitted(pipe, grid)
    plain = model_selection.GridSearchCV(pipe, grid, cv=FOLDS, refit=False).fit(X, Y)
    assert_same_results(found.cv_results_, plain.cv_results_)
    assert len(set(found.cv_results_["mean_test_score"])) > 1


def test_what_draws_is_drawn_by_everybody():
    np.random.seed(0)
    fitted(Pipeline([("r", Drawing()), ("c", SVC())]), {"c__C": [1, 2, 3]})
    assert Calls.fits == 3 * FOLDS


def test_steps_differ_by_their_code_not_only_by_their_name():
    def half(rows):
        return rows / 2

    first = half

    def half(rows):
        return rows * 0 + 1

    grid = {"f__func": [first, half], "c__alpha": [1.0]}
    estimator = Pipeline([("f", FunctionTransformer()), ("c", RidgeClassifier())])
    for store in (None, "project", "project"):
        ours = fitted(estimator, grid, store=store)
        theirs = model_selection.GridSearchCV(estimator, grid, cv=FOLDS, refit=False).fit(X, Y)
        assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_values_are_let_go_when_the_last_candidate_that_needs_them_is_done():
    held = []

    class Watched(Session):
        def _release(self, owners):
            super()._release(owners)
            held.append(len(self.memo))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mile_rl.sklearn.search.Session", Watched)
        # Keys are sorted: the prefix varies slowest here.
        fitted(grid={"a__factor": [1.0, 2.0, 3.0, 4.0], "c__C": [1, 2]})
    assert held[-1] == 0
    # Three folds of one candidate prefix: two steps' fit and transform, and what the predictor is given.
    assert max(held) <= FOLDS * (2 * 2 + 1)


def test_nothing_of_a_search_stays_in_memory():
    search = fitted()
    gc.collect()
    # By its type: isinstance would ask lazy objects of other libraries for their class, and some warn.
    kept = [each for each in gc.get_objects() if issubclass(type(each), sharing_module.Sharing)]
    assert kept == []
    assert weakref.ref(search)() is search
    assert pickle.loads(pickle.dumps(search)).counts_ == search.counts_


def test_the_same_search_again_computes_nothing():
    estimator = Pipeline([("s", StandardScaler()), ("d", PCA(random_state=0)), ("c", SVC(random_state=0))])
    grid = {"d__n_components": [2, 3], "c__C": [1, 2]}
    first = fitted(estimator, grid, store="project")
    again = fitted(estimator, grid, store="project")
    assert again.counts_.tasks_loaded == 4 * FOLDS
    assert again.counts_.computed == again.counts_.tasks_computed == 0
    assert_same_results(again.cv_results_, first.cv_results_)


def test_a_pipeline_is_cloned_for_a_candidate_and_not_for_each_task_that_is_known(monkeypatch):
    made = []
    monkeypatch.setattr(RidgeClassifier, "__init__", _counting(RidgeClassifier.__init__, made))
    pipe = Pipeline([("s", StandardScaler()), ("c", RidgeClassifier())])
    for _ in range(2):
        made.clear()
        search = GridSearchCV(pipe, {"c__alpha": [0.1, 1.0, 10.0]}, cv=10, refit=False).fit(X, Y)
    assert search.counts_.tasks_loaded == 30
    assert len(made) < 10


def _counting(init, made):
    @functools.wraps(init)
    def counting(self, *args, **kwargs):
        made.append(self)
        init(self, *args, **kwargs)

    return counting


@pytest.mark.parametrize("searched_first", [True, False])
def test_a_search_and_a_cross_validation_share_their_scores(searched_first):
    pipe = Pipeline([("s", StandardScaler()), ("c", RidgeClassifier(alpha=1.0))])

    def validate():
        return cross_validate(pipe, X, Y, cv=3)["test_score"]

    def search():
        return GridSearchCV(pipe, {"c__alpha": [1.0, 10.0]}, cv=3, refit=False).fit(X, Y)

    if searched_first:
        search()
        assert validate().tolist() == model_selection.cross_val_score(pipe, X, Y, cv=3).tolist()
    else:
        validate()
        plain = model_selection.GridSearchCV(pipe, {"c__alpha": [1.0, 10.0]}, cv=3, refit=False).fit(X, Y)
        found = search()
        assert_same_results(found.cv_results_, plain.cv_results_)
        assert found.counts_.tasks_loaded == 3


def test_one_more_setting_of_the_classifier_costs_that_setting(monkeypatch):
    monkeypatch.setattr("mile_rl.sklearn.shelf.QUICK_NS", 0)
    estimator = Pipeline([("s", StandardScaler()), ("d", PCA(random_state=0)), ("c", SVC(random_state=0))])
    fitted(estimator, {"d__n_components": [2, 3], "c__C": [1, 2]}, store="project")
    more = fitted(estimator, {"d__n_components": [2, 3], "c__C": [1, 2, 3]}, store="project")
    assert more.counts_.tasks_computed == 2 * FOLDS
    assert more.counts_.tasks_loaded == 4 * FOLDS
    assert more.counts_.computed == 0
    assert more.counts_.loaded == (1 + 2) * 2 * FOLDS


@pytest.mark.parametrize("change", ["data", "targets", "weights", "folds", "scoring", "step"])
def test_every_change_of_what_counts_is_seen(change):
    estimator = Pipeline([("s", StandardScaler()), ("c", LogisticRegression())])
    options = {"cv": FOLDS, "refit": False}
    fit = {"c__sample_weight": np.ones(len(Y))}
    data, y = X.copy(), Y.copy()
    GridSearchCV(estimator, {"c__C": [1, 2]}, **options).fit(data, y, **fit)
    match change:
        case "data":
            data[0, 0] += 1e-9
        case "targets":
            y[:9] = 0
        case "weights":
            fit = {"c__sample_weight": np.linspace(0, 1, len(Y))}
        case "folds":
            options["cv"] = model_selection.StratifiedKFold(FOLDS, shuffle=True, random_state=1)
        case "scoring":
            options["scoring"] = "f1_macro"
        case "step":
            estimator = clone(estimator).set_params(s__with_std=False)
    ours = GridSearchCV(estimator, {"c__C": [1, 2]}, **options).fit(data, y, **fit)
    assert ours.counts_.tasks_loaded == 0
    theirs = model_selection.GridSearchCV(estimator, {"c__C": [1, 2]}, **options).fit(data, y, **fit)
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_a_step_whose_code_reads_a_file_is_not_kept(tmp_path):
    (tmp_path / "factor.txt").write_text("2")

    def scaled(rows):
        return rows * float((tmp_path / "factor.txt").read_text())

    estimator = Pipeline([("f", FunctionTransformer(scaled)), ("c", RidgeClassifier(alpha=50))])
    for factor in ("2", "0.01"):
        (tmp_path / "factor.txt").write_text(factor)
        ours = fitted(estimator, {"c__alpha": [50.0]}, store="project")
        theirs = model_selection.GridSearchCV(estimator, {"c__alpha": [50.0]}, cv=FOLDS, refit=False).fit(
            X, Y
        )
        assert_same_results(ours.cv_results_, theirs.cv_results_)
        assert ours.counts_.tasks_loaded == 0


def test_a_store_that_cannot_be_used_costs_nothing_but_its_use(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MILE_HOME", str(tmp_path / "file"))
    assert fitted(store="project").counts_.tasks_computed == 24 * FOLDS


def test_without_a_store_nothing_is_written(project):
    before = sorted(project.rglob("*"))
    fitted(store=None)
    assert sorted(project.rglob("*")) == before


def test_parameters_are_scikit_learns_and_the_store():
    ours, theirs = GridSearchCV(SVC(), {"C": [1]}), model_selection.GridSearchCV(SVC(), {"C": [1]})
    assert set(ours.get_params()) == {*theirs.get_params(), "store"}
    assert clone(ours.set_params(store=None, n_jobs=2)).get_params()["store"] is None
    with pytest.raises(ValueError, match="store"):
        GridSearchCV(SVC(), {"C": [1]}, store=3).fit(X, Y)


@parametrize_with_checks(
    [
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, store=None),
        RandomizedSearchCV(
            Pipeline([("s", StandardScaler()), ("c", LogisticRegression())]),
            {"c__C": [0.1, 1.0]},
            n_iter=2,
            cv=2,
            random_state=0,
            store=None,
        ),
    ],
    expected_failed_checks=lambda search: {
        # scikit-learn's own searches are excused from these too: weights do not reach the splits.
        "check_sample_weight_equivalence_on_dense_data": "weights do not reach the splits",
        "check_sample_weight_equivalence_on_sparse_data": "weights do not reach the splits",
        **(
            {"check_sample_weights_pandas_series": "a pipeline takes no sample_weight by that name"}
            if isinstance(search, RandomizedSearchCV)
            else {}
        ),
    },
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("name", "behind"), [("expected", "gdsf"), ("lru", "lru")])
def test_a_search_keeps_by_a_policy_that_does_not_look_ahead(tmp_path, monkeypatch, name, behind):
    monkeypatch.setenv("MILE_POLICY", name)
    shelf = Shelf.at(tmp_path)
    assert shelf._guard.name == behind
    shelf.close()
