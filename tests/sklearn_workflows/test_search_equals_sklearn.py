"""Searches give what scikit-learn's give, to the last bit."""

import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from search_support import Counting, Drawing, DrawingLater, Overwriting, X, Y, assert_same_results
from sklearn import model_selection
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mile_rl.sklearn import GridSearchCV, RandomizedSearchCV, cross_validate


def pipe(**steps):
    return Pipeline(list(steps.items()))


def both(estimator, grid, X=X, y=Y, *, fit=None, seed=7, store="project", **options):
    """Run both searches on the same generators; return ours and theirs, having compared them."""
    np.random.seed(seed)
    # Copies, since the refit works on the very data: steps with copy=False change them.
    theirs = model_selection.GridSearchCV(estimator, grid, **options).fit(deepcopy(X), y, **(fit or {}))
    after = np.random.random()
    np.random.seed(seed)
    ours = GridSearchCV(estimator, grid, store=store, **options).fit(deepcopy(X), y, **(fit or {}))
    assert np.random.random() == after
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    for name in ("best_index_", "best_params_", "best_score_", "multimetric_", "n_splits_"):
        assert repr(getattr(ours, name, None)) == repr(getattr(theirs, name, None))
    return ours, theirs


FRAME = pd.DataFrame(X[:, :4], columns=list("abcd")).assign(kind=np.where(X[:, 5] > 0, "x", "y"))
FLOATS = make_column_selector(dtype_include=float)
TEXTS = [" ".join(f"w{abs(int(v * 3))}" for v in row) for row in X]

CASES = {
    "chain": (
        pipe(s=StandardScaler(), d=PCA(random_state=0), c=RidgeClassifier()),
        {
            "s": [StandardScaler(), MinMaxScaler(), "passthrough"],
            "d__n_components": [2, 5],
            "c__alpha": [1, 9],
        },
        X,
    ),
    "steps replaced, also by None": (
        pipe(s=None, d=PCA(3), c=KNeighborsClassifier()),
        [
            {"d": [PCA(2), SelectKBest(k=3), None], "c__n_neighbors": [3, 7]},
            {"s": [StandardScaler()], "c": [SVC(), RidgeClassifier()]},
        ],
        X,
    ),
    "union": (
        pipe(
            u=FeatureUnion([("p", PCA(2)), ("k", make_pipeline(StandardScaler(), SelectKBest(k=2)))]),
            c=LogisticRegression(),
        ),
        {"u__p__n_components": [2, 3], "u__transformer_weights": [None, {"p": 3.0}], "c__C": [0.1, 1]},
        X,
    ),
    "columns": (
        pipe(
            t=ColumnTransformer(
                [
                    (
                        "n",
                        make_pipeline(SimpleImputer(), StandardScaler()),
                        make_column_selector(dtype_include=float),
                    ),
                    ("k", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
                ],
                remainder="passthrough",
            ),
            c=LogisticRegression(),
        ),
        {
            "t__n__simpleimputer__strategy": ["mean", "median"],
            "t__k__drop": [None, "first"],
            "c__C": [0.1, 1],
        },
        FRAME,
    ),
    "columns in frames": (
        pipe(
            t=ColumnTransformer(
                [("n", StandardScaler(), list("ab")), ("r", "passthrough", list("cd"))]
            ).set_output(transform="pandas"),
            s=StandardScaler(),
            c=LogisticRegression(),
        ),
        {"t__n__with_mean": [True, False], "c__C": [0.1, 1]},
        FRAME,
    ),
    "nested pipelines": (
        pipe(
            a=pipe(s=StandardScaler(), b=pipe(d=PCA(4, random_state=0))), c=pipe(k=SelectKBest(k=2), e=SVC())
        ),
        {"a__b__d__n_components": [3, 4], "c__k__k": [1, 2], "c__e__C": [1, 10]},
        X,
    ),
    "text": (
        pipe(
            v=CountVectorizer(),
            t=TfidfTransformer(),
            d=TruncatedSVD(3, random_state=0),
            c=LogisticRegression(),
        ),
        {"v__ngram_range": [(1, 1), (1, 2)], "t__use_idf": [True, False], "c__C": [1, 10]},
        TEXTS,
    ),
    "sparse": (
        pipe(k=SelectKBest(k=4), c=LogisticRegression()),
        {"k__k": [3, 4], "c__C": [1, 10]},
        sp.csr_matrix(np.maximum(X, 0)),
    ),
    "estimators as parameters": (
        pipe(f=SelectFromModel(RandomForestClassifier(5, random_state=0)), c=SVC()),
        {"f__estimator__max_depth": [2, 4], "f__threshold": ["mean", "median"], "c__C": [1, 10]},
        X,
    ),
    "functions": (
        pipe(f=FunctionTransformer(np.abs), n=NMF(3, init="nndsvda", max_iter=2000), c=SVC()),
        {"f__func": [np.abs, np.square], "c__C": [1, 10]},
        X,
    ),
    "copy=False": (
        pipe(s=StandardScaler(copy=False), m=MinMaxScaler(copy=False), c=SVC()),
        {"s__with_std": [True, False], "c__C": [1, 10]},
        X,
    ),
    "overwrites what it is given": (
        pipe(s=StandardScaler(), o=Overwriting(), c=SVC()),
        {"s__with_std": [True, False], "o__factor": [2.0, 3.0], "c__C": [1, 10]},
        X,
    ),
    "overwrites beside another in a union": (
        pipe(u=FeatureUnion([("o", Overwriting()), ("p", PCA(2))]), c=SVC()),
        {"u__o__factor": [2.0, 3.0], "c__C": [1, 10]},
        X,
    ),
    "no pipeline": (SVC(), {"C": [1, 10]}, X),
    "no pipeline, drawing": (RandomForestClassifier(5), {"max_depth": [2, 3]}, X),
    "drawing first": (
        pipe(s=StandardScaler(), r=Drawing(), d=PCA(3), c=SVC()),
        {"s__with_mean": [True, False], "d__n_components": [2, 3], "c__C": [1, 10]},
        X,
    ),
    "drawing last": (
        pipe(s=StandardScaler(), c=SGDClassifier(max_iter=5000)),
        {"s__with_mean": [True, False], "c__alpha": [0.01, 0.1]},
        X,
    ),
    "drawing in transform": (
        pipe(s=StandardScaler(), r=DrawingLater(), c=SVC()),
        {"s__with_mean": [True, False], "c__C": [1, 10]},
        X,
    ),
    "a generator as parameter": (
        pipe(d=PCA(3, svd_solver="randomized", random_state=np.random.RandomState(5)), c=SVC()),
        {"d__n_components": [2, 3], "c__C": [1, 10]},
        X,
    ),
    "the global generator as parameter": (
        pipe(d=PCA(3, svd_solver="randomized"), c=SVC()),
        {"d__n_components": [2, 3], "c__C": [1, 10]},
        X,
    ),
}


@pytest.mark.parametrize("case", CASES)
class TestPipelines:
    def test_results_are_scikit_learns(self, case):
        estimator, grid, data = CASES[case]
        for train_score in (True, False):
            both(estimator, grid, data, cv=3, return_train_score=train_score, store=None)

    def test_results_are_scikit_learns_when_they_come_from_the_store(self, case):
        estimator, grid, data = CASES[case]
        for _ in range(2):
            both(estimator, grid, data, cv=3, return_train_score=True)

    def test_results_are_scikit_learns_where_only_the_classifier_is_new(self, case):
        estimator, grid, data = CASES[case]
        both(estimator, grid, data, cv=3)
        extended = [
            {**g, "c": [RidgeClassifier(alpha=3)]} for g in ([grid] if isinstance(grid, dict) else grid)
        ]
        if isinstance(estimator, Pipeline) and isinstance(estimator[-1], SVC | LogisticRegression):
            extended = [{k: v for k, v in g.items() if not k.startswith("c__")} for g in extended]
            both(estimator, extended, data, cv=3)


def test_the_best_estimator_is_a_plain_pipeline_that_predicts_as_scikit_learns():
    estimator, grid, _ = CASES["chain"]
    ours, theirs = both(estimator, grid)
    assert type(ours.best_estimator_) is Pipeline
    assert [type(step) for _, step in ours.best_estimator_.steps] == [
        type(step) for _, step in theirs.best_estimator_.steps
    ]
    np.testing.assert_array_equal(ours.decision_function(X), theirs.decision_function(X))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, Y) == theirs.score(X, Y)


def test_threads_give_the_same_results():
    estimator, grid, _ = CASES["union"]
    both(estimator, grid, n_jobs=3, store=None)
    both(estimator, grid, n_jobs=3)


def test_several_metrics_and_a_chosen_refit():
    estimator, grid, _ = CASES["chain"]
    ours, theirs = both(
        estimator,
        grid,
        scoring=["accuracy", "f1_macro", "balanced_accuracy"],
        refit="f1_macro",
        return_train_score=True,
    )
    assert ours.scorer_.keys() == theirs.scorer_.keys()
    both(estimator, grid, scoring={"a": "accuracy", "own": make_scorer(own_metric)}, refit=False)
    both(
        estimator, grid, scoring=lambda e, X, y: {"n": e[:-1].transform(X).shape[1]}, refit=lambda results: 1
    )


def own_metric(truth, predicted):
    return accuracy_score(truth, predicted) / 2


def test_a_scorer_that_looks_at_the_steps_finds_them_fitted_and_of_their_class():
    def components(estimator, X, y):
        assert isinstance(estimator, Pipeline)
        assert type(estimator["d"]).__name__ == "PCA"
        assert isinstance(estimator["d"], PCA)
        names = estimator[:-1].get_feature_names_out()
        return float(estimator["d"].components_.sum() + len(names))

    both(
        pipe(s=StandardScaler(), d=PCA(random_state=0), c=SVC()),
        {"d__n_components": [2, 3], "c__C": [1, 2]},
        scoring=components,
    )


@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_failing_candidates_get_the_error_score_and_the_warning(error_score):
    estimator = pipe(s=StandardScaler(), d=PCA(), c=SVC())
    grid = {"d__n_components": [2, 99], "c__C": [1, 10]}
    runs = []
    for search in (model_selection.GridSearchCV, GridSearchCV, GridSearchCV):
        with pytest.warns() as caught:
            runs.append(search(estimator, grid, error_score=error_score, refit=False).fit(X, Y))
        assert any(issubclass(w.category, FitFailedWarning) for w in caught)
    assert_same_results(runs[1].cv_results_, runs[0].cv_results_)
    assert_same_results(runs[2].cv_results_, runs[0].cv_results_)


def test_a_failing_candidate_raises_where_that_is_asked_for():
    with pytest.raises(ValueError, match="n_components"):
        GridSearchCV(pipe(d=PCA(), c=SVC()), {"d__n_components": [99]}, error_score="raise").fit(X, Y)


def test_a_step_that_fails_for_one_task_is_not_taken_from_it_by_another():
    both(pipe(d=FailsOnce(), c=SVC()), {"c__C": [1, 10]}, store=None)


class FailsOnce(StandardScaler):
    def __sklearn_is_fitted__(self):
        return hasattr(self, "mean_")


def test_sample_weight_reaches_the_steps_that_it_is_meant_for():
    weight = np.linspace(0.1, 2, len(Y))
    estimator = pipe(s=StandardScaler(), c=LogisticRegression())
    grid = {"s__with_mean": [True, False], "c__C": [0.1, 1]}
    plain, _ = both(estimator, grid)
    weighted, _ = both(estimator, grid, fit={"s__sample_weight": weight, "c__sample_weight": weight})
    assert list(plain.cv_results_["mean_test_score"]) != list(weighted.cv_results_["mean_test_score"])
    both(estimator, grid, fit={"s__sample_weight": weight[::-1], "c__sample_weight": weight})


def test_metadata_is_routed_as_scikit_learn_routes_it():
    weight = np.linspace(0.1, 2, len(Y))
    groups = np.arange(len(Y)) % 5
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        last = LogisticRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        both(
            pipe(s=scaler, c=last),
            {"s__with_mean": [True, False], "c__C": [0.1, 1]},
            fit={"sample_weight": weight, "groups": groups},
            cv=GroupKFold(3),
        )


def test_groups_and_splitters_are_passed_on():
    groups = np.arange(len(Y)) % 4
    estimator, grid, _ = CASES["chain"]
    both(estimator, grid, fit={"groups": groups}, cv=GroupKFold(4))
    both(estimator, grid, cv=StratifiedKFold(3, shuffle=True, random_state=4))
    both(estimator, grid, cv=[(np.arange(80), np.arange(80, 120)), (np.arange(40, 120), np.arange(40))])


def test_regression_and_no_target():
    both(
        pipe(s=StandardScaler(), c=Ridge()),
        {"s__with_mean": [True, False], "c__alpha": [1, 2]},
        X[:, :5],
        X[:, 5],
    )
    both(
        pipe(s=StandardScaler(), d=PCA()), {"s__with_std": [True, False], "d__n_components": [1, 2]}, X, None
    )


def test_an_estimator_that_overwrites_its_input_harms_nobody():
    both(
        pipe(s=StandardScaler(), c=Lasso(alpha=0.1, copy_X=False)),
        {"s__with_std": [True, False], "c__alpha": [0.1, 0.2, 0.3]},
        np.asfortranarray(X[:, :5]),
        X[:, 5],
    )


def test_randomized_search_draws_the_same_candidates():
    from scipy.stats import uniform

    estimator = pipe(s=StandardScaler(), d=PCA(random_state=0), c=SVC())
    space = {"d__n_components": [2, 3], "c__C": uniform(0.1, 10), "s": [StandardScaler(), MinMaxScaler()]}
    for state in (3, np.random.RandomState(3)):
        theirs = model_selection.RandomizedSearchCV(estimator, space, n_iter=8, random_state=3).fit(X, Y)
        ours = RandomizedSearchCV(estimator, space, n_iter=8, random_state=state).fit(X, Y)
        assert_same_results(ours.cv_results_, theirs.cv_results_)
        assert ours.counts_.shared or ours.counts_.tasks_loaded


@pytest.mark.parametrize(
    "options",
    [{}, {"return_train_score": True, "return_indices": True}, {"scoring": ["accuracy", "f1_macro"]}],
)
def test_cross_validate_returns_what_scikit_learns_returns(options):
    estimator, _, data = CASES["columns"]
    theirs = model_selection.cross_validate(estimator, data, Y, **options)
    for _ in range(2):
        ours = cross_validate(estimator, data, Y, **options)
        assert ours.keys() == theirs.keys()
        for key in theirs:
            if key == "indices":
                assert repr(ours[key]) == repr(theirs[key])
            elif not key.endswith("_time"):
                np.testing.assert_array_equal(ours[key], theirs[key], strict=True)


def test_estimators_that_cross_validate_returns_are_plain_and_predict_alike():
    estimator, _, _ = CASES["chain"]
    theirs = model_selection.cross_validate(estimator, X, Y, return_estimator=True)["estimator"]
    ours = cross_validate(estimator, X, Y, return_estimator=True)["estimator"]
    for mine, other in zip(ours, theirs, strict=True):
        assert [type(step) for _, step in mine.steps] == [StandardScaler, PCA, RidgeClassifier]
        assert [vars(step).keys() for _, step in mine.steps] == [vars(step).keys() for _, step in other.steps]
        np.testing.assert_array_equal(mine.decision_function(X), other.decision_function(X))


def test_searches_nest():
    inner = GridSearchCV(pipe(s=StandardScaler(), c=SVC()), {"c__C": [1, 10]}, store=None, cv=2)
    plain = model_selection.GridSearchCV(pipe(s=StandardScaler(), c=SVC()), {"c__C": [1, 10]}, cv=2)
    ours = cross_validate(inner, X, Y, cv=3)
    theirs = model_selection.cross_validate(plain, X, Y, cv=3)
    np.testing.assert_array_equal(ours["test_score"], theirs["test_score"])


def test_frames_come_out_where_the_configuration_says_so():
    with sklearn.config_context(transform_output="pandas"):
        both(
            pipe(s=StandardScaler(), d=PCA(3), c=SVC()),
            {"d__n_components": [2, 3], "c__C": [1, 10]},
            FRAME[list("abcd")],
        )


def test_nothing_that_is_fitted_beforehand_is_taken_for_the_fit():
    scaler = StandardScaler().fit(X + 100)
    both(pipe(s=scaler, c=SVC()), {"c__C": [1, 10]})
    with pytest.raises(NotFittedError):
        GridSearchCV(SVC(), {"C": [1]}).predict(X)


def test_the_estimator_that_was_given_is_left_as_it_was():
    estimator, grid, _ = CASES["union"]
    before = repr(estimator), {name: set(vars(step)) for name, step in estimator.steps}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GridSearchCV(estimator, grid).fit(X, Y)
    assert before == (repr(estimator), {name: set(vars(step)) for name, step in estimator.steps})
    assert not hasattr(estimator["u"].transformer_list[0][1], "components_")


def test_counting_steps_do_not_disturb_equality():
    both(pipe(a=Counting(), c=SVC()), {"a__factor": [1.0, 2.0], "c__C": [1, 10]})
