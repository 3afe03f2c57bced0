"""What is recommended for a pipeline's workflow: other learners, steps and parameters, where they are made."""

from mile_rl.engine.history import compare, log
from mile_rl.recommend.advise import advise
from mile_rl.recommend.trial import attempt
from mile_rl.sklearn import GridSearchCV


def tried(project, wanted, **asked):
    """Try the first recommendation whose words say something."""
    flow = project.flow()
    advice = advise(flow, n=20, **asked)
    number = next(
        number for number, one in enumerate(advice.recommendations, 1) if wanted in one.change.words
    )
    return attempt(flow, advice, number, project=project.project())


def words(project, **asked):
    return [one.change.words for one in project.recommend(n=20, **asked)]


def test_another_learner_stands_in_every_fold_and_in_the_file_once(wine):
    wine.run()
    said = wine.recommend()
    model = [one for one in said if one.origin == "outcome model"]
    assert model
    assert all(one.change.nodes == tuple(f"classify[fold{n}]" for n in (1, 2, 3)) for one in model)
    assert all(one.metric == "mean_test_score" for one in said)
    assert "on 122 datasets with at most 400 rows" in model[0].evidence
    trial = tried(wine, "replace LogisticRegression by")
    assert trial.code.count('\n+pipe = Pipeline([("reduce", PCA(3)), ("classify", ') == 1
    assert trial.after is not None


def test_numbers_of_steps_move_where_they_are_written_and_what_hardly_matters_does_not(wine):
    wine.run()
    said = words(wine)
    assert any(one.startswith("classify: C 0.01 -> ") for one in said)
    assert any(one.startswith("reduce: n_components 3 -> ") for one in said)
    assert not any("tol" in one or "max_iter" in one or "pairwise" in one for one in said)
    trial = tried(wine, "reduce: n_components 3 -> 6")
    assert "PCA(n_components=6)" in trial.code
    assert not any("n_components 3 -> 6" in one for one in words(wine))


def test_steps_are_added_to_the_pipeline_and_taken_from_it(wine):
    wine.run()
    assert '("scale", StandardScaler()), ("classify"' in tried(wine, "standardise the columns").code
    assert 'Pipeline([("classify", LogisticRegression(' in tried(wine, "remove PCA").code
    left = words(wine, stage="preprocess")
    assert not any(one.startswith(("standardise", "remove PCA")) for one in left)


def test_nodes_that_only_wire_a_pipeline_are_nothing_to_work_on(wine):
    wine.run()
    assert not any(one.startswith("work on") for one in words(wine))


def test_a_learner_that_was_tried_is_not_said_again(wine):
    wine.run()
    first = next(one for one in wine.recommend() if one.origin == "outcome model").change.words
    tried(wine, first)
    wine.edit('solver="liblinear"', 'solver="liblinear", random_state=0')
    wine.run()
    assert first not in words(wine)


def test_a_search_in_the_same_file_counts_as_tried(wine, monkeypatch):
    monkeypatch.chdir(wine.folder)
    wine.run()
    before = words(wine)
    candidate = next(one for one in before if one.startswith("classify: C"))
    value = float(candidate.split(" -> ")[1].split(",")[0])
    space = {"__name__": "wine", "__file__": str(wine.file), "GridSearchCV": GridSearchCV, "value": value}
    exec(wine.file.read_text(), space)
    exec("GridSearchCV(pipe, {'classify__C': [value]}, cv=3).fit(X[:, :6], y == 1)", space)
    assert log(wine.project())[0].record.workflow == "wine.py:cross-validation"
    assert candidate not in words(wine)


def test_a_regressor_gets_kinds_not_tried_and_is_told_that_no_outcomes_are_known(sugar):
    sugar.run()
    said = sugar.recommend()
    unknown = [one for one in said if one.origin == "no outcomes"]
    assert len(unknown) >= 2
    assert any("No outcomes:" in term for one in sugar.recommend(novice=True) for term in one.terms)
    assert all(one.explores and "is not known here" in one.evidence for one in unknown)
    assert any(one.startswith("ridge: alpha 100.0 -> ") for one in words(sugar))
    trial = tried(sugar, "replace Ridge by KNeighborsRegressor()")
    assert "make_pipeline(StandardScaler(), KNeighborsRegressor())" in trial.code
    assert not any("KNeighborsRegressor" in one for one in words(sugar))


def test_a_trial_is_recorded_as_an_edit_of_the_iteration_that_it_starts_from(wine):
    wine.run()
    trial = tried(wine, "reduce: n_components 3 -> 6")
    tried(wine, "remove PCA")
    project = wine.project()
    last, first, own = log(project)
    assert (last.record.parent, first.record.parent) == (own.id, own.id)
    assert {edit.parameter for edit in first.record.edits} == {"n_components"}
    assert {edit.kind for edit in last.record.edits} == {"remove"}
    told = compare(project, str(own.id), str(first.id))
    assert told.metrics["mean_test_score"] == (trial.before, trial.after)
